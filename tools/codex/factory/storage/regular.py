"""One plain file read whole, and nothing else: no link, pipe, device, nor one that changes."""

import errno
import os
import stat
from pathlib import Path

from tools.codex.factory.errors import StorageError, raise_spent


def read_regular(path: str | Path, *, limit: int, parent: int | None = None) -> bytes:
    """Return the content of a regular file with one name, at most `limit` bytes.

    Raises FileNotFoundError, or StorageError for a link, a device, a FIFO, a hard link, a file
    that is too large or that grows while it is read.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, dir_fd=parent)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise_spent(error, f"cannot open {str(path)!r}")
        reason = "a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise NotARegularFile(f"{path}: {reason}", hint="put a regular file there") from error
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise NotARegularFile(f"{path}: not a regular file", hint="put a regular file there")
        if found.st_nlink > 1:
            raise NotARegularFile(f"{path}: a hard link to another file", hint="put a copy there")
        if found.st_size > limit:
            raise TooLarge(
                f"{path}: {found.st_size} bytes, more than the {limit} allowed",
                hint="make it smaller; `factory config show` lists the limits that can be raised",
            )
        with open(handle, "rb", closefd=False) as file:
            content = file.read(found.st_size + 1)
        if len(content) != found.st_size:
            raise NotARegularFile(f"{path}: it changes while it is read", hint="try again")
        return content
    finally:
        os.close(handle)


class NotARegularFile(StorageError):
    """What should be a plain file is a link, a device, a pipe, or is being written."""


class TooLarge(StorageError):
    """A file holds more bytes than allowed."""
