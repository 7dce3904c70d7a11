"""Whoever is killed while a check runs: it runs no further, and the run comes to its verdict."""

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pipelines.checking import SETTINGS, a_work, integrated, sh, workers
from tests.work import Work
from tests.workers import comes, left_of

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Stage:
    """A run in a process of its own whose check waits for ever, the first time."""

    work: Work
    top: Path
    process: "subprocess.Popen[bytes]"

    def begun(self) -> int:
        """Return the check's process, once it works."""
        assert comes((self.top / "pid").exists) and comes((self.top / "pid").read_text)
        return int((self.top / "pid").read_text())

    @property
    def left(self) -> list[Path]:
        """Return the checkouts that are left of checks."""
        return list(self.work.factory.home.rglob("checkout"))

    @property
    def temporary(self) -> list[Path]:
        """Return what is left of temporary folders."""
        return [Path(line) for line in (self.top / "told").read_text().splitlines()]


DEAF = "trap '' TERM; "
PATIENT = {**SETTINGS, "FACTORY_WORK__GRACE": "3s"}


def _check(top: Path, first: str) -> str:
    """Return a check that waits the first time; later it fails where the first one lives."""
    return (
        f"test -e {top}/pid && {{ ! grep -q . /proc/$(cat {top}/pid)/cmdline; exit; }}; "
        f'{first}echo "$TMPDIR" >> {top}/told; echo $$ > {top}/new; mv {top}/new {top}/pid; '
        f"while :; do sleep 0.1; done"
    )


def _started(top: Path, first: str = "") -> Stage:
    work = a_work(top)
    workers(work, "A", "B")
    plan = work.plan(checks=[sh("before", "true"), sh("waits", _check(top, first))])
    process = subprocess.Popen(
        work.factory.argv("oneshot", "--plan", plan, "--run-id", "r1"),
        cwd=work.repo.path,
        env=work.factory.environment(PATIENT),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return Stage(work, top, process)


@pytest.fixture(params=[""])
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    made = _started(tmp_path, request.param)
    yield made
    made.process.kill()
    made.process.wait()
    left_of(str(tmp_path))


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_factory_that_is_told_to_stop_ends_its_checks_and_goes_on_later(
    stage: Stage, stop: signal.Signals
) -> None:
    stage.begun()

    stage.process.send_signal(stop)
    code = stage.process.wait()
    alive, left = left_of(str(stage.work.factory.home)), stage.left
    found = integrated(stage.work, "r1")

    assert (code, alive, left) == (130, [], [])
    assert (found.ended.exit_code, found.results) == (0, {"before": "passed", "waits": "passed"})
    assert (stage.left, [path for path in stage.temporary if path.exists()]) == ([], [])
    assert stage.work.factory("ledger-replay", "--rebuild").exit_code == 0


@pytest.mark.parametrize("stage", ["", DEAF], indirect=True, ids=["", "deaf"])
def test_a_factory_that_is_killed_goes_on_later_and_no_two_checks_ever_run_at_once(
    stage: Stage,
) -> None:
    stage.begun()

    stage.process.kill()
    stage.process.wait()
    found = integrated(stage.work, "r1")

    assert (found.ended.exit_code, found.results) == (0, {"before": "passed", "waits": "passed"})
    assert left_of(str(stage.work.factory.home)) == []
    assert (stage.left, [path for path in stage.temporary if path.exists()]) == ([], [])


def test_what_a_factory_killed_with_its_supervisors_left_is_ended_before_checks_run_again(
    tmp_path: Path,
) -> None:
    made = _started(tmp_path, "setsid sleep 30 > /dev/null 2>&1 & ")
    try:
        supervisor = _parent(made.begun())
        made.process.kill()
        os.kill(supervisor, signal.SIGKILL)
        made.process.wait()

        found = integrated(made.work, "r1")

        assert (found.ended.exit_code, left_of(str(made.work.factory.home))) == (0, [])
        assert [path for path in made.temporary if path.exists()] == []
    finally:
        made.process.kill()
        made.process.wait()
        left_of(str(tmp_path))


def test_a_check_whose_supervisor_is_killed_is_no_pass_and_leaves_nothing(stage: Stage) -> None:
    supervisor = _parent(stage.begun())

    os.kill(supervisor, signal.SIGKILL)
    code = stage.process.wait()

    report = (stage.work.runs_root / "r1" / "Z_integrator" / "FINAL_REPORT.txt").read_text()
    assert (code, "check.not_run" in report) == (3, True)
    assert left_of(str(stage.work.factory.home)) == []
    assert (stage.left, [path for path in stage.temporary if path.exists()]) == ([], [])


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
