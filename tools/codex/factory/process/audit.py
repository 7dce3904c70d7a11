"""This process's own writes, watched by the interpreter: outside one folder they are refused.

What the interpreter does not tell, only the kernel decides: a name relative to the open folder of
a caller, in `open`; a file that is open already; system calls made by ctypes; other processes.
"""

import errno
import os
import sys
from collections.abc import Callable, Sequence

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_ALLOWED = (os.devnull,)
# Where the paths of an event stand among what it tells, and the folder that each is relative to.
_PLACES: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.chflags": ((0, None),),
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.link": ((1, 3),),
    "os.mkdir": ((0, 2),),
    "os.remove": ((0, 1),),
    "os.removexattr": ((0, None),),
    "os.rename": ((0, 2), (1, 3)),
    "os.rmdir": ((0, 1),),
    "os.setxattr": ((0, None),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.utime": ((0, 3),),
}
# These follow no link at the end of a path.
_OF_NAMES = ("os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink")


class WriteRefused(PermissionError):
    """A write outside the one folder that may be written; `filename` is where it would have led."""


def keep_within(folder: str, heard: Callable[[WriteRefused], None]) -> None:
    """Refuse every write of this process's own code outside `folder`, for good, and tell of it.

    The error is raised where the write is tried; `heard` has it also where it is caught there.
    """
    real = os.path.realpath(folder)
    inside = f"{real}/"

    def hook(event: str, told: tuple[object, ...]) -> None:
        if event == "open":
            if isinstance(told[2], int) and told[2] & _WRITES:
                check(event, told[0], None)
        elif event in _PLACES:
            for path, parent in _PLACES[event]:
                check(event, told[path], _folder(told, parent))

    def check(event: str, path: object, parent: int | None) -> None:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, str) or path in _ALLOWED:
            # An open file: what it may do was decided when it was opened.
            return
        if parent is None and event == "open" and not os.path.isabs(path):
            # It may be relative to a folder that is not told.
            return
        where = _real(path, parent, follows=event not in _OF_NAMES)
        if where == real or where.startswith(inside) or where in _ALLOWED:
            return
        refused = WriteRefused(errno.EACCES, f"{event} outside {real}", where)
        heard(refused)
        raise refused

    sys.addaudithook(hook)


def _folder(told: Sequence[object], place: int | None) -> int | None:
    """Return the open folder that a path is relative to; None where it is the current one."""
    if place is None or place >= len(told):
        return None
    handle = told[place]
    return handle if isinstance(handle, int) and handle >= 0 else None


def _real(path: str, parent: int | None, *, follows: bool) -> str:
    if parent is not None and not os.path.isabs(path):
        path = os.path.join(f"/proc/self/fd/{parent}", path)
    if follows:
        return os.path.realpath(path)
    above, name = os.path.split(path.rstrip("/"))
    return os.path.normpath(os.path.join(os.path.realpath(above), name))
