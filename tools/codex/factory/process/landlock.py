"""Landlock: a ruleset made of values, and the calling thread held to it."""

import ctypes
import errno
import os
import stat
import struct
import sys
from collections.abc import Iterator

from tools.codex.factory.process.kernel import called
from tools.codex.factory.process.rules import FileRules

# The same numbers on every architecture since Linux 5.11, but for those that add an offset.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_OFFSET_OF = {"alpha": 110, "mips": 4000, "mips64": 5000}
_ASK_FOR_VERSION = 1
_PATH_BENEATH = 1
# How many rights on files each version of the interface knows: 1, 2, 3, 4, 5 and later.
_KNOWN = (13, 14, 15, 15, 16)
_NETWORK_SINCE, _SCOPES_SINCE = 4, 6
# What may be granted on a file that is no folder: execute, write, read, truncate, ioctl.
_ON_FILES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
READ = 1 << 0 | 1 << 2 | 1 << 3
"""Rights to execute, to read a file, to list a folder."""


def landlock_version() -> int:
    """Return the version of Landlock's interface; 0 where the kernel has none."""
    return max(_version(), 0)


def landlock_is_switched_off() -> bool:
    """Return whether the kernel has Landlock, and was started without it."""
    return _version() == -errno.EOPNOTSUPP


def is_known(rules: FileRules) -> bool:
    """Return whether this kernel can be asked for `rules`: scopes alone are newer than the rest."""
    only_scopes = not (rules.handled or rules.hidden or rules.network)
    return not only_scopes or landlock_version() >= _SCOPES_SINCE


def ruleset(rules: FileRules) -> int:
    """Return the open file of a ruleset; raise OSError where the kernel has no Landlock."""
    version = landlock_version()
    known = (1 << _KNOWN[min(version, len(_KNOWN)) - 1]) - 1
    handled = (rules.handled | (READ if rules.hidden else 0)) & known
    attributes = struct.pack("=QQQ", handled, rules.network, rules.scopes)
    size = 24 if version >= _SCOPES_SINCE else 16 if version >= _NETWORK_SINCE else 8
    handle = called(_number(_CREATE), attributes[:size], size, 0)
    try:
        for path, rights in _granted(rules):
            _grant(handle, path, rights & handled)
    except BaseException:
        os.close(handle)
        raise
    return handle


def restrict(handle: int) -> None:
    """Hold the calling thread, and all that it starts, to a ruleset for good."""
    called(_number(_RESTRICT), handle, 0)


def _number(call: int) -> int:
    return call + _OFFSET_OF.get(os.uname().machine, 0)


def _version() -> int:
    """Return the version, or the negative error number."""
    if sys.platform != "linux":
        return -errno.ENOSYS
    try:
        # Nothing is made or restricted: with this flag the call only says its version.
        return called(_number(_CREATE), None, 0, _ASK_FOR_VERSION)
    except OSError as error:
        return -(error.errno or errno.ENOSYS)


def _granted(rules: FileRules) -> Iterator[tuple[str, int]]:
    """Yield each path with its rights: a right on a folder holds for all below it."""
    for path, rights in rules.allowed:
        if not any(one.startswith(f"{path}/") for one in rules.hidden):
            yield path, rights
            continue
        # Something below it is hidden, and the inner one decides.
        yield path, rights & ~READ
        if rights & READ:
            yield from _shown(path, rules.hidden)
    if rules.hidden:
        yield from _shown("/", rules.hidden)


def _shown(top: str, hidden: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Yield what of `top` may be read: all but the hidden.

    What lies beside something hidden is granted by itself, and is there when this is asked; the
    folders above can be passed through, and not listed.
    """
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        if folder in hidden:
            continue
        begin = f"{folder.rstrip('/')}/"
        if not any(path.startswith(begin) for path in hidden):
            yield folder, READ
            continue
        try:
            waiting += [begin + name for name in os.listdir(folder)]
        except OSError:
            # What we cannot list, or is gone, needs no right.
            continue


def _grant(ruleset: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        kind = os.fstat(handle).st_mode
        if stat.S_ISLNK(kind):
            # It leads where other rules decide.
            return
        if not stat.S_ISDIR(kind):
            rights &= _ON_FILES
        if rights:
            attributes = struct.pack("=Qi", rights, handle)
            called(_number(_ADD), ruleset, _PATH_BENEATH, ctypes.c_char_p(attributes), 0)
    finally:
        os.close(handle)
