"""The ledger: one chain, whoever writes, whatever happens to its end."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.codex.factory.domain.event import FIRST_PREV, Event, EventType, LedgerLine
from tools.codex.factory.domain.identity import digest_of
from tools.codex.factory.errors import LedgerDamaged, StorageError
from tools.codex.factory.storage.ledger import LEDGER, TORN, Ledger

PROJECT = Path(__file__).parents[2]
START = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.storage.ledger import Ledger

ledger = Ledger(Path(sys.argv[1]), lambda: datetime.now(UTC))
sys.stdout.write("ready\\n")
sys.stdout.flush()
for number in range(int(sys.argv[3])):
    event = Event(run_id=sys.argv[2], event_type=EventType.MERGED, actor=str(number))
    ledger.append([event] * (1 + number % 3))
"""


def told(*moments: datetime) -> Callable[[], datetime]:
    """Return a clock that is told the time; the last moment stays."""
    waiting = list(moments)
    return lambda: waiting.pop(0) if len(waiting) > 1 else waiting[0]


def event(actor: str = "factory", **details: str) -> Event:
    return Event(run_id="r1", event_type=EventType.MERGED, actor=actor, details=details)


def ledger_in(root: Path) -> Ledger:
    return Ledger(root, told(START))


def filled(root: Path, count: int) -> Ledger:
    ledger = ledger_in(root)
    for number in range(count):
        ledger.append([event(str(number))])
    return ledger


@pytest.mark.parametrize("cut", [1, 2, 40])
def test_how_much_of_a_line_is_torn_is_told_and_nothing_is_touched(
    tmp_path: Path, cut: int
) -> None:
    ledger = ledger_in(tmp_path)
    nothing = ledger.torn_bytes()
    ledger.append([event("one"), event("two")])
    whole = ledger.torn_bytes()
    content = ledger.file.read_bytes()
    second = content.index(b"\n") + 1
    ledger.file.write_bytes(content[: second + cut])

    assert (nothing, whole, ledger.torn_bytes()) == (0, 0, cut)
    assert ledger.file.read_bytes() == content[: second + cut]


def test_an_empty_ledger_has_no_lines(tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)

    assert list(ledger.lines()) == []
    assert list(ledger.recent()) == []
    assert ledger.head().count == 0
    assert ledger.head().sha256 == FIRST_PREV


def test_events_come_back_in_order_each_with_the_digest_of_the_line_before(tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)

    ledger.append([event("a"), event("b")])
    ledger.append([event("c")])

    raw = (tmp_path / LEDGER).read_bytes().splitlines()
    lines = list(ledger.lines())
    assert [(line.seq, line.actor) for line in lines] == [(0, "a"), (1, "b"), (2, "c")]
    assert [line.prev for line in lines] == [FIRST_PREV, digest_of(raw[0]), digest_of(raw[1])]
    assert (ledger.head().count, ledger.head().sha256) == (3, digest_of(raw[2]))


def test_a_line_is_one_compact_ascii_object_with_sorted_keys(tmp_path: Path) -> None:
    ledger_in(tmp_path).append([event("caf\u00e9\n\u2028", odd="\x00\x1b[31m")])

    content = (tmp_path / LEDGER).read_bytes()
    document = json.loads(content)
    assert content == json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=True
    ).encode() + b"\n"  # fmt: skip
    assert sorted(document) == [
        "actor", "details", "duration_ms", "event_id", "event_type", "file_counts", "hashes",
        "parent_event_id", "prev", "rc", "run_id", "schema_version", "seq", "ts_utc",
    ]  # fmt: skip


def test_append_returns_what_was_written_and_nothing_of_a_repair(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 1)
    with (tmp_path / LEDGER).open("ab") as file:
        file.write(b'{"torn')

    lines = ledger.append([event("new")])

    assert [(line.seq, line.actor) for line in lines] == [(2, "new")]


