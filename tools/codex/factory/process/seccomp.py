"""seccomp: the calling thread, and all that it starts, held to a program of system calls."""

import ctypes
import errno
import os
import struct

from tools.codex.factory.process.kernel import called, prctl

# seccomp(2) by machine. linux/seccomp.h, linux/prctl.h
_CALL = {"x86_64": 317, "aarch64": 277}
_SET_FILTER = 1
_NO_NEW_PRIVILEGES = 38
_LINE_BYTES = 8


def is_reachable() -> bool:
    """Return whether the number of the call is known on this machine."""
    return os.uname().machine in _CALL


def knows(flags: int) -> bool:
    """Return whether the kernel knows `flags`: only then it looks at the program, which is none."""
    try:
        called(_CALL[os.uname().machine], _SET_FILTER, flags, None)
    except OSError as error:
        return error.errno == errno.EFAULT
    return False


def forgo_new_privileges() -> None:
    """Let nothing that this thread starts gain rights, as a setuid program would."""
    prctl(_NO_NEW_PRIVILEGES, 1)


def install(program: bytes, flags: int = 0) -> int:
    """Hold this thread to a seccomp program; return what the call says (0, or an open file)."""
    lines = ctypes.create_string_buffer(program, len(program))
    said = struct.pack("@HP", len(program) // _LINE_BYTES, ctypes.addressof(lines))
    return called(_CALL[os.uname().machine], _SET_FILTER, flags, ctypes.c_char_p(said))
