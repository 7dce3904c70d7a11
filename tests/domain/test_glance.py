"""A line at a glance is a line just where the model says so, and says the same."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tools.codex.factory.domain.event import FIRST_PREV, Event, EventType, LedgerLine, line_of
from tools.codex.factory.domain.glance import Glance, glanced

START = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
PARTS = ("actor", "details", "event_type", "hashes", "prev", "rc", "run_id", "seq", "ts_utc")
ODD: tuple[dict[str, object], ...] = (
    {"schema_version": 2}, {"seq": -1}, {"seq": 1.0}, {"seq": "1"}, {"rc": 1.5}, {"rc": True},
    {"duration_ms": -1}, {"prev": "0" * 63}, {"prev": "A" * 64}, {"actor": None}, {"more": 1},
    {"details": {"a": 1}}, {"hashes": []}, {"file_counts": {"a": "1"}}, {"file_counts": {"a": 1.5}},
    {"event_type": "NEVER_HEARD_OF"}, {"run_id": "../x"}, {"ts_utc": "now"}, {"seq": 10**30},
    {"rc": -1}, {"details": {"a\x7f": "\u20ac", "": ""}}, {"actor": "\ud800"},
)  # fmt: skip


def raw_of(event: Event) -> bytes:
    return line_of(event, seq=7, at=START, prev=FIRST_PREV)[1][:-1]


def plain() -> bytes:
    said = {"status": "PASS", "for": ""}
    return raw_of(
        Event(
            run_id="r-1.x_2", event_type=EventType.RUN_END, actor="factory", rc=-3, duration_ms=12,
            file_counts={"changes": 2, "gone": -1}, hashes={"STATUS.json": "5" * 64}, details=said,
        )
    )  # fmt: skip


def is_line(raw: bytes) -> bool:
    """Return whether the model takes these bytes, and hold the glance to it."""
    try:
        line = LedgerLine.model_validate_json(raw)
    except ValidationError:
        with pytest.raises(ValidationError):
            glanced(raw)
        return False
    seen = glanced(raw)
    assert {part: getattr(seen, part) for part in PARTS} == {
        part: getattr(line, part) for part in PARTS
    }
    return True


def test_a_line_as_it_is_written_is_known_without_the_model() -> None:
    assert isinstance(glanced(plain()), Glance)
    assert is_line(plain())


@pytest.mark.parametrize("flip", [0x01, 0x02, 0x04, 0x10, 0x20, 0x80])
def test_with_any_byte_changed_or_gone_or_doubled_it_is_a_line_where_the_model_says_so(
    flip: int,
) -> None:
    raw = plain()

    found = [
        is_line(changed)
        for at in range(len(raw))
        for changed in (
            raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :],
            raw[:at] + raw[at + 1 :],
            raw[: at + 1] + raw[at:],
        )
    ]

    assert {True, False} == set(found)


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_an_odd_line_is_one_where_the_model_says_so(odd: dict[str, object]) -> None:
    said = {**json.loads(plain()), **odd}

    for raw in (
        json.dumps(said, sort_keys=True, separators=(",", ":")).encode(),
        json.dumps(said, sort_keys=True).encode(),
        json.dumps(said, separators=(",", ":")).encode(),
    ):
        is_line(raw)


@given(
    actor=st.text(max_size=12),
    said=st.dictionaries(st.text(max_size=6), st.text(max_size=12), max_size=4),
    rc=st.none() | st.integers(-(2**40), 2**40),
)
@settings(max_examples=150, deadline=None)
def test_whatever_is_said_is_seen(actor: str, said: dict[str, str], rc: int | None) -> None:
    raw = raw_of(Event(run_id="r1", event_type=EventType.MERGED, actor=actor, rc=rc, details=said))

    assert is_line(raw)
