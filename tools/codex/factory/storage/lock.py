"""One factory at a time holds a run; a dead holder holds nothing."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.codex.factory.domain.document import NotStrictJson, canonical, strict_json
from tools.codex.factory.errors import RunUnavailable, StorageError

LOCK = ".lock"


@contextmanager
def held(folder: Path, *, holder: dict[str, object]) -> Iterator[None]:
    """Hold the run in `folder`; raise RunUnavailable naming the holder where another has it.

    The kernel's lock on the open file is the truth; the text in it is for people.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(folder / LOCK, flags, 0o644)
    except OSError as error:
        raise StorageError(
            f"cannot lock run {folder.name!r}: {error.strerror}",
            hint=f"look at {str(folder / LOCK)!r} and its permissions",
        ) from error
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
        os.close(handle)


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
