"""What lies below folders, in bytes on disk, and a watch that it stays below a limit."""

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.wording import sized

_BLOCK = 512
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_NAME = 3072
"""How long a path below an open folder may grow: the kernel refuses those over 4096 bytes."""
_MOST_HANDLES = 200
_MOST_LOOK_SECONDS = 5.0
_LEAST_PAUSE_SECONDS = 2.0
_PAUSE_FACTOR = 20
_FLOOR_BYTES = 256 << 20
_FLOOR_FILES = 2000
_FLOOR_SHARE = 100


@dataclass(frozen=True, slots=True)
class Usage:
    """What lies somewhere. Not `is_whole`: there may be more, that could not be reached in time."""

    bytes: int
    files: int
    is_whole: bool


def usage_of(
    folders: tuple[Path, ...],
    *,
    seconds: float = _MOST_LOOK_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Usage:
    """Return what lies below `folders`, each file once, without following links; never raises.

    Other file systems below are not looked into.
    """
    total, files, is_whole = 0, 0, True
    seen: set[tuple[int, int]] = set()
    until = clock() + seconds
    for state in _states(folders):
        if clock() > until:
            is_whole = False
            break
        if state is None:
            is_whole = False
            continue
        if state.st_nlink > 1 and not stat.S_ISDIR(state.st_mode):
            if (state.st_dev, state.st_ino) in seen:
                continue
            seen.add((state.st_dev, state.st_ino))
        total += state.st_blocks * _BLOCK
        files += 1
    return Usage(total, files, is_whole)


def _states(folders: tuple[Path, ...]) -> Iterator[os.stat_result | None]:
    """Yield what the kernel says of each entry; None for what cannot be looked into."""
    for folder in folders:
        handles: list[int] = []
        try:
            yield from _below(folder, handles)
        finally:
            for handle in handles:
                os.close(handle)


def _below(top: Path, handles: list[int]) -> Iterator[os.stat_result | None]:
    """Yield the entries below `top`. A path may be longer than the kernel takes: so open folders
    on the way are where it goes on from, and stay in `handles`."""
    try:
        handles.append(os.open(top, _FLAGS))
        device = os.fstat(handles[0]).st_dev
    except OSError:
        # What is gone takes nothing.
        return
    waiting = [(handles[0], "")]
    while waiting:
        start, name = waiting.pop()
        if len(os.fsencode(name)) > _MOST_NAME:
            if len(handles) >= _MOST_HANDLES:
                yield None
                continue
            with suppress(OSError):
                handles.append(os.open(name, _FLAGS, dir_fd=start))
                start, name = handles[-1], ""
        found = _entries(start, name)
        if found is None:
            yield None
            continue
        for inner, state in found:
            is_folder = stat.S_ISDIR(state.st_mode)
            if is_folder and state.st_dev != device:
                # Files may name another device all the same: those of a container do.
                continue
            yield state
            if is_folder:
                waiting.append((start, f"{name}/{inner}" if name else inner))


def _entries(start: int, name: str) -> Iterator[tuple[str, os.stat_result]] | None:
    try:
        handle = os.open(name or ".", _FLAGS, dir_fd=start)
    except FileNotFoundError:
        return iter(())
    except OSError:
        return None
    return _listed(handle)


def _listed(handle: int) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(handle) as entries:
            for entry in entries:
                with suppress(OSError):
                    yield entry.name, entry.stat(follow_symlinks=False)
    except OSError:
        # It was removed meanwhile.
        return
    finally:
        os.close(handle)


class UsageWatch:
    """Whether what lies below folders stays below a limit (0: none), and the disk has room left.

    Looks take a small part of the time, however much there is to look at.
    """

    def __init__(
        self,
        folders: tuple[Path, ...],
        most_bytes: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folders = folders
        self._most_bytes = most_bytes
        self._clock = clock
        self._due = clock() + _LEAST_PAUSE_SECONDS

    def due(self) -> float:
        """Return when the next look is due, by the clock."""
        return self._due

    def exceeded(self) -> str:
        """Look, and return what was taken too much; "" where all is well."""
        begun = self._clock()
        reason = complaint_of_floor(self._folders[0]) or self.overfull()
        ended = self._clock()
        self._due = ended + max(_LEAST_PAUSE_SECONDS, _PAUSE_FACTOR * (ended - begun))
        return reason

    def overfull(self) -> str:
        """Look at what lies there alone, and return whether it is too much; "" where it is not."""
        if not self._most_bytes:
            return ""
        used = usage_of(self._folders, clock=self._clock)
        if used.bytes <= self._most_bytes:
            return ""
        return (
            f"{'' if used.is_whole else 'at least '}{sized(used.bytes)} lie in its checkout and "
            f"its own folders, and {sized(self._most_bytes)} may (sandbox.checkout_bytes)"
        )


def complaint_of_floor(folder: Path) -> str:
    """Return why nobody may take more of the disk of `folder`; "" where there is room.

    The last of it is for what others do there, and for the capture: 256 MiB, of a small disk one
    part in a hundred.
    """
    try:
        state = os.statvfs(folder)
    except OSError:
        return ""
    free, size = state.f_bavail * state.f_frsize, state.f_blocks * state.f_frsize
    if free < min(_FLOOR_BYTES, size // _FLOOR_SHARE):
        return f"only {sized(free)} are left on the disk of its checkout"
    if state.f_files and state.f_favail < min(_FLOOR_FILES, state.f_files // _FLOOR_SHARE):
        return f"only {state.f_favail} files can be made on the disk of its checkout"
    return ""
