"""Whose the lines are that came to a ledger: those that one may have written count as well."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.storage.ledger import Ledger
from tools.codex.factory.storage.stand import stand_of, touched


def event(run: str) -> Event:
    return Event(run_id=run, event_type=EventType.RUN_START, actor="factory")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path, lambda: datetime(2026, 11, 22, tzinfo=UTC))
    made.append([event("other")])
    return made


def test_a_line_counts_as_ones_own_before_it_is_known_to_be_there(ledger: Ledger) -> None:
    stood, begun = stand_of(ledger.file), list[str]()
    assert stood is not None

    ledger.append([event("r1"), event("r1")], announce=begun.extend)

    assert len(begun) == 2
    assert touched(ledger.file, stood, "r1", (), begun) == []
    assert touched(ledger.file, stood, "r1", begun) == []
    assert touched(ledger.file, stood, "r1", begun[:1], begun[1:]) == []
    assert touched(ledger.file, stood, "r1", begun[:1]) == [
        "line 3 was written by nobody who holds the run"
    ]


def test_who_is_stopped_before_the_write_has_begun_a_line_that_is_not_there(
    ledger: Ledger,
) -> None:
    stood, begun = stand_of(ledger.file), list[str]()
    assert stood is not None

    def stopped(digests: list[str]) -> None:
        begun.extend(digests)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.append([event("r1")], announce=stopped)

    assert len(begun) == 1
    assert touched(ledger.file, stood, "r1", (), begun) == []
    assert touched(ledger.file, stood, "r1", begun) == ["lines that were written are gone (1)"]
