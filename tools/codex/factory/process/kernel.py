"""What the kernel says of itself and of this process, and how it is called."""

import ctypes
import os
from pathlib import Path


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


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process or thread; raise OSError where the kernel refuses."""
    if ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _status(field: bytes) -> int | None:
    try:
        said = Path("/proc/self/status").read_bytes().split(b"\n")
    except OSError:
        return None
    found = [line for line in said if line.startswith(field)]
    return int(found[0].split()[1]) if found else None
