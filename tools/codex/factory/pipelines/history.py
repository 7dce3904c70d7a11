"""What the ledger holds, newest last, read backwards and no further than asked for."""

import itertools
from collections.abc import Iterator, Mapping

from tools.codex.factory.domain.answer import RunRow
from tools.codex.factory.domain.event import EventType, LedgerLine, RunView, replay
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.errors import RunUnavailable
from tools.codex.factory.pipelines.record import lines_of, run_named
from tools.codex.factory.pipelines.session import Session


def events(ground: Session, name: str | None, limit: int) -> tuple[LedgerLine, ...]:
    """Return the last `limit` events, of all runs or of one, by time and then by type."""
    wanted = run_named(name) if name is not None else None
    ledger = ground.ledger
    chosen = ledger.recent() if wanted is None else ledger.recent_of(wanted)
    found = list(itertools.islice(chosen, limit))
    if wanted is not None and not found:
        raise unknown_run(ground, wanted)
    return tuple(sorted(found, key=lambda line: (line.ts_utc, line.event_type)))


def runs(ground: Session, name: str | None, limit: int) -> tuple[RunRow, ...]:
    """Return the last `limit` runs that began, or one run, in the order in which they began."""
    return tuple(
        RunRow(
            run_id=view.run_id,
            status=view.status,
            ended=view.ended,
            started=view.started,
            last=view.last,
            events=view.events,
        )
        for view in views(ground, name, limit)
    )


def views(ground: Session, name: str | None, limit: int) -> tuple[RunView, ...]:
    """Return the last `limit` runs that began as the ledger adds them up, or one run."""
    if name is not None:
        run = run_named(name)
        own = list(lines_of(ground, run))
        if not own:
            raise unknown_run(ground, run)
        return tuple(replay(reversed(own)).values())
    begun, position = _last_begun(ground, limit)
    # Of a run that began before that, only its last events would be seen.
    lines = ground.ledger.since(position)
    whole = (line for line in lines if position == 0 or line.run_id in begun)
    return tuple(replay(whole).values())


def _last_begun(ground: Session, limit: int) -> tuple[set[str], int]:
    """Return the last `limit` runs that began, and where in the ledger the first of them did."""
    begun: set[str] = set()
    for run, position in ground.ledger.begins():
        begun.add(run)
        if len(begun) == limit:
            return begun, position
    return begun, 0


def passed_in(ground: Session, run: str, key: str) -> bool:
    """Return whether the ledger has it that what `key` stands for passed in `run`."""
    last = next(_results(ground, run, key), None)
    return last is not None and last.get("result") == "passed" and not last.get("reused")


def flaked_in(ground: Session, run: str, key: str) -> int:
    """Return how often the ledger has it that what `key` stands for was flaky in `run`."""
    return sum(said.get("result") == "flaky" for said in _results(ground, run, key))


def _results(ground: Session, run: str, key: str) -> Iterator[Mapping[str, str]]:
    """Yield what was said in `run` of the check that `key` stands for, the newest first."""
    for line in lines_of(ground, run):
        if line.event_type == EventType.CHECKED and line.hashes.get("key") == key:
            yield line.details


def unknown_run(ground: Session, run: str) -> RunUnavailable:
    """Return that the ledger has no such run; its hint names the nearest."""
    known = {line.run_id for line in itertools.islice(ground.ledger.recent(), 5000)} - {""}
    return RunUnavailable(f"the ledger has no run {run!r}", hint=did_you_mean(run, known))
