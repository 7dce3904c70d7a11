"""One factory at a time holds a run; a dead holder holds nothing."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.codex.factory.domain.document import NotStrictJson, canonical, strict_json
from tools.codex.factory.errors import RunUnavailable, StorageError
from tools.codex.factory.storage.flock import is_locked

LOCK = ".lock"


@contextmanager
def held(folder: Path, *, holder: dict[str, object]) -> Iterator[None]:
    """Hold the run in `folder`; raise RunUnavailable naming the holder where another has it.

    The kernel's lock on the open file is the truth; the text in it is for people.
    """
    handle = _opened(folder)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(folder.name, os.pread(handle, 4096, 0)) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, canonical(holder), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        # Closing is not enough: a child between fork and exec still has the open file.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def holder_of(folder: Path) -> str:
    """Return who holds the run in `folder`, in words; "" where nobody does. Makes nothing."""
    path = folder / LOCK
    try:
        said = path.read_bytes()[:4096]
    except OSError:
        return ""
    # Let go, the file is empty: then it is not tried, so that nobody finds it busy by us.
    return str(_busy(folder.name, said)) if said and is_locked(path) else ""


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
        raise StorageError(
            f"cannot lock run {folder.name!r}: {error.strerror}", hint=hint
        ) from error
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
