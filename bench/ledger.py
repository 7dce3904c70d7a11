"""What a long ledger costs: each command with 1,000 and with 1,000,000 events before it.

python bench/ledger.py [--events 1000000] [--few 1000] [--only WORD]

Each place has an old run, then the events of many runs that came and went, then new runs. A command
is a process of its own; printed are its time, its peak memory, and the ratios of many to few.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.history import git
from bench.startup import with_a_plan
from tools.codex.factory.domain.event import Event, EventType, line_of
from tools.codex.factory.domain.identity import Digest, digest_of
from tools.codex.factory.storage.ledger import LEDGER, Ledger
from tools.codex.factory.wiring import clock

FACTORY = (sys.executable, "-m", "tools.codex.factory")
WORKERS = ("A_worker", "B_worker", "C_worker", "D_worker")
BLOCK = 1 << 22
T = EventType


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took."""

    seconds: float
    megabytes: float
    exit_code: int


def run_events(run: str) -> list[Event]:
    """Return the events of a run of four workers that passed, and was removed since."""

    def said(kind: EventType, actor: str = "factory", **details: str) -> Event:
        seal = {"seal": "5" * 64} if kind is T.BUNDLE_SEALED else {}
        return Event(run_id=run, event_type=kind, actor=actor, details=details, hashes=seal)

    begun = [said(T.RUN_START, base_commit="1a2b3c4d" * 5, worker_ids=",".join(WORKERS))]
    kinds = (T.CHECKOUT_MADE, T.WORKER_STARTED, T.WORKER_ACTIVE, T.WORKER_ENDED, T.BUNDLE_SEALED)
    work = [said(kind, worker, attempt="1", how="exited") for worker in WORKERS for kind in kinds]
    ended = [said(T.RUN_END, status="PASS"), said(T.RUN_PRUNED, "operator")]
    return [*begun, *work, said(T.LAUNCH_END), said(T.INTEGRATE_START), *ended]


def many_events(count: int) -> Iterator[Event]:
    """Yield so many events of runs one after the other."""
    number, left = 0, count
    while left > 0:
        events = run_events(f"factory_20260101T000000Z_1a2b3c4d_{number:07}")[:left]
        yield from events
        left -= len(events)
        number += 1


def grown(root: Path, count: int) -> None:
    """Add so many events to a ledger, in large blocks and without a sync for each."""
    head = Ledger(root, clock).head()
    first = clock()
    prev, seq = Digest(head.sha256), head.count
    with (root / LEDGER).open("ab") as file:
        out = bytearray()
        for number, event in enumerate(many_events(count), start=1):
            at = first + timedelta(microseconds=number)
            _, content = line_of(event, seq=seq, at=at, prev=prev)
            seq, prev = seq + 1, digest_of(content[:-1])
            out += content
            if len(out) >= BLOCK:
                file.write(out)
                out.clear()
        file.write(out)


def place(folder: Path, events: int) -> Path:
    """Return a repository with an old run, so many events, and two new runs."""
    folder.mkdir()
    with_a_plan(folder)
    git(folder, "config", "user.name", "bench")
    git(folder, "config", "user.email", "bench@localhost")
    asked = ("oneshot", "--run-id")
    assert cost(folder, *asked, "old-1").exit_code == 0
    grown(folder / "tools/codex/runs", events)
    assert cost(folder, *asked, "new-1").exit_code == 0
    assert cost(folder, *asked, "new-2").exit_code == 0
    return folder


def cost(folder: Path, *words: str) -> Cost:
    """Return what one command took."""
    environment = {**os.environ, "PYTHONPATH": os.environ.get("HOUSE", str(_HOUSE))}
    started = time.perf_counter()
    pid = os.posix_spawn(
        FACTORY[0],
        (*FACTORY, "-C", str(folder), *words),
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ],
    )
    _, ended, used = os.wait4(pid, 0)
    seconds = time.perf_counter() - started
    return Cost(seconds, used.ru_maxrss / 1024, os.waitstatus_to_exitcode(ended))


_HOUSE = Path(__file__).resolve().parents[1]
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("ledger", "--limit", "50"),
    ("ledger", "--limit", "50", "--raw-events"),
    ("ledger", "--run-id", "new-2"),
    ("ledger", "--run-id", "old-1"),
    ("ledger", "--run-id", "old-1", "--raw-events"),
    ("ledger", "--run-id", "unknown-1"),
    ("watch",),
    ("watch", "--run-id", "old-1"),
    ("runs", "list"),
    ("runs", "show", "--run-id", "new-2"),
    ("runs", "show", "--run-id", "old-1"),
    ("print-report",),
    ("print-report", "--run-id", "old-1"),
    ("oneshot",),
    ("oneshot", "--run-id", "named-1"),
    ("integrate", "--run-id", "new-2"),
    ("integrate", "--run-id", "old-1"),
    ("publish", "--run-id", "new-1"),
    ("amend", "--run-id", "new-2", "--allow", "A_worker:b", "--reason", "more"),
    ("doctor",),
    ("ledger-replay",),
    ("ledger-replay", "--run-id", "new-1"),
    ("runs", "prune", "--dry-run"),
)


def appended(root: Path, rounds: int = 200) -> float:
    """Return what it takes to append one event, as a median."""
    ledger = Ledger(root, clock)
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        ledger.append([Event(run_id="new-1", event_type=T.WORKER_ACTIVE, actor="A_worker")])
        took.append(time.perf_counter() - started)
    return median(took)


def row(name: str, few: Cost, many: Cost) -> str:
    """Return one line of the table."""
    codes = "" if few.exit_code == many.exit_code else f"  exit {few.exit_code}, {many.exit_code}"
    times = f"{few.seconds:8.2f} s{many.seconds:8.2f} s{many.seconds / few.seconds:7.1f}x"
    return f"{name:44}{times}{few.megabytes:7.0f} MB{many.megabytes:6.0f} MB{codes}"


def main() -> None:
    """Fill two places, and print what each command takes in both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--only", default="", help="only commands with this word")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ledger-") as name:
        os.environ["XDG_CACHE_HOME"] = f"{name}/cache"
        few, many = (place(Path(name) / str(n), n) for n in (asked.few, asked.events))
        size = (many / "tools/codex/runs" / LEDGER).stat().st_size / 1e6
        print(f"{asked.few} and {asked.events} events, {size:.0f} MB\n")
        for words in COMMANDS:
            if asked.only in " ".join(words):
                said = " ".join(words).replace(" --reason more", "")
                print(row(said, cost(few, *words), cost(many, *words)), flush=True)
        measured: dict[str, Callable[[], float]] = {
            "1": lambda: appended(_empty(Path(name))),
            str(asked.few): lambda: appended(few / "tools/codex/runs"),
            str(asked.events): lambda: appended(many / "tools/codex/runs"),
        }
        took = {count: measure() for count, measure in measured.items()}
        for count, seconds in took.items():
            ratio = seconds / took["1"]
            print(f"append and sync behind {count:>9} events {seconds * 1e6:8.0f} us {ratio:.1f}x")


def _empty(folder: Path) -> Path:
    root = folder / "empty"
    root.mkdir()
    return root


if __name__ == "__main__":
    main()
