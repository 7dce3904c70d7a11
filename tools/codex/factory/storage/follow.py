"""The ledger followed: one run from its newest begin, then what is new, and nothing twice."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.codex.factory.domain.event import EventType, LedgerLine
from tools.codex.factory.domain.identity import digest_of
from tools.codex.factory.errors import LedgerDamaged, StorageError
from tools.codex.factory.storage.backward import LONGEST, NEAR_END, backwards, line_start, too_long
from tools.codex.factory.storage.ledger import LEDGER
from tools.codex.factory.storage.line import (
    begins,
    glanced_line,
    lines_of_run,
    parsed_line,
    size_of,
)

_BLOCK = 1 << 22


class Followed:
    """One run in an open ledger, read to its last whole line. Only reads, and takes no lock."""

    def __init__(self, file: Path, handle: int, run: str | None) -> None:
        """Read back to where `run` began, or the newest run where that is None."""
        self._file = file
        self._handle = handle
        self._last: tuple[int, str] | None = None
        """How many lines were before the last that was read, and its digest."""
        self.begun = self._back_to_begin(run)
        """The lines of the run that are there already, oldest first; none where it is unknown."""
        self.run = self.begun[0].run_id if self.begun else ""

    def more(self) -> list[LedgerLine]:
        """Return the lines of the run that are new. A line that is half written is waited for.

        Raises StorageError where the file is another or shorter, LedgerDamaged for a bad line.
        """
        found = (self._next(raw) for raw in self._whole_lines(self._size()))
        return [line for line in found if line is not None]

    def _whole_lines(self, size: int) -> Iterator[bytes]:
        """Yield each new line up to `size` that is ended."""
        begun = b""
        at = self._position
        while at < size:
            content = os.pread(self._handle, min(_BLOCK, size - at), at)
            if not content:
                return
            at += len(content)
            *whole, begun = (begun + content).split(b"\n")
            yield from whole
            if len(begun) > LONGEST:
                raise too_long(NEAR_END)

    def _size(self) -> int:
        """Return how long the file is now."""
        found = os.fstat(self._handle)
        hint = "watch again: what is there now is read from its begin"
        try:
            named = os.stat(self._file)
        except OSError as error:
            raise StorageError(f"{LEDGER} is gone: {error.strerror}", hint=hint) from error
        if (named.st_dev, named.st_ino) != (found.st_dev, found.st_ino):
            raise StorageError(f"{LEDGER} was replaced while it was read", hint=hint)
        # A torn line may go again: it was not read yet.
        if found.st_size < self._position:
            raise StorageError(f"{LEDGER} became shorter while it was read", hint=hint)
        return found.st_size

    def _next(self, raw: bytes) -> LedgerLine | None:
        """Read a line that follows; return it where it is one of the run."""
        line = glanced_line(raw, NEAR_END)
        if self._last is not None and (line.seq - 1, line.prev) != self._last:
            where = f"ledger line {self._last[0] + 2}"
            raise LedgerDamaged(where, "it does not follow from the line before it")
        self._last = (line.seq, digest_of(raw))
        self._position += len(raw) + 1
        return parsed_line(raw, NEAR_END) if line.run_id == self.run else None

    def _back_to_begin(self, run: str | None) -> list[LedgerLine]:
        """Return the run's lines from its newest RUN_START on, each held to the line after it."""
        # What is appended meanwhile is new: it comes with `more`.
        self._position = line_start(self._handle, size_of(self._handle))
        last = next(backwards(self._handle, self._position), None)
        if last is None:
            return []
        self._last = (glanced_line(last, NEAR_END).seq, digest_of(last))
        if run is None:
            run, _ = next(begins(self._handle, self._position), (None, 0))
        found: list[LedgerLine] = []
        for line in lines_of_run(self._handle, self._position, run) if run is not None else ():
            found.append(line)
            if line.event_type == EventType.RUN_START:
                break
        return found[::-1]


@contextmanager
def followed_run(file: Path, run: str | None) -> Iterator[Followed | None]:
    """Yield `run`, or the newest, as the ledger in `file` has it; None where there is no ledger."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise StorageError(
            f"cannot read {str(file)!r}: {error.strerror}", hint="look at its permissions"
        ) from error
    try:
        yield Followed(file, handle, run)
    finally:
        os.close(handle)
