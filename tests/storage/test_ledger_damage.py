"""The ledger torn, cut short by the disk, and changed, wherever that can be."""

import json
import os
import resource
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tools.codex.factory.domain.event import FIRST_PREV, Event, EventType, line_of
from tools.codex.factory.errors import LedgerDamaged, NoRoom, StorageError
from tools.codex.factory.storage.ledger import LEDGER, TORN, Ledger

START = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
OPEN_ENDED = {"details", "duration_ms", "file_counts", "hashes", "parent_event_id", "rc"}
"""What the last line says and its id does not: nothing in the ledger can tell it was changed."""


@pytest.fixture
def quick() -> Iterator[Path]:
    """Return a folder where a sync costs nothing, if this host has one."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def event(actor: str, **said: str) -> Event:
    return Event(run_id="r1", event_type=EventType.MERGED, actor=actor, rc=0, details=said)


def ledger_of(folder: Path, content: bytes = b"") -> Ledger:
    folder.mkdir(exist_ok=True)
    (folder / LEDGER).write_bytes(content)
    (folder / TORN).unlink(missing_ok=True)
    return Ledger(folder, lambda: START)


def batches(folder: Path) -> tuple[bytes, bytes]:
    """Return a ledger of three lines, and the batch of three that was appended to it."""
    ledger = ledger_of(folder)
    ledger.append([event("a"), event("b"), event("c")])
    before = ledger.file.read_bytes()
    ledger.append([event("d"), event("e", text="\u20ac"), event("f")])
    return before, ledger.file.read_bytes()[len(before) :]


def changed(content: bytes, at: int, flip: int) -> bytes:
    return content[:at] + bytes([content[at] ^ flip]) + content[at + 1 :]


def is_damaged(ledger: Ledger) -> bool:
    try:
        list(ledger.chain())
    except LedgerDamaged:
        return True
    return False


def test_a_batch_torn_at_any_byte_keeps_its_whole_lines_and_the_fragment(quick: Path) -> None:
    before, batch = batches(quick)

    for cut in range(len(batch) + 1):
        ledger = ledger_of(quick, before + batch[:cut])
        ledger.append([event("next")])

        whole = batch[:cut].count(b"\n")
        kept = batch[:cut].rfind(b"\n") + 1
        fragment = batch[kept:cut]
        content = ledger.file.read_bytes()
        lines = list(ledger.lines())
        repair = [json.loads(content.splitlines()[3 + whole])["details"]] if fragment else []
        offset = len(before) + kept
        assert content.startswith(before + batch[:kept]), cut
        assert [line.actor for line in lines] == [
            *"abcdef"[: 3 + whole], *(["factory"] if fragment else []), "next",
        ], cut  # fmt: skip
        assert repair == (
            [{"bytes": str(len(fragment)), "kept_in": TORN, "offset": str(offset)}]
            if fragment
            else []
        ), cut
        if fragment:
            said = b"offset %d\n" % offset + fragment + b"\n"
            assert (quick / TORN).read_bytes() == said, cut
        else:
            assert not (quick / TORN).exists(), cut


@pytest.mark.parametrize("flip", [0x01, 0x02, 0x20, 0x80])
def test_any_changed_byte_is_damage_or_makes_a_torn_line_or_is_told_by_the_last_line_alone(
    quick: Path, flip: int
) -> None:
    content = b"".join(batches(quick))
    last = content.rindex(b"\n", 0, -1) + 1
    passed = []

    for at in range(len(content)):
        ledger = ledger_of(quick, changed(content, at, flip))
        if not is_damaged(ledger):
            passed.append(at)

    untold = set()
    for at in passed:
        assert at >= last, at
        if at == len(content) - 1:
            assert ledger_of(quick, changed(content, at, flip)).torn_bytes() > 0
            continue
        was, now = (json.loads(raw) for raw in (content[last:], changed(content, at, flip)[last:]))
        untold |= {name for name in was if was[name] != now.get(name)}
    assert untold <= OPEN_ENDED


@pytest.mark.parametrize("name", ["actor", "event_type", "run_id", "ts_utc", "seq", "event_id"])
def test_a_last_line_that_is_not_what_its_id_says_is_damage_and_nothing_is_appended_to_it(
    quick: Path, name: str
) -> None:
    content = b"".join(batches(quick))
    last = content.rindex(b"\n", 0, -1) + 1
    said = json.loads(content[last:])
    said[name] = 9 if name == "seq" else said[name][:-1] + "9"
    forged = json.dumps(said, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    ledger = ledger_of(quick, content[:last] + forged)

    with pytest.raises(LedgerDamaged, match="its event_id is not the one of what it says"):
        ledger.append([event("next")])
    assert is_damaged(ledger)
    assert ledger.file.read_bytes() == content[:last] + forged


def test_lines_taken_out_or_swapped_or_doubled_or_put_in_anywhere_are_damage(quick: Path) -> None:
    lines = b"".join(batches(quick)).splitlines(keepends=True)
    count = len(lines)
    foreign = [
        line_of(event("x"), seq=seq, at=START, prev=FIRST_PREV)[1] for seq in range(count + 1)
    ]
    orders = {
        **{f"{at} out": lines[:at] + lines[at + 1 :] for at in range(count - 1)},
        **{
            f"{one} and {two} swapped": [
                lines[{one: two, two: one}.get(at, at)] for at in range(count)
            ]
            for one in range(count)
            for two in range(one + 1, count)
        },
        **{f"{at} twice": lines[: at + 1] + lines[at:] for at in range(count)},
        **{f"in at {at}": [*lines[:at], foreign[at], *lines[at:]] for at in range(1, count + 1)},
        **{f"from {at} on": lines[at:] for at in range(1, count)},
    }  # fmt: skip

    contents = {what: b"".join(order) for what, order in orders.items()}
    passed = [what for what, said in contents.items() if not is_damaged(ledger_of(quick, said))]

    assert passed == []
    assert len(orders) == 5 + 15 + 6 + 6 + 5


def test_a_write_that_the_disk_takes_only_in_part_leaves_nothing_at_any_length(
    quick: Path,
) -> None:
    before, batch = batches(quick)
    ledger = ledger_of(quick, before)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    for taken in range(0, len(batch), 7):
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + taken, limits[1]))
        try:
            with pytest.raises(NoRoom, match="cannot append to the ledger"):
                ledger.append([event("d"), event("e", text="\u20ac"), event("f")])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert ledger.file.read_bytes() == before, taken

    ledger.append([event("next")])
    assert [line.actor for line in ledger.lines()] == ["a", "b", "c", "next"]


def test_a_torn_line_stays_where_it_cannot_be_kept_elsewhere(quick: Path) -> None:
    before, batch = batches(quick)
    ledger = ledger_of(quick, before + batch[:40])
    os.mkdir(quick / TORN)

    with pytest.raises(StorageError, match=r"cannot open .*factory_ledger\.torn"):
        ledger.append([event("next")])

    assert ledger.file.read_bytes() == before + batch[:40]
    os.rmdir(quick / TORN)
    ledger.append([event("next")])
    assert [line.actor for line in ledger.lines()] == ["a", "b", "c", "factory", "next"]
