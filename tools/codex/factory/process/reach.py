"""What path a call of a stranger's process names: out of its memory, links on the way resolved.

Nothing here is to be decided by: the process may change its mind, and what lies there, meanwhile.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tools.codex.factory.domain.trespass import MOST_PATH

_PAGE = 4096
# The upper bits may be a tag that the processor leaves out.
_ADDRESS = (1 << 56) - 1
_WORKING_DIRECTORY = -100
_MOST_LINKS = 40
_MOST_PARTS = 256
_DELETED = " (deleted)"
_OWN = re.compile(r"/proc/(?:thread-)?self/(.+)", re.DOTALL)
_THEMSELVES = ("/proc/self", "/proc/thread-self")


class MemoryRefused(Exception):
    """The kernel does not let this process read what the call points to."""


class Reach:
    """One process, as /proc shows it. Every call may raise OSError: it may be gone."""

    def __init__(self, task: int, root: int, memory: int) -> None:
        self._proc = f"/proc/{task}"
        self._root = root
        self._memory = memory

    def number(self, pointer: int) -> int:
        """Return the number of 64 bits that lies in its memory."""
        return int.from_bytes(os.pread(self._memory, 8, pointer & _ADDRESS), "little")

    def path(self, pointer: int, folder: int | None, *, follows: bool) -> str | None:
        """Return the absolute path that a call means; None where it means none.

        `folder` is the number of an open folder, None for the working directory.
        """
        said = self._text(pointer) if pointer else ""
        if said is None:
            return None
        handle = None if folder is None else _signed(folder)
        if said == "" and (handle is None or handle < 0):
            return None
        if not said.startswith("/"):
            begin = self._begin(handle)
            if begin is None:
                return None
            said = f"{begin}/{said}" if said else begin
        chroot = os.readlink(f"{self._proc}/root")
        if chroot != "/":
            return os.path.normpath(f"{chroot}/{said}")[:MOST_PATH]
        return self._resolved(said.rstrip("/"), follows=follows)

    def has(self, path: str) -> bool:
        """Return whether something lies at `path`, as the process sees it."""
        try:
            os.stat(path.lstrip("/") or ".", dir_fd=self._root, follow_symlinks=False)
        except OSError as error:
            return error.errno not in (errno.ENOENT, errno.ENOTDIR)
        return True

    def _text(self, pointer: int) -> str | None:
        """Return the text at `pointer`; None where it is longer than a path may be."""
        begin = pointer & _ADDRESS
        said = os.pread(self._memory, _PAGE - begin % _PAGE, begin)
        if b"\0" not in said and len(said) < MOST_PATH:
            # What is behind the end of a page may not be there, nor need it.
            said += os.pread(self._memory, MOST_PATH - len(said), begin + len(said))
        text, end, _ = said.partition(b"\0")
        return os.fsdecode(text) if end else None

    def _begin(self, handle: int | None) -> str | None:
        """Return the path of what a relative path begins at."""
        name = "cwd" if handle in (None, _WORKING_DIRECTORY) else f"fd/{handle}"
        return _file_named(os.readlink(f"{self._proc}/{name}"))

    def _resolved(self, path: str, *, follows: bool) -> str | None:
        waiting = path.split("/")[::-1]
        at, links, parts = "", 0, 0
        while waiting:
            part = waiting.pop()
            if part in ("", "."):
                continue
            if part == "..":
                at = at.rpartition("/")[0]
                continue
            at = f"{at}/{part}"
            parts += 1
            if parts > _MOST_PARTS or not (waiting or follows):
                continue
            target = self._link(at)
            if target is not None:
                links += 1
                if links > _MOST_LINKS:
                    return None
                at = "" if target.startswith("/") else at.rpartition("/")[0]
                waiting += target.split("/")[::-1]
        return at[:MOST_PATH] or "/"

    def _link(self, at: str) -> str | None:
        """Return what the link at `at` says; None where none is."""
        if at in _THEMSELVES:
            return None
        if at == self._proc:
            return "self"
        with suppress(OSError):
            if own := _OWN.fullmatch(at):
                return _file_named(os.readlink(f"{self._proc}/{own[1]}"))
            return os.readlink(at[1:], dir_fd=self._root)
        return None


@contextmanager
def reach(task: int) -> Iterator[Reach]:
    """Yield the process of a thread; raise OSError where it is gone, MemoryRefused."""
    try:
        memory = os.open(f"/proc/{task}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError as error:
        raise MemoryRefused from error
    try:
        root = os.open(f"/proc/{task}/root", os.O_PATH | os.O_CLOEXEC)
        try:
            yield Reach(task, root, memory)
        finally:
            os.close(root)
    finally:
        os.close(memory)


def program_of(task: int) -> tuple[str, tuple[int, int]]:
    """Return the file that a process runs: its name, and its device and inode."""
    path = f"/proc/{task}/exe"
    there = os.stat(path)
    name = os.readlink(path).removesuffix(_DELETED).rpartition("/")[2]
    return name, (there.st_dev, there.st_ino)


def is_ours(task: int) -> bool:
    """Return whether a thread is one of this very process."""
    return os.path.exists(f"/proc/self/task/{task}")


def _signed(argument: int) -> int:
    low = argument & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low


def _file_named(link: str) -> str | None:
    """Return the path that /proc shows of an open file; None for what has none, like a pipe."""
    if not link.startswith("/") or link.startswith("/memfd:"):
        return None
    return link.removesuffix(_DELETED)
