"""How the kernel tells one process of the calls of another, and lets these go on."""

import ctypes
import errno
import os
import select
import struct
import threading
from dataclasses import dataclass

from tools.codex.factory.process.seccomp import (
    forgo_new_privileges,
    install,
    is_reachable,
    knows,
)

# linux/seccomp.h
_TSYNC_ESRCH, _NEW_LISTENER, _WAIT_KILLABLE = 1 << 4, 1 << 3, 1 << 5
_RECEIVE, _SEND, _IS_VALID = 0xC0502100, 0xC0182101, 0x40082102
_CONTINUE = 1
_LETS_ALL_THROUGH = struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)
_NOTICE = struct.Struct("=QIIiIQ6Q")
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ioctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p)
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
    if not is_reachable():
        return Listening(None, "not on this architecture")
    # Kernels before 5.5 cannot let a call go on; the flag is of 5.7.
    if not knows(_TSYNC_ESRCH):
        return Listening(None, _WHY_NOT[errno.EINVAL])
    flags = _NEW_LISTENER
    if knows(_NEW_LISTENER | _WAIT_KILLABLE):
        # Without it a signal would begin a call anew that was told of already.
        flags |= _WAIT_KILLABLE
    try:
        forgo_new_privileges()
        return Listening(install(program, flags))
    except OSError as error:
        return Listening(
            None, _WHY_NOT.get(error.errno or 0, f"the kernel refuses: {error.strerror}")
        )


def why_not_listening() -> str:
    """Return why the kernel reports no calls here; "" where it does.

    A thread of its own is held to a program that lets all through and reports nothing.
    """
    heard: list[Listening] = []
    asking = threading.Thread(target=lambda: heard.append(listening(_LETS_ALL_THROUGH)))
    asking.start()
    asking.join()
    if heard[0].handle is not None:
        os.close(heard[0].handle)
    return heard[0].reason


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