@pytest.mark.parametrize("jump", [timedelta(0), timedelta(days=-9000), timedelta(microseconds=-1)])
def test_time_stands_still_or_goes_back_and_stamps_still_rise(
    tmp_path: Path, jump: timedelta
) -> None:
    ledger = Ledger(tmp_path, told(START, START + jump))

    for _ in range(5):
        ledger.append([event(), event()])

    stamps = [line.ts_utc for line in ledger.lines()]
    assert stamps == sorted(set(stamps))
    assert stamps[-1] == "2026-11-21T12:00:00.000009Z"


def test_stamps_follow_the_clock_once_it_has_caught_up(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, told(START, START - timedelta(hours=1), START + timedelta(hours=1)))

    ledger.append([event(), event(), event()])

    assert [line.ts_utc for line in ledger.lines()] == [
        "2026-11-21T12:00:00.000000Z",
        "2026-11-21T12:00:00.000001Z",
        "2026-11-21T13:00:00.000000Z",
    ]


@pytest.mark.slow
def test_six_processes_append_to_one_chain(tmp_path: Path) -> None:
    writers = [_writer(tmp_path, f"r{n}", 60) for n in range(6)]

    codes = [writer.wait(timeout=60) for writer in writers]

    lines = list(ledger_in(tmp_path).lines())
    stamps = [line.ts_utc for line in lines]
    assert codes == [0] * 6
    assert len(lines) == 6 * 120
    assert stamps == sorted(set(stamps))
    assert len({line.event_id for line in lines}) == len(lines)
    assert {run: [line.actor for line in lines if line.run_id == run] for run in _runs(lines)} == {
        f"r{n}": [str(number) for number in range(60) for _ in range(1 + number % 3)]
        for n in range(6)
    }


def test_a_writer_killed_at_any_moment_leaves_a_ledger_that_goes_on(tmp_path: Path) -> None:
    for number in range(4):
        writer = _writer(tmp_path, f"r{number}", 100_000)
        while not (tmp_path / LEDGER).exists() or len(_runs_seen(tmp_path)) <= number:
            pass
        writer.kill()
        writer.wait()

    ledger_in(tmp_path).append([event("after")])

    lines = list(ledger_in(tmp_path).lines())
    assert _runs(lines) == {"r0", "r1", "r2", "r3"}
    assert lines[-1].actor == "after"


