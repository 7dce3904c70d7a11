"""How far a run has come: the fold of its events that `watch` shows."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from tools.codex.factory.domain.event import EventType, LedgerLine
from tools.codex.factory.domain.work_progress import (
    CheckProgress,
    WorkerProgress,
    WorkerState,
    check_after,
    judged,
    reopened,
    unjudged,
    worker_after,
)

_MOST_NEWS = 20
_AFTER_LAUNCH = ("integrate",)
_AFTER_AMEND = ("bundle-validate", "integrate")


class Stage(StrEnum):
    """What a run is at."""

    LAUNCH = "launch"
    VALIDATE = "bundle-validate"
    INTEGRATE = "integrate"
    CHECK = "checks"
    REPORT = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What the events of one run add up to.

    `verdict` and `rc` are those of its last end, "" and None while it has none. `rests` names the
    commands that it needs next where no factory holds it: it ended a stage and not yet itself.
    """

    run_id: str
    base_commit: str = ""
    stage: Stage = Stage.LAUNCH
    started: datetime | None = None
    last: datetime | None = None
    events: int = 0
    workers: tuple[WorkerProgress, ...] = ()
    checks: tuple[CheckProgress, ...] = ()
    findings: int | None = None
    blocking: tuple[tuple[str, int], ...] = ()
    """How many findings block by scope, and by overlap."""
    merged: tuple[int, int] | None = None
    """How many paths of how many bundles were merged."""
    is_proven: bool = False
    verdict: str = ""
    rc: int | None = None
    is_open: bool = True
    """Whether something was begun after the last end."""
    rests: tuple[str, ...] = ()
    weaker: tuple[tuple[str, str], ...] = ()
    """Roles that are confined by less than the strongest tier, each with its tier."""
    news: tuple[LedgerLine, ...] = ()
    """What was done with the run as a whole after its end: published, pruned."""

    @property
    def waiting(self) -> tuple[WorkerProgress, ...]:
        """Return the workers that wait for a person or a tool outside."""
        return tuple(one for one in self.workers if one.state is WorkerState.WAITS)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended, or that nobody goes on with it. `rc` is None where the status says it."""

    status: Literal["PASS", "BLOCKED", "WAITING", "FAIL", "INTERRUPTED"]
    rc: int | None
    hint: str = ""


def followed(progress: Progress, lines: Iterable[LedgerLine]) -> Progress:
    """Return `progress` after more lines of its run. Events of an unknown kind are passed over."""
    for line in lines:
        progress = _after(progress, line)
    return progress


def ending(progress: Progress, *, is_held: bool) -> Ending | None:
    """Return how the run ended; None while it goes on: a factory holds it, or will at once."""
    run = progress.run_id
    if not progress.is_open:
        return _ended(progress)
    if is_held:
        return None
    if progress.rests and progress.verdict:
        return _ended(progress)
    if progress.rests:
        commands = " and ".join(f"`factory {name} --run-id {run}`" for name in progress.rests)
        return Ending("WAITING", None, f"then: {commands}")
    return Ending("INTERRUPTED", 1, f"the same command with --run-id {run} continues the run")


def _ended(progress: Progress) -> Ending:
    collect = f"then: `factory collect --run-id {progress.run_id}`"
    match progress.verdict:
        case "PASS" | "BLOCKED" as verdict:
            return Ending(verdict, progress.rc)
        case "WAITING":
            return Ending("WAITING", progress.rc, collect)
        case _:
            return Ending("FAIL", progress.rc)


def _after(progress: Progress, line: LedgerLine) -> Progress:
    at = moment(line.ts_utc)
    progress = replace(
        progress,
        started=progress.started or at,
        last=at or progress.last,
        events=progress.events + 1,
        base_commit=line.details.get("base_commit", progress.base_commit),
    )
    return _with_plan(_staged(_worked(progress, line, at), line, at), line)


def _staged(progress: Progress, line: LedgerLine, at: datetime | None) -> Progress:
    """Return the run after what happened to it as a whole."""
    counts = line.file_counts
    match line.event_type:
        case EventType.RUN_START | EventType.RUN_CONTINUED:
            return replace(progress, stage=Stage.LAUNCH, is_open=True, rests=(), weaker=())
        case EventType.SANDBOX_WEAKER:
            role, tier = line.details.get("of", ""), line.details.get("tier", "")
            rest = _without(progress, role)
            return replace(rest, weaker=(*rest.weaker, (role, tier)))
        case EventType.LAUNCH_END if line.details.get("status") == "WAITING":
            return replace(progress, verdict="WAITING", rc=line.rc, is_open=False)
        case EventType.LAUNCH_END:
            gone = progress.verdict in ("WAITING", "FAIL")
            verdict, rc = ("", None) if gone else (progress.verdict, progress.rc)
            return replace(progress, rests=_AFTER_LAUNCH, verdict=verdict, rc=rc)
        case EventType.BUNDLE_VALIDATED:
            return replace(progress, stage=Stage.VALIDATE)
        case EventType.VALIDATE_END:
            return replace(progress, findings=counts.get("findings"), rests=_AFTER_LAUNCH)
        case EventType.INTEGRATE_START:
            again = _without(_unreached(progress), "check", "integrator")
            return replace(again, stage=Stage.INTEGRATE, rests=())
        case EventType.SCOPE_CHECK | EventType.OVERLAP_CHECK:
            kind = line.event_type.partition("_")[0].lower()
            others = tuple(one for one in progress.blocking if one[0] != kind)
            return replace(progress, blocking=(*others, (kind, counts.get("blocking", 0))))
        case EventType.MERGED:
            merged = (counts.get("paths", 0), counts.get("workers", 0))
            return replace(progress, merged=merged)
        case EventType.PROVED:
            return replace(progress, is_proven=True)
        case EventType.CHECK_STARTED | EventType.CHECK_ENDED | EventType.CHECKED:
            return _checked(replace(progress, stage=Stage.CHECK), line, at)
        case EventType.REPORT_WRITTEN:
            return replace(_judged_again(progress, line), stage=Stage.REPORT)
        case EventType.RUN_END:
            status = line.details.get("status", "FAIL")
            return replace(progress, verdict=status, rc=line.rc, is_open=False, rests=())
        case EventType.RUN_AMENDED:
            workers = tuple(unjudged(worker) for worker in progress.workers)
            again = replace(_unreached(progress), findings=None, workers=workers)
            return replace(again, stage=Stage.LAUNCH, rests=_AFTER_AMEND)
        case EventType.RUN_REOPENED:
            of = line.details.get("of", "").split(",")
            workers = tuple(reopened(w) if w.id in of else unjudged(w) for w in progress.workers)
            again = replace(_unreached(progress), findings=None, workers=workers)
            return replace(again, stage=Stage.LAUNCH, rests=())
        case EventType.PUBLISHED | EventType.RUN_PRUNED:
            return replace(progress, news=(*progress.news, line)[-_MOST_NEWS:])
        case _:
            return progress


def _without(progress: Progress, *roles: str) -> Progress:
    """Return the run without what was said of how these roles are confined."""
    others = tuple(one for one in progress.weaker if one[0] not in roles)
    return replace(progress, weaker=others)


def _judged_again(progress: Progress, line: LedgerLine) -> Progress:
    """Return the run as its report says: the integrator judges anew what was judged before."""
    if "blocked" not in line.details or not line.hashes:
        return progress
    blocked = line.details["blocked"].split(",")
    workers = tuple(judged(one, is_blocked=one.id in blocked) for one in progress.workers)
    return replace(progress, workers=workers, findings=line.file_counts.get("findings"))


def _unreached(progress: Progress) -> Progress:
    """Return the run as one that is to be merged and checked anew."""
    blank = tuple(CheckProgress(name=check.name) for check in progress.checks)
    open_again = replace(progress, checks=blank, verdict="", rc=None, is_open=True)
    return replace(open_again, merged=None, is_proven=False, blocking=())


def _worked(progress: Progress, line: LedgerLine, at: datetime | None) -> Progress:
    """Return the run after what happened to the worker that the line is about, if it is."""
    known = any(one.id == line.actor for one in progress.workers)
    blank = WorkerProgress(id=line.actor)
    before = next((one for one in progress.workers if one.id == line.actor), blank)
    after = worker_after(before, line, at)
    if after is before:
        return progress
    if not known:
        return replace(progress, workers=(*progress.workers, after))
    return replace(
        progress, workers=tuple(after if one is before else one for one in progress.workers)
    )


def _checked(progress: Progress, line: LedgerLine, at: datetime | None) -> Progress:
    name = line.details.get("check", "")
    checks = progress.checks
    if all(check.name != name for check in checks):
        checks = (*checks, CheckProgress(name=name))
    done = tuple(check_after(one, line, at) if one.name == name else one for one in checks)
    return replace(progress, checks=done)


def _with_plan(progress: Progress, line: LedgerLine) -> Progress:
    """Return the run with the workers and checks that the line names: a plan, first or amended."""
    if "worker_ids" in line.details:
        known = {worker.id: worker for worker in progress.workers}
        names = [name for name in line.details["worker_ids"].split(",") if name]
        workers = tuple(known.get(name) or WorkerProgress(id=name) for name in names)
        progress = replace(progress, workers=workers)
    if "check_names" in line.details:
        checks = tuple(CheckProgress(name=name) for name in _names(line.details["check_names"]))
        progress = replace(progress, checks=checks)
    return progress


def moment(text: str) -> datetime | None:
    """Return the time that a ledger line says; None where another version says it otherwise."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _names(text: str) -> tuple[str, ...]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    return tuple(name for name in found if isinstance(name, str)) if type(found) is list else ()
