"""A first plan: written for repositories of many kinds, and rehearsed in each as it stands."""

import json
import os
import shutil
import stat
import sys
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import jsonschema
import pytest

from tests.builders import Repo
from tests.conftest import Ended, Factory
from tests.test_promises import fingerprint
from tools.codex.factory.config import CONFIG_FILE, keys
from tools.codex.factory.domain.pattern import patterns
from tools.codex.factory.domain.plan_file import parsed
from tools.codex.factory.domain.schema import schemas

pytestmark = pytest.mark.slow

UNITTEST = "import unittest\n\n\nclass T(unittest.TestCase):\n    def test(self): {}\n"
NPM = {"name": "x", "scripts": {"test": "node --test"}}
WEIRD = (
    "a b", "we[ird", "weXird", "st*r", "**", "q?x", "tab\tdir", "new\nline", "#hash", "!bang",
    " lead", "trail ", 'quo"te', "it's", "ümlaut", "[x]", "-dash",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of repository: its files, its programs, and what the plan makes of it."""

    files: dict[str, str]
    allow: list[list[str]]
    check: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    setup: list[list[str]] = field(default_factory=list)


KINDS = {
    "python, unittest": Kind(
        {
            "app/__init__.py": "ONE = 1\n",
            "tests/test_app.py": UNITTEST.format("from app import ONE"),
            "docs/index.md": "# Docs\n",
            "README.md": "# App\n",
        },
        [["app/**"], ["tests/**"], ["/*.md", "docs/**"]],
        ("python3", "-m", "unittest", "discover", "-s", "tests"),
        ("python3",),
    ),
    "python, packages in src/": Kind(
        {
            "src/one/__init__.py": "",
            "src/two/__init__.py": "TWO = 2\n",
            "test/__init__.py": "",
            "test/test_two.py": UNITTEST.format("from two import TWO"),
            "pyproject.toml": "[project]\nname = 'x'\n",
        },
        [["src/**"], ["test/**"]],
        ("env", "PYTHONPATH=src", "python3", "-m", "unittest", "discover"),
        ("python3",),
    ),
    "python, pytest": Kind(
        {"pkg/a/x.py": "", "pkg/b/y.py": "", "pkg/tests/test_x.py": "import pytest\n"},
        [["pkg/a/**"], ["pkg/b/**"], ["pkg/tests/**"]],
        ("python3", "-m", "pytest", "-q"),
        ("python3", "pytest"),
    ),
    "node": Kind(
        {
            "package.json": json.dumps({**NPM, "devDependencies": {"y": "1"}}),
            "package-lock.json": "{}",
            ".gitignore": "/node_modules/\n",
            "lib/index.js": "",
            "web/app.ts": "",
            "node_modules/z/index.js": "",
        },
        [["lib/**"], ["web/**"]],
        ("npm", "test"),
        ("node", "npm"),
        [["npm", "ci"]],
    ),
    "go": Kind(
        {"go.mod": "module x\n", "main.go": "package main\n", "cmd/a/a.go": "", "pkg/b.go": ""},
        [["/*.go"], ["cmd/**"], ["pkg/**"]],
        ("go", "test", "./..."),
        ("go",),
    ),
    "rust": Kind(
        {"Cargo.toml": "[package]\n", "Cargo.lock": "", "src/main.rs": "", "Makefile": "test:\n"},
        [["src/**"]],
        ("cargo", "test", "--locked"),
        ("cargo",),
    ),
    "java with its own maven": Kind(
        {"pom.xml": "<project/>", "src/main/A.java": "", "src/test/B.java": ""},
        [["src/main/**"], ["src/test/**"]],
        ("./mvnw", "--batch-mode", "test"),
        ("java",),
    ),
    "make": Kind(
        {"Makefile": "all:\n\ntest: all\n\t@true\n", "main.c": "", "main.h": "", "x.c/y.c": ""},
        [["/main.c", "/*.h"], ["x.c/**"]],
        ("make", "test"),
        ("make",),
    ),
    "only documents": Kind(
        {"docs/a/x.md": "", "docs/b/y.md": "", "docs/index.md": "", "README": "", "LICENSE": ""},
        [["docs/a/**"], ["docs/b/**"], ["docs/*.md"], ["/README"]],
    ),
    "one file at the top": Kind({"tool.py": "print(1)\n"}, [["/*.py"]]),
    "one readme": Kind({"README.md": "# Nothing yet\n"}, [["/*.md"]]),
    "nothing": Kind({}, [["src/**"]]),
    "only what is for tools": Kind(
        {".github/workflows/ci.yml": "on: push\n", ".gitignore": "x\n", "SRC": "a file"},
        [["work/**"]],
    ),
    "only pictures": Kind({"img/a.png": "", "icons/b.svg": ""}, [["icons/**"], ["img/**"]]),
    "twelve folders": Kind(
        {f"service-{n:02}/file-{m}.rb": "" for n in range(12) for m in range(n + 1)},
        [[f"service-{n:02}/**" for n in heap] for heap in
         ([0, 7, 8], [1, 6, 9], [2, 5, 10], [3, 4, 11])],
    ),
}  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a folder that is the whole PATH: git, a shell, env and true."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("git", "sh", "env", "true"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def install(path: Path, *names: str) -> None:
    for name in names:
        place = path / name
        if name == "python3" and "pytest" not in names:
            place.symlink_to(os.path.realpath(sys.executable))
        elif name == "make":
            place.symlink_to(str(shutil.which("make") or shutil.which("true")))
        else:
            place.write_text("#!/bin/sh\nexit 0\n")
            place.chmod(0o755)


def made(tmp_path: Path, files: dict[str, str]) -> Factory:
    repo = Repo.make(tmp_path / "made")
    for name, content in files.items():
        repo.write(name, content)
    if "pom.xml" in files:
        repo.write("mvnw", "#!/bin/sh\nexit 0\n", executable=True)
    repo.commit()
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    return Factory(repo.path, home)


def init(factory: Factory, path: Path, *words: str) -> Ended:
    ended = factory("init", "--json", *words, env={"PATH": str(path)})
    assert ended.exit_code == 0, ended.stderr
    jsonschema.validate(ended.answer, schemas()["answer_init.schema.json"])
    return ended


def rehearsed(factory: Factory, path: Path) -> Ended:
    return factory("oneshot", "--dry-run", "--json", env={"PATH": str(path)})


def allowed(ended: Ended) -> list[list[str]]:
    return [worker["allow"] for worker in ended.answer["workers"]]


@pytest.mark.parametrize("name", KINDS)
def test_the_plan_for_a_repository_names_its_work_and_passes_its_rehearsal(
    tmp_path: Path, path: Path, name: str
) -> None:
    kind = KINDS[name]
    install(path, *kind.programs)
    factory = made(tmp_path, kind.files)

    ended = init(factory, path)
    plan = parsed((factory.folder / "factory.plan.toml").read_bytes(), "factory.plan.toml")
    run = rehearsed(factory, path)

    assert allowed(ended) == [list(worker.allow) for worker in plan.workers] == kind.allow
    assert [check.command for check in plan.checks] == ([kind.check] if kind.check else [])
    assert [list(argv) for argv in plan.integration.setup] == kind.setup
    assert [worker.source for worker in plan.workers] == ["external"] * len(kind.allow)
    assert (run.exit_code, run.answer["status"]) == (0, "PASS"), run.stdout


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.check])
def test_a_test_command_whose_program_is_not_there_is_a_comment_with_the_reason(
    tmp_path: Path, path: Path, name: str
) -> None:
    kind = KINDS[name]
    factory = made(tmp_path, kind.files)

    ended = init(factory, path)
    text = ended.answer["plan"]
    run = rehearsed(factory, path)

    [check] = ended.answer["checks"]
    assert check["missing"] == f"{kind.programs[0]!r} is not on PATH"
    assert f"# It is a comment because {check['missing']}.\n# [[checks]]\n" in text
    assert parsed(text.encode(), "plan.toml").checks == ()
    assert run.exit_code == 0


def test_no_two_workers_share_a_path_whatever_folders_are_called(
    tmp_path: Path, path: Path
) -> None:
    factory = made(tmp_path, {f"{name}/a.py": "" for name in WEIRD})
    repo = Repo(factory.folder)
    repo.store({f"{name}/a.py": b"" for name in (*WEIRD, "bad\udcff")}, ref="refs/heads/weird")
    repo.git("symbolic-ref", "HEAD", "refs/heads/weird")

    ended = init(factory, path)
    scopes = [patterns(tuple(allow)) for allow in allowed(ended)]
    named = {name for name in (*WEIRD, "bad\udcff") if any(s.match(f"{name}/a.py") for s in scopes)}
    run = rehearsed(factory, path)

    assert {*WEIRD, "bad\udcff"} - named == {"we[ird"}
    assert "#   we[ird: no pattern can name it alone\n" in ended.answer["plan"]
    assert not [
        (name, one, other)
        for name in named
        for one, other in combinations(scopes, 2)
        if one.match(f"{name}/a.py") and other.match(f"{name}/a.py")
    ]
    assert run.exit_code == 0


def test_links_submodules_and_the_runs_root_get_no_worker(tmp_path: Path, path: Path) -> None:
    factory = made(tmp_path, {"app/a.py": "", "tools/codex/runs/.gitignore": "", "lib/b.py": ""})
    repo = Repo(factory.folder)
    head = repo.git("rev-parse", "HEAD").strip()
    files = {"app/a.py": b"", "lib/b.py": b"", "tools/codex/runs/.gitignore": b""}
    repo.store(
        {**files, "module": ("160000", head), "link": ("120000", b"app"), "vendor/v.py": b""},
        ref="refs/heads/linked",
    )
    repo.git("symbolic-ref", "HEAD", "refs/heads/linked")

    ended = init(factory, path)

    assert allowed(ended) == [["app/**"], ["lib/**"]]
    assert (
        "# In no worker's scope:\n#   link: a link or a submodule\n"
        "#   module: a link or a submodule\n#   vendor: code of others\n"
    ) in ended.answer["plan"]


def test_two_toolchains_make_two_checks(tmp_path: Path, path: Path) -> None:
    install(path, "node", "npm")
    factory = made(
        tmp_path, {"package.json": json.dumps(NPM), "go.mod": "module x\n", "a/a.go": ""}
    )

    ended = init(factory, path)

    assert [(check["name"], check["missing"]) for check in ended.answer["checks"]] == [
        ("node tests", ""),
        ("go tests", "'go' is not on PATH"),
    ]


def test_a_setup_that_would_leave_what_is_not_ignored_is_a_comment(
    tmp_path: Path, path: Path
) -> None:
    install(path, "node", "npm")
    package = json.dumps({**NPM, "dependencies": {"y": "1"}})
    factory = made(tmp_path, {"package.json": package, "a/a.js": ""})

    ended = init(factory, path)

    [check] = ended.answer["checks"]
    assert check["missing"] == ("its setup leaves node_modules/, which .gitignore does not name")
    assert parsed(ended.answer["plan"].encode(), "plan.toml").integration.setup == ()


def test_a_program_that_needs_the_home_folder_is_not_counted_on(tmp_path: Path, path: Path) -> None:
    tools = tmp_path / "home" / ".cargo" / "bin"
    tools.mkdir(parents=True)
    install(tools, "cargo")
    factory = made(tmp_path, {"Cargo.toml": "", "src/main.rs": ""})

    ended = factory("init", "--json", env={"PATH": f"{path}:{tools}"})

    assert ended.answer["checks"][0]["missing"] == (
        "'cargo' is the one in .cargo, which looks for its tools in the home folder, and a check "
        "has a home of its own"
    )


def test_nothing_of_the_repository_is_run_and_nothing_else_is_written(
    tmp_path: Path, path: Path
) -> None:
    trap = "raise SystemExit(open('/dev/null') and 'ran')\n"
    factory = made(tmp_path, {"setup.py": trap, "conftest.py": trap, "app/a.py": trap})
    before = fingerprint(factory.folder)

    init(factory, path, "--print")
    unchanged = fingerprint(factory.folder)
    init(factory, path)
    after = fingerprint(factory.folder)

    assert unchanged == before
    assert {name for name in {*before, *after} if before.get(name) != after.get(name)} == {
        "factory.plan.toml"
    }


def test_a_configuration_file_has_defaults_only(tmp_path: Path, path: Path) -> None:
    factory = made(tmp_path, {"a.py": ""})

    ended = init(factory, path, "--with-config")
    document = json.loads((factory.folder / CONFIG_FILE).read_text())
    shown = factory("config", "show", "--json").answer["settings"]

    assert ended.answer["files"] == ["factory.plan.toml", CONFIG_FILE]
    written = {f"{s}.{k}": value for s, section in document.items() for k, value in section.items()}
    assert written == {key: keys()[key] for key in written}
    assert {row["key"] for row in shown if row["layer"] == CONFIG_FILE} == set(written)
    assert stat.S_IMODE((factory.folder / CONFIG_FILE).stat().st_mode) & 0o111 == 0


@pytest.mark.parametrize("there", ["factory.plan.toml", CONFIG_FILE])
def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path, path: Path, there: str) -> None:
    factory = made(tmp_path, {"a.py": ""})
    content = "{}\n"
    (factory.folder / there).parent.mkdir(parents=True, exist_ok=True)
    (factory.folder / there).write_text(content)

    ended = factory("init", "--with-config", env={"PATH": str(path)})

    other = {"factory.plan.toml", CONFIG_FILE} - {there}
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == (
        f"factory: {there!r} is there already, and is never overwritten\n"
        "  -> `factory init --print` prints a plan; to begin anew, move the file away\n"
    )
    assert (factory.folder / there).read_text() == content
    assert not any((factory.folder / name).exists() for name in other)


@pytest.mark.parametrize("kept", [0, 20, None])
def test_an_init_that_was_killed_is_ended_by_the_same_command_again(
    tmp_path: Path, path: Path, kept: int | None
) -> None:
    factory = made(tmp_path, {"a.py": ""})
    init(factory, path, "--with-config")
    names = ("factory.plan.toml", CONFIG_FILE)
    whole = [(factory.folder / name).read_bytes() for name in names]
    (factory.folder / names[0]).write_bytes(whole[0][:kept])
    (factory.folder / CONFIG_FILE).unlink()

    ended = factory("init", "--with-config", env={"PATH": str(path)})
    again = factory("init", "--with-config", env={"PATH": str(path)})

    assert (ended.exit_code, again.exit_code) == (0, 2)
    assert [(factory.folder / name).read_bytes() for name in names] == whole


def test_a_link_in_the_way_is_not_written_through(tmp_path: Path, path: Path) -> None:
    factory = made(tmp_path, {"a.py": ""})
    (tmp_path / "elsewhere").mkdir()
    (factory.folder / "tools").symlink_to(tmp_path / "elsewhere")

    ended = factory("init", "--with-config", env={"PATH": str(path)})

    assert (ended.exit_code, list((tmp_path / "elsewhere").iterdir())) == (2, [])
    assert not (factory.folder / "factory.plan.toml").exists()


def test_init_says_what_it_wrote_and_what_comes_next(tmp_path: Path, path: Path) -> None:
    factory = made(tmp_path, {"a/a.go": "", "b/b.go": "", "go.mod": "", "CHANGELOG.md": ""})

    ended = factory("init", env={"PATH": str(path)})
    text = (factory.folder / "factory.plan.toml").read_text()

    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout == (
        "wrote factory.plan.toml\n"
        "A_worker: a/\n"
        "B_worker: b/\n"
        "C_worker: *.md at top\n"
        "tests: go test ./... ('go' is not on PATH)\n"
        "then: edit the plan, and rehearse it with: factory oneshot --dry-run\n"
    )
    assert '# shared = ["/CHANGELOG.md"]' in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--print", "--with-config"], "--print writes nothing, so not --with-config either"),
        (["--force"], "init does not take '--force'"),
    ],
)
def test_init_refuses_what_makes_no_sense(factory: Factory, words: list[str], message: str) -> None:
    ended = factory("init", *words)

    assert ended.exit_code == 2
    assert message in ended.stderr
