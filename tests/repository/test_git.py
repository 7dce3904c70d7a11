"""Our git, not theirs: nothing that the user or the environment configures changes an answer."""

import os
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.conftest import git_for
from tools.codex.factory.errors import RepositoryError
from tools.codex.factory.host import Host, take_host
from tools.codex.factory.repository.difference import difference
from tools.codex.factory.repository.discovery import UserRepository, base_of, repository_at
from tools.codex.factory.repository.git import Git, built_environment, git_of
from tools.codex.factory.repository.quarantine import open_store
from tools.codex.factory.repository.work_tree import left_out

HOSTILE = """
[core]
\thooksPath = {evil}
\tattributesFile = {evil}/attributes
\texcludesFile = {evil}/excludes
\tfsmonitor = {evil}/program
\tpager = {evil}/program
\teditor = {evil}/program
\tautocrlf = true
\tquotePath = false
\tcompression = 0
\tabbrev = 4
[diff]
\tnoprefix = true
\tmnemonicPrefix = true
\texternal = {evil}/program
\tcontext = 0
\tinterHunkContext = 9
\talgorithm = patience
\trenames = copies
\torderFile = {evil}/order
\tsuppressBlankEmpty = true
\tcolorMoved = zebra
\twsErrorHighlight = all
\tsubmodule = log
\trelative = true
[color]
\tui = always
[alias]
\tdiff-tree = !{evil}/program
\trev-parse = !{evil}/program
\tstatus = !{evil}/program
[diff "evil"]
\tcommand = {evil}/program
\ttextconv = {evil}/program
\tbinary = true
\txfuncname = "^nothing"
[merge "evil"]
\tdriver = {evil}/program
[filter "evil"]
\tclean = {evil}/program
\tsmudge = {evil}/program
\trequired = true
[filter "pro"]
\tprocess = {evil}/program
[apply]
\twhitespace = fix
\tignoreWhitespace = change
[i18n]
\tlogOutputEncoding = UTF-16
[log]
\tshowSignature = true
[status]
\trenames = copies
\tshowUntrackedFiles = no
"""
ATTRIBUTES = (
    "*.txt merge=union diff=evil filter=evil\n*.md filter=evil\n*.sh filter=pro text eol=crlf\n"
)


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """Return a folder with a program that leaves a marker, and hooks that do."""
    folder = tmp_path / "evil"
    folder.mkdir()
    for name in ("program", "post-index-change", "reference-transaction", "pre-auto-gc"):
        script = f"#!/bin/sh\necho ran >> {folder}/marker\ncat\n"
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    (folder / "attributes").write_text(ATTRIBUTES)
    (folder / "excludes").write_text("*\n")
    (folder / "order").write_text("src/*\n")
    return folder


@pytest.fixture
def hostile(repo: Repo, evil: Path) -> Repo:
    """Return the repository after a second commit, set against whoever reads it."""
    repo.write("src/app.txt", "".join(f"line {n}\n" for n in range(1, 20)) + "changed\n")
    repo.write("README.md", "")
    repo.commit("second")
    repo.write("src/app.txt", "dirty, and longer than before\n")
    repo.write("README.md", "dirty as well, and longer\n")
    repo.write("run.sh", "#!/bin/sh\nexit 1\n# dirty\n", executable=True)
    with (repo.path / ".git" / "config").open("a") as file:
        file.write(HOSTILE.format(evil=evil))
    repo.write(".gitattributes", ATTRIBUTES)
    (repo.path / ".git" / "info").mkdir(exist_ok=True)
    (repo.path / ".git" / "info" / "attributes").write_text(ATTRIBUTES)
    return repo


def answers(git: Git, repo: Repo, store: Path) -> tuple[object, ...]:
    """Return all that the factory asks of a repository."""
    user = repository_at(git, repo.path)
    new, old = base_of(git, user, "HEAD"), base_of(git, user, "HEAD~1")
    open_store(git, store, user.objects)
    return user, new, old, difference(git, store, old.tree, new.tree), _left_out(git, user)


def test_a_hostile_repository_and_user_change_no_answer_and_run_nothing(
    hostile: Repo, evil: Path, tmp_path: Path
) -> None:
    config = (hostile.path / ".git" / "config").read_text()
    (hostile.path / ".git" / "config").write_text(config.partition("[core]\n\thooks")[0].rstrip())
    (hostile.path / ".git" / "info" / "attributes").unlink()
    plain = answers(git_for(tmp_path), hostile, tmp_path / "plain")
    (hostile.path / ".git" / "config").write_text(config)
    (hostile.path / ".git" / "info" / "attributes").write_text(ATTRIBUTES)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(HOSTILE.format(evil=evil))

    said = answers(git_for(home), hostile, tmp_path / "hostile")

    assert said == plain
    assert not (evil / "marker").exists()


