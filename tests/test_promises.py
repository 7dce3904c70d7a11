"""The five promises, held by the command on real repositories."""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.conftest import Ended, Factory
from tools.codex.factory.domain.answer import ReplayRow
from tools.codex.factory.host import Host
from tools.codex.factory.pipelines.replay import replayed
from tools.codex.factory.pipelines.session import Session, session
from tools.codex.factory.storage.ledger import Ledger
from tools.codex.factory.storage.lock import held
from tools.codex.factory.wiring import clock

pytestmark = pytest.mark.slow

RUNS = "tools/codex/runs"
PLAN = """
schema_version = 1
title = "A small change"
"""
A = (
    '[[workers]]\nid = "A_worker"\nallow = ["src/app.txt"]\nshared = ["docs/guide.txt"]\n'
    'patch = "a.patch"\n'
)
B = '[[workers]]\nid = "B_worker"\nallow = ["src/deep/**"]\nbranch = "side"\n'
C = (
    '[[workers]]\nid = "C_worker"\nallow = ["new/**"]\nshared = ["docs/guide.txt"]\n'
    'patch = "c.patch"\n'
)
WORK = """
[[workers]]
id = "A_worker"
allow = ["src/**"]
command = ["sh", "-ec", "sleep 0.{a}; echo a >> src/app.txt; echo x > src/new.txt"]

[[workers]]
id = "B_worker"
allow = ["docs/**"]
command = ["sh", "-ec", "sleep 0.{b}; cp README.md docs/copy.md; rm docs/guide.txt"]

[[checks]]
name = "both"
command = ["sh", "-ec", "test -e src/new.txt; test ! -e docs/guide.txt; echo $$"]
"""
EXTERNAL = '[[workers]]\nid = "C_worker"\nallow = ["new/**"]\nexternal = true\n'
DETERMINED = ("DIFF.patch", "MERGE_PLAN.md", "OVERLAP.json")

