"""The ledger under load: a million lines, many writers, kills, a disk that is full."""

import itertools
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.ledger import grown
from tests.conftest import Some
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.pipelines.chain import chain_of
from tools.codex.factory.storage.ledger import LEDGER, TORN, Ledger
from tools.codex.factory.wiring import clock

PROJECT = Path(__file__).parents[2]
WRITERS = 8
RUN = "crowd"
# Each line of `acknowledged` was written once its batch was in the ledger.
WRITER = """
import os, random, sys
from datetime import UTC, datetime
from pathlib import Path
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.storage.ledger import Ledger

root, name, acknowledged, until = Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])
ledger = Ledger(root, lambda: datetime.now(UTC))
dice = random.Random(name)
told = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
number = 0
while not until.exists():
    batch = range(number, number + dice.choice((1, 1, 2, 5, 40)))
    kind = EventType.WORKER_ACTIVE
    text = "x" * dice.choice((0, 10, 3000))
    ledger.append([
        Event(run_id="crowd", event_type=kind, actor=name, details={"n": str(n), "text": text})
        for n in batch
    ])
    os.write(told, b"".join(b"%d\\n" % n for n in batch))
    number = batch[-1] + 1
"""
FOLLOWER = """
import sys, time
from pathlib import Path
from tools.codex.factory.storage.follow import followed_run

root, until = Path(sys.argv[1]), Path(sys.argv[3])
with followed_run(root / "factory_ledger.jsonl", "crowd") as run, open(sys.argv[2], "w") as seen:
    lines = run.begun
    while True:
        # In this order: what was written before the end is seen after it.
        is_over = until.exists()
        lines = lines + run.more()
        seen.write("".join(f"{line.seq} {line.actor} {line.details.get('n')}\\n" for line in lines))
        if is_over:
            break
        lines = []
        time.sleep(0.01)
"""
LISTER = """
import itertools, sys
from datetime import UTC, datetime
from pathlib import Path
from tools.codex.factory.storage.ledger import Ledger

root, until = Path(sys.argv[1]), Path(sys.argv[3])
ledger = Ledger(root, lambda: datetime.now(UTC))
heads = []
while not until.exists():
    last = [line.seq for line in itertools.islice(ledger.recent(), 50)]
    assert last == list(range(last[0], last[0] - 50, -1)), last
    heads.append(last[0])
assert heads == sorted(heads)
Path(sys.argv[2]).write_text(f"{len(heads)}\\n")
"""
FULL = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.errors import NoRoom
from tools.codex.factory.storage.ledger import Ledger

root, dice = Path(sys.argv[1]), __import__("random").Random(4)
ledger, ballast = Ledger(root, lambda: datetime.now(UTC)), root / "ballast"
faults = written = 0
for turn in range(int(sys.argv[2])):
    ballast.write_bytes(b"x" * dice.randrange(1, 200_000))
    while True:
        batch = [
            Event(run_id="r", event_type=EventType.MERGED, actor=str(written + n),
                  details={"x": "x" * dice.randrange(0, 9000)})
            for n in range(dice.choice((1, 2, 5)))
        ]
        before = ledger.file.read_bytes() if ledger.file.exists() else b""
        try:
            ledger.append(batch)
        except NoRoom as error:
            assert "No space left" in str(error), error
            after = ledger.file.read_bytes() if ledger.file.exists() else b""
            assert after == before, "something half written stayed"
            faults += 1
            break
        written += len(batch)
    ballast.unlink()
    ledger.append([Event(run_id="r", event_type=EventType.MERGED, actor=str(written))])
    written += 1
    if len(before) > 500_000:
        assert [line.actor for line in ledger.lines()] == [str(n) for n in range(written)]
        ledger.file.unlink()
        written = 0
assert [line.actor for line in ledger.lines()] == [str(n) for n in range(written)]
assert not (root / "factory_ledger.torn").exists()
print(faults)
"""


def started(code: str, *words: object) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL)


def numbers(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def written(root: Path, until: Path, seconds: float) -> None:
    """Let 8 processes append for so long, of which some are killed and others take their place."""
    dice, names = random.Random(1), (f"w{number}" for number in itertools.count())

    def writer() -> "tuple[str, subprocess.Popen[bytes]]":
        name = next(names)
        return name, started(WRITER, root, name, root / f"told-{name}", until)

    living = dict(writer() for _ in range(WRITERS))
    # Time counts once all of them write: starting eight interpreters takes what it takes.
    while not all(numbers(root / f"told-{name}") for name in living):
        assert all(one.poll() is None for one in living.values())
        time.sleep(0.05)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        time.sleep(dice.uniform(0.1, 0.9))
        killed = living.pop(dice.choice(sorted(living)))
        killed.kill()
        killed.wait()
        living.update([writer()])
    until.touch()
    assert [one.wait(timeout=60) for one in living.values()] == [0] * WRITERS


@pytest.fixture(scope="module")
def size(request: pytest.FixtureRequest) -> int:
    """Return how many events there are before anything is tried."""
    return 1_000_000 if request.config.getoption("--bound") is None else 100_000


@pytest.fixture(scope="module")
def crowded(
    request: pytest.FixtureRequest, size: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Return where 8 writers, killed now and then, appended to a long ledger while it was read."""
    root = tmp_path_factory.mktemp("crowded")
    grown(root, size)
    Ledger(root, clock).append([Event(run_id=RUN, event_type=EventType.RUN_START, actor="factory")])
    seconds = 60.0 if request.config.getoption("--bound") is None else 5.0
    until, last = root / "until", root / "last"
    readers = [started(FOLLOWER, root, root / f"seen-{n}", last) for n in range(2)]
    readers.append(started(LISTER, root, root / "listed", last))
    try:
        written(root, until, seconds)
    finally:
        # What follows the ledger ends by itself, whatever came of the writers.
        until.touch()
        last.touch()
    assert [reader.wait(timeout=120) for reader in readers] == [0] * len(readers)
    yield root


