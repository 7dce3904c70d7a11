"""Told to stop, hung up on, or killed, at every stage of a run: it ends, and goes on later."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import Some
from tests.torture.oracle import ONESHOT, Scenario, Undisturbed, complaints, undisturbed
from tests.torture.scenes import World, counting, work_in, world
from tests.work import edit_line
from tests.workers import comes

EVENTS = (
    "RUN_START", "CHECKOUT_MADE", "WORKER_STARTED", "WORKER_ENDED", "BUNDLE_SEALED", "LAUNCH_END",
    "BUNDLE_VALIDATED", "INTEGRATE_START", "CHECK_STARTED", "CHECK_ENDED", "REPORT_WRITTEN",
)  # fmt: skip
BEARING = frozenset(
    ("worker.signalled", "worker.lost", "worker.stopped", "worker.exit_code", "check.failed")
) | {"check.flaky", "check.not_run"}
HOW = ("SIGTERM", "SIGINT", "SIGHUP", "hung up", "killed")


def _workers(here: World) -> None:
    """Write a plan whose worker and check take a moment: they are there when looked for."""
    work = work_in(here)
    *shell, script = counting(here, "A", "src/a.txt")
    work.add("A", command=[*shell, f"{script}; sleep 0.3"], allow=["src/**"])
    work.patch("B", edit_line("docs/guide.txt", 2, "TWO"), allow=["docs/**"])
    check = ["sh", "-c", "sleep 0.3; grep -q TWO docs/guide.txt"]
    work.plan(checks=[{"name": "both", "command": check}])


SCENARIO = Scenario("oneshot", _workers, ONESHOT)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Undisturbed]]:
    """Return a world, and what a run in it comes to where nobody disturbs it."""
    with world(tmp_path_factory.mktemp("signals") / "world") as here:
        SCENARIO.make(here)
        here.keep()
        yield here, undisturbed(here, SCENARIO)


@dataclass(frozen=True, slots=True)
class Running:
    """A run as a process of its own."""

    here: World
    process: "subprocess.Popen[bytes]"

    def comes_to(self, event: str) -> None:
        """Wait until the ledger says it, or the run is over."""
        assert comes(lambda: self.has(event) or self.process.poll() is not None, 60)

    def has(self, event: str) -> bool:
        return says(self.here, event)

    def comes_up(self, word: str) -> None:
        """Wait until a process of this name is there, or the run is over."""
        assert comes(lambda: self.named(word) or self.process.poll() is not None)

    def ended(self) -> int:
        return self.process.wait(timeout=60)

    def named(self, word: str) -> list[int]:
        """Return the processes of this world with `word` in their command line."""
        return [pid for pid in below(self.process.pid) if word in words_of(pid)]


def events(here: World) -> list[dict[str, object]]:
    """Return what the ledger says by now, whole lines alone."""
    try:
        content = (here.runs / "factory_ledger.jsonl").read_bytes()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in content.split(b"\n")[:-1]]


def says(here: World, event: str) -> bool:
    """Return whether the ledger has an event of this kind."""
    return any(line["event_type"] == event for line in events(here))


def words_of(pid: int) -> str:
    """Return the command line of a process."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def is_over(pid: int) -> bool:
    """Return whether nothing runs under a number any more."""
    return words_of(pid) == ""


def below(pid: int) -> list[int]:
    """Return a process and every one below it, as /proc shows them now."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError, IndexError):
                said = Path("/proc", name, "stat").read_bytes().rpartition(b")")[2].split()
                parents[int(name)] = int(said[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def kill_all(pids: list[int]) -> None:
    """Stop all, then kill all, the same ones."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def started(here: World, **more: object) -> Running:
    """Start the run in a world as it was at first."""
    here.restore()
    command = [sys.executable, "-m", "tools.codex.factory", *ONESHOT]
    process = subprocess.Popen(
        command,
        cwd=here.repo,
        env=here.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **more,  # type: ignore[call-overload]
    )
    return Running(here, process)


