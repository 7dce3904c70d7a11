"""Sealed bundles give way to new attempts: what was wanted is recorded, and then done."""

from collections.abc import Callable, Collection, Iterator

from tools.codex.factory.domain.event import Event, EventType, RunView
from tools.codex.factory.storage.earlier import is_untouched, reopened, reopening, set_aside
from tools.codex.factory.storage.run_directory import RunDirectory, seal_name


def wanted(run: RunDirectory, view: RunView | None) -> Iterator[Event]:
    """Yield the event that says whose bundle gives way, until each has given way.

    Whoever died before that may have said it: it is said again, and means the same.
    """
    asked, workers = reopening(run), reopened(run)
    seals = view.seals if view is not None else {}
    unsaid = sorted(w for w in workers if w in seals or is_untouched(run, w, workers[w]))
    if asked is None or not unsaid:
        return
    yield Event(
        run_id=run.run,
        event_type=EventType.RUN_REOPENED,
        actor="operator",
        file_counts={"workers": len(unsaid)},
        hashes={seal_name(worker): workers[worker].seal for worker in unsaid},
        details={"of": ",".join(unsaid), "reason": asked.reason or ""},
    )


def set_all_aside(
    run: RunDirectory, workers: Collection[str], record: Callable[[Event], None]
) -> None:
    """Keep each sealed bundle that gives way as an earlier attempt; `workers` are in the plan."""
    for worker, one in sorted(reopened(run).items()):
        marks = set_aside(run, worker, one) if worker in workers else None
        if marks is not None:
            kept = Event(
                run_id=run.run,
                event_type=EventType.ATTEMPT_KEPT,
                actor=worker,
                hashes=marks,
                details={"attempt": str(one.attempt)},
            )
            record(kept)
