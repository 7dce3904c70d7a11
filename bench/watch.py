"""What watching costs: CPU time as a share of a core, with 200 workers and a ledger that grows.

python bench/watch.py [--workers 200] [--seconds 20] [--events 4] [--columns 200] [--lines 50]

A holder process appends so many events a second; `factory watch` draws on a terminal of its own.
What it takes to start is left out.
"""

import argparse
import fcntl
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.history import git
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.storage.ledger import Ledger
from tools.codex.factory.storage.lock import held
from tools.codex.factory.wiring import clock

FACTORY = str(Path(sys.executable).parent / "factory")
WHO = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
SETTLED_SECONDS = 4.0


def event(kind: EventType, actor: str, **details: str) -> Event:
    """Return an event of the run."""
    return Event(run_id="bench", event_type=kind, actor=actor, details=details)


def begun(repo: Path, workers: list[str]) -> Ledger:
    """Make a repository with a run whose workers are all under way."""
    git(repo, "init", "--quiet", "--template=")
    git(repo, *WHO, "commit", "--quiet", "--allow-empty", "-m", "base")
    root = repo / "tools" / "codex" / "runs"
    (root / "bench").mkdir(parents=True)
    ledger = Ledger(root, clock)
    names = {"worker_ids": ",".join(workers), "check_names": '["tests"]'}
    events = [event(EventType.RUN_START, "factory", base_commit="0" * 40, **names)]
    for worker in workers:
        events.append(event(EventType.CHECKOUT_MADE, worker, attempt="1"))
        events.append(event(EventType.WORKER_STARTED, worker, attempt="1"))
    ledger.append(events)
    return ledger


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process took so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def drain(handle: int) -> None:
    """Read what is drawn, as a terminal does."""
    try:
        while os.read(handle, 1 << 16):
            pass
    except OSError:
        return


def share(repo: Path, ledger: Ledger, workers: list[str], asked: argparse.Namespace) -> float:
    """Return the share of a core that watching took."""
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", asked.lines, asked.columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "", "LINES": ""}
    watch = subprocess.Popen(
        (FACTORY, "watch"),
        cwd=repo,
        env={name: value for name, value in environment.items() if value},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    threading.Thread(target=drain, args=(screen,), daemon=True).start()
    time.sleep(SETTLED_SECONDS)
    before, since, number = cpu_seconds(watch.pid), time.monotonic(), 0
    while time.monotonic() - since < asked.seconds:
        ledger.append([event(EventType.WORKER_ACTIVE, workers[number % len(workers)])])
        number += 1
        time.sleep(1 / asked.events)
    taken = (cpu_seconds(watch.pid) - before) / (time.monotonic() - since)
    assert watch.poll() is None, "watch ended before the run"
    end = Event(run_id="bench", event_type=EventType.RUN_END, actor="factory", rc=0)
    ledger.append([end])
    watch.wait()
    return taken


def main() -> None:
    """Measure, and say what share of a core it was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--events", type=float, default=4, help="so many a second")
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--lines", type=int, default=50)
    asked = parser.parse_args()
    workers = [f"W{number:03}_worker" for number in range(asked.workers)]
    with tempfile.TemporaryDirectory() as folder:
        repo = Path(folder)
        ledger = begun(repo, workers)
        with held(ledger.file.parent / "bench", holder={"command": "bench"}):
            taken = share(repo, ledger, workers, asked)
    print(f"{asked.workers} workers, {asked.columns}x{asked.lines}: {taken:.2%} of a core")


if __name__ == "__main__":
    main()
