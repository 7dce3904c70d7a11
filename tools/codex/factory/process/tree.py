"""Every process that this one started, however far it ran: found, ended, reaped."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PROC = "/proc"
_PAUSE_SECONDS = 0.01
_MOST_KILL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Process:
    """A process as the kernel shows it. `started` tells it from a later one of the same number."""

    pid: int
    parent: int
    session: int
    started: int
    zombie: bool


def die_with_parent() -> None:
    """Let the kernel kill this process when the one that started it ends (Linux; else nothing)."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends (Linux; else nothing).

    Without it, what daemonised would belong to the first process of the host, and be lost.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def descendants() -> list[Process]:
    """Return every process below this one, the zombies among them too."""
    return _below(os.getpid(), processes())


def processes() -> list[Process]:
    """Return every process that the kernel shows; none where there is no /proc."""
    found = []
    with suppress(FileNotFoundError):
        for name in os.listdir(_PROC):
            if name.isdigit():
                with suppress(OSError, ValueError):
                    found.append(_seen(int(name)))
    return found


def marked(marker: bytes) -> list[Process]:
    """Return every process whose environment holds the line `marker`."""
    found = []
    for process in processes():
        with suppress(OSError):
            said = Path(f"{_PROC}/{process.pid}/environ").read_bytes().split(b"\0")
            if marker in said and process.pid != os.getpid():
                found.append(process)
    return found


def end_all(
    among: Callable[[], Iterable[Process]], *, grace_seconds: float, reap: Callable[[], None]
) -> int:
    """End every process that `among` names: TERM, after the grace KILL; return how many are left.

    `reap` collects the zombies. What is left cannot be ended: it sleeps in the kernel, or belongs
    to another user.
    """
    _send(_alive(among), signal.SIGTERM)
    until = time.monotonic() + grace_seconds
    while left := _alive_after(among, reap):
        if time.monotonic() > until:
            break
        time.sleep(_PAUSE_SECONDS)
    until = time.monotonic() + _MOST_KILL_SECONDS
    while left and time.monotonic() < until:
        # Stopped first: what forks faster than it is listed would always have a child to spare.
        _send(left, signal.SIGSTOP)
        _send(_alive(among), signal.SIGKILL)
        left = _alive_after(among, reap)
        if left:
            time.sleep(_PAUSE_SECONDS)
    return len(left)


def _alive_after(among: Callable[[], Iterable[Process]], reap: Callable[[], None]) -> list[Process]:
    reap()
    return _alive(among)


def _alive(among: Callable[[], Iterable[Process]]) -> list[Process]:
    return [process for process in among() if not process.zombie]


def _send(targets: Iterable[Process], number: signal.Signals) -> None:
    for process in targets:
        with suppress(ProcessLookupError, PermissionError):
            _send_one(process, number)


def _send_one(process: Process, number: signal.Signals) -> None:
    """Signal this very process: not a later one that was given its number."""
    if not hasattr(signal, "pidfd_send_signal"):
        os.kill(process.pid, number)
        return
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    except OSError:
        # A kernel or container that has no pidfd.
        os.kill(process.pid, number)
        return
    try:
        with suppress(FileNotFoundError, ValueError):
            if _seen(process.pid).started == process.started:
                signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)


def _seen(pid: int) -> Process:
    # The name stands in brackets, and may hold anything, brackets too.
    fields = Path(f"{_PROC}/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return Process(pid, int(fields[1]), int(fields[3]), int(fields[19]), fields[0] in (b"Z", b"X"))


def _below(pid: int, among: Iterable[Process]) -> list[Process]:
    children: dict[int, list[Process]] = {}
    for process in among:
        children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += [process.pid for process in below]
    return found


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
