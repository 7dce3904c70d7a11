"""How far one worker, and one check, of a run has come."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tools.codex.factory.domain.event import EventType, LedgerLine


class WorkerState(StrEnum):
    """Where a worker stands; the words are those on the screen."""

    BLOCKED = "blocked"
    FAILED = "failed"
    WAITS = "waits"
    RUNNING = "running"
    SETUP = "setup"
    CHECKOUT = "checkout"
    AGAIN = "again"
    PENDING = "pending"
    ENDED = "ended"
    SEALED = "sealed"
    PASSED = "passed"


ACTIVE = (WorkerState.RUNNING, WorkerState.SETUP, WorkerState.CHECKOUT, WorkerState.AGAIN)
"""Where it stands while a factory works on it: without one, it does so no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerProgress:
    """One worker. Counts are None until they are known; `outside` are paths against its scope."""

    id: str
    state: WorkerState = WorkerState.PENDING
    attempt: str = ""
    started: datetime | None = None
    active: datetime | None = None
    """When it was last heard of: begun, said something, ended."""
    duration_ms: int | None = None
    how: str = ""
    rc: int | None = None
    files: int | None = None
    outside: int | None = None
    findings: int | None = None
    checkout: str = ""
    why: str = ""

    @property
    def ended_badly(self) -> bool:
        """Return whether its last attempt did not end as it should."""
        return self.how not in ("", "exited", "waiting") or self.rc not in (None, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckProgress:
    """One check. `on` is the tree that it runs on just now; `result` stays what it first was."""

    name: str
    on: str = ""
    started: datetime | None = None
    runs: int = 0
    result: str = ""
    duration_ms: int | None = None


def worker_after(worker: WorkerProgress, line: LedgerLine, at: datetime | None) -> WorkerProgress:
    """Return the worker after a line about it, or `worker` itself where the line is not."""
    details, counts = line.details, line.file_counts
    match line.event_type:
        case EventType.CHECKOUT_MADE:
            fresh = WorkerProgress(id=worker.id, state=WorkerState.CHECKOUT, started=at, active=at)
            return replace(fresh, attempt=details.get("attempt", ""))
        case EventType.SETUP_STARTED:
            return replace(worker, state=WorkerState.SETUP, active=at)
        case EventType.WORKER_STARTED:
            return replace(
                worker,
                state=WorkerState.RUNNING,
                started=at,
                active=at,
                attempt=details.get("attempt", worker.attempt),
            )
        case EventType.WORKER_ACTIVE:
            return replace(worker, active=at)
        case EventType.WORKER_WAITING:
            said = {"checkout": details.get("at", ""), "why": details.get("why", "")}
            return replace(worker, state=WorkerState.WAITS, **said)  # type: ignore[arg-type]
        case EventType.WORKER_ENDED:
            ended = replace(
                worker,
                how=details.get("how", ""),
                rc=line.rc,
                active=at,
                duration_ms=line.duration_ms,
                attempt=details.get("attempt", worker.attempt),
                files=counts.get("changes"),
            )
            return replace(ended, state=_well(ended, WorkerState.ENDED))
        case EventType.ATTEMPT_KEPT:
            return replace(worker, state=WorkerState.AGAIN)
        case EventType.BUNDLE_SEALED:
            return replace(worker, state=_well(worker, WorkerState.SEALED))
        case EventType.BUNDLE_VALIDATED:
            judged = {"PASS": WorkerState.PASSED, "BLOCKED": WorkerState.BLOCKED}
            return replace(
                worker,
                state=judged.get(details.get("status", ""), worker.state),
                files=counts.get("changes", worker.files),
                outside=counts.get("outside"),
                findings=counts.get("findings"),
            )
        case _:
            return worker


def judged(worker: WorkerProgress, *, is_blocked: bool) -> WorkerProgress:
    """Return the worker as the integrator judged it."""
    return replace(worker, state=WorkerState.BLOCKED if is_blocked else WorkerState.PASSED)


def unjudged(worker: WorkerProgress) -> WorkerProgress:
    """Return the worker as one whose judgement counts no more: the plan was amended."""
    if worker.state not in (WorkerState.BLOCKED, WorkerState.PASSED):
        return worker
    return replace(worker, state=_well(worker, WorkerState.SEALED), outside=None, findings=None)


def reopened(worker: WorkerProgress) -> WorkerProgress:
    """Return the worker as one that is to make a new attempt: nothing of the old one counts."""
    return WorkerProgress(id=worker.id, state=WorkerState.AGAIN, attempt=worker.attempt)


def check_after(check: CheckProgress, line: LedgerLine, at: datetime | None) -> CheckProgress:
    """Return the check after a line about it."""
    match line.event_type:
        case EventType.CHECK_STARTED:
            on = line.details.get("on", "")
            return replace(check, on=on, started=at, runs=check.runs + 1)
        case EventType.CHECKED if not check.result:
            result = line.details.get("result", "").replace("_", " ")
            if line.details.get("reused"):
                result = f"{result} in {line.details['reused']}"
            return replace(check, on="", result=result, duration_ms=line.duration_ms)
        case _:
            return replace(check, on="")


def _well(worker: WorkerProgress, state: WorkerState) -> WorkerState:
    return WorkerState.FAILED if worker.ended_badly else state