Stamp = tuple[str, int, int, str]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a repository, patches and plans, and a run that passed."""
    top = tmp_path_factory.mktemp("world")
    made = Repo.make(top / "repo")
    app = "".join(f"line {n}\n" for n in range(1, 21))
    made.write("README.md", "# A small world\n")
    made.write("src/app.txt", app)
    made.write("src/deep/er/leaf.txt", "leaf\n")
    made.write("docs/guide.txt", "one\ntwo\nthree\n")
    made.write("run.sh", "#!/bin/sh\nexit 0\n", executable=True)
    made.commit()
    _write_sources(made, top / "incoming", app)
    (top / "home").mkdir()
    factory = Factory(made.path, top / "home")
    plan = str(top / "incoming" / "plan.toml")
    done = factory("oneshot", "--plan", plan, "--run-id", "r1")
    assert (done.exit_code, done.stderr.count("Traceback")) == (0, 0), done.stderr
    (made.path / RUNS).rename(top / "runs")
    shutil.rmtree(made.path / "tools")
    return top


@pytest.fixture
def repo(world: Path, tmp_path: Path) -> Repo:
    """Return a copy of the repository."""
    shutil.copytree(world / "repo", tmp_path / "repo", symlinks=True)
    return Repo(tmp_path / "repo")


@pytest.fixture
def incoming(world: Path, tmp_path: Path) -> Path:
    """Return a folder with a plan: two patches that share a file, and a branch."""
    shutil.copytree(world / "incoming", tmp_path / "incoming")
    return tmp_path / "incoming"


@pytest.fixture
def finished(world: Path, repo: Repo) -> Path:
    """Return the folder of a run that passed."""
    shutil.copytree(world / "runs", repo.path / RUNS, symlinks=True)
    return repo.path / RUNS / "r1"


def fingerprint(top: Path) -> dict[str, Stamp]:
    """Return everything below `top` but the runs root: kind and mode, mtime, size, content."""
    return {str(path.relative_to(top)): _stamp(path) for path in _below(top, top / RUNS)}


# -- promise 1: untouched --------------------------------------------------------------------------


@pytest.fixture
def lived_in(repo: Repo, incoming: Path, tmp_path: Path) -> Repo:
    """Return the repository in the state of someone at work: every kind of thing lies about."""
    marker = tmp_path / "marker"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho $0 $* >> {marker}\ncat\n")
    program.chmod(0o755)
    repo.write("stashed", "x")
    repo.git("stash", "push", "-q", "--include-untracked")
    repo.git("replace", "HEAD:README.md", "HEAD:docs/guide.txt")
    repo.git("tag", "-a", "-m", "x", "v1")
    hooks = ("pre-commit", "post-checkout", "post-index-change", "reference-transaction",
             "pre-auto-gc", "fsmonitor-watchman", "post-rewrite")  # fmt: skip
    (repo.path / ".git" / "hooks").mkdir(exist_ok=True)
    for hook in hooks:
        shutil.copy(program, repo.path / ".git" / "hooks" / hook)
    repo.write(".gitattributes", "*.txt filter=evil diff=evil merge=union\n*.sh filter=pro\n")
    repo.write("src/app.txt", "dirty, and of another length\n")
    repo.write("staged.txt", "staged\n")
    repo.git("add", "staged.txt")
    repo.write("staged.txt", "staged and then changed\n")
    repo.write("untracked/deep/file.txt", "x")
    (repo.path / "untracked" / "link").symlink_to("/nowhere")
    (repo.path / "tools" / "codex").mkdir(parents=True)
    (repo.path / "docs" / "guide.txt").chmod(0o600)
    repo.git("config", "core.splitIndex", "true")
    repo.git("update-index", "--split-index")
    assert list((repo.path / ".git").glob("sharedindex.*"))
    for key, value in {
        "core.fsmonitor": str(program),
        "core.untrackedCache": "true",
        "filter.evil.clean": str(program),
        "filter.evil.smudge": str(program),
        "filter.evil.required": "true",
        "filter.pro.process": str(program),
        "diff.evil.textconv": str(program),
        "diff.external": str(program),
        "gc.auto": "1",
    }.items():
        repo.git("config", key, value)
    marker.unlink(missing_ok=True)
    for path in [*_below(repo.path, repo.path / "none")]:
        os.utime(path, (1_600_000_000, 1_600_000_000), follow_symlinks=False)
    return repo


def test_no_command_touches_the_repository(
    lived_in: Repo, incoming: Path, factory: Factory, tmp_path: Path
) -> None:
    before = fingerprint(lived_in.path)
    (tmp_path / "tmp").mkdir()
    temporary = {"TMPDIR": str(tmp_path / "tmp")}
    plan, blocked = str(incoming / "plan.toml"), str(incoming / "blocked.toml")
    changed: dict[str, list[str]] = {}
    codes = []
    for words in (
        ("config", "show"),
        ("oneshot", "--plan", plan, "--run-id", "r1"),
        ("bundle-validate", "--run-id", "r1"),
        ("integrate", "--run-id", "r1"),
        ("ledger-replay", "--rebuild"),
        ("ledger", "--raw-events"),
        ("print-report",),
        ("oneshot", "--plan", blocked),
        ("oneshot", "--plan", plan, "--base-ref", "none"),
        ("oneshot", "--plan", str(incoming / "stale.toml")),
        ("oneshot", "--plan", blocked, "--run-id", "r1"),
        ("doctor",),
        ("doctor", "--fix"),
        ("preflight", "--plan", plan),
    ):
        codes.append(factory(*words, env=temporary).exit_code)
        after = fingerprint(lived_in.path)
        changed[" ".join(words)] = _differing(before, after)
        before = after

    assert {name: paths for name, paths in changed.items() if paths} == {}
    assert not (tmp_path / "marker").exists()
    assert list((tmp_path / "tmp").iterdir()) == []
    assert codes == [0, 0, 0, 0, 0, 0, 0, 3, 2, 10, 40, 0, 0, 0]


def test_a_change_back_to_what_the_repository_held_before_touches_no_object(
    repo: Repo, factory: Factory, tmp_path: Path
) -> None:
    repo.write("docs/guide.txt", "one\nTWO\nthree\n")
    repo.commit("on")
    repo.git("read-tree", "HEAD~1")
    back = repo.git("diff", "--binary", "--full-index", "--no-renames", "HEAD", "HEAD~1")
    repo.git("read-tree", "HEAD")
    (tmp_path / "a.patch").write_bytes(back)
    (tmp_path / "plan.toml").write_text(PLAN + A)
    for path in (repo.path / ".git" / "objects").rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    before = fingerprint(repo.path / ".git")

    done = factory("oneshot", "--plan", str(tmp_path / "plan.toml"))

    assert done.exit_code == 0
    assert _differing(before, fingerprint(repo.path / ".git")) == []


def test_no_worker_no_check_and_no_rehearsal_touches_the_repository(
    lived_in: Repo, factory: Factory, tmp_path: Path
) -> None:
    before = fingerprint(lived_in.path)
    (tmp_path / "tmp").mkdir()
    temporary = {"TMPDIR": str(tmp_path / "tmp")}
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN + WORK.format(a=0, b=0) + EXTERNAL)
    changed: dict[str, list[str]] = {}
    codes = []
    for words in (
        ("oneshot", "--dry-run"),
        ("oneshot", "--dry-run", "--plan", str(plan)),
        ("oneshot", "--plan", str(plan), "--run-id", "r1"),
        ("collect", "--run-id", "r1"),
        ("integrate", "--run-id", "r1", "--salvage"),
        ("ledger-replay", "--rebuild"),
    ):
        codes.append(factory(*words, env=temporary).exit_code)
        after = fingerprint(lived_in.path)
        changed[" ".join(words)] = _differing(before, after)
        before = after

    assert {name: paths for name, paths in changed.items() if paths} == {}
    assert not (tmp_path / "marker").exists()
    assert list((tmp_path / "tmp").iterdir()) == []
    assert codes == [0, 3, 4, 0, 0, 0]


def test_a_run_never_shows_in_git_status(finished: Path, repo: Repo) -> None:
    assert repo.git("status", "--porcelain", "--untracked-files=all") == b""


# -- promise 4: deterministic ----------------------------------------------------------------------


def test_order_folder_and_time_change_nothing_above_this_run(
    repo: Repo, incoming: Path, factory: Factory, tmp_path: Path
) -> None:
    copy = tmp_path / "some where" / "else"
    shutil.copytree(repo.path, copy, symlinks=True)
    elsewhere = Factory(copy, factory.home)
    for name, workers in (("abc", (A, B, C)), ("cba", (C, B, A)), ("bca", (B, C, A))):
        (incoming / f"{name}.toml").write_text(PLAN + "".join(workers))

    results = [
        _determined(place, place("oneshot", "--plan", str(incoming / f"{name}.toml"), "--json"))
        for place, name in ((factory, "abc"), (factory, "cba"), (elsewhere, "bca"))
    ]

    assert results == results[:1] * 3


def test_who_ends_first_and_how_many_work_at_once_change_nothing_above_this_run(
    repo: Repo, factory: Factory, tmp_path: Path
) -> None:
    results = []
    for name, jobs, a, b in (("one", "1", 0, 0), ("a first", "2", 0, 4), ("b first", "2", 4, 0)):
        plan = tmp_path / f"{name}.toml"
        plan.write_text(PLAN + WORK.format(a=a, b=b))
        done = factory("oneshot", "--plan", str(plan), "--jobs", jobs, "--json")
        results.append(_determined(factory, done))

    assert results == results[:1] * 3


def test_integrating_again_gives_the_same_bytes(finished: Path, factory: Factory) -> None:
    before = {name: (finished / "Z_integrator" / name).read_bytes() for name in DETERMINED}
    above = _above_this_run(finished)

    done = factory("integrate", "--run-id", "r1")

    assert done.exit_code == 0
    assert {n: (finished / "Z_integrator" / n).read_bytes() for n in DETERMINED} == before
    assert _above_this_run(finished) == above


# -- show 6: one byte ------------------------------------------------------------------------------


@pytest.mark.parametrize("recorded", [True, False], ids=["with ledger", "a copy without ledger"])
@pytest.mark.parametrize(
    ("at", "flip"), [(0, 1), (0.5, 1), (-1, 0x2A)], ids=["first", "middle", "last"]
)
def test_one_changed_byte_of_any_file_is_found_and_the_file_named(
    finished: Path, repo: Repo, tmp_path: Path, at: float, recorded: bool, flip: int
) -> None:
    root = finished.parent if recorded else _copied(finished, tmp_path / "elsewhere")
    ground = _ground(repo, root)
    assert [row.disagreements for row in replayed(ground, "r1", rebuilding=True)] == [()]
    files = sorted(p for p in (root / "r1").rglob("*") if p.is_file() and _is_evidence(p))

    unnamed = [
        (str(path.relative_to(root / "r1")), said)
        for path in files
        if path.stat().st_size
        and not _names_it(path, root, said := _replay_with_changed(ground, path, at, flip))
    ]

    assert unnamed == []


def test_the_command_says_the_file_and_exits_1(finished: Path, factory: Factory) -> None:
    path = finished / "B_worker" / "SUMMARY.md"
    path.write_bytes(b"#" + path.read_bytes())

    done = factory("ledger-replay", "--rebuild", "--run-id", "r1", "--json")

    assert (done.exit_code, done.answer["status"], done.answer["exit_code"]) == (1, "FAIL", 1)
    assert "B_worker/SUMMARY.md" in done.stdout


@pytest.mark.parametrize("kept", [1, 3, -2, -1])
def test_a_ledger_whose_end_is_cut_off_is_noticed(finished: Path, repo: Repo, kept: int) -> None:
    ledger = finished.parent / "factory_ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:kept]))

    assert _said(replayed(_ground(repo, finished.parent), "r1", rebuilding=False)) != []


@pytest.mark.parametrize(
    ("old", "new"), [(b'"PASS"', b'"FAIL"'), (b'"rc":0', b'"rc":3'), (b'"PASS"', b'"PAST"')]
)
def test_a_last_ledger_line_that_lies_about_the_verdict_is_noticed(
    finished: Path, repo: Repo, old: bytes, new: bytes
) -> None:
    ledger = finished.parent / "factory_ledger.jsonl"
    content = ledger.read_bytes()
    start = content.rindex(b"\n", 0, -1) + 1
    assert old in content[start:]
    ledger.write_bytes(content[:start] + content[start:].replace(old, new))

    assert _said(replayed(_ground(repo, finished.parent), "r1", rebuilding=False)) != []


@pytest.mark.parametrize("instead", ["nothing", "a link", "a pipe", "garbage"])
def test_a_run_with_something_gone_or_replaced_is_told_so(
    finished: Path, repo: Repo, tmp_path: Path, instead: str
) -> None:
    ground = _ground(repo, finished.parent)
    names = ("A_worker", "A_worker/DIFF.patch", "seals/A_worker.json", "seals", "Z_integrator",
             "Z_integrator/DIFF.patch", "Z_integrator/STATUS.json", "Z_integrator/LOGS",
             "RUN_MANIFEST.json", "PLAN.json", "seals/Z_integrator.json")  # fmt: skip

    said = {
        name: _replay_with(ground, finished / name, tmp_path / "kept", instead) for name in names
    }

    assert [name for name in names if not said[name]] == []
    assert _said(replayed(ground, "r1", rebuilding=True)) == []


# -- show 7: many at once --------------------------------------------------------------------------


def test_six_that_start_at_once_are_six_runs_in_one_ledger(
    incoming: Path, factory: Factory
) -> None:
    started = [factory.start("oneshot", "--plan", str(incoming / "plan.toml")) for _ in range(6)]
    codes = [process.wait(timeout=60) for process in started]

    root = factory.folder / RUNS
    lines = list(Ledger(root, clock).lines())
    stamps = [line.ts_utc for line in lines]
    runs = sorted(path.name for path in root.iterdir() if path.is_dir())
    assert codes == [0] * 6
    assert len(runs) == 6
    assert {line.run_id for line in lines} == set(runs)
    assert stamps == sorted(set(stamps))
    rows = replayed(_ground(Repo(factory.folder), root), None, rebuilding=True)
    assert [(row.rebuilt, row.disagreements) for row in rows] == [(True, ())] * 6


def test_three_that_ask_for_one_run_id_make_one_run(incoming: Path, factory: Factory) -> None:
    plan = ("oneshot", "--plan", str(incoming / "plan.toml"), "--run-id", "one")
    started = [factory.start(*plan) for _ in range(3)]
    codes = sorted({process.wait(timeout=60) for process in started})

    assert codes in ([0], [0, 40])
    assert factory("ledger-replay", "--rebuild", "--run-id", "one").exit_code == 0


@pytest.mark.parametrize("command", ["integrate", "oneshot"])
def test_a_held_run_is_busy_its_holder_is_named_and_nothing_changes(
    finished: Path, incoming: Path, factory: Factory, command: str
) -> None:
    plan = ("--plan", str(incoming / "plan.toml")) if command == "oneshot" else ()
    holder: dict[str, object] = {"pid": 4711, "command": "factory integrate", "since": "noon"}
    with held(finished, holder=holder):
        before = {str(path): _stamp(path) for path in _below(finished.parent, Path("/none"))}

        done = factory(command, *plan, "--run-id", "r1")

        after = {str(path): _stamp(path) for path in _below(finished.parent, Path("/none"))}

    assert done.exit_code == 40
    assert "run 'r1' is held by process 4711 (factory integrate, since noon)" in done.stderr
    assert _differing(before, after) == []


# -- promise 5: nothing lost -----------------------------------------------------------------------


HALF = b"{"
LEFT_BY_A_KILL: dict[str, tuple[dict[str, bytes], tuple[str, ...]]] = {
    "a claimed folder": ({}, (".",)),
    "half a plan": ({".PLAN.json.new": HALF}, (".",)),
    "half a manifest": ({"PLAN.json": b"{}", ".RUN_MANIFEST.json.new": HALF}, (".",)),
    "half a bundle": ({"C_worker/.STATUS.json.new": HALF}, ("seals/C_worker.json",)),
    "half a report": (
        {
            ".scratch-x/audit-y/index": HALF,
            "Z_integrator/.STATUS.json.new": HALF,
            "objects.git/objects/pack/tmp_pack_x": b"PACK",
        },
        ("Z_integrator/STATUS.json",),
    ),
}


@pytest.mark.parametrize("left", LEFT_BY_A_KILL)
def test_whatever_a_kill_leaves_the_same_command_continues(
    finished: Path, incoming: Path, factory: Factory, left: str
) -> None:
    written, gone = LEFT_BY_A_KILL[left]
    for name in gone:
        _remove(finished / name)
    finished.mkdir(exist_ok=True)
    for name, content in written.items():
        (finished / name).parent.mkdir(parents=True, exist_ok=True)
        (finished / name).write_bytes(content)

    done = factory("oneshot", "--plan", str(incoming / "plan.toml"), "--run-id", "r1")

    rows = replayed(_ground(Repo(factory.folder), finished.parent), "r1", rebuilding=True)
    hidden = [path.name for path in finished.rglob(".*") if path.name != ".lock"]
    assert (done.exit_code, _said(rows), hidden) == (0, [], []), done.stderr


def test_a_factory_killed_in_the_middle_goes_on_and_its_integrator_ends(
    incoming: Path, factory: Factory
) -> None:
    words = ("oneshot", "--plan", str(incoming / "plan.toml"), "--run-id", "r1")
    ledger = factory.folder / RUNS / "factory_ledger.jsonl"
    process = factory.start(*words)
    while not ledger.exists() or b"INTEGRATE_START" not in ledger.read_bytes():
        assert process.poll() is None
    process.kill()
    process.wait()

    done = factory(*words)

    rows = replayed(_ground(Repo(factory.folder), ledger.parent), "r1", rebuilding=True)
    assert (done.exit_code, _said(rows)) == (0, []), done.stderr


@pytest.mark.parametrize(
    ("command", "name"),
    [
        *[("oneshot", name) for name in (".", ".lock", "A_worker", "Z_integrator", "objects.git")],
        ("bundle-validate", "objects.git"),
        ("integrate", "seals"),
    ],
)
def test_nothing_lands_outside_the_run_whatever_stands_in_its_place(
    finished: Path, incoming: Path, factory: Factory, tmp_path: Path, name: str, command: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    plan = ("--plan", str(incoming / "plan.toml")) if command == "oneshot" else ()
    (finished / name).rename(tmp_path / "kept")
    (finished / name).symlink_to(outside)

    done = factory(command, *plan, "--run-id", "r1")

    assert list(outside.iterdir()) == []
    assert "a bug" not in done.stderr


@pytest.mark.parametrize("run", ["a-file", "factory_ledger.jsonl"])
def test_a_run_id_that_names_a_file_is_refused_and_the_ledger_goes_on(
    incoming: Path, factory: Factory, run: str
) -> None:
    (factory.folder / RUNS).mkdir(parents=True)
    (factory.folder / RUNS / "a-file").touch()

    done = factory("oneshot", "--plan", str(incoming / "plan.toml"), "--run-id", run)

    assert done.exit_code in (2, 10)
    assert "a bug" not in done.stderr
    assert factory("ledger").exit_code == 0


def test_a_folder_that_is_no_run_is_refused_and_left_as_it_was(
    incoming: Path, factory: Factory
) -> None:
    folder = factory.folder / RUNS / "mine"
    folder.mkdir(parents=True)
    (folder / "notes").write_text("keep")

    done = factory("oneshot", "--plan", str(incoming / "plan.toml"), "--run-id", "mine")

    assert done.exit_code == 40
    assert [path.name for path in folder.iterdir()] == ["notes"]


def _write_sources(repo: Repo, folder: Path, app: str) -> None:
    folder.mkdir()
    repo.write("src/app.txt", app.replace("line 7\n", "line seven\n"))
    repo.write("docs/guide.txt", "ONE\ntwo\nthree\n")
    (folder / "a.patch").write_bytes(repo.diff())
    repo.reset()
    repo.write("new/file.bin", bytes(range(256)))
    repo.write("docs/guide.txt", "one\ntwo\nTHREE\n")
    (folder / "c.patch").write_bytes(repo.diff())
    repo.reset()
    repo.git("checkout", "-q", "-b", "side")
    repo.write("src/deep/er/leaf.txt", "leaf of side\n")
    repo.write("src/deep/other.txt", "new on side\n")
    repo.commit("side")
    repo.git("checkout", "-q", "main")
    (folder / "plan.toml").write_text(PLAN + A + B + C)
    (folder / "blocked.toml").write_text(PLAN + A.replace("src/app", "src/other") + B)
    (folder / "stale.toml").write_text(PLAN + A.replace("a.patch", "none.patch"))


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _stamp(path: Path) -> Stamp:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        content = os.readlink(path)
    elif stat.S_ISREG(found.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    else:
        content = ""
    return oct(found.st_mode), found.st_mtime_ns, found.st_nlink, content


def _below(top: Path, runs_root: Path) -> Iterator[Path]:
    """Yield all below `top`, without the runs root and the folders that lead to it."""
    chain = {runs_root, *runs_root.parents}
    for here, folders, files in os.walk(top):
        folders[:] = [name for name in folders if Path(here) / name != runs_root]
        if Path(here) not in chain:
            yield Path(here)
        yield from (Path(here) / name for name in files)
        yield from (Path(here) / name for name in folders if (Path(here) / name).is_symlink())


def _differing(before: dict[str, Stamp], after: dict[str, Stamp]) -> list[str]:
    return sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))


def _above_this_run(run: Path) -> str:
    return (run / "Z_integrator" / "FINAL_REPORT.txt").read_text().partition("\nTHIS RUN\n")[0]


def _determined(factory: Factory, done: Ended) -> tuple[object, ...]:
    assert done.exit_code == 0, done.stderr
    run = factory.folder / RUNS / done.answer["run_id"]
    files = [(run / "Z_integrator" / name).read_bytes() for name in DETERMINED]
    return done.answer["tree"], done.answer["commit"], files, _above_this_run(run)


def _copied(run: Path, root: Path) -> Path:
    root.mkdir()
    shutil.copytree(run, root / run.name, symlinks=True)
    return root


def _is_evidence(path: Path) -> bool:
    return "objects.git" not in path.parts and path.name != ".lock"


def _ground(repo: Repo, root: Path) -> Session:
    host = Host({"PATH": os.environ["PATH"], "HOME": str(repo.path)}, {})
    return session(host, folder=repo.path, config_file=None, flags={"runs.root": str(root)})


def _said(rows: tuple[ReplayRow, ...]) -> list[tuple[str, str]]:
    return [(one.name, one.reason) for row in rows for one in row.disagreements]


def _replay_with_changed(
    ground: Session, path: Path, at: float, flip: int
) -> list[tuple[str, str]]:
    content = path.read_bytes()
    spoiled = bytearray(content)
    position = int(at * len(content)) if at >= 0 else len(content) - 1
    spoiled[position] ^= flip
    path.write_bytes(spoiled)
    try:
        return _said(replayed(ground, "r1", rebuilding=True))
    finally:
        path.write_bytes(content)


def _replay_with(ground: Session, path: Path, kept: Path, instead: str) -> list[tuple[str, str]]:
    path.rename(kept)
    if instead == "a link":
        path.symlink_to(kept)
    elif instead == "a pipe":
        os.mkfifo(path)
    elif instead == "garbage":
        path.write_bytes(b"\xff{")
    try:
        return _said(replayed(ground, "r1", rebuilding=True))
    finally:
        path.unlink(missing_ok=True)
        kept.rename(path)


def _names_it(path: Path, root: Path, said: list[tuple[str, str]]) -> bool:
    name = str(path.relative_to(root / "r1"))
    return any(name in where or name in reason for where, reason in said)
