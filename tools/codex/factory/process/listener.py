"""How the kernel tells one process of the calls of another, and lets these go on."""

import ctypes
import errno
import os
import select
import struct
from dataclasses import dataclass

# asm/unistd.h
_SECCOMP = {"x86_64": 317, "aarch64": 277}
# linux/seccomp.h, linux/prctl.h
_SET_FILTER = 1
_TSYNC_ESRCH, _NEW_LISTENER, _WAIT_KILLABLE = 1 << 4, 1 << 3, 1 << 5
_NO_NEW_PRIVILEGES = 38
_RECEIVE, _SEND, _IS_VALID = 0xC0502100, 0xC0182101, 0x40082102
_CONTINUE = 1
_NOTICE = struct.Struct("=QIIiIQ6Q")
_LINE_BYTES = 8
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ioctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p)
_LIBC.syscall.restype = ctypes.c_long
_WHY_NOT = {
    errno.EBUSY: "another program observes these processes already",
    errno.EINVAL: "the kernel does not report calls (Linux 5.7 or newer does)",
    errno.ENOSYS: "the kernel has no seccomp",
}


@dataclass(frozen=True, slots=True)
class Listening:
    """Where calls are reported; or no handle, and the reason."""

    handle: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One call that waits for an answer. `task` is its thread."""

    key: int
    task: int
    number: int
    arguments: tuple[int, ...]


def listening(program: bytes) -> Listening:
    """Have the calls of this thread, and of all that it starts, reported as `program` says.

    It cannot be taken back. From now on somebody must answer: this thread itself waits too.
    """
    number = _SECCOMP.get(os.uname().machine)
    if number is None:
        return Listening(None, "not on this architecture")
    # Kernels before 5.5 cannot let a call go on; the flag is of 5.7.
    if not _is_known(number, _TSYNC_ESRCH):
        return Listening(None, _WHY_NOT[errno.EINVAL])
    flags = _NEW_LISTENER
    if _is_known(number, _NEW_LISTENER | _WAIT_KILLABLE):
        # Without it a signal would begin a call anew that was told of already.
        flags |= _WAIT_KILLABLE
    if _LIBC.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return Listening(None, f"privileges cannot be given up: {os.strerror(ctypes.get_errno())}")
    lines = ctypes.create_string_buffer(program, len(program))
    said = struct.pack("@HP", len(program) // _LINE_BYTES, ctypes.addressof(lines))
    handle = _LIBC.syscall(
        ctypes.c_long(number), ctypes.c_uint(_SET_FILTER), ctypes.c_uint(flags), said
    )
    if handle < 0:
        return Listening(None, _reason(ctypes.get_errno()))
    return Listening(handle)


class Notices:
    """The calls that wait, one after the other."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._poll = select.poll()
        self._poll.register(handle, select.POLLIN)
        self._notice = ctypes.create_string_buffer(_NOTICE.size)

    def fileno(self) -> int:
        """Return what becomes readable once a call waits."""
        return self._handle

    def state(self) -> tuple[bool, bool]:
        """Return whether a call waits, and whether nobody is left who could make one."""
        events = sum(event for _, event in self._poll.poll(0))
        return bool(events & select.POLLIN), bool(events & select.POLLHUP)

    def next(self) -> Notice | None:
        """Return the next call of those that wait; None where its process is gone meanwhile."""
        ctypes.memset(self._notice, 0, _NOTICE.size)
        if _LIBC.ioctl(self._handle, _RECEIVE, self._notice) != 0:
            return None
        key, task, _, number, _, _, *arguments = _NOTICE.unpack(self._notice.raw)
        return Notice(key, task, number, tuple(arguments))

    def is_waiting(self, notice: Notice) -> bool:
        """Return whether the call still waits: so what was read is of its own process."""
        key = ctypes.c_uint64(notice.key)
        return bool(_LIBC.ioctl(self._handle, _IS_VALID, ctypes.byref(key)) == 0)

    def let_go_on(self, notice: Notice) -> None:
        """Let the kernel do what it would have done."""
        answer = struct.pack("=QqiI", notice.key, 0, 0, _CONTINUE)
        while _LIBC.ioctl(self._handle, _SEND, answer) != 0:
            # Whoever was killed meanwhile waits for no answer.
            if ctypes.get_errno() != errno.EINTR:
                return

    def close(self) -> None:
        """Hear no more. A call that would be told of fails from now on."""
        os.close(self._handle)


def _is_known(number: int, flags: int) -> bool:
    """Return whether the kernel knows `flags`: only then it looks at the program, which is none."""
    answer = _LIBC.syscall(
        ctypes.c_long(number), ctypes.c_uint(_SET_FILTER), ctypes.c_uint(flags), None
    )
    return answer < 0 and ctypes.get_errno() == errno.EFAULT


def _reason(error: int) -> str:
    return _WHY_NOT.get(error, f"the kernel refuses: {os.strerror(error)}")
