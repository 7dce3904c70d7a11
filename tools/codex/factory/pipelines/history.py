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
    chosen = (line for line in ground.ledger.recent() if wanted in (None, line.run_id))
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
    wanted = run_named(name) if name is not None else None
    lines: list[LedgerLine] = []
    begun: set[str] = set()
    is_cut = False
    for line in ground.ledger.recent():
        if wanted not in (None, line.run_id):
            continue
        lines.append(line)
        if line.event_type == EventType.RUN_START:
            begun.add(line.run_id)
        if len(begun) == (1 if wanted is not None else limit):
            is_cut = True
            break
    if wanted is not None and not lines:
        raise unknown_run(ground, wanted)
    # Of a run that began before that, only its last events were seen.
    whole = [line for line in lines if not is_cut or line.run_id in begun]
    return tuple(replay(reversed(whole)).values())


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
