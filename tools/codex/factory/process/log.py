"""A log with a cap: all of it while it is short, its begin and its end where it is not."""

import os
from pathlib import Path


class CappedLog:
    """A new file that takes at most `most_bytes`, and the last quarter of that beside."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._handle = os.open(path, flags, 0o600)
        self._left = most_bytes
        self._tail = bytearray()
        self._most_tail = max(1, most_bytes // 4)
        self._dropped = 0

    @property
    def truncated(self) -> bool:
        """Return whether something was left out."""
        return self._dropped > 0 or len(self._tail) > self._most_tail

    def add(self, content: bytes) -> None:
        """Take what was said; the middle of a flood is dropped."""
        head, rest = content[: self._left], content[self._left :]
        self._left -= len(head)
        self._write(head)
        self._tail += rest
        if len(self._tail) > 2 * self._most_tail:
            self._trim()

    def close(self) -> None:
        """Write the end of a flood, after a line that says how much is missing."""
        self._trim()
        if self._dropped:
            self._write(f"\n[factory: {self._dropped} bytes are left out here]\n".encode())
        self._write(bytes(self._tail))
        os.close(self._handle)

    def _trim(self) -> None:
        over = len(self._tail) - self._most_tail
        if over > 0:
            self._dropped += over
            del self._tail[:over]

    def _write(self, content: bytes) -> None:
        view = memoryview(content)
        try:
            while view:
                view = view[os.write(self._handle, view) :]
        except OSError:
            # A full disk must not keep us from ending, and capturing, who filled it.
            self._dropped += len(view)
