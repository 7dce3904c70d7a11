"""Bytes that reach the disk whole or not at all: the one room of storage that writes content."""

import errno
import os
from contextlib import suppress

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def replace_file(parent: int, leaf: str, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file of the open folder `parent` beside, sync it and rename; raise OSError.

    The name is not durable before `sync_folder`: many files are written with one sync.
    """
    beside = f".{leaf}.new"
    # What stands there was left by a killed writer, or planted: a link, or a pipe to hang on.
    with suppress(FileNotFoundError):
        os.unlink(beside, dir_fd=parent)
    handle = os.open(beside, _NEW, mode, dir_fd=parent)
    try:
        _write_whole(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    os.rename(beside, leaf, src_dir_fd=parent, dst_dir_fd=parent)


def sync_folder(parent: int) -> None:
    """Make the names in an open folder durable; raise OSError."""
    os.fsync(parent)


def append_synced(handle: int, content: bytes) -> None:
    """Append with one write, and sync; raise OSError, and then nothing of it is left."""
    before = os.fstat(handle).st_size
    try:
        # A second write of what a full disk did not take could end up behind another's line.
        if os.write(handle, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fdatasync(handle) if hasattr(os, "fdatasync") else os.fsync(handle)
    except OSError:
        os.ftruncate(handle, before)
        raise


def shorten(handle: int, size: int) -> None:
    """Cut an open file down to `size` bytes, and sync; raise OSError."""
    os.ftruncate(handle, size)
    os.fsync(handle)


def _write_whole(handle: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]
