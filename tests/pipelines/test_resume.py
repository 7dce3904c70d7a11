"""An interrupted run goes on: who is done is not run again, and the end is that of no interruption.

A_done is sealed, B_works is interrupted, C_later has not begun; a patch and a branch beside them.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Ended
from tests.reopened import above_this_run, runs_of
from tests.work import Work, write_file
from tests.workers import comes, left_of, living
from tools.codex.factory.domain.identity import RunId, WorkerId
from tools.codex.factory.storage.run_directory import RunDirectory
from tools.codex.factory.storage.seal import is_sealed

pytestmark = pytest.mark.slow

SETTINGS = {"FACTORY_WORK__GRACE": "1s"}
COMMANDS = ("A_done", "B_works", "C_later")
ADOPTED = ("P_patch", "Q_branch")
State = dict[str, tuple[bytes, int]]


@dataclass(frozen=True, slots=True)
class Stage:
    """A plan whose second command works until it may end; one worker at a time."""

    work: Work
    marks: Path

    @property
    def run(self) -> Path:
        return self.work.runs_root / "r1"

    @property
    def ran(self) -> list[int]:
        """Return how often each command ran."""
        return [runs_of(self.marks / name) for name in COMMANDS]

    def words(self, *more: str) -> tuple[str, ...]:
        return ("oneshot", "--plan", self.work.plan(), "--run-id", "r1", "--jobs", "1", *more)

    def interrupted(self, how: str) -> None:
        """Leave the run as an interruption of a kind leaves it."""
        if how.startswith("append"):
            self.died(how)
            return
        process = subprocess.Popen(
            self.work.factory.argv(*self.words()),
            cwd=self.work.repo.path,
            env=self.work.factory.environment(SETTINGS),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert comes((self.marks / "B_works").exists, 60)
        if how == "told to stop":
            process.send_signal(signal.SIGTERM)
        else:
            for pid in (process.pid, *living(str(self.work.factory.home))):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        process.wait()

    def died(self, at: str) -> None:
        """Let the factory die right after an event, and its supervisors with it."""
        log = self.work.folder / "moments"
        done = subprocess.run(
            [sys.executable, "-m", "tests.dying", str(log), at, *self.words()],
            cwd=self.work.repo.path,
            env=self.work.factory.environment(SETTINGS),
            capture_output=True,
            check=False,
        )
        assert done.returncode == -9, done.stderr

    def goes_on(self, *more: str, **env: str) -> Ended:
        (self.marks / "end").touch()
        assert left_of(str(self.work.factory.home)) == []
        return self.work.factory(*self.words(*more), "--json", env={**SETTINGS, **env})

    def sealed(self) -> State:
        """Return bytes and time of each file of the bundles that are sealed."""
        found: State = {}
        for name in (*COMMANDS, *ADOPTED):
            if is_sealed(RunDirectory(self.work.runs_root, RunId("r1")), WorkerId(name)):
                files = [*(self.run / name).rglob("*"), self.run / "seals" / f"{name}.json"]
                found |= {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in _plain(files)}
        return found

    def started(self) -> list[tuple[str, str]]:
        """Return every attempt that was started, by worker and number."""
        said = self.work.factory("ledger", "--raw-events", "--limit", "999", "--json")
        events = [one for one in said.answer["events"] if one["event_type"] == "WORKER_STARTED"]
        return [(one["actor"], one["details"]["attempt"]) for one in events]


def _plain(paths: list[Path]) -> Iterator[Path]:
    return (path for path in paths if path.is_file())


@pytest.fixture
def stage(work: Work, tmp_path: Path) -> Iterator[Stage]:
    """Return the plan; nothing of it is begun."""
    marks = tmp_path / "marks"
    marks.mkdir()
    work.patch("P_patch", write_file("docs/p.txt", "p\n"), allow=["docs/**"])
    work.branch("Q_branch", write_file("docs/q.txt", "q\n"), allow=["docs/**"])
    for name in COMMANDS:
        waits = f"while ! test -e {marks}/end; do sleep 0.02; done; " if name == "B_works" else ""
        script = f"echo x >> {marks}/{name}; echo {name}; {waits}echo {name} > src/{name}.txt"
        work.add(name, command=["sh", "-c", script], allow=["src/**"], retries=1)
    made = Stage(work, marks)
    yield made
    left_of(str(tmp_path))


@pytest.mark.parametrize(
    ("how", "sealed", "ran"),
    [
        ("killed with all that it started", 3, [1, 2, 1]),
        ("told to stop", 3, [1, 2, 1]),
        ("append WORKER_ENDED", 2, [1, 1, 1]),
        ("append BUNDLE_SEALED", 1, [1, 1, 1]),
        ("append CHECKOUT_MADE", 2, [1, 1, 1]),
    ],
)
def test_what_was_done_is_not_done_again_and_the_end_is_the_same(
    stage: Stage, how: str, sealed: int, ran: list[int]
) -> None:
    stage.interrupted(how)
    before = stage.sealed()

    done = stage.goes_on()

    counted, started, after = stage.ran, stage.started(), stage.sealed()
    assert done.exit_code == 0, done.stderr
    assert len([name for name in before if "/seals/" in name]) == sealed
    assert {name: after[name] for name in before} == before
    assert ran[1:] == counted[1:]
    # One that was just begun when its factory died may have done its work, and begins again.
    assert counted[0] in ((1, 2) if how == "append CHECKOUT_MADE" else (1,))
    assert sorted(started) == sorted(set(started))
    report = stage.run / "Z_integrator" / "FINAL_REPORT.txt"
    said = above_this_run(report)
    for _ in range(3):
        assert stage.work.factory("integrate", "--run-id", "r1", env=SETTINGS).exit_code == 0
        assert above_this_run(report) == said
    assert stage.work.factory("ledger-replay", "--rebuild").exit_code == 0
    undisturbed = stage.work.oneshot("--run-id", "r0", env=SETTINGS)
    assert undisturbed.answer["tree"] == done.answer["tree"]
    assert above_this_run(stage.work.runs_root / "r0/Z_integrator/FINAL_REPORT.txt") == said


@pytest.fixture
def broken_off(stage: Stage) -> Stage:
    """Return a run of which A_done, the patch and the branch are sealed, and B_works was killed."""
    stage.interrupted("killed with all that it started")
    return stage


def test_more_workers_at_a_time_go_on_with_it(broken_off: Stage) -> None:
    ended = broken_off.goes_on("--jobs", "3")

    assert (ended.exit_code, broken_off.ran) == (0, [1, 2, 1])


def test_without_the_work_root_who_was_sealed_stays_and_the_others_begin_again(
    broken_off: Stage,
) -> None:
    before = broken_off.sealed()
    shutil.rmtree(broken_off.work.factory.home / ".cache" / "factory")

    ended = broken_off.goes_on()

    after = broken_off.sealed()
    assert (ended.exit_code, broken_off.ran) == (0, [1, 2, 1])
    assert {name: after[name] for name in before} == before
    assert broken_off.work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_under_another_work_root_they_begin_again_and_the_first_keeps_what_it_has(
    broken_off: Stage, tmp_path: Path
) -> None:
    root = broken_off.work.factory.home / ".cache" / "factory"
    left = [path.name for path in sorted(root.glob("*/r1.*/*"))]

    ended = broken_off.goes_on(FACTORY_WORK__ROOT=str(tmp_path / "elsewhere"))

    assert (ended.exit_code, broken_off.ran) == (0, [1, 2, 1])
    assert left == ["B_works", "C_later"]
    assert [path.name for path in sorted(root.glob("*/r1.*/*"))] == left


def plan_changed(stage: Stage) -> tuple[tuple[str, ...], dict[str, str]]:
    stage.work.workers[-1]["allow"] = ["src/**", "docs/**"]
    return (), {}


def base_moved(stage: Stage) -> tuple[tuple[str, ...], dict[str, str]]:
    stage.work.repo.write("new.txt", "new\n")
    stage.work.repo.commit()
    return (), {}


def policy_changed(stage: Stage) -> tuple[tuple[str, ...], dict[str, str]]:
    return (), {"FACTORY_OVERLAP__ALLOW_IDENTICAL": "true"}


def patch_changed(stage: Stage) -> tuple[tuple[str, ...], dict[str, str]]:
    path = stage.work.folder / "P_patch.patch"
    path.write_bytes(path.read_bytes().replace(b"+p", b"+P"))
    return (), {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (plan_changed, "run 'r1' was made with another plan (differs in workers)"),
        (base_moved, "run 'r1' has base "),
        (policy_changed, "run 'r1' was made with another plan (differs in policy)"),
        (patch_changed, "run 'r1' was made with another plan (differs in pins)"),
    ],
)
def test_another_plan_base_or_policy_is_another_run_and_changes_nothing_of_this_one(
    broken_off: Stage,
    change: Callable[[Stage], tuple[tuple[str, ...], dict[str, str]]],
    message: str,
) -> None:
    base = broken_off.work.repo.git("rev-parse", "HEAD").decode().strip()
    words, env = change(broken_off)
    before = broken_off.sealed()

    ended = broken_off.goes_on(*words, **env)

    error = ended.answer["error"]
    assert (ended.exit_code, broken_off.ran) == (40, [1, 1, 0])
    assert error["message"].startswith(message)
    assert "choose another --run-id" in error["hint"]
    assert broken_off.sealed() == before
    if change is base_moved:
        assert broken_off.goes_on("--base-ref", base).exit_code == 0
        assert broken_off.ran == [1, 2, 1]


def test_a_worker_outside_that_was_collected_is_not_asked_again(stage: Stage) -> None:
    stage.work.add("E_outside", external=True, allow=["docs/**"])
    (stage.marks / "end").touch()
    first = stage.work.factory(*stage.words("--json"), env=SETTINGS)
    Path(first.answer["waiting"]["E_outside"], "docs/e.txt").write_text("e\n")
    assert stage.work.factory("collect", env=SETTINGS).exit_code == 0

    ended = stage.goes_on()

    assert (first.exit_code, ended.exit_code, stage.ran) == (4, 0, [1, 1, 1])
    assert "+e" in (stage.run / "E_outside/DIFF.patch").read_text()


def test_attempts_that_failed_and_were_interrupted_have_numbers_of_their_own(stage: Stage) -> None:
    stage.work.workers[-1]["command"] = ["sh", "-c", f"echo x >> {stage.marks}/C_later; exit 7"]
    stage.interrupted("told to stop")

    ended = stage.goes_on()

    started = stage.started()
    assert (ended.exit_code, stage.ran) == (3, [1, 2, 2])
    assert sorted(started) == [
        ("A_done", "1"),
        ("B_works", "1"),
        ("B_works", "2"),
        ("C_later", "1"),
        ("C_later", "2"),
    ]
    assert [path.name for path in (stage.run / "C_later/attempts").iterdir()] == ["1"]
