"""The fingerprint of a repository: every change of it is found and named, and taking it is none."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.test_promises import fingerprint as everything
from tools.codex.factory.domain.escape import Changed, Part
from tools.codex.factory.repository.discovery import repository_at
from tools.codex.factory.repository.fingerprint import Fingerprint, difference, fingerprint
from tools.codex.factory.repository.git import Git

Deed = Callable[[Repo], object]
NEAR = None
ODD = "new\nline \x1b[31m \udcff"


@pytest.fixture
def lived(repo: Repo) -> Repo:
    """Return a repository in which something of each kind is there, and some of it is dirty."""
    for name in ("one", "two", "packed"):
        repo.git("update-ref", f"refs/heads/{name}", "HEAD")
    repo.git("tag", "-a", "-m", "x", "v1")
    repo.git("pack-refs", "--all")
    repo.git("update-ref", "refs/heads/loose", "HEAD")
    repo.git("symbolic-ref", "refs/heads/link", "refs/heads/one")
    for text in ("first", "second"):
        repo.write("README.md", text)
        repo.git("stash", "push", "-q")
    git = repo.path / ".git"
    (git / "hooks").mkdir(exist_ok=True)
    (git / "hooks" / "pre-commit").write_text("#!/bin/sh\n")
    (git / "info").mkdir(exist_ok=True)
    (git / "info" / "exclude").write_text("*.ignored\n")
    repo.git("worktree", "add", "-q", str(repo.path.parent / "other"), "two")
    repo.git("init", "-q", "--bare", str(repo.path / ".git/modules/deep/sub"))
    (repo.path.parent / "more").write_text("[a]\n\tb = c\n")
    repo.git("config", "include.path", str(repo.path.parent / "more"))
    repo.git("config", "core.hooksPath", ".own-hooks")
    repo.write(".own-hooks/post-merge", "#!/bin/sh\n")
    repo.write("src/app.txt", "dirty\n")
    repo.write("untracked/deep/file", "x")
    return repo


def taken(git: Git, repo: Repo, beside: str | None = None) -> Fingerprint:
    return fingerprint(git, repository_at(git, repo.path), near=NEAR, beside=beside)


def said(path: str, content: str | bytes) -> Deed:
    def deed(repo: Repo) -> None:
        place = repo.path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)

    return deed


def run(*words: str) -> Deed:
    return lambda repo: repo.git(*words)


def other(*words: str) -> Deed:
    return lambda repo: repo.git("-C", str(repo.path.parent / "other"), *words)


def mode(path: str, to: int) -> Deed:
    return lambda repo: (repo.path / path).chmod(to)


def gone(path: str) -> Deed:
    return lambda repo: (repo.path / path).unlink()


def relinked(repo: Repo) -> None:
    (repo.path / ".git/hooks/pre-commit").rename(repo.path.parent / "elsewhere")
    (repo.path / ".git/hooks/pre-commit").symlink_to(repo.path.parent / "elsewhere")


def put_back(repo: Repo) -> None:
    """Change a dirty file, its length and its time of change as they were."""
    place = repo.path / "src/app.txt"
    before = place.stat()
    place.write_text("DIRTY\n")
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))


ALONE: dict[str, tuple[Deed, set[tuple[Part, str]]]] = {
    "a new branch": (run("branch", "new"), {(Part.REF, "refs/heads/new")}),
    "a loose ref moved": (
        run("update-ref", "refs/heads/loose", "refs/stash"),
        {(Part.REF, "refs/heads/loose")},
    ),
    "a packed ref moved": (
        run("update-ref", "refs/heads/packed", "refs/stash"),
        {(Part.REF, "refs/heads/packed")},
    ),
    "a packed ref deleted": (
        run("update-ref", "-d", "refs/heads/packed"),
        {(Part.REF, "refs/heads/packed")},
    ),
    "a tag": (run("tag", "v2"), {(Part.REF, "refs/tags/v2")}),
    "a tag deleted": (run("update-ref", "-d", "refs/tags/v1"), {(Part.REF, "refs/tags/v1")}),
    "a remote branch": (
        run("update-ref", "refs/remotes/origin/main", "HEAD"),
        {(Part.REF, "refs/remotes/origin/main")},
    ),
    "a note": (
        run("update-ref", "refs/notes/commits", "HEAD"),
        {(Part.REF, "refs/notes/commits")},
    ),
    "a replacement": (
        run("update-ref", f"refs/replace/{'a' * 40}", "HEAD"),
        {(Part.REF, f"refs/replace/{'a' * 40}")},
    ),
    "a symbolic ref": (
        run("symbolic-ref", "refs/heads/link", "refs/heads/two"),
        {(Part.REF, "refs/heads/link")},
    ),
    "HEAD elsewhere": (run("symbolic-ref", "HEAD", "refs/heads/one"), {(Part.REF, "HEAD")}),
    "HEAD detached": (run("update-ref", "--no-deref", "HEAD", "HEAD"), {(Part.REF, "HEAD")}),
    "HEAD of another work tree": (
        other("symbolic-ref", "HEAD", "refs/heads/loose"),
        {(Part.REF, "worktrees/other/HEAD")},
    ),
    "a ref of another work tree": (
        other("update-ref", "refs/bisect/bad", "HEAD"),
        {(Part.REF, "worktrees/other/refs/bisect/bad")},
    ),
    "a table of refs": (said(".git/reftable/t.ref", "x"), {(Part.REF, "reftable/t.ref")}),
    "FETCH_HEAD": (said(".git/FETCH_HEAD", "x\n"), {(Part.STATE, "FETCH_HEAD")}),
    "a stash dropped": (
        run("stash", "drop", "-q", "stash@{1}"),
        {(Part.STASH, "logs/refs/stash")},
    ),
    "config": (run("config", "core.editor", "evil"), {(Part.CONFIG, "config")}),
    "the mode of config": (mode(".git/config", 0o600), {(Part.CONFIG, "config")}),
    "config of a work tree": (
        said(".git/config.worktree", "[core]\n"),
        {(Part.CONFIG, "config.worktree")},
    ),
    "config of a submodule": (
        said(".git/modules/deep/sub/config", "[core]\n"),
        {(Part.CONFIG, "modules/deep/sub/config")},
    ),
    "a hook of a submodule": (
        said(".git/modules/deep/sub/hooks/update", "x"),
        {(Part.HOOK, "modules/deep/sub/hooks/update")},
    ),
    "where a work tree belongs": (
        said(".git/worktrees/other/commondir", "../../../elsewhere\n"),
        {(Part.CONFIG, "worktrees/other/commondir")},
    ),
    "a new hook": (said(".git/hooks/post-checkout", "x"), {(Part.HOOK, "hooks/post-checkout")}),
    "a changed hook": (
        said(".git/hooks/pre-commit", "#!/bin/no\n"),
        {(Part.HOOK, "hooks/pre-commit")},
    ),
    "a hook that can be run": (
        mode(".git/hooks/pre-commit", 0o755),
        {(Part.HOOK, "hooks/pre-commit")},
    ),
    "a hook that is gone": (gone(".git/hooks/pre-commit"), {(Part.HOOK, "hooks/pre-commit")}),
    "a hook behind a link": (relinked, {(Part.HOOK, "hooks/pre-commit")}),
    "a hook below": (said(".git/hooks/deep/lib.sh", "x"), {(Part.HOOK, "hooks/deep/lib.sh")}),
    "info/exclude": (said(".git/info/exclude", "*.other\n"), {(Part.INFO, "info/exclude")}),
    "info/attributes": (
        said(".git/info/attributes", "* -text\n"),
        {(Part.INFO, "info/attributes")},
    ),
    "info/grafts": (said(".git/info/grafts", f"{'a' * 40}\n"), {(Part.INFO, "info/grafts")}),
    "info/sparse-checkout": (
        said(".git/info/sparse-checkout", "/src\n"),
        {(Part.INFO, "info/sparse-checkout")},
    ),
    "where history ends": (said(".git/shallow", f"{'a' * 40}\n"), {(Part.INFO, "shallow")}),
    "alternates": (
        said(".git/objects/info/alternates", "/nowhere\n"),
        {(Part.ALTERNATES, "objects/info/alternates")},
    ),
    "the index of another work tree": (
        other("rm", "-q", "--cached", "README.md"),
        {(Part.INDEX, "worktrees/other/index")},
    ),
    "a dirty file": (said("src/app.txt", "dirtier\n"), {(Part.WORK_TREE, "src/app.txt")}),
    "a dirty file, its time put back": (put_back, {(Part.WORK_TREE, "src/app.txt")}),
    "a clean file": (said("docs/guide.txt", "x"), {(Part.WORK_TREE, "docs/guide.txt")}),
    "a clean file deleted": (gone("docs/guide.txt"), {(Part.WORK_TREE, "docs/guide.txt")}),
    "a clean file that can be run": (
        mode("docs/guide.txt", 0o755),
        {(Part.WORK_TREE, "docs/guide.txt")},
    ),
    "a new file": (said("new/file", "x"), {(Part.WORK_TREE, "new/file")}),
    "an untracked file": (
        said("untracked/deep/file", "y"),
        {(Part.WORK_TREE, "untracked/deep/file")},
    ),
    "an untracked file beside": (
        said("untracked/deep/two", "y"),
        {(Part.WORK_TREE, "untracked/deep/two")},
    ),
    "a name of any byte": (said(f"untracked/{ODD}", "y"), {(Part.WORK_TREE, f"untracked/{ODD}")}),
    "a hook of any name": (said(f".git/hooks/{ODD}", "y"), {(Part.HOOK, f"hooks/{ODD}")}),
    "a ref of any name": (
        lambda repo: said(f".git/refs/heads/caf\udce9 {ODD}", "y")(repo),
        {(Part.REF, f"refs/heads/caf\udce9 {ODD}")},
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ALONE)
def test_each_change_alone_is_found_and_named(lived: Repo, git: Git, name: str) -> None:
    deed, expected = ALONE[name]
    before = taken(git, lived)

    deed(lived)

    assert {(one.part, one.name) for one in difference(before, taken(git, lived))} == expected


def test_a_changed_index_is_found(lived: Repo, git: Git) -> None:
    before = taken(git, lived)

    lived.git("add", "src/app.txt")

    changed = difference(before, taken(git, lived))
    assert Changed(Part.INDEX, "index") in changed
    assert {one.part for one in changed} == {Part.INDEX, Part.WORK_TREE}


def test_a_file_that_the_configuration_includes_is_part_of_it(lived: Repo, git: Git) -> None:
    before = taken(git, lived)
    more = lived.path.parent / "more"

    more.write_text("[alias]\n\tst = !evil\n")

    assert difference(before, taken(git, lived)) == (Changed(Part.CONFIG, str(more)),)


def test_hooks_that_the_configuration_leads_to_are_hooks(lived: Repo, git: Git) -> None:
    before = taken(git, lived)

    lived.write(".own-hooks/post-merge", "evil\n")

    parts = {(one.part, one.name) for one in difference(before, taken(git, lived))}
    assert parts == {
        (Part.HOOK, ".own-hooks/post-merge"),
        (Part.WORK_TREE, ".own-hooks/post-merge"),
    }


def test_refs_that_are_packed_and_an_index_that_is_refreshed_are_the_same(
    lived: Repo, git: Git
) -> None:
    before = taken(git, lived)

    lived.git("pack-refs", "--all", "--prune")
    lived.git("reflog", "expire", "--expire=now", "refs/heads/main")
    said(".git/refs/heads/half.lock", "")(lived)

    assert difference(before, taken(git, lived)) == ()


def test_nothing_changed_is_no_difference_and_looking_changes_nothing(
    lived: Repo, git: Git
) -> None:
    lived.git("config", "core.splitIndex", "true")
    lived.git("update-index", "--split-index")
    assert list((lived.path / ".git").glob("sharedindex.*"))
    for here, _, names in os.walk(lived.path):
        for path in [here, *(os.path.join(here, name) for name in names)]:
            os.utime(path, (1_600_000_000, 1_600_000_000), follow_symlinks=False)
    before = everything(lived.path)

    first, second = taken(git, lived), taken(git, lived)

    assert first == second
    assert difference(first, second) == ()
    assert everything(lived.path) == before


def test_what_git_ignores_and_the_folder_beside_are_not_looked_at(lived: Repo, git: Git) -> None:
    before = taken(git, lived, beside="tools/codex/runs")

    lived.write("build.ignored", "x")
    lived.write("tools/codex/runs/r1/file", "x")

    assert difference(before, taken(git, lived, beside="tools/codex/runs")) == ()
    assert difference(before, taken(git, lived)) == (
        Changed(Part.WORK_TREE, "tools/codex/runs/r1/file"),
    )


@pytest.mark.slow
@pytest.mark.parametrize("instead", ["a pipe", "a link to itself", "nothing", "garbage"])
@pytest.mark.parametrize(
    ("path", "part"),
    [
        (".git/index", Part.INDEX),
        (".git/info/exclude", Part.INFO),
        (".git/hooks/pre-commit", Part.HOOK),
        (".git/refs/heads/loose", Part.REF),
        (".git/packed-refs", Part.REF),
    ],
)
def test_whatever_stands_in_a_place_is_a_change_and_stops_nobody(
    lived: Repo, git: Git, path: str, part: Part, instead: str
) -> None:
    repository = repository_at(git, lived.path)
    before = fingerprint(git, repository, near=NEAR)
    place = lived.path / path
    place.unlink()
    if instead == "a pipe":
        os.mkfifo(place)
    elif instead == "a link to itself":
        place.symlink_to(place)
    elif instead == "garbage":
        place.write_bytes(b"\0\xff\n")

    changed = difference(before, fingerprint(git, repository, near=NEAR))

    assert part in {one.part for one in changed}


def test_a_linked_work_tree_sees_the_refs_of_all_and_its_own_files(
    lived: Repo, git: Git, tmp_path: Path
) -> None:
    linked = Repo(lived.path.parent / "other")
    before = taken(git, linked)

    (linked.path / "README.md").write_text("x")
    (lived.path / "docs" / "guide.txt").write_text("seen by nobody")
    lived.git("branch", "new")
    lived.git("symbolic-ref", "HEAD", "refs/heads/one")
    (linked.path / ".git").chmod(0o600)

    assert {(one.part, one.name) for one in difference(before, taken(git, linked))} == {
        (Part.CONFIG, ".git of the work tree"),
        (Part.REF, "HEAD"),
        (Part.REF, "refs/heads/new"),
        (Part.WORK_TREE, "README.md"),
    }


def test_a_repository_without_a_commit_has_one_too(git: Git, tmp_path: Path) -> None:
    made = Repo.make(tmp_path / "empty")
    before = taken(git, made)

    made.write("file", "x")

    assert difference(before, taken(git, made)) == (Changed(Part.WORK_TREE, "file"),)


def test_a_hook_is_known_by_its_content(lived: Repo, git: Git) -> None:
    digest = hashlib.sha256(b"#!/bin/sh\n").hexdigest()

    assert digest in taken(git, lived).stamps[Part.HOOK, "hooks/pre-commit"]
