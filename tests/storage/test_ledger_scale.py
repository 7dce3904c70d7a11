"""A long ledger: what is read of it, how far, and what a hostile one may cost."""

import os
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.identity import digest_of
from tools.codex.factory.errors import LedgerDamaged, StorageError
from tools.codex.factory.storage.backward import LONGEST
from tools.codex.factory.storage.follow import followed_run
from tools.codex.factory.storage.ledger import Ledger

pytestmark = pytest.mark.slow

START = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
IO = Path("/proc/self/io")
ONE_END = 1 << 17
"""An end that is read: a chunk to find the last newline, and the same for the line."""


def a_ledger(root: Path) -> Ledger:
    root.mkdir(exist_ok=True)
    return Ledger(root, lambda: START)


def event(run: str, actor: str = "A", kind: EventType = EventType.MERGED, text: str = "") -> Event:
    return Event(run_id=run, event_type=kind, actor=actor, details={"text": text})


def start(run: str) -> Event:
    return event(run, kind=EventType.RUN_START)


def long_ledger(root: Path, count: int) -> Ledger:
    """Return a ledger with an old run, `count` lines of others, and a new run."""
    ledger = a_ledger(root)
    ledger.append([start("old"), event("old")])
    ledger.append([start("many"), *(event("many", str(n)) for n in range(count))])
    ledger.append([start("new"), event("new")])
    return ledger


def bytes_read(act: Callable[[], object]) -> int:
    """Return how many bytes this process read for it, as the kernel counts."""
    if not IO.exists():
        pytest.skip("this host does not count what is read")

    def so_far() -> int:
        return int(IO.read_text().split()[1])

    before = so_far()
    act()
    own = len(IO.read_text())
    return so_far() - before - 2 * own


def followed(ledger: Ledger, run: str | None) -> list[str]:
    with followed_run(ledger.file, run) as found:
        assert found is not None
        return [line.run_id for line in found.begun]


def test_what_is_near_the_end_costs_the_same_however_long_the_ledger_is(tmp_path: Path) -> None:
    asked: dict[str, Callable[[Ledger], object]] = {
        "append": lambda ledger: ledger.append([event("new")]),
        "head": lambda ledger: ledger.head(),
        "torn": lambda ledger: ledger.torn_bytes(),
        "last": lambda ledger: next(ledger.recent()),
        "begin": lambda ledger: next(ledger.begins()),
        "own": lambda ledger: next(ledger.recent_of("new")),
        "line": lambda ledger: ledger.digest_of_line(ledger.head().count),
        "watch": lambda ledger: followed(ledger, None),
    }
    short, long = (long_ledger(tmp_path / str(count), count) for count in (2000, 20_000))

    counted = {
        name: [bytes_read(lambda act=act, one=one: act(one)) for one in (short, long)]  # type: ignore[misc]
        for name, act in asked.items()
    }

    assert long.file.stat().st_size > 8 * short.file.stat().st_size
    for name, (few, many) in counted.items():
        assert 0 < many <= 4 * ONE_END, (name, few, many)
        assert abs(many - few) < 1 << 12, (name, few, many)


def test_a_ledger_whose_far_middle_is_garbage_is_listed_and_watched_and_found_damaged(
    tmp_path: Path,
) -> None:
    ledger = long_ledger(tmp_path, 100)
    head, tail = ledger.file.read_bytes().split(b'{"actor":"50"', 1)
    ledger.file.write_bytes(head + b"\xff\x00garbage\n" * 400_000 + b'{"actor":"50"' + tail)

    said = {
        "new": [line.run_id for line in ledger.recent_of("new")],
        "old": [line.run_id for line in ledger.recent_of("old")],
        "none": [line.run_id for line in ledger.recent_of("none")],
        "begins": [run for run, _ in ledger.begins()],
        "watched": followed(ledger, None),
        "watched old": followed(ledger, "old"),
    }

    assert said == {
        "new": ["new", "new"],
        "old": ["old", "old"],
        "none": [],
        "begins": ["new", "many", "old"],
        "watched": ["new", "new"],
        "watched old": ["old", "old"],
    }
    with pytest.raises(LedgerDamaged, match="ledger line 54: it is not a ledger line"):
        list(ledger.chain())


def test_a_line_of_a_run_that_was_changed_is_damage_whosever_the_next_line_is(
    tmp_path: Path,
) -> None:
    ledger = long_ledger(tmp_path, 3)
    lines = ledger.file.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b'"actor":"A"', b'"actor":"B"')
    ledger.file.write_bytes(b"".join(lines))

    for read in (lambda: list(ledger.recent_of("old")), lambda: followed(ledger, "old")):
        with pytest.raises(LedgerDamaged, match="ledger line 3: it does not follow"):
            read()
    assert len(list(ledger.recent_of("new"))) == 2


