"""A control group of its own for one command: what it takes is bounded, for root too."""

import itertools
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.process.hierarchy import Parent, folders_named, groups_in, parent_for
from tools.codex.factory.process.tree import own_start, processes

_BEGIN = "factory-"
_NAME = re.compile(r"factory-([0-9a-f]+)-([0-9]+)-([0-9]+)-([0-9]+)-[0-9]+")
_NUMBER = itertools.count(1)
_MOST_SECONDS = 5.0
_PAUSE_SECONDS = 0.01
_PIDS, _MEMORY = "pids", "memory"
_NO_LIMIT = "no limit is set"
NOBODY = "0"
"""The owner of a group that is no attempt's."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What bounds one thing: `by` names it; where nothing does, `why_not` says why."""

    by: str = ""
    why_not: str = _NO_LIMIT


@dataclass(frozen=True, slots=True)
class Events:
    """How often a new process was refused, and how many were killed for their memory."""

    refused: int = 0
    killed: int = 0


class Group:
    """What a command and all that it starts are put into. It may bound nothing, and says so."""

    def __init__(self, folders: dict[str, tuple[int, str]], bounds: dict[str, Bound]) -> None:
        self._folders = folders
        self._bounds = bounds
        # Opened now: who enters may be held to rules by then that open nothing outside.
        self._doors = list(_doors(self.folders))

    @property
    def folders(self) -> tuple[str, ...]:
        """Return the folder of the group in each hierarchy."""
        return tuple(dict.fromkeys(folder for _, folder in self._folders.values()))

    @property
    def processes(self) -> Bound:
        """Return what bounds the number of processes and threads."""
        return self._bounds.get(_PIDS, Bound())

    @property
    def memory(self) -> Bound:
        """Return what bounds the memory of all together."""
        return self._bounds.get(_MEMORY, Bound())

    def enter(self) -> None:
        """Put this process into the group: called by a forked child, before it runs anything."""
        for door in self._doors:
            with suppress(OSError):
                os.write(door, b"0")

    def events(self) -> Events:
        """Return what the limits have refused and killed."""
        _, pids = self._folders.get(_PIDS, (0, ""))
        version, memory = self._folders.get(_MEMORY, (0, ""))
        name = "memory.events" if version == 2 else "memory.oom_control"
        return Events(
            refused=_counted(f"{pids}/pids.events", "max"),
            killed=_counted(f"{memory}/{name}", "oom_kill"),
        )

    def kill(self) -> None:
        """Kill all that is in the group, whoever it belongs to: the last means to end it."""
        for version, folder in dict.fromkeys(self._folders.values()):
            _kill(version, folder)

    def remove(self) -> bool:
        """Remove the group, ending what is still in it; return whether it is gone."""
        while self._doors:
            os.close(self._doors.pop())
        gone = [_removed(*one) for one in dict.fromkeys(self._folders.values())]
        return all(gone)


def _doors(folders: Iterable[str]) -> Iterator[int]:
    for folder in folders:
        with suppress(OSError):
            yield os.open(f"{folder}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)


def grouped(*, processes: int, memory_bytes: int, owner: str = NOBODY) -> Group:
    """Return a new group that bounds what this host lets it bound; 0 stands for no limit.

    It is proven by a child that is put into it. Its name says whose it is, hex digits of an `owner`
    too: what a killed process leaves is removed by `remove_leftovers`. Never raises.
    """
    name = _own_name(owner)
    folders: dict[str, tuple[int, str]] = {}
    bounds: dict[str, Bound] = {}
    for controller, most in ((_PIDS, processes), (_MEMORY, memory_bytes)):
        if most > 0:
            parent = parent_for(controller)
            why_not = _made(parent, f"{parent.folder}/{name}", controller, most)
            if not why_not:
                folders[controller] = (parent.version, f"{parent.folder}/{name}")
            by = f"cgroup v{parent.version} {controller}"
            bounds[controller] = Bound("", why_not) if why_not else Bound(by, "")
    return Group(folders, bounds)


def remove_leftovers(owner: str = NOBODY) -> list[str]:
    """Remove every group of an owner whose maker is gone, with what is in it; return their folders.

    Numbers of processes mean something only in one namespace: of groups that were made in
    another, nothing is known.
    """
    alive = {(one.pid, one.started) for one in processes() if not one.is_over}
    removed = []
    for version, folder in folders_named(f"{_BEGIN}{owner}-"):
        named = _NAME.fullmatch(os.path.basename(folder))
        if not named or int(named[2]) != _namespace():
            continue
        if (int(named[3]), int(named[4])) not in alive and _removed(version, folder):
            removed.append(folder)
    return removed


def _own_name(owner: str) -> str:
    return f"{_BEGIN}{owner}-{_namespace()}-{os.getpid()}-{own_start()}-{next(_NUMBER)}"


def _namespace() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def _made(parent: Parent, folder: str, controller: str, most: int) -> str:
    """Make the group and set its limit; return why that cannot be, "" where it is done."""
    if parent.why_not:
        return parent.why_not
    is_new = not os.path.isdir(folder)
    try:
        if is_new:
            os.mkdir(folder, 0o755)
    except OSError as error:
        return f"no control group can be made in {parent.folder}: {error.strerror}"
    try:
        _limit(parent.version, folder, controller, most)
        _enter_once(folder)
    except OSError as error:
        # It may be that of another controller, which is of use.
        with suppress(OSError):
            if is_new:
                os.rmdir(folder)
        return f"a control group in {parent.folder} cannot be used: {error.strerror}"
    return ""


def _limit(version: int, folder: str, controller: str, most: int) -> None:
    if controller == _PIDS:
        _write(f"{folder}/pids.max", most)
        return
    _write(f"{folder}/{'memory.max' if version == 2 else 'memory.limit_in_bytes'}", most)
    # What is swapped out is held, too. v1 counts both together; a kernel may count neither.
    swap, limit = ("memory.swap.max", 0) if version == 2 else ("memory.memsw.limit_in_bytes", most)
    with suppress(FileNotFoundError):
        _write(f"{folder}/{swap}", limit)


def _enter_once(folder: str) -> None:
    """Put a child into a group: whether that may be is only known by doing it."""
    child = subprocess.Popen(
        ("cat",),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
    )
    try:
        _write(f"{folder}/cgroup.procs", child.pid)
    finally:
        child.communicate()


def _kill(version: int, folder: str) -> None:
    with suppress(OSError):
        if version == 2 and os.path.exists(f"{folder}/cgroup.kill"):
            _write(f"{folder}/cgroup.kill", 1)
            return
        # 0 is a process of another namespace; to kill it would kill our own group.
        for pid in filter(None, map(int, Path(folder, "cgroup.procs").read_bytes().split())):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _removed(version: int, folder: str) -> bool:
    until = time.monotonic() + _MOST_SECONDS
    while True:
        # What was started may have made groups of its own in it.
        for inner in reversed(groups_in(folder)):
            with suppress(OSError):
                os.rmdir(inner)
            if os.path.isdir(inner):
                _kill(version, inner)
        if not os.path.isdir(folder):
            return True
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE_SECONDS)


def _counted(path: str, word: str) -> int:
    with suppress(OSError):
        words = Path(path).read_text("ascii").split()
        return dict(zip(words[::2], map(int, words[1::2]), strict=True)).get(word, 0)
    return 0


def _write(path: str, number: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(handle, b"%d" % number)
    finally:
        os.close(handle)
