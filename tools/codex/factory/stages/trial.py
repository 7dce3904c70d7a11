"""Checks tried on commits: each in a fresh checkout that sees nothing of the user's files."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tools.codex.factory.domain.confined import Confined
from tools.codex.factory.domain.confinement import Confinement
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.identity import Digest, ObjectId
from tools.codex.factory.domain.order import Outcome, Step, StepEnded, WorkOrder, end_of
from tools.codex.factory.domain.plan import Check, Plan, seconds
from tools.codex.factory.domain.secret import Secrets
from tools.codex.factory.domain.settings import Checks, Work
from tools.codex.factory.errors import StorageError
from tools.codex.factory.executors.local import MARK, Local, await_free, end_workers
from tools.codex.factory.repository.checkout import remove_checkout
from tools.codex.factory.stages.redact import redacted_log
from tools.codex.factory.storage.attempt import Attempt
from tools.codex.factory.storage.passes import Passes
from tools.codex.factory.storage.run_directory import RunDirectory

STREAMS = ("stdout", "stderr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """What running checks needs. `folder` is where checkouts of checks lie; `made_with` are the
    tools whose versions are part of what a kept PASS stands for."""

    run: RunDirectory
    plan: Plan
    folder: Path
    place: Local
    shallow: str
    environment: Mapping[str, str]
    made_with: Mapping[str, str]
    work: Work
    confinement: Confinement
    settings: Checks
    passes: Passes
    secrets: Secrets
    witnessed: Callable[[str, Digest], bool]
    """Whether the ledger has it that what a key stands for passed in a run."""
    flaked: Callable[[Digest], int]
    """How often the ledger has it that what a key stands for was flaky in this run."""
    clock: Callable[[], datetime]
    record: Callable[[Event], None]
    confined: list[Confined] = field(default_factory=list)
    """What kept each check that was run, and what it tried."""


@dataclass(frozen=True, slots=True)
class Tree:
    """What is checked: a commit, and its tree. `label` names it in folders, `shown` to people."""

    label: str
    shown: str
    commit: ObjectId
    tree: ObjectId


@dataclass(frozen=True, slots=True)
class Stream:
    """What was said, whether it was cut, and how many secrets were taken out of it."""

    content: bytes
    truncated: bool
    redacted: int


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of one check. `step` is None where it never began, for `reason`."""

    step: StepEnded | None
    reason: str
    said: Mapping[str, Stream] = field(default_factory=dict)
    """stdout and stderr."""

    @property
    def passed(self) -> bool:
        """Return whether it exited 0."""
        return self.step is not None and self.step.is_good


def ran(
    about: Checking,
    wanted: Sequence[tuple[Tree, Check]],
    *,
    until: datetime | None = None,
) -> dict[tuple[str, str], Ran]:
    """Return one run of each check on its tree, by label and name; each in a checkout of its own.

    What was not begun by `until` is not in the answer, nor what had no time to end.
    """
    waiting = deque(wanted)
    under_way: dict[str, tuple[Tree, Check, bool]] = {}
    found: dict[tuple[str, str], Ran] = {}

    def begin() -> None:
        while waiting and len(under_way) < about.work.jobs:
            tree, check = waiting.popleft()
            allowed = seconds(check.timeout or about.settings.timeout)
            left = (until - about.clock()).total_seconds() if until is not None else allowed
            if left <= 0:
                waiting.clear()
                return
            order = _order(about, tree, check, wall_seconds=min(allowed, left))
            under_way[order.folder] = (tree, check, left < allowed)
            about.place.submit(order)

    begin()
    while under_way:
        for said in about.place.news():
            tree, check, is_cut_short = under_way[said.order.folder]
            if said.kind == "checkout":
                about.record(_started_event(about, check, tree))
            if said.outcome is None:
                continue
            del under_way[said.order.folder]
            attempt = Attempt(Path(said.order.folder))
            run = _run(about, attempt, said.outcome)
            if said.outcome.confined is not None:
                about.confined.append(said.outcome.confined)
            about.record(_ended_event(about, check, tree, said.outcome))
            about.place.release(said.order, clear=True)
            if said.outcome.how == "lost":
                # Nobody is left who could be told to clear it.
                attempt.clear(remove_checkout)
            if not (is_cut_short and said.outcome.how == "timed_out"):
                found[tree.label, check.name] = run
            begin()
    return found