def test_the_chain_is_whole_and_what_was_acknowledged_is_there_exactly_once(
    crowded: Path, size: int
) -> None:
    told = {path.name.removeprefix("told-"): numbers(path) for path in crowded.glob("told-*")}

    ledger = Ledger(crowded, clock)
    chain = chain_of(ledger, RUN)
    own = list(ledger.recent_of(RUN))[::-1]

    there: dict[str, list[int]] = {}
    for line in own[1:]:
        there.setdefault(line.actor, []).append(int(line.details["n"]))
    assert len(chain) == size + len(own) + len(list(ledger.recent_of(""))) > size + 100
    assert len(told) >= WRITERS
    for name, said in there.items():
        # A writer that was killed may have appended one batch that it told nobody of.
        assert said == list(range(len(said))), name
        assert said[: len(told.get(name, []))] == told.get(name, []), name
        assert len(said) - len(told.get(name, [])) <= 40, name
    assert {name for name, said in told.items() if said} <= set(there)


def test_who_followed_saw_every_line_once_and_in_order(crowded: Path) -> None:
    own = list(Ledger(crowded, clock).recent_of(RUN))[::-1]
    wanted = [f"{line.seq} {line.actor} {line.details.get('n')}" for line in own]

    for number in range(2):
        assert (crowded / f"seen-{number}").read_text().splitlines() == wanted
    assert numbers(crowded / "listed")[0] > 1


def test_any_byte_of_a_long_ledger_that_changes_is_found(
    crowded: Path, tmp_path: Path, some: Some
) -> None:
    with (crowded / LEDGER).open("rb") as file:
        content = file.read(3 << 20)
    content = content[: content.rindex(b"\n") + 1]
    last = content.rindex(b"\n", 0, -1) + 1
    dice = random.Random(3)
    ledger = Ledger(tmp_path, clock)
    passed = []

    for at in some(sorted(dice.sample(range(last), 120))):
        flipped = content[:at] + bytes([content[at] ^ (1 << dice.randrange(8))]) + content[at + 1 :]
        ledger.file.write_bytes(flipped)
        try:
            chain_of(ledger)
            passed.append(at)
        except OSError:
            raise
        except Exception as error:
            assert type(error).__name__ == "LedgerDamaged", error

    assert passed == []


def test_a_batch_torn_at_any_byte_behind_a_long_ledger_is_mended(crowded: Path, some: Some) -> None:
    ledger = Ledger(crowded, clock)
    whole = ledger.file.stat().st_size
    head = ledger.head()
    batch = [Event(run_id=RUN, event_type=EventType.MERGED, actor=str(n)) for n in range(4)]
    ledger.append(batch)
    with ledger.file.open("rb") as file:
        file.seek(whole)
        content = file.read()
    (crowded / TORN).unlink(missing_ok=True)
    begins = [0, *(at + 1 for at, byte in enumerate(content[:-1]) if byte == ord("\n"))]
    seen: Counter[int] = Counter()

    for cut in {*some(range(1, len(content))), *(begin + 1 for begin in begins)}:
        os.truncate(ledger.file, whole)
        with ledger.file.open("ab") as file:
            file.write(content[:cut])
        kept = content[:cut].count(b"\n")
        is_torn = not content[:cut].endswith(b"\n")
        ledger.append([Event(run_id=RUN, event_type=EventType.MERGED, actor="next")])
        lines = [next(found) for found in [ledger.recent()] for _ in range(kept + is_torn + 1)]
        assert [line.actor for line in lines[::-1]] == [
            *map(str, range(kept)), *(["factory"] if is_torn else []), "next",
        ]  # fmt: skip
        assert lines[-1].seq == head.count
        assert lines[-1].prev == head.sha256
        seen[kept] += 1

    assert set(seen) == {0, 1, 2, 3}
    os.truncate(ledger.file, whole)
    assert ledger.head() == head


def test_a_full_disk_leaves_nothing_half_written_and_the_next_append_goes_on(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    turns = 40 if request.config.getoption("--bound") is None else 8
    place = tmp_path / "small"
    place.mkdir()
    mounted = f'mount -t tmpfs -o size=1m factory "{place}" && exec "$@"'
    ways: tuple[tuple[str, ...], ...] = (("unshare", "-m"), ("unshare", "-rm"))
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"}
    for way in ways:
        tried = subprocess.run([*way, "sh", "-c", mounted, "sh", "true"], capture_output=True)
        if tried.returncode == 0:
            break
    else:
        pytest.skip(f"no file system can be mounted here: {tried.stderr.decode().strip()}")

    argv = [*way, "sh", "-c", mounted, "sh", sys.executable, "-c", FULL, str(place), str(turns)]
    ended = subprocess.run(argv, env=environment, capture_output=True, timeout=600)

    assert (ended.returncode, ended.stderr.decode()) == (0, "")
    assert int(ended.stdout) == turns
