"""Ledger lines for tests: a run told event by event, each a second after the one before."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from tools.codex.factory.domain.event import FIRST_PREV, Event, EventType, LedgerLine, line_of
from tools.codex.factory.domain.progress import Progress, followed

BASE = "1a2b3c4d" * 5
BEGIN = datetime(2026, 11, 21, 3, 45, tzinfo=UTC)
RUN = "run-1"

T = EventType


def event(
    kind: EventType, actor: str = "factory", rc: int | None = None, **said: str | int
) -> Event:
    """Return an event of the run; what it says in numbers are its counts."""
    duration = said.pop("duration_ms", 0)
    assert isinstance(duration, int)
    return Event(
        run_id=RUN,
        event_type=kind,
        actor=actor,
        rc=rc,
        duration_ms=duration,
        file_counts={name: value for name, value in said.items() if isinstance(value, int)},
        details={name: value for name, value in said.items() if isinstance(value, str)},
    )


def started(workers: str = "A_worker,B_worker", checks: str = '["tests"]') -> Event:
    """Return the begin of a run with these workers and checks."""
    count = len(workers.split(","))
    return event(
        T.RUN_START, base_commit=BASE, workers=count, worker_ids=workers, check_names=checks
    )


def worked(worker: str, *, rc: int = 0, how: str = "exited") -> list[Event]:
    """Return what is told of a worker from its checkout to its sealed bundle."""
    ended = event(T.WORKER_ENDED, worker, rc, how=how, attempt="1", changes=2, duration_ms=65_000)
    return [*begun(worker), ended, event(T.BUNDLE_SEALED, worker)]


def begun(worker: str) -> list[Event]:
    """Return what is told of a worker until it runs."""
    kinds = (T.CHECKOUT_MADE, T.WORKER_STARTED)
    return [event(kind, worker, attempt="1") for kind in kinds]


def judged(worker: str, status: str = "PASS", *, outside: int = 0) -> Event:
    """Return what is told of a bundle that was judged."""
    counts = {"changes": 2, "findings": outside, "outside": outside}
    return event(T.BUNDLE_VALIDATED, worker, 0, status=status, **counts)


def lines(events: Iterable[Event]) -> list[LedgerLine]:
    """Return events as lines of a ledger."""
    found = []
    for seq, one in enumerate(events):
        at = BEGIN + timedelta(seconds=seq)
        found.append(line_of(one, seq=seq, at=at, prev=FIRST_PREV)[0])
    return found


def progress(*events: Event) -> Progress:
    """Return what events add up to."""
    return followed(Progress(run_id=RUN), lines(events))
