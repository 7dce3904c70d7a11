"""doctor --fix does what is safe, says it, and does nothing the second time."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Ended
from tests.work import Work, edit_line
from tools.codex.factory.storage.attempt import Attempt
from tools.codex.factory.storage.lock import held

pytestmark = pytest.mark.slow

LONG_AGO = (1_600_000_000, 1_600_000_000)


@dataclass(frozen=True, slots=True)
class Scene:
    """A repository with its command, and a folder for throw-away files."""

    work: Work
    temporary: Path

    def doctor(self, *words: str, **env: str) -> Ended:
        more = {"TMPDIR": str(self.temporary), **env}
        ended = self.work.factory("doctor", "--json", *words, env=more)
        assert ended.exit_code == 0, ended.answer
        return ended

    def fixed(self, **env: str) -> list[str]:
        """Return what --fix did; done again it does nothing."""
        done: list[str] = self.doctor("--fix", **env).answer["fixed"]
        assert self.doctor("--fix", **env).answer["fixed"] == []
        return done

    def said(self, group: str) -> dict[str, str]:
        """Return the notes of a group: what, and the remedy."""
        rows = self.doctor().answer["rows"]
        return {
            row["what"]: row["remedy"]
            for row in rows
            if (row["group"], row["verdict"]) == (group, "note")
        }

    def attempt(self, worker: str) -> Path:
        (found,) = self.work.factory.home.glob(f".cache/factory/*/*/{worker}/1")
        return found

    def attempts(self) -> list[str]:
        found = self.work.factory.home.glob(".cache/factory/*/*/*/1/checkout")
        return sorted(path.parts[-3] for path in found)


@pytest.fixture
def scene(work: Work, tmp_path: Path) -> Scene:
    """Return a repository in which nothing was run."""
    (tmp_path / "tmp").mkdir()
    return Scene(work, tmp_path / "tmp")


@pytest.fixture
def kept(scene: Scene) -> Scene:
    """Return a run that kept its checkouts: A whole, B not whole, C waits for work outside."""
    work = scene.work
    work.add("A", allow=["src/**"], command=["sh", "-c", "echo a > src/a"])
    work.add("B", allow=["docs/**"], command=["git", "init", "-q", "nested"])
    work.add("C", allow=["new/**"], external=True)
    assert work.oneshot("--run-id", "r1", "--keep").exit_code == 4
    assert scene.attempts() == ["A", "B", "C"]
    return scene


def test_both_roots_are_made(scene: Scene) -> None:
    root, home = scene.work.runs_root, scene.work.factory.home

    done = scene.fixed()

    assert done == [f"made {root} with its .gitignore", f"made {home}/.cache/factory"]
    assert [path.name for path in root.iterdir()] == [".gitignore"]
    assert (home / ".cache/factory").stat().st_mode & 0o777 == 0o700
    assert scene.work.repo.git("status", "--porcelain") == b""


def test_what_could_not_be_fixed_is_said(scene: Scene) -> None:
    scene.work.repo.write("tools/codex/runs", "a file")

    ended = scene.work.factory("doctor", "--fix", env={"TMPDIR": str(scene.temporary)})

    assert ended.exit_code == 20
    assert ended.stderr.startswith(f"note: not fixed: runs.root = '{scene.work.runs_root}' ")
    assert ended.stdout.startswith(f"fixed: made {scene.work.factory.home}/.cache/factory\n")


# -- ledger ----------------------------------------------------------------------------------------


@pytest.fixture
def torn(scene: Scene) -> Scene:
    """Return a run whose ledger ends in half a line."""
    scene.work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    assert scene.work.oneshot("--run-id", "r1").exit_code == 0
    scene.fixed()
    with (scene.work.runs_root / "factory_ledger.jsonl").open("ab") as file:
        file.write(b'{"half')
    return scene


def test_a_torn_last_line_is_a_note_and_is_set_aside(torn: Scene) -> None:
    ledger = torn.work.runs_root / "factory_ledger.jsonl"
    whole = ledger.read_bytes().removesuffix(b'{"half')
    before = torn.said("runs root")

    done = torn.fixed()

    assert before == {"torn line": "factory doctor --fix"}
    assert done == [f"set aside the torn last line of {ledger} (6 bytes)"]
    assert ledger.read_bytes().startswith(whole)
    assert json.loads(ledger.read_bytes()[len(whole) :])["event_type"] == "LEDGER_REPAIRED"
    assert b'{"half' in (torn.work.runs_root / "factory_ledger.torn").read_bytes()
    assert torn.said("runs root") == {}


def test_a_ledger_that_is_damaged_too_is_not_repaired(torn: Scene) -> None:
    ledger = torn.work.runs_root / "factory_ledger.jsonl"
    content = ledger.read_bytes().replace(b"RUN_START", b"RUN_ST\\n", 1)
    ledger.write_bytes(content)

    ended = torn.work.factory("doctor", "--fix", "--json", env={"TMPDIR": str(torn.temporary)})

    assert (ended.exit_code, ended.answer["fixed"]) == (20, [])
    assert ledger.read_bytes() == content


# -- attempts --------------------------------------------------------------------------------------


def test_only_what_was_captured_whole_and_sealed_is_removed(kept: Scene) -> None:
    whole, partial, waiting = (kept.attempt(name) for name in ("A", "B", "C"))
    rows = kept.doctor().answer["rows"]
    said = {row["what"]: row["message"] for row in rows}

    done = kept.fixed()

    assert done == [f"removed {whole}: captured whole and sealed"]
    assert kept.attempts() == ["B", "C"]
    assert not whole.parent.exists()
    assert said["r1 B"] == f"{partial}: it was not captured whole: something is there alone"
    assert said["r1 C"] == f"{waiting}: it waits for who works outside"
    assert kept.said("work root") == {
        "r1 B": "look, then remove it",
        "r1 C": "factory collect --run-id r1",
    }


def test_the_run_goes_on_after_the_fix(kept: Scene) -> None:
    kept.fixed()

    ended = kept.work.factory("collect", "--run-id", "r1", "--json")

    assert (ended.exit_code, ended.answer["status"]) == (3, "BLOCKED")
    assert kept.attempts() == ["B"]


def test_an_outcome_that_says_whole_is_not_believed_against_the_bundle(kept: Scene) -> None:
    path = kept.attempt("B") / "outcome.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "is_whole": True, "findings": []}))
    shutil.rmtree(kept.attempt("A"))

    assert kept.fixed() == []
    assert kept.attempts() == ["B", "C"]


@pytest.mark.parametrize("name", ["DIFF.patch", "STATUS.json", "LOGS/INDEX.json"])
def test_work_whose_sealed_bundle_was_damaged_stays(kept: Scene, name: str) -> None:
    (kept.work.runs_root / "r1" / "A" / name).write_bytes(b"")

    assert kept.fixed() == []
    assert kept.attempts() == ["A", "B", "C"]
    assert kept.said("work root")["r1 A"] == "factory ledger-replay --run-id r1"


@pytest.mark.parametrize("gone", ["outcome.json", "seal"])
def test_work_that_is_in_no_bundle_stays(kept: Scene, gone: str) -> None:
    seal = kept.work.runs_root / "r1" / "seals" / "A.json"
    (seal if gone == "seal" else kept.attempt("A") / gone).unlink()

    assert kept.fixed() == []
    assert kept.attempts() == ["A", "B", "C"]
    assert kept.said("work root")["r1 A"] == "the command that began it, with --run-id r1"


def test_an_outcome_that_cannot_be_read_stays(kept: Scene) -> None:
    (kept.attempt("A") / "outcome.json").write_text("{")

    assert kept.fixed() == []
    assert kept.attempts() == ["A", "B", "C"]


def test_what_work_keep_keeps_stays(kept: Scene) -> None:
    assert kept.fixed(FACTORY_WORK__KEEP="true") == []
    assert kept.attempts() == ["A", "B", "C"]


def test_the_attempts_of_a_run_that_is_not_here_stay(kept: Scene) -> None:
    (kept.work.runs_root / "r1").rename(kept.work.factory.home / "r1")

    assert kept.fixed() == []
    assert kept.attempts() == ["A", "B", "C"]
    (remedy,) = set(kept.said("work root").values())
    assert remedy.startswith("see whether another runs root has it")


def test_an_attempt_that_its_supervisor_holds_stays(kept: Scene) -> None:
    handle = Attempt(kept.attempt("A")).held()
    assert handle is not None
    try:
        assert kept.fixed() == []
        assert kept.said("work root")["r1 A"] == "wait until it ends, or end it"
    finally:
        os.close(handle)
    assert len(kept.fixed()) == 1


@pytest.fixture
def visitor(kept: Scene) -> Iterator[Path]:
    """Let someone stand in the checkout of A."""
    place = kept.attempt("A") / "checkout"
    with subprocess.Popen(["cat"], cwd=place, stdin=subprocess.PIPE) as process:
        yield place
        process.kill()


def test_a_checkout_that_someone_stands_in_stays(kept: Scene, visitor: Path) -> None:
    assert kept.fixed() == []
    assert visitor.is_dir()


def test_a_run_that_a_factory_holds_is_left_alone(kept: Scene) -> None:
    folder = kept.work.runs_root / "r1"
    with held(folder, holder={"pid": 1, "command": "factory launch", "since": "then"}):
        done, said = kept.fixed(), kept.doctor().answer["rows"]

    notes = {row["what"]: row["message"] for row in said}
    assert done == []
    assert kept.attempts() == ["A", "B", "C"]
    assert notes["r1 A"] == f"{kept.attempt('A')}: a factory holds its run"
    assert notes["held: r1"] == "run 'r1' is held by process 1 (factory launch, since then)"


def test_what_a_check_left_whose_integration_was_killed_is_named_and_removed(kept: Scene) -> None:
    check = kept.attempt("A").parents[1] / "Z_integrator" / "merged-check-1"
    (check / "checkout").mkdir(parents=True)
    half = kept.attempt("A").with_name(".cleared-2")
    (half / "checkout").mkdir(parents=True)
    said = {row["what"]: row["message"] for row in kept.doctor().answer["rows"]}

    done = kept.fixed()

    assert said["r1 Z_integrator"] == (
        f"{check}: a check that was cut off worked in it; nobody needs it"
    )
    assert done == [
        f"removed {half.with_name('1')}: captured whole and sealed",
        f"removed {half}: its removal was cut off",
        f"removed {check}: a check that was cut off worked in it",
    ]
    assert not half.parent.exists() and not check.parent.exists()


# -- throw-away files ------------------------------------------------------------------------------


def test_throw_away_files_go_only_where_they_are_ours_and_their_attempt_is_gone(
    scene: Scene, tmp_path: Path
) -> None:
    scene.fixed()
    owners = {
        "factory-gone": str(tmp_path / "gone"),
        "factory-there": str(tmp_path),
        "factory-odd": "relative",
        "another-gone": str(tmp_path / "gone"),
    }
    for name, owner in owners.items():
        (scene.temporary / name / "t").mkdir(parents=True)
        (scene.temporary / name / ".owner").write_text(owner)
    (scene.temporary / "factory-plain").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / ".owner").write_text(str(tmp_path / "gone"))
    (scene.temporary / "factory-link").symlink_to(tmp_path / "outside")
    before = scene.said("work root")

    done = scene.fixed()

    gone = scene.temporary / "factory-gone"
    assert before == {"throw-away files": "factory doctor --fix removes it"}
    assert done == [f"removed {gone}: the attempt that made it is gone"]
    assert sorted(path.name for path in scene.temporary.iterdir()) == [
        "another-gone",
        "factory-link",
        "factory-odd",
        "factory-plain",
        "factory-there",
    ]
    assert (tmp_path / "outside" / ".owner").exists()


def test_what_a_killed_command_was_to_throw_away_is_named_and_removed_when_it_is_old(
    scene: Scene,
) -> None:
    scene.fixed()
    root = scene.work.factory.home / ".cache" / "factory"
    old = [
        scene.temporary / "factory-rebuild-abcdefgh",
        scene.temporary / "factory-status-abcdefgh",
        root / "factory-manners-abcdefgh",
        scene.work.runs_root / ".gitignore-abcdefgh",
    ]
    inside = [old[0] / "objects.git", old[1] / "status.git", old[2] / "link"]
    others = [
        scene.temporary / "factory-status-mine" / "status.git",
        scene.temporary / "status-abcdefgh" / "status.git",
        scene.temporary / "factory-rebuild-20261121" / "notes",
        scene.temporary / "factory-status-exported" / "status.txt",
    ]
    for path in (*inside, *others):
        path.mkdir(parents=True)
    old[3].touch()
    young = scene.temporary / "factory-status-young_er"
    young.mkdir()
    for path in (*inside, *old, *others, *[path.parent for path in others]):
        os.utime(path, LONG_AGO)
    rows = scene.doctor().answer["rows"]
    said = {row["message"] for row in rows if row["what"] == "throw-away files"}

    done = scene.fixed()

    wanted = (*old, young)
    assert said == {f"of a command that was cut off: {path}" for path in wanted}
    assert done == [f"removed {path}: the command that made it was cut off" for path in old]
    assert all(path.exists() for path in (young, *others))


# -- runs that were never begun --------------------------------------------------------------------


def _half_begun(scene: Scene, name: str, *files: str) -> Path:
    folder = scene.work.runs_root / name
    folder.mkdir()
    for file in files:
        (folder / file).touch()
    os.utime(folder, LONG_AGO)
    return folder


def test_a_run_that_was_never_begun_is_removed_and_nothing_else(scene: Scene) -> None:
    scene.fixed()
    dead = _half_begun(scene, "dead", ".lock", "PLAN.json", ".RUN_MANIFEST.json.new")
    empty = _half_begun(scene, "empty")
    young = _half_begun(scene, "young", "PLAN.json")
    os.utime(young)
    busy = _half_begun(scene, "busy", "PLAN.json")
    _half_begun(scene, "mine", "PLAN.json", "notes.txt")
    (_half_begun(scene, "deep", "PLAN.json") / "A").mkdir()
    os.utime(scene.work.runs_root / "deep", LONG_AGO)
    before = [what for what in scene.said("runs root") if what.startswith("half")]

    with held(busy, holder={"pid": 1}):
        os.utime(busy, LONG_AGO)
        done = scene.fixed()

    assert before == [f"half begun: {name}" for name in ("busy", "dead", "empty", "young")]
    assert done == [f"removed {path}: a run that was never begun" for path in (dead, empty)]
    left = sorted(path.name for path in scene.work.runs_root.iterdir() if path.is_dir())
    assert left == ["busy", "deep", "mine", "young"]


def test_nothing_is_fixed_by_settings_that_are_wrong(scene: Scene) -> None:
    scene.work.add("A", command=["true"], allow=["src/**"])
    assert scene.work.oneshot("--keep").exit_code == 0
    kept = scene.attempt("A")

    env = {"TMPDIR": str(scene.temporary), "FACTORY_WORK__JOBS": "0"}
    ended = scene.work.factory("doctor", "--fix", "--json", env=env)

    assert (ended.exit_code, ended.answer["fixed"]) == (20, [])
    assert "not fixed: nothing is, while a setting is wrong: work.jobs = 0" in ended.stderr
    assert kept.is_dir()