def cleared_checks(folder: Path) -> None:
    """End and remove what checks of an earlier integration left."""
    for path in folder.iterdir() if folder.is_dir() else ():
        attempt = Attempt(path)
        for _ in await_free(attempt):
            # Its supervisor outlives a factory that was killed, for a moment.
            pass
        end_workers(attempt)
        attempt.clear(remove_checkout)


def _run(about: Checking, attempt: Attempt, outcome: Outcome) -> Ran:
    """Return what came of one check, with what the step said that decided it."""
    for step in outcome.steps:
        if step.how == "stopped":
            return Ran(None, "a stranger told its supervisor to stop")
        if step.kind == "work":
            return Ran(step, step.reason, _said(about, attempt, step, outcome))
        if not step.is_good:
            reason = f"integration {step.name} failed: {end_of(step)}"
            return Ran(None, reason, _said(about, attempt, step, outcome))
    blocking = [finding.message for finding in outcome.findings if finding.blocks]
    return Ran(None, f"integration {blocking[0]}" if blocking else "its supervisor was killed")


def _order(about: Checking, tree: Tree, check: Check, *, wall_seconds: float) -> WorkOrder:
    attempt = Attempt(about.folder / f"{tree.label}-{step_name(about, check)}")
    attempt.make()
    setup = tuple(
        Step(
            name=f"setup-{number}",
            kind="setup",
            argv=argv,
            wall_seconds=seconds(about.work.setup_timeout),
            idle_seconds=None,
        )
        for number, argv in enumerate(about.plan.integration.setup, start=1)
    )
    work = Step(
        name=step_name(about, check),
        kind="work",
        argv=check.command,
        wall_seconds=wall_seconds,
        idle_seconds=None,
    )
    return WorkOrder(
        name="check",
        folder=str(attempt.folder),
        commit=tree.commit,
        store=str(about.run.store),
        shallow=about.shallow,
        makes=True,
        captures=False,
        steps=(*setup, work),
        environment={**about.environment, MARK: str(attempt.folder)},
        is_check=True,
        grace_seconds=seconds(about.work.grace),
        log_bytes=about.work.log_bytes,
        confinement=about.confinement,
        ignore=about.plan.policy.capture_ignore,
        limits=about.plan.policy.limits(),
    )


def step_name(about: Checking, check: Check) -> str:
    """Return what a check is called in orders and logs: its name may hold anything."""
    return f"check-{about.plan.checks.index(check) + 1}"


def _said(
    about: Checking, attempt: Attempt, step: StepEnded, outcome: Outcome
) -> dict[str, Stream]:
    truncated = {log.name: log.truncated for log in outcome.logs}
    found = {}
    for stream in STREAMS:
        try:
            name = f"{step.name}.{stream}.log"
            content = attempt.log(name, limit=2 * about.work.log_bytes)
        except (FileNotFoundError, StorageError):
            continue
        is_cut = truncated.get(name, False)
        content, count = redacted_log(content, about.secrets, truncated=is_cut)
        found[stream] = Stream(content, is_cut, count)
    return found


def _ended_event(about: Checking, check: Check, tree: Tree, outcome: Outcome) -> Event:
    return Event(
        run_id=about.run.run,
        event_type=EventType.CHECK_ENDED,
        actor="factory",
        rc=outcome.exit_code,
        duration_ms=outcome.milliseconds,
        details={"check": check.name, "on": tree.shown, "how": outcome.how},
    )


def _started_event(about: Checking, check: Check, tree: Tree) -> Event:
    return Event(
        run_id=about.run.run,
        event_type=EventType.CHECK_STARTED,
        actor="factory",
        details={"check": check.name, "on": tree.shown},
    )
