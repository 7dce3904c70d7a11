"""One factory at a time holds a run; a dead holder holds nothing."""

import fcntl
import os
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.codex.factory.domain.document import NotStrictJson, canonical, strict_json
from tools.codex.factory.errors import RunUnavailable, StorageError, UnfitHost, raise_spent
from tools.codex.factory.storage.run_directory import UNWRITABLE

LOCK = ".lock"
# Locks of this kind belong to the open file, as flock's do; where there is none, to the process.
_SET = getattr(fcntl, "F_OFD_SETLK", fcntl.F_SETLK)
_ASK = getattr(fcntl, "F_OFD_GETLK", fcntl.F_GETLK)


@contextmanager
def held(folder: Path, *, holder: dict[str, object]) -> Iterator[None]:
    """Hold the run in `folder`; raise RunUnavailable naming the holder where another has it.

    The kernel's lock on the open file is the truth; the text in it is for people. A second lock,
    of the kind that can be asked about without being tried, shows it to who only looks.
    """
    handle = _opened(folder)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(folder.name, os.pread(handle, 4096, 0)) from None
        _show(handle, fcntl.F_WRLCK)
        _note(handle, canonical(holder))
        yield
        _note(handle, b"")
    finally:
        _show(handle, fcntl.F_UNLCK)
        # Closing is not enough: a child between fork and exec still has the open file.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def holder_of(folder: Path) -> str:
    """Return who holds the run in `folder`, in words; "" where nobody does. Makes nothing."""
    if not is_held(folder):
        return ""
    try:
        return str(_busy(folder.name, (folder / LOCK).read_bytes()[:4096]))
    except OSError:
        return ""


def is_held(folder: Path) -> bool:
    """Return whether a factory holds the run in `folder`, without a lock that could disturb one.

    Where it cannot be told, it is taken for held.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(folder / LOCK, flags)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    try:
        found = fcntl.fcntl(handle, _ASK, _record(fcntl.F_WRLCK))
    except OSError:
        return True
    finally:
        os.close(handle)
    return _kind(found) != fcntl.F_UNLCK


def _note(handle: int, content: bytes) -> None:
    """Write who holds the run; a disk that takes no text keeps nobody from holding it."""
    with suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, content, 0)


def _show(handle: int, kind: int) -> None:
    """Set or drop the lock that shows the holder; a disk that knows none shows nobody."""
    with suppress(OSError):
        fcntl.fcntl(handle, _SET, _record(kind))


def _record(kind: int) -> bytes:
    """Return the kernel's `struct flock` for a lock of the whole file."""
    if sys.platform == "darwin":
        return struct.pack("qqihh", 0, 0, 0, kind, os.SEEK_SET)
    return struct.pack("hhqqi0q", kind, os.SEEK_SET, 0, 0, 0)


def _kind(record: bytes) -> int:
    place = 3 if sys.platform == "darwin" else 0
    found: int = struct.unpack("qqihh" if place else "hhqqi0q", record)[place]
    return found


def _opened(folder: Path) -> int:
    """Return the open lock file of a run; raise StorageError for a link, a pipe or a device."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    hint = f"look at {str(folder / LOCK)!r} and its permissions"
    try:
        parent = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            handle = os.open(LOCK, flags, 0o644, dir_fd=parent)
        finally:
            os.close(parent)
    except OSError as error:
        raise_spent(error, f"cannot lock run {str(folder)!r}")
        message = f"cannot lock run {folder.name!r}: {error.strerror}"
        if error.errno in UNWRITABLE:
            raise UnfitHost(
                message, hint="make the runs root writable, or set runs.root"
            ) from error
        raise StorageError(message, hint=hint) from error
    found = os.fstat(handle)
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
        return handle
    os.close(handle)
    raise StorageError(f"cannot lock run {folder.name!r}: its lock is no plain file", hint=hint)


def _busy(run: str, content: bytes) -> RunUnavailable:
    try:
        document = strict_json(content)
    except NotStrictJson:
        document = {}
    said = document if isinstance(document, dict) else {}
    who = f"process {said.get('pid')} ({said.get('command')}, since {said.get('since')})"
    return RunUnavailable(
        f"run {run!r} is held by {who if 'pid' in said else 'another factory'}",
        hint="wait until it ends",
    )
