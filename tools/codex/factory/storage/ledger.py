"""Append, read and verify the ledger: one JSONL file, each line holding the digest of the last."""

import fcntl
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from tools.codex.factory.domain.event import (
    FIRST_PREV,
    Event,
    EventType,
    LedgerLine,
    line_of,
    next_moment,
)
from tools.codex.factory.domain.evidence import LedgerHead
from tools.codex.factory.domain.identity import Digest, digest_of
from tools.codex.factory.errors import LedgerDamaged, StorageError, raise_spent
from tools.codex.factory.storage.durable import append_synced, cut_off

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
            _append(handle, bytes(out))
            return lines[len(torn) :]

    def torn_bytes(self) -> int:
        """Return how many bytes the last line has that was begun and not ended; 0 for none."""
        try:
            handle = os.open(self.file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return 0
        try:
            size = os.fstat(handle).st_size
            return size - line_start(handle, size)
        finally:
            os.close(handle)

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
        """Yield every line, the chain verified; raise LedgerDamaged naming the first bad one."""
        return (line for line, _ in self.chain())

    def chain(self) -> Iterator[tuple[LedgerLine, Digest]]:
        """Yield every line with its digest; raise LedgerDamaged naming the first bad one.

        A last line without its newline is being written, or torn: it is not yielded.
        """
        prev: Digest = FIRST_PREV
        with suppress(FileNotFoundError), self.file.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if not raw.endswith(b"\n"):
                    return
                line = parsed_line(raw[:-1], f"ledger line {number}")
                if line.seq != number - 1:
                    raise LedgerDamaged(
                        f"ledger line {number}", f"seq is {line.seq}, not {number - 1}"
                    )
                if line.prev != prev:
                    raise LedgerDamaged(
                        f"ledger line {number}", "it does not follow from the line before it"
                    )
                prev = digest_of(raw[:-1])
                yield line, prev

    def recent(self) -> Iterator[LedgerLine]:
        """Yield the lines newest first, reading the file backwards and no more than asked for."""
        try:
            handle = os.open(self.file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            for raw in backwards(handle, os.fstat(handle).st_size):
                yield parsed_line(raw, "a line near the end of the ledger")
        finally:
            os.close(handle)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Yield the open ledger while no other process appends to it."""
        lock = self._open(LOCK, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            handle = self._open(LEDGER, os.O_RDWR | os.O_CREAT | os.O_APPEND)
            try:
                yield handle
            finally:
                os.close(handle)
        finally:
            # Closing is not enough: a child between fork and exec still has the open file.
            fcntl.flock(lock, fcntl.LOCK_UN)
            os.close(lock)

    def _open(self, name: str, flags: int) -> int:
        """Return an open plain file of the runs root; raise StorageError for anything else."""
        path = self._root / name
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        hint = "look at permissions and free space, or set runs.root"
        try:
            handle = os.open(path, flags, 0o644)
        except OSError as error:
            raise_spent(error, f"cannot open {str(path)!r}")
            raise StorageError(f"cannot open {str(path)!r}: {error.strerror}", hint=hint) from error
        found = os.fstat(handle)
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            return handle
        os.close(handle)
        raise StorageError(f"{str(path)!r} is no plain file", hint="put the ledger back there")

    def _set_torn_tail_aside(self, handle: int) -> list[Event]:
        size = os.fstat(handle).st_size
        if size == 0 or os.pread(handle, 1, size - 1) == b"\n":
            return []
        start = line_start(handle, size)
        fragment = os.pread(handle, size - start, start)
        aside = self._open(TORN, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            _append(aside, b"offset %d\n" % start + fragment + b"\n")
        finally:
            os.close(aside)
        cut_off(handle, start)
        said = {"offset": str(start), "bytes": str(len(fragment)), "kept_in": TORN}
        repaired = EventType.LEDGER_REPAIRED
        return [Event(run_id="", event_type=repaired, actor="factory", details=said)]


def _append(handle: int, content: bytes) -> None:
    try:
        append_synced(handle, content)
    except OSError as error:
        raise_spent(error, "cannot append to the ledger in the runs root")
        raise StorageError(
            f"cannot append to the ledger: {error.strerror}",
            hint="look at permissions and free space",
        ) from error


def _last_line(handle: int) -> tuple[LedgerLine, bytes] | None:
    raw = next(backwards(handle, os.fstat(handle).st_size), None)
    return (parsed_line(raw, "a line near the end of the ledger"), raw) if raw is not None else None


def backwards(handle: int, position: int) -> Iterator[bytes]:
    """Yield whole lines before `position` from last to first; a fragment at the end is skipped."""
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


def line_start(handle: int, size: int) -> int:
    """Return where the line begins that `size` lies in: after the last newline before it."""
    position = size
    while position > 0:
        step = min(_CHUNK, position)
        position -= step
        found = os.pread(handle, step, position).rfind(b"\n")
        if found >= 0:
            return position + found + 1
    return 0


def parsed_line(raw: bytes, where: str) -> LedgerLine:
    """Return the line in `raw`; raise LedgerDamaged saying where it stands."""
    try:
        return LedgerLine.model_validate_json(raw)
    except ValidationError as error:
        raise LedgerDamaged(where, "it is not a ledger line") from error
