"""Every process that this one started, however far it ran: found, ended, reaped."""

import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.process.kernel import prctl

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PROC = "/proc"
_PAUSE_SECONDS = 0.01
_MOST_KILL_SECONDS = 10.0
_ROUNDS_PER_LIST = 100


@dataclass(frozen=True, slots=True)
class Process:
    """A process as the kernel shows it. `started` tells it from a later one of the same number."""

    pid: int
    parent: int
    started: int
    is_over: bool
    """Whether nothing of it runs any more: a process can outlive its first thread."""


def die_with_parent() -> None:
    """Let the kernel kill this process when the one that started it ends (Linux; else nothing)."""
    _set(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans(*, adopting: bool = True) -> None:
    """Become the parent of every descendant whose own parent ends (Linux; else nothing).

    Without it, what daemonised would belong to the first process of the host, and be lost.
    """
    _set(_PR_SET_CHILD_SUBREAPER, int(adopting))


def keep_to_itself() -> None:
    """Keep other processes of the same user out of this one's open files (Linux; not from root)."""
    _set(_PR_SET_DUMPABLE, 0)


def descendants() -> list[Process]:
    """Return every process below this one, the zombies among them too."""
    return _below(os.getpid(), processes())


def descendants_of(pids: Collection[int]) -> list[Process]:
    """Return the processes `pids`, and every one below them."""
    among = processes() if pids else []
    return [one for one in among if one.pid in pids] + [
        below for pid in pids for below in _below(pid, among)
    ]


def reap(pids: Iterable[int]) -> None:
    """Collect those of our children `pids` that have ended."""
    for pid in pids:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def processes() -> list[Process]:
    """Return every process that the kernel shows; none where there is no /proc."""
    found = []
    with suppress(FileNotFoundError):
        for name in os.listdir(_PROC):
            if name.isdecimal():
                with suppress(OSError, ValueError, IndexError):
                    found.append(_seen(int(name)))
    return found


def own_start() -> int:
    """Return when this process started, as `Process` has it; 0 where there is no /proc."""
    try:
        return _seen(os.getpid()).started
    except FileNotFoundError:
        return 0


def workers_of(mark: bytes, folder: Path) -> list[Process]:
    """Return every process whose environment holds the line `mark`, or that stands in `folder`."""
    below = f"{folder}/"
    found = []
    for process in processes():
        if process.pid == os.getpid():
            continue
        here = Path(f"{_PROC}/{process.pid}")
        with suppress(OSError):
            stands = f"{os.readlink(here / 'cwd')}/".startswith(below)
            if stands or mark in (here / "environ").read_bytes().split(b"\0"):
                found.append(process)
    return found


def end_descendants(
    *, grace_seconds: float, reap: Callable[[], bool], spared: int | None = None
) -> int:
    """End every process below this one: TERM, after the grace KILL; return how many are left.

    The process `spared` is not told to end before that: it ends with what it holds.
    `reap` collects zombies, and returns whether a child is left: only the kernel knows for sure.
    What is left cannot be ended: it sleeps in the kernel, or belongs to another user.
    """
    if not reap():
        return 0
    _send([one for one in descendants() if one.pid != spared], signal.SIGTERM)
    until = time.monotonic() + grace_seconds
    while reap() and time.monotonic() < until:
        time.sleep(_PAUSE_SECONDS)
    until = time.monotonic() + _MOST_KILL_SECONDS
    rounds = 0
    while reap() and time.monotonic() < until:
        if rounds % _ROUNDS_PER_LIST == 0:
            # Stopped first: what forks faster than it is listed would have a child to spare.
            found = descendants()
            _send(found, signal.SIGSTOP)
            _send(found, signal.SIGKILL)
        for pid in children():
            # A child of ours keeps its number until it is reaped. What hops from fork to fork is
            # ours at every hop, and there is little time to meet it.
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        rounds += 1
    return sum(not process.is_over for process in descendants()) if reap() else 0


def end_others(among: Callable[[], Iterable[Process]], *, reap: Callable[[], None]) -> None:
    """Kill every process that `among` names, which are not all below this one."""
    until = time.monotonic() + _MOST_KILL_SECONDS
    while left := [process for process in among() if not process.is_over]:
        _send(left, signal.SIGKILL)
        reap()
        if time.monotonic() > until:
            return
        time.sleep(_PAUSE_SECONDS)


def children() -> list[int]:
    """Return the direct children of this process, as fast as they can be had."""
    try:
        said = Path(f"{_PROC}/self/task/{os.getpid()}/children").read_bytes()
    except OSError:
        return [one.pid for one in processes() if one.parent == os.getpid()]
    return [int(pid) for pid in said.split()]


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
    is_over = fields[0] in (b"Z", b"X") and int(fields[17]) <= 1
    return Process(pid, int(fields[1]), int(fields[19]), is_over)


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


def _set(option: int, value: int) -> None:
    if sys.platform == "linux":
        with suppress(OSError):
            prctl(option, value)
