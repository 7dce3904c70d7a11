"""The ledger followed: one run from its newest begin, then what is new, and nothing twice."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.codex.factory.domain.event import EventType, LedgerLine
from tools.codex.factory.domain.identity import digest_of
from tools.codex.factory.errors import LedgerDamaged, StorageError
from tools.codex.factory.storage.ledger import LEDGER, backwards, line_start, parsed_line

_WHERE = "a line near the end of the ledger"


class Followed:
    """One run in an open ledger, read to its last whole line. Only reads, and takes no lock."""

    def __init__(self, file: Path, handle: int, run: str | None) -> None:
        """Read back to where `run` began, or the newest run where that is None."""
        self._file = file
        self._handle = handle
        self._last: tuple[LedgerLine, bytes] | None = None
        self.begun = self._back_to_begin(run)
        """The lines of the run that are there already, oldest first; none where it is unknown."""
        self.run = self.begun[0].run_id if self.begun else ""

    def more(self) -> list[LedgerLine]:
        """Return the lines of the run that are new. A line that is half written is waited for.

        Raises StorageError where the file is another or shorter, LedgerDamaged for a bad line.
        """
        size = self._size()
        content = os.pread(self._handle, size - self._position, self._position)
        whole = content.split(b"\n")[:-1]
        return [line for line in map(self._next, whole) if line.run_id == self.run]

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

    def _next(self, raw: bytes) -> LedgerLine:
        line = parsed_line(raw, _WHERE)
        if self._last is not None:
            before, content = self._last
            if line.seq != before.seq + 1 or line.prev != digest_of(content):
                where = f"ledger line {before.seq + 2}"
                raise LedgerDamaged(where, "it does not follow from the line before it")
        self._last = (line, raw)
        self._position += len(raw) + 1
        return line

    def _back_to_begin(self, run: str | None) -> list[LedgerLine]:
        """Return the run's lines from its newest RUN_START on; the chain is verified so far."""
        # What is appended meanwhile is new: it comes with `more`.
        self._position = line_start(self._handle, os.fstat(self._handle).st_size)
        self._last = None
        found: list[LedgerLine] = []
        after: LedgerLine | None = None
        for raw in backwards(self._handle, self._position):
            line = parsed_line(raw, _WHERE)
            if after is not None and after.prev != digest_of(raw):
                where = f"ledger line {after.seq + 1}"
                raise LedgerDamaged(where, "it does not follow from the line before it")
            self._last, after = self._last or (line, raw), line
            begins = line.event_type == EventType.RUN_START
            if run is None and begins:
                return self._back_to_begin(line.run_id)
            if line.run_id == run:
                found.append(line)
                if begins:
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
