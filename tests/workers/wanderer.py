"""The integrator, whose own code tries to write outside while it waits for a word."""

import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from tools.codex.factory.host import take_host
from tools.codex.factory.pipelines.integrator import serve


class _Wandering(io.RawIOBase):
    """A pipe that writes a file outside before it says each line but the first."""

    def __init__(self, handle: int, outside: Path, *, is_caught: bool) -> None:
        self._lines = os.fdopen(handle, "rb", buffering=0)
        self._outside = outside
        self._is_caught = is_caught
        self._first = True

    def fileno(self) -> int:
        return self._lines.fileno()

    def readline(self, size: int | None = -1, /) -> bytes:
        line = self._lines.readline()
        if self._first:
            self._first = False
            return line
        if not self._is_caught:
            self._outside.write_text("out")
        with suppress(OSError):
            self._outside.write_text("out")
        return line


def main() -> int:
    """Be the integrator; `argv` names the file outside, and whether the refusal is caught."""
    hear: Any = _Wandering(0, Path(sys.argv[1]), is_caught=sys.argv[2] == "caught")
    return serve(take_host(), hear, sys.stdout.buffer)


if __name__ == "__main__":
    raise SystemExit(main())
