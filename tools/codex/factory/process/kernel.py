"""What the kernel offers to confine with, asked by using it."""

import ctypes
import errno
import os
import sys
from pathlib import Path

# The same number on every architecture since Linux 5.11, but for those that add an offset.
_LANDLOCK_CREATE_RULESET = 444
_OFFSET_OF = {"alpha": 110, "mips": 4000, "mips64": 5000}
_ASK_FOR_VERSION = 1


def landlock_version() -> int:
    """Return the version of Landlock's interface; 0 where the kernel has none."""
    return max(_landlock(), 0)


def landlock_is_switched_off() -> bool:
    """Return whether the kernel has Landlock, and was started without it."""
    return _landlock() == -errno.EOPNOTSUPP


def seccomp_mode() -> int | None:
    """Return the seccomp mode of this process (0: none is set); None where there is no seccomp."""
    return _status(b"Seccomp:")


def seccomp_filters() -> int:
    """Return how many filters hold this process already; 0 where the kernel does not say."""
    return _status(b"Seccomp_filters:") or 0


def kernel_setting(name: str) -> int | None:
    """Return a number below /proc/sys; None where the kernel does not have that setting."""
    try:
        return int(Path("/proc/sys", *name.split(".")).read_bytes())
    except (OSError, ValueError):
        return None


def called(number: int, *arguments: object) -> int:
    """Return what a system call answers; raise OSError where it refuses."""
    # Integers go as what the kernel takes them for: a pointer is as wide as a long.
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    answer = int(ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *words))
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return answer


def _status(field: bytes) -> int | None:
    try:
        said = Path("/proc/self/status").read_bytes().split(b"\n")
    except OSError:
        return None
    found = [line for line in said if line.startswith(field)]
    return int(found[0].split()[1]) if found else None


def _landlock() -> int:
    """Return the version, or the negative error number."""
    if sys.platform != "linux":
        return -errno.ENOSYS
    number = _LANDLOCK_CREATE_RULESET + _OFFSET_OF.get(os.uname().machine, 0)
    # Nothing is made or restricted: with this flag the call only says its version.
    answer = ctypes.CDLL(None, use_errno=True).syscall(
        ctypes.c_long(number), None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_FOR_VERSION)
    )
    return int(answer) if answer >= 0 else -ctypes.get_errno()
