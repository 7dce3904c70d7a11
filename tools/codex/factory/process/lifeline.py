"""How a process of ours learns that it must stop: whoever started it is gone, or says so."""

import os
import select
import signal
from contextlib import suppress
from types import FrameType

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Lifeline:
    """The reading end of a pipe that ends with its other owner, and the signals that mean stop."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._cut = False
        self._awake, asleep = os.pipe()
        for end in (self._handle, self._awake, asleep):
            os.set_blocking(end, False)
        for stop in _STOPS:
            signal.signal(stop, self._told)
        # Only so does a signal end a wait that began just before it.
        signal.set_wakeup_fd(asleep, warn_on_full_buffer=False)

    @property
    def handles(self) -> tuple[int, int]:
        """Return what to wait on beside other things: readable once there is news."""
        return (self._handle, self._awake)

    def word(self) -> bytes:
        """Wait for what the other end says, and return it; b"" once it is time to stop."""
        while not self._cut:
            select.select(self.handles, [], [])
            with suppress(BlockingIOError):
                said = os.read(self._handle, 4096)
                self._cut = said == b""
                return said
            self.is_cut()
        return b""

    def is_cut(self) -> bool:
        """Return whether it is time to stop."""
        if not self._cut:
            with suppress(BlockingIOError):
                self._cut = os.read(self._handle, 4096) == b""
        with suppress(BlockingIOError):
            os.read(self._awake, 4096)
        return self._cut

    def _told(self, _number: int, _frame: FrameType | None) -> None:
        self._cut = True


def is_over(handle: int) -> bool:
    """Return whether nobody holds the other end of a pipe any more, whatever it still holds."""
    asked = select.poll()
    asked.register(handle, 0)
    return any(said & select.POLLHUP for _, said in asked.poll(0))


def first_line(handle: int) -> bytes:
    """Return one line, unbuffered: what is read beyond it would be lost to the lifeline."""
    said = b""
    while not said.endswith(b"\n"):
        more = os.read(handle, 1 << 16)
        if not more:
            return b""
        said += more
    return said