def test_any_line_of_a_run_that_was_changed_is_damage_wherever_it_lies(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path)
    ledger.append([event("a", f"{n:03}", text="x" * 2000) for n in range(100)])
    content = ledger.file.read_bytes()
    assert len(content) > 2 << 16

    passed = []
    for number in range(99):
        was = b'"actor":"%03d"' % number
        ledger.file.write_bytes(content.replace(was, b'"actor":"xxx"'))
        try:
            list(ledger.recent_of("a"))
            passed.append(number)
        except LedgerDamaged:
            continue

    assert passed == []


@given(
    lengths=st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([0, 1, 60_000, 65_300, 140_000])),
        max_size=10,
    ),
    torn=st.sampled_from([b"", b"x", b"x" * 70_000]),
)
@settings(max_examples=40, deadline=None)
def test_what_is_found_from_the_end_is_what_a_whole_reading_finds(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[tuple[str, int]], torn: bytes
) -> None:
    ledger = a_ledger(tmp_path_factory.mktemp("ledger"))
    # What a line says may look like a line of the run.
    alike = {"run_id": "a", "event_type": "RUN_START"}
    events = [replace(event(run), details={**alike, "text": "x" * n}) for run, n in lengths]
    ledger.append(events)
    ledger.append([event("c", kind=EventType.RUN_START, text="RUN_START")] * (len(lengths) % 2))
    content = ledger.file.read_bytes()
    with ledger.file.open("ab") as file:
        file.write(torn)

    lines = list(ledger.lines())

    for run in "abc":
        own = [line for line in lines if line.run_id == run]
        assert list(ledger.recent_of(run)) == own[::-1]
    starts = [line for line in lines if line.event_type == EventType.RUN_START]
    assert [run for run, _ in ledger.begins()] == [line.run_id for line in starts]
    for _, position in ledger.begins():
        assert [line.seq for line in ledger.since(position)] == [line.seq for line in starts]
    raw = content.split(b"\n")[:-1]
    wanted = [None, *map(digest_of, raw), None]
    assert [ledger.digest_of_line(number) for number in range(len(raw) + 2)] == wanted


@pytest.mark.parametrize("where", ["only", "last", "middle", "last, ended"])
def test_a_line_of_a_gigabyte_is_damage_and_takes_no_memory(tmp_path: Path, where: str) -> None:
    ledger = a_ledger(tmp_path)
    if where != "only":
        ledger.append([start("r1"), event("r1")])
    content = ledger.file.read_bytes() if ledger.file.exists() else b""
    with ledger.file.open("ab") as file:
        file.truncate(len(content) + (1 << 30))
        if where in ("middle", "last, ended"):
            file.write(b"\n" + (content if where == "middle" else b""))
    size = ledger.file.stat().st_size
    asked: dict[str, Callable[[], object]] = {
        "lines": lambda: list(ledger.lines()),
        "chain": lambda: list(ledger.chain()),
        "recent": lambda: list(ledger.recent()),
        "own": lambda: list(ledger.recent_of("r2")),
        "begins": lambda: [run for run, _ in ledger.begins() if run == "r2"],
        "since": lambda: list(ledger.since(0)),
        "watch": lambda: followed(ledger, "r2"),
    }
    if where != "middle":
        asked["append"] = lambda: ledger.append([event("r1")])
        asked["head"] = ledger.head

    tracemalloc.start()
    try:
        for name, ask in asked.items():
            with pytest.raises(LedgerDamaged, match=r"it is longer than 16\.0 MiB"):
                ask()
                pytest.fail(name)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 6 * LONGEST
    assert ledger.file.stat().st_size == size


def test_a_line_of_a_gigabyte_that_comes_while_it_is_watched_is_damage(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path)
    ledger.append([start("r1")])

    with followed_run(ledger.file, "r1") as run:
        assert run is not None
        os.truncate(ledger.file, 1 << 30)
        with pytest.raises(LedgerDamaged, match="it is longer than"):
            run.more()


def test_an_event_that_no_line_holds_is_refused_and_nothing_of_its_batch_is_written(
    tmp_path: Path,
) -> None:
    ledger = a_ledger(tmp_path)
    ledger.append([event("r1")])
    before = ledger.file.read_bytes()

    with pytest.raises(StorageError, match=r"an event MERGED of 16\.0 MiB is more than"):
        ledger.append([event("r1"), event("r1", text="x" * LONGEST)])

    assert ledger.file.read_bytes() == before
    assert len(ledger.append([event("r1", text="x" * (LONGEST - 1000))])) == 1
    assert [line.seq for line in ledger.recent()] == [1, 0]
    assert len(list(ledger.chain())) == 2
