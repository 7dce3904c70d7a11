"""Checks tried on commits: each in a fresh checkout that sees nothing of the user's files."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tools.codex.factory.config import Checks, Work
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.domain.order import Outcome, Step, StepEnded, WorkOrder
from tools.codex.factory.domain.plan import Check, Plan, seconds
from tools.codex.factory.errors import Interrupted, StorageError
from tools.codex.factory.executors.local import MARK, Local
from tools.codex.factory.repository.checkout import remove_checkout
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
    settings: Checks
    passes: Passes
    clock: Callable[[], datetime]
    record: Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Tree:
    """What is checked: a commit, and its tree. `label` names it in folders, never in results."""

    label: str
    commit: ObjectId
    tree: ObjectId


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of one check. `step` is None where it never began, for `reason`."""

    step: StepEnded | None
    reason: str
    said: Mapping[str, tuple[bytes, bool]] = field(default_factory=dict)
    """stdout and stderr, each with whether it was cut."""

    @property
    def passed(self) -> bool:
        """Return whether it exited 0."""
        return self.step is not None and self.step.is_good


def ran(
    about: Checking,
    wanted: Sequence[tuple[Tree, tuple[Check, ...]]],
    *,
    until: datetime | None = None,
) -> dict[tuple[str, str], Ran]:
    """Return one run of each check on each tree, by label and name.

    What was not begun by `until` is not in the answer. A check that changes its checkout is the
    last in there: the next has a fresh one.
    """
    waiting = deque((tree, checks) for tree, checks in wanted if checks)
    under_way: dict[str, tuple[Tree, tuple[Check, ...]]] = {}
    found: dict[tuple[str, str], Ran] = {}

    def begin() -> None:
        while waiting and len(under_way) < about.work.jobs:
            if until is not None and about.clock() > until:
                waiting.clear()
                return
            tree, checks = waiting.popleft()
            order = _order(about, tree, checks)
            under_way[order.folder] = (tree, checks)
            about.place.submit(order)

    begin()
    while under_way:
        for said in about.place.news():
            if said.kind == "work":
                about.record(_started_event(about, said.step))
            if said.outcome is None:
                continue
            tree, checks = under_way.pop(said.order.folder)
            attempt = Attempt(Path(said.order.folder))
            done, rest = _sorted_out(about, attempt, checks, said.outcome)
            found |= {(tree.label, name): one for name, one in done.items()}
            about.place.release(said.order, clear=True)
            if rest:
                waiting.appendleft((tree, rest))
            begin()
    return found


def cleared_checks(folder: Path) -> None:
    """Remove what checks of an earlier integration left."""
    if folder.exists():
        remove_checkout(folder)


def _sorted_out(
    about: Checking, attempt: Attempt, checks: tuple[Check, ...], outcome: Outcome
) -> tuple[dict[str, Ran], tuple[Check, ...]]:
    """Return what became of each check, and those that need another checkout."""
    if outcome.how == "stopped":
        raise Interrupted("a check was stopped", hint="integrate again")
    steps = {step.name: step for step in outcome.steps if step.kind == "work"}
    reason = _why_not(outcome)
    done: dict[str, Ran] = {}
    rest = []
    for check in checks:
        step = steps.get(step_name(about, check))
        if step is not None:
            done[check.name] = Ran(step, step.reason, _said(about, attempt, step))
        elif reason:
            done[check.name] = Ran(None, reason)
        else:
            rest.append(check)
    return done, tuple(rest)


def _why_not(outcome: Outcome) -> str:
    """Return why no check could begin; "" where one did."""
    if any(step.kind == "work" for step in outcome.steps):
        return ""
    for step in outcome.steps:
        if not step.is_good:
            said = step.reason or f"{step.how.replace('_', ' ')} {step.exit_code or ''}".strip()
            return f"integration {step.name} failed: {said}"
    blocking = [finding.message for finding in outcome.findings if finding.blocks]
    return f"integration {blocking[0]}" if blocking else "its supervisor was killed"


def _order(about: Checking, tree: Tree, checks: tuple[Check, ...]) -> WorkOrder:
    attempt = Attempt(about.folder / f"{tree.label}-{checks[0].name.encode().hex()[:16]}")
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
    steps = tuple(
        Step(
            name=step_name(about, check),
            kind="work",
            argv=check.command,
            wall_seconds=seconds(check.timeout or about.settings.timeout),
            idle_seconds=None,
        )
        for check in checks
    )
    return WorkOrder(
        name="check",
        folder=str(attempt.folder),
        commit=tree.commit,
        store=str(about.run.store),
        shallow=about.shallow,
        makes=True,
        captures=False,
        steps=(*setup, *steps),
        environment={**about.environment, MARK: str(attempt.folder)},
        is_check=True,
        grace_seconds=seconds(about.work.grace),
        log_bytes=about.work.log_bytes,
        ignore=about.plan.policy.capture_ignore,
        limits=about.plan.policy.limits(),
    )


def step_name(about: Checking, check: Check) -> str:
    """Return what a check is called in orders and logs: its name may hold anything."""
    return f"check-{about.plan.checks.index(check) + 1}"


def _said(about: Checking, attempt: Attempt, step: StepEnded) -> dict[str, tuple[bytes, bool]]:
    found = {}
    for stream in STREAMS:
        try:
            content = attempt.log(f"{step.name}.{stream}.log", limit=2 * about.work.log_bytes)
        except (FileNotFoundError, StorageError):
            continue
        found[stream] = (content, len(content) > about.work.log_bytes)
    return found


def _started_event(about: Checking, step: str) -> Event:
    names = {step_name(about, check): check.name for check in about.plan.checks}
    return Event(
        run_id=about.run.run,
        event_type=EventType.CHECK_STARTED,
        actor="factory",
        details={"check": names.get(step, step)},
    )