def test_a_trace_that_the_user_keeps_of_git_is_not_written(repo: Repo, tmp_path: Path) -> None:
    # Trace2 is configured nowhere but in the files of the user and the system.
    repo.write("README.md", "# Another day\n")
    repo.commit("on")
    (tmp_path / ".gitconfig").write_text(f"[trace2]\n\teventTarget = {tmp_path}/trace\n")

    answers(git_for(tmp_path), repo, tmp_path / "store")

    assert not (tmp_path / "trace").exists()


def test_a_filter_with_an_equals_sign_in_its_name_does_not_run(
    hostile: Repo, evil: Path, tmp_path: Path
) -> None:
    (hostile.path / ".git" / "info" / "attributes").write_text("*.md filter=a=b\n")
    hostile.git("config", "filter.a=b.clean", str(evil / "program"))
    git = git_for(tmp_path)

    _left_out(git, repository_at(git, hostile.path))

    assert not (evil / "marker").exists()


def test_the_environment_of_whoever_starts_us_changes_no_answer(
    repo: Repo, evil: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.write("src/app.txt", "changed\n")
    repo.commit("second")
    plain = answers(git_of(Host({"PATH": os.environ["PATH"]}, {})), repo, tmp_path / "plain")
    for name, value in {
        "GIT_DIR": str(evil),
        "GIT_WORK_TREE": str(evil),
        "GIT_INDEX_FILE": str(evil / "index"),
        "GIT_OBJECT_DIRECTORY": str(evil),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(evil),
        "GIT_NAMESPACE": "evil",
        "GIT_CEILING_DIRECTORIES": str(tmp_path),
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "diff.noprefix",
        "GIT_CONFIG_VALUE_0": "true",
        "GIT_CONFIG_KEY_1": "diff.external",
        "GIT_CONFIG_VALUE_1": str(evil / "program"),
        "GIT_CONFIG_PARAMETERS": f"'diff.external={evil}/program'",
        "GIT_EXTERNAL_DIFF": str(evil / "program"),
        "GIT_DIFF_OPTS": "-u0",
        "GIT_TRACE": str(evil / "trace"),
        "GIT_TRACE2": str(evil / "trace"),
        "GIT_TRACE2_EVENT": str(evil / "trace"),
        "GIT_REPLACE_REF_BASE": "refs/evil",
        "GIT_GRAFT_FILE": str(evil / "grafts"),
        "GIT_SHALLOW_FILE": str(evil / "shallow"),
        "GIT_EXEC_PATH": str(evil),
        "GIT_TEMPLATE_DIR": str(evil),
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_PYTHON_GIT_EXECUTABLE": str(evil / "program"),
        "GIT_PYTHON_TRACE": "full",
        "LANG": "de_DE.UTF-8",
        "LANGUAGE": "de",
        "PAGER": str(evil / "program"),
    }.items():
        monkeypatch.setenv(name, value)

    host = take_host()
    said = answers(git_of(host), repo, tmp_path / "hostile")

    assert said == plain
    assert not [name for name in os.environ if name.startswith("GIT_")]
    assert not (evil / "marker").exists()
    assert not (evil / "trace").exists()


def test_the_built_environment_holds_what_is_named_and_nothing_else() -> None:
    host = Host({"PATH": "/bin", "HOME": "/root", "SECRET": "x", "TMPDIR": "/t"}, {"GIT_DIR": "/x"})

    environment = built_environment(host)

    assert {n: v for n, v in environment.items() if not n.startswith("GIT_")} == {
        "PATH": "/bin",
        "TMPDIR": "/t",
        "HOME": os.devnull,
        "LC_ALL": "C",
    }
    assert "/x" not in environment.values()


def test_a_git_that_fails_is_an_error_with_its_own_last_line(git: Git, repo: Repo) -> None:
    with pytest.raises(RepositoryError) as failed:
        git.out("cat-file", "-p", "none", git_dir=repo.path / ".git")

    assert str(failed.value) == "git cat-file failed: fatal: Not a valid object name none"
    assert failed.value.exit_code == 30


@pytest.mark.parametrize(
    ("config", "safe"),
    [
        ("", ()),
        ("[safe]\n\tdirectory = *\n", ("*",)),
        ("[safe]\n\tdirectory = /a b\n\tdirectory =\n\tdirectory = /c\n", ("/a b", "", "/c")),
        ('[safe]\n\tdirectory = "/new\\nline"\n', ("/new\nline",)),
        ("[broken\n", ()),
    ],
)
def test_only_the_users_safe_directories_are_taken_over(
    tmp_path: Path, config: str, safe: tuple[str, ...]
) -> None:
    (tmp_path / ".gitconfig").write_text(config)

    assert git_for(tmp_path).safe == safe


def _left_out(git: Git, user: UserRepository) -> int:
    return left_out(git, user, base_of(git, user, "HEAD").commit)
