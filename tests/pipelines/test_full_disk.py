"""A disk that is full, has no files left or is read-only: said with a remedy, and nothing lost."""

import json
from pathlib import Path

import pytest

from tests.disks import Scene, scene, state_of
from tests.workers import program

pytestmark = pytest.mark.slow

HINT = (
    "  -> give it room there (space, files, quota, ulimit), or make it writable; then run the same "
    "command again, with --run-id where a run has begun: nothing is lost\n"
)
PERSON = {
    f"GIT_{role}_{what}": "a@b.invalid"
    for role in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}


def _oneshot(there: Scene, plan: str) -> tuple[int, str, str]:
    """Return exit code, what was complained of, and the tree."""
    ended = there("oneshot", "--plan", plan, "--run-id", "r1", "--json")
    assert "Traceback" not in ended.stderr
    answer = json.loads(ended.stdout)
    error = answer.get("error") or {"message": ""}
    return ended.exit_code, error["message"], str(answer.get("tree"))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the tree of an undisturbed run."""
    with scene(tmp_path_factory.mktemp("whole"), "runs") as there:
        code, _, tree = _oneshot(there, there.plan())
        assert code == 0
    return tree


@pytest.mark.parametrize(
    ("place", "kind", "left", "named"),
    [
        ("work", "bytes", 0, "to go on with 'B': No space left on device"),
        ("work", "bytes", 300_000, "to go on with 'B': No space left on device"),
        ("work", "files", 3, "to go on with 'B': No space left on device"),
        ("work", "files", 50, "to go on with 'B': No space left on device"),
        ("runs", "bytes", 0, "B/DIFF.patch': No space left on device"),
        ("runs", "bytes", 400_000, "objects.git': No space left on device"),
        ("runs", "files", 10, "seals/B.json': No space left on device"),
        ("tmp", "files", 0, "status.git': No space left on device"),
    ],
)
def test_a_disk_that_fills_while_workers_work_loses_nothing(
    tmp_path: Path, tree: str, place: str, kind: str, left: int, named: str
) -> None:
    with scene(tmp_path, place, files=3000) as there:
        plan = there.plan(kind, left)
        before = state_of(there.factory.folder)

        code, said, _ = _oneshot(there, plan)

        assert (code, named in said, str(there.disk) in said or place == "tmp") == (20, True, True)
        assert there("ledger").exit_code == 0
        assert there("ledger-replay").exit_code == 0
        sealed = {worker: there.runs_of(worker) for worker in there.sealed()}

        there.given_room()

        assert _oneshot(there, plan) == (0, "", tree)
        assert {worker: there.runs_of(worker) for worker in sealed} == sealed
        assert state_of(there.factory.folder) == before


@pytest.mark.parametrize("left", [20 * 8192, 300_000])
def test_work_that_was_done_is_not_done_again_though_its_end_had_no_room(
    tmp_path: Path, tree: str, left: int
) -> None:
    with scene(tmp_path, "work") as there:
        plan = there.plan("bytes", left)
        code, _, _ = _oneshot(there, plan)
        there.given_room()

        again = _oneshot(there, plan)

        assert (code, again) == (20, (0, "", tree))
        assert there.runs_of("B") == 1


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("bytes", "has no room: a run needs 64.0 MiB, and "),
        ("files", "has no room: a run needs 500 files, and "),
        ("read-only", "has no room: it is read-only"),
    ],
)
def test_a_runs_root_without_room_is_refused_before_anything_begins(
    tmp_path: Path, kind: str, said: str
) -> None:
    with scene(tmp_path, "runs", files=3000) as there:
        plan = there.plan()
        if kind == "read-only":
            there.disks.freeze(there.disk)
        else:
            there.filled(100, kind)

        ended = there("oneshot", "--plan", plan)
        unfit = there("doctor")

        assert (ended.exit_code, said in ended.stderr, unfit.exit_code) == (20, True, 20)
        assert str(there.disk / "runs") in ended.stderr
        assert list(there.disks.seen(there.disk / "runs").iterdir()) == []
        assert there.runs_of("A") == 0


def test_what_only_looks_at_runs_needs_no_room_and_what_changes_one_says_that_there_is_none(
    tmp_path: Path,
) -> None:
    with scene(tmp_path, "runs") as there:
        assert _oneshot(there, there.plan())[0] == 0
        there.filled(0)
        looking = [["ledger"], ["print-report"], ["watch"], ["runs"], ["ledger-replay"]]
        changing = [["integrate"], ["amend", "--allow", "A:x", "--reason", "y"]]

        seen = [there(*words, *_named(words)).exit_code for words in looking]
        ended = []
        for words in changing:
            there.filled(0)
            ended.append(there(*words, "--run-id", "r1"))

        assert seen == [0, 0, 0, 0, 0]
        assert [(one.exit_code, HINT in one.stderr) for one in ended] == [(20, True)] * 2
        there.given_room()
        assert [there(*words, "--run-id", "r1").exit_code for words in changing] == [0, 0]


def test_a_run_on_a_full_disk_is_pruned(tmp_path: Path) -> None:
    with scene(tmp_path, "runs") as there:
        assert _oneshot(there, there.plan())[0] == 0
        there.filled(4096)

        ended = there("runs", "prune", "--run-id", "r1")

        assert (ended.exit_code, ended.stderr) == (0, "")
        assert not there.disks.seen(there.disk / "runs" / "r1").exists()


def test_a_read_only_runs_root_keeps_its_runs(tmp_path: Path, tree: str) -> None:
    with scene(tmp_path, "runs") as there:
        plan = there.plan()
        assert _oneshot(there, plan)[0] == 0
        before = state_of(there.disks.seen(there.disk / "runs"))
        there.disks.freeze(there.disk)

        ended = there("integrate", "--run-id", "r1")

        assert ended.exit_code == 20
        assert f"cannot lock run '{there.disk}/runs/r1': Read-only file system" in ended.stderr
        assert state_of(there.disks.seen(there.disk / "runs")) == before
        there.disks.thaw(there.disk)
        assert _oneshot(there, plan) == (0, "", tree)


@pytest.mark.parametrize("left", [0, 2, 4])
def test_a_run_is_published_once_the_users_repository_has_room(tmp_path: Path, left: int) -> None:
    with scene(tmp_path, "") as there:
        assert _oneshot(there, there.plan())[0] == 0
        git = there.factory.folder / ".git"
        there.disks.run("cp", "-a", str(git), str(there.top / "copy"))
        there.disks.mount(git, files=300)
        there.disks.run("cp", "-a", f"{there.top}/copy/.", str(git))
        before = state_of(there.disks.seen(git))
        full = Scene(there.disks, there.factory, there.top, {**there.variables, **PERSON})
        _fill_up(full, git, left)

        refused = full("publish", "--run-id", "r1")

        assert (refused.exit_code, HINT in refused.stderr) == (20, True)
        there.disks.run("rm", "-rf", f"{git}/filler")
        after = state_of(there.disks.seen(git))
        left_behind = {name for name in after.keys() - before.keys() if "objects/pack" not in name}
        assert {name for name in left_behind if after[name][1]} == set()
        assert {name: after[name] for name in before} == before
        assert full("publish", "--run-id", "r1").exit_code == 0


def test_a_folder_that_git_cannot_open_is_a_finding_and_never_a_smaller_patch(
    tmp_path: Path,
) -> None:
    with scene(tmp_path, "") as there:
        command = ["sh", "-c", "d=$(printf 'src/%0100d' 0 | sed 's|0|d/|g'); mkdir -p $d; >$d/f"]
        plan = {"schema_version": 1, "title": "Deep", "workers": [{"id": "A", "allow": ["src/**"]}]}
        plan["workers"][0]["command"] = command  # type: ignore[index]
        (tmp_path / "deep.json").write_text(json.dumps(plan), "utf-8")
        words = there.factory.argv("oneshot", "--plan", str(tmp_path / "deep.json"), "--json")

        ended = there.disks.run(
            "prlimit", "--nofile=70", *words,
            cwd=there.factory.folder,
            env=there.factory.environment(there.variables),
        )  # fmt: skip

        findings = json.loads(ended.stdout)["findings"]
        assert ended.exit_code == 3
        assert [one["code"] for one in findings if one["severity"] == "blocks"] == [
            "capture.failed"
        ]


def _named(words: list[str]) -> list[str]:
    return ["--run-id", "r1"] if words[0] in ("print-report", "watch") else []


def _fill_up(there: Scene, disk: Path, left: int) -> None:
    mark = there.top / "marks" / "git"
    words = (str(there.top / "out"), "0", "0", str(disk), "files", str(left), str(mark))
    ended = there.disks.run(*program("filler", *words))
    assert ended.exit_code == 0, ended.stderr