def last_end(here: World) -> object:
    """Return the exit code that the ledger gives the run; None where it has no end."""
    ends = [line["rc"] for line in events(here) if line["event_type"] == "RUN_END"]
    return ends[-1] if ends else None


def _stopped(run: Running, how: str) -> Iterator[str]:
    """Tell a run to stop; yield what is wrong with its end."""
    run.process.send_signal(signal.Signals[how])
    code, left = run.ended(), run.here.settle()
    # A run that has its end keeps it, and its exit code.
    if code not in (0, 130) or last_end(run.here) != code or left:
        yield f"exits {code}, the ledger says {last_end(run.here)}; left {left}"


def _hung_up(here: World, event: str) -> Iterator[str]:
    """Run in a terminal that goes away; yield what is wrong with the end."""
    here.restore()
    pid, screen = pty.fork()
    if pid == 0:
        os.chdir(here.repo)
        words = [sys.executable, "-m", "tools.codex.factory", *ONESHOT]
        os.execve(sys.executable, words, here.environment())
    assert comes(partial(says, here, event), 60)
    os.close(screen)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    left = here.settle()
    if code not in (0, 130) or last_end(here) != code or left:
        yield f"exits {code}, the ledger says {last_end(here)}; left {left}"


def test_who_is_stopped_hung_up_on_or_killed_whole_at_any_stage_says_so_and_goes_on_later(
    stage: tuple[World, Undisturbed], some: Some, record_property: Callable[[str, object], None]
) -> None:
    here, known = stage
    wrong: list[str] = []
    places = some([(how, event) for event in EVENTS for how in HOW])
    for how, event in places:
        said: list[str] = []
        if how == "hung up":
            said += _hung_up(here, event)
        else:
            run = started(here)
            run.comes_to(event)
            if how == "killed":
                kill_all(below(run.process.pid))
                run.ended()
            else:
                said += _stopped(run, how)
        said += complaints(here, known, looking=how == "killed")
        wrong += [f"{how} at {event}: {one}" for one in said]
    record_property("disturbed", len(places))

    assert not wrong, "\n".join(wrong)


VICTIMS = (
    ("CHECKOUT_MADE", "sleep"),
    ("CHECKOUT_MADE", "_supervisor"),
    ("INTEGRATE_START", "_integrator"),
    ("CHECK_STARTED", "_integrator"),
    ("CHECK_STARTED", "_supervisor"),
    ("CHECK_STARTED", "sleep"),
)


def test_one_process_that_is_killed_under_a_run_is_said_and_the_run_goes_on_later(
    stage: tuple[World, Undisturbed],
    some: Some,
    record_property: Callable[[str, object], None],
) -> None:
    here, known = stage
    wrong: list[str] = []
    places = some([(first, *one) for one in VICTIMS for first in ((), (signal.SIGSTOP,))])
    for first, event, victim in places:
        run = started(here)
        run.comes_to(event)
        run.comes_up(victim)
        for pid in run.named(victim):
            for number in (*first, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        code = run.ended()
        left = here.settle()
        said = f"{victim} at {event}"
        if code not in (0, 1, 3) or last_end(here) != code or left:
            wrong.append(f"{said}: exits {code}, the ledger says {last_end(here)}; left {left}")
        wrong += [f"{said}: {one}" for one in complaints(here, known, bearing=BEARING)]
    record_property("killed", len(places))

    assert not wrong, "\n".join(wrong)


def test_a_factory_that_is_stopped_for_a_while_and_then_killed_goes_on_later(
    stage: tuple[World, Undisturbed], some: Some
) -> None:
    here, known = stage
    wrong: list[str] = []
    for event in some(("RUN_START", "CHECKOUT_MADE", "INTEGRATE_START", "CHECK_STARTED")):
        run = started(here)
        run.comes_to(event)
        run.process.send_signal(signal.SIGSTOP)
        # Everybody else ends what it can without it.
        for pid in run.named("sleep"):
            assert comes(partial(is_over, pid))
        run.process.kill()
        run.ended()
        wrong += [f"{event}: {one}" for one in complaints(here, known)]

    assert not wrong, "\n".join(wrong)
