"""Append, read and verify the ledger: one JSONL file, each line holding the digest of the last."""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from tools.codex.factory.domain.artifact import LedgerHead
from tools.codex.factory.domain.event import (
    FIRST_PREV,
    Event,
    EventType,
    LedgerLine,
    line_of,
    next_moment,
)
from tools.codex.factory.domain.identity import Digest, digest_of
from tools.codex.factory.errors import LedgerDamaged, StorageError

LEDGER = "factory_ledger.jsonl"
LOCK = "factory_ledger.lock"
TORN = "factory_ledger.torn"
_CHUNK = 1 << 16


class Ledger:
    """The append-only record of every run below one runs root."""

    def __init__(self, root: Path, clock: Callable[[], datetime]) -> None:
        self._root = root
        self._clock = clock
        self.file = root / LEDGER

    def append(self, events: Sequence[Event]) -> list[LedgerLine]:
        """Append events with one write and sync them; the cost does not grow with the ledger.

        A torn last line (power loss) is set aside first, and that is recorded.
        """
        with self._locked() as handle:
            torn = self._set_torn_tail_aside(handle)
            wanted = [*torn, *events]
            last = _last_line(handle)
            seq, stamp = (last[0].seq + 1, last[0].ts_utc) if last else (0, None)
            prev = digest_of(last[1]) if last else FIRST_PREV
            lines: list[LedgerLine] = []
            out = bytearray()
            for event in wanted:
                at = next_moment(self._clock(), stamp)
                line, content = line_of(event, seq=seq, at=at, prev=prev)
                lines.append(line)
                out += content
                seq, stamp, prev = seq + 1, line.ts_utc, digest_of(content[:-1])
            _write_whole(handle, bytes(out))
            return lines[len(torn) :]

    def head(self) -> LedgerHead:
        """Return how many lines there are, and the digest of the last."""
        try:
            handle = os.open(self.file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return LedgerHead(count=0, sha256=FIRST_PREV)
        try:
            last = _last_line(handle)
        finally:
            os.close(handle)
        if last is None:
            return LedgerHead(count=0, sha256=FIRST_PREV)
        return LedgerHead(count=last[0].seq + 1, sha256=digest_of(last[1]))

    def lines(self) -> Iterator[LedgerLine]:
        """Yield every line, the chain verified; raise LedgerDamaged naming the first bad one.

        A last line without its newline is being written, or torn: it is not yielded.
        """
        prev: Digest = FIRST_PREV
        with suppress(FileNotFoundError), self.file.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if not raw.endswith(b"\n"):
                    return
                line = _parsed(raw[:-1], f"ledger line {number}")
                if line.seq != number - 1:
                    raise LedgerDamaged(
                        f"ledger line {number}", f"seq is {line.seq}, not {number - 1}"
                    )
                if line.prev != prev:
                    raise LedgerDamaged(
                        f"ledger line {number - 1}", "it is not the line that was written"
                    )
                prev = digest_of(raw[:-1])
                yield line

    def recent(self) -> Iterator[LedgerLine]:
        """Yield the lines newest first, reading the file backwards and no more than asked for."""
        try:
            handle = os.open(self.file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            for raw in _backwards(handle):
                yield _parsed(raw, "a line near the end of the ledger")
        finally:
            os.close(handle)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Yield the open ledger while no other process appends to it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            lock = os.open(self._root / LOCK, flags, 0o644)
        except OSError as error:
            raise StorageError(
                f"cannot write {str(self._root / LOCK)!r}: {error.strerror}",
                hint="look at permissions and free space, or set runs.root",
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            handle = os.open(self.file, flags | os.O_APPEND, 0o644)
            try:
                yield handle
            finally:
                os.close(handle)
        finally:
            os.close(lock)

    def _set_torn_tail_aside(self, handle: int) -> list[Event]:
        size = os.fstat(handle).st_size
        if size == 0 or os.pread(handle, 1, size - 1) == b"\n":
            return []
        start = _line_start(handle, size)
        fragment = os.pread(handle, size - start, start)
        with (self._root / TORN).open("ab") as aside:
            aside.write(b"offset %d\n" % start + fragment + b"\n")
            aside.flush()
            os.fsync(aside.fileno())
        os.ftruncate(handle, start)
        os.fsync(handle)
        said = {"offset": str(start), "bytes": str(len(fragment)), "kept_in": TORN}
        repaired = EventType.LEDGER_REPAIRED
        return [Event(run_id="", event_type=repaired, actor="factory", details=said)]


def _write_whole(handle: int, content: bytes) -> None:
    before = os.fstat(handle).st_size
    try:
        written = os.write(handle, content)
        os.fdatasync(handle) if hasattr(os, "fdatasync") else os.fsync(handle)
    except OSError as error:
        os.ftruncate(handle, before)
        raise StorageError(
            f"cannot append to the ledger: {error.strerror}", hint="look at free space"
        ) from error
    if written != len(content):
        os.ftruncate(handle, before)
        raise StorageError("cannot append to the ledger: the disk is full", hint="make room")


def _last_line(handle: int) -> tuple[LedgerLine, bytes] | None:
    raw = next(_backwards(handle), None)
    return (_parsed(raw, "a line near the end of the ledger"), raw) if raw is not None else None


def _backwards(handle: int) -> Iterator[bytes]:
    """Yield whole lines from last to first; a fragment after the last newline is skipped."""
    position = os.fstat(handle).st_size
    tail = b""
    in_fragment = True
    while position > 0:
        step = min(_CHUNK, position)
        position -= step
        tail, *lines = (os.pread(handle, step, position) + tail).split(b"\n")
        if lines and in_fragment:
            lines.pop()
            in_fragment = False
        yield from reversed(lines)
    if not in_fragment:
        yield tail


def _line_start(handle: int, size: int) -> int:
    position = size
    while position > 0:
        step = min(_CHUNK, position)
        position -= step
        found = os.pread(handle, step, position).rfind(b"\n")
        if found >= 0:
            return position + found + 1
    return 0


def _parsed(raw: bytes, where: str) -> LedgerLine:
    try:
        return LedgerLine.model_validate_json(raw)
    except ValidationError as error:
        raise LedgerDamaged(where, "it is not a ledger line") from error