@pytest.fixture
def quick() -> Iterator[Path]:
    """Return a folder where a sync costs nothing, if this host has one."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def test_a_last_line_torn_at_any_byte_is_set_aside_and_the_repair_recorded(quick: Path) -> None:
    filled(quick / _made(quick, "whole"), 3)
    whole = (quick / "whole" / LEDGER).read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1

    outcomes = {cut: _torn_at(quick, whole, cut) for cut in range(start + 1, len(whole))}

    assert outcomes == {
        cut: (
            ["0", "1", "factory", "new"],
            {"offset": str(start), "bytes": str(cut - start), "kept_in": TORN},
            b"offset %d\n" % start + whole[start:cut] + b"\n",
        )
        for cut in range(start + 1, len(whole))
    }


def test_a_ledger_cut_at_the_end_of_a_line_goes_on(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 3)
    whole = (tmp_path / LEDGER).read_bytes()
    (tmp_path / LEDGER).write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])

    ledger.append([event("new")])

    assert [line.actor for line in ledger.lines()] == ["0", "1", "new"]
    assert not (tmp_path / TORN).exists()


def test_a_ledger_that_is_one_torn_line_begins_again(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_bytes(b'{"half": "a line')

    ledger_in(tmp_path).append([event("new")])

    assert [line.actor for line in ledger_in(tmp_path).lines()] == ["factory", "new"]
    assert (tmp_path / TORN).read_bytes() == b'offset 0\n{"half": "a line\n'


def test_a_torn_line_longer_than_a_chunk_is_kept_whole(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 2)
    fragment = b"x" * 200_000
    with (tmp_path / LEDGER).open("ab") as file:
        file.write(fragment)

    before = list(ledger.recent())
    ledger.append([event("new")])

    assert [line.actor for line in before] == ["1", "0"]
    assert [line.actor for line in ledger.lines()] == ["0", "1", "factory", "new"]
    assert fragment in (tmp_path / TORN).read_bytes()


def test_every_torn_line_is_kept(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 1)
    for number in range(3):
        with (tmp_path / LEDGER).open("ab") as file:
            file.write(b"torn %d" % number)
        ledger.append([event("new")])

    kept = (tmp_path / TORN).read_bytes()

    assert [b"torn %d\n" % n in kept for n in range(3)] == [True] * 3
    assert len(list(ledger.lines())) == 7


def test_a_torn_line_is_not_read(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 2)
    with (tmp_path / LEDGER).open("ab") as file:
        file.write(b'{"half')

    assert [line.actor for line in ledger.lines()] == ["0", "1"]
    assert [line.actor for line in ledger.recent()] == ["1", "0"]
    assert ledger.head().count == 2


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80])
def test_any_changed_byte_before_the_last_line_is_damage(tmp_path: Path, flip: int) -> None:
    ledger = filled(tmp_path, 3)
    whole = (tmp_path / LEDGER).read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1

    passed = [at for at in range(last) if not _is_damage(ledger, _changed(whole, at, flip))]

    assert passed == []


def test_damage_is_named_by_the_line_that_no_longer_follows(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 5)
    lines = (tmp_path / LEDGER).read_bytes().splitlines(keepends=True)

    said = [_damage(ledger, b"".join(_with(lines, at, b'"actor":"9"'))) for at in range(4)]

    assert said == [
        f"ledger line {number}: it does not follow from the line before it"
        for number in (2, 3, 4, 5)
    ]


def test_a_line_that_is_taken_out_put_in_or_moved_is_damage(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 4)
    a, b, c, d = (tmp_path / LEDGER).read_bytes().splitlines(keepends=True)

    said = [_is_damage(ledger, b"".join(order)) for order in (
        (b, c, d), (a, c, d), (a, b, d), (a, a, b, c, d), (a, b, b, c, d), (a, c, b, d), (d,),
        (a, b, c, b"\n", d), (a, b, c, b"{}\n", d), (b"\n", a, b),
    )]  # fmt: skip

    assert said == [True] * len(said)


def test_damage_in_the_last_whole_line_refuses_to_append(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 2)
    with (tmp_path / LEDGER).open("ab") as file:
        file.write(b"garbage\n")
    before = (tmp_path / LEDGER).read_bytes()

    with pytest.raises(LedgerDamaged):
        ledger.append([event()])
    assert (tmp_path / LEDGER).read_bytes() == before


def test_an_append_reads_the_end_of_the_ledger_and_no_more(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    content = (tmp_path / LEDGER).read_bytes()
    (tmp_path / LEDGER).write_bytes(b"\xff" * (3 << 20) + b"\n" + content)

    ledger_in(tmp_path).append([event("new")])

    newest = [next(ledger_in(tmp_path).recent())]
    assert [(line.seq, line.actor) for line in newest] == [(3, "new")]
    with pytest.raises(LedgerDamaged, match="ledger line 1: it is not a ledger line"):
        list(ledger_in(tmp_path).lines())


def test_recent_lines_are_read_no_further_than_asked(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    content = (tmp_path / LEDGER).read_bytes()
    (tmp_path / LEDGER).write_bytes(b"\xff" * (3 << 20) + b"\n" + content)

    recent = ledger_in(tmp_path).recent()

    assert [next(recent).actor for _ in range(3)] == ["2", "1", "0"]
    with pytest.raises(LedgerDamaged):
        next(recent)


@given(lengths=st.lists(st.sampled_from([0, 1, 500, 65_000, 65_200, 70_000, 131_072]), max_size=12))
@settings(max_examples=25, deadline=None)
def test_recent_is_lines_backwards(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int]
) -> None:
    ledger = ledger_in(tmp_path_factory.mktemp("ledger"))

    ledger.append([event(str(n), text="x" * length) for n, length in enumerate(lengths)])

    assert list(ledger.recent()) == list(reversed(list(ledger.lines())))
    assert len(list(ledger.recent())) == len(lengths)


@given(extra=st.integers(0, 700))
@settings(max_examples=60, deadline=None)
def test_a_newline_on_the_edge_of_a_chunk_is_seen(
    tmp_path_factory: pytest.TempPathFactory, extra: int
) -> None:
    ledger = ledger_in(tmp_path_factory.mktemp("ledger"))

    ledger.append([event("0"), event("1", text="x" * (65_536 - extra)), event("2")])

    assert [line.actor for line in ledger.recent()] == ["2", "1", "0"]
    assert ledger.head().count == 3


def test_a_ledger_read_while_it_is_written_is_always_whole(tmp_path: Path) -> None:
    writer = _writer(tmp_path, "r1", 150)
    counts = [0]

    while writer.poll() is None:
        counts.append(len(list(ledger_in(tmp_path).lines())))
        counts.append(len(list(ledger_in(tmp_path).recent())))

    assert writer.returncode == 0
    assert counts == sorted(counts)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (LEDGER, "folder"), (LEDGER, "fifo"), (LEDGER, "link"),
        ("factory_ledger.lock", "folder"), ("factory_ledger.lock", "link"),
    ],
)  # fmt: skip
def test_a_ledger_that_is_no_plain_file_is_a_storage_error(
    tmp_path: Path, name: str, kind: str
) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"")
    root = tmp_path / _made(tmp_path, "root")
    {
        "folder": lambda: (root / name).mkdir(),
        "fifo": lambda: os.mkfifo(root / name),
        "link": lambda: (root / name).symlink_to(outside),
    }[kind]()

    with pytest.raises(StorageError):
        ledger_in(root).append([event()])
    assert outside.read_bytes() == b""


def test_a_torn_line_is_not_kept_outside_the_runs_root(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"")
    root = tmp_path / _made(tmp_path, "root")
    (root / LEDGER).write_bytes(b"torn")
    (root / TORN).symlink_to(outside)

    with pytest.raises(StorageError):
        ledger_in(root).append([event()])
    assert outside.read_bytes() == b""


def test_a_runs_root_that_is_gone_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot open"):
        ledger_in(tmp_path / "none").append([event()])


def _writer(root: Path, run: str, count: int) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-c", WRITER, str(root), run, str(count)]
    writer = subprocess.Popen(
        words, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(PROJECT)}
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"ready\n"
    writer.stdout.close()
    return writer


def _runs(lines: list[LedgerLine]) -> set[str]:
    return {line.run_id for line in lines if line.run_id}


def _runs_seen(root: Path) -> set[str]:
    return _runs(list(ledger_in(root).lines()))


def _made(root: Path, name: str) -> str:
    (root / name).mkdir()
    return name


def _torn_at(root: Path, whole: bytes, cut: int) -> tuple[list[str], dict[str, str], bytes]:
    here = root / str(cut)
    here.mkdir()
    (here / LEDGER).write_bytes(whole[:cut])
    ledger_in(here).append([event("new")])
    lines = list(ledger_in(here).lines())
    return [line.actor for line in lines], lines[2].details, (here / TORN).read_bytes()


def _changed(whole: bytes, at: int, flip: int) -> bytes:
    return whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :]


def _with(lines: list[bytes], at: int, actor: bytes) -> Iterator[bytes]:
    for number, line in enumerate(lines):
        yield line.replace(b'"actor":"%d"' % number, actor) if number == at else line


def _damage(ledger: Ledger, content: bytes) -> str:
    ledger.file.write_bytes(content)
    try:
        list(ledger.lines())
    except LedgerDamaged as damaged:
        return str(damaged)
    return ""


def _is_damage(ledger: Ledger, content: bytes) -> bool:
    return _damage(ledger, content) != ""
