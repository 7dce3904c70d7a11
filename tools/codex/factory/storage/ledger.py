"""Append, read and verify the ledger: one JSONL file, each line holding the digest of the last."""

import fcntl
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from tools.codex.factory.domain.event import (
    FIRST_PREV,
    Event,
    EventType,
    LedgerLine,
    line_of,
    next_moment,
)
from tools.codex.factory.domain.evidence import LedgerHead
from tools.codex.factory.domain.identity import digest_of
from tools.codex.factory.domain.line import Line
from tools.codex.factory.domain.wording import sized
from tools.codex.factory.errors import LedgerDamaged, StorageError, raise_spent
from tools.codex.factory.storage.backward import LONGEST, NEAR_END, backwards, holding, line_start
from tools.codex.factory.storage.durable import append_synced, shorten
from tools.codex.factory.storage.line import (
    begins,
    glanced_line,
    last_line,
    lines_of_run,
    parsed_line,
    size_of,
    whole_lines,
)

LEDGER = "factory_ledger.jsonl"
LOCK = "factory_ledger.lock"
TORN = "factory_ledger.torn"
_BUFFER = 1 << 20


def _nobody(_digests: list[str]) -> None:
    """Tell nobody."""


class Ledger:
    """The append-only record of every run below one runs root."""

    def __init__(self, root: Path, clock: Callable[[], datetime]) -> None:
        self._root = root
        self._clock = clock
        self.file = root / LEDGER

    def append(
        self, events: Sequence[Event], *, announce: Callable[[list[str]], None] = _nobody
    ) -> list[LedgerLine]:
        """Append events with one write and sync them; the cost does not grow with the ledger.

        A torn last line (power loss) is set aside first, and that is recorded. `announce` is told
        the digests of the events' lines before they are written: who is stopped just then knows.
        """
        with self._locked() as handle:
            torn = self._set_torn_tail_aside(handle)
            wanted = [*torn, *events]
            last = _last_line(handle)
            seq, stamp = (last[0].seq + 1, last[0].ts_utc) if last else (0, None)
            prev = digest_of(last[1]) if last else FIRST_PREV
            lines: list[LedgerLine] = []
            digests: list[str] = []
            out = bytearray()
            for event in wanted:
                at = next_moment(self._clock(), stamp)
                line, content = line_of(event, seq=seq, at=at, prev=prev)
                if len(content) > LONGEST:
                    raise _too_much(event, len(content))
                lines.append(line)
                out += content
                seq, stamp, prev = seq + 1, line.ts_utc, digest_of(content[:-1])
                digests.append(prev)
            announce(digests[len(torn) :])
            _append(handle, bytes(out))
            return lines[len(torn) :]

    def torn_bytes(self) -> int:
        """Return how many bytes the last line has that was begun and not ended; 0 for none."""
        with self._read() as handle:
            size = size_of(handle)
            return size - line_start(handle, size)

    def head(self) -> LedgerHead:
        """Return how many lines there are, and the digest of the last."""
        with self._read() as handle:
            last = _last_line(handle)
        if last is None:
            return LedgerHead(count=0, sha256=FIRST_PREV)
        return LedgerHead(count=last[0].seq + 1, sha256=digest_of(last[1]))

    def lines(self) -> Iterator[LedgerLine]:
        """Yield every line, the chain verified; raise LedgerDamaged naming the first bad one."""
        for number, (raw, _, _) in enumerate(self._verified(), start=1):
            yield parsed_line(raw, f"ledger line {number}")

    def chain(self) -> Iterator[tuple[Line, bytes]]:
        """Yield every line with its sha256; raise LedgerDamaged naming the first bad one.

        A last line without its newline is being written, or torn: it is not yielded.
        """
        return ((line, found) for _, line, found in self._verified())

    def recent(self) -> Iterator[LedgerLine]:
        """Yield the lines newest first, reading the file backwards and no more than asked for."""
        with self._read() as handle:
            for raw in backwards(handle, size_of(handle)):
                yield parsed_line(raw, NEAR_END)

    def recent_of(self, run: str) -> Iterator[LedgerLine]:
        """Yield the lines of a run newest first, each held to the digest in the line after it.

        Lines of other runs are looked through for its name, and are not taken apart.
        """
        with self._read() as handle:
            yield from lines_of_run(handle, size_of(handle), run)

    def begins(self) -> Iterator[tuple[str, int]]:
        """Yield each run that began, newest first, and where in the file its line lies."""
        with self._read() as handle:
            yield from begins(handle, size_of(handle))

    def since(self, position: int) -> Iterator[Line]:
        """Yield every line from a place in the file on to its end, oldest first."""
        with suppress(FileNotFoundError), self.file.open("rb", buffering=_BUFFER) as file:
            file.seek(position)
            for raw in whole_lines(file, lambda _: NEAR_END):
                yield glanced_line(raw, NEAR_END)

    def digest_of_line(self, number: int) -> str | None:
        """Return the digest of a line, counted from 1; None where there are fewer.

        What is near the end is found there. Raises LedgerDamaged as `head` does.
        """
        if not 0 < number <= self.head().count:
            return None
        words = b'"seq":%d,' % (number - 1)
        with self._read() as handle:
            for _, raw, _ in holding(handle, size_of(handle), words):
                if glanced_line(raw, NEAR_END).seq == number - 1:
                    return digest_of(raw)
        return None

    @contextmanager
    def _read(self) -> Iterator[int]:
        """Yield the ledger, opened to be read; an empty file where there is none."""
        try:
            handle = os.open(self.file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            handle = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield handle
        finally:
            os.close(handle)

    def _verified(self) -> Iterator[tuple[bytes, Line, bytes]]:
        """Yield the bytes of every line, the line, and its sha256; the chain is verified so far."""
        prev, raw, where = bytes.fromhex(FIRST_PREV), b"", ""
        with suppress(FileNotFoundError), self.file.open("rb", buffering=_BUFFER) as file:
            for number, raw in enumerate(whole_lines(file, "ledger line {}".format), start=1):
                where = f"ledger line {number}"
                line = glanced_line(raw, where)
                if line.seq != number - 1:
                    raise LedgerDamaged(where, f"seq is {line.seq}, not {number - 1}")
                if line.prev != prev.hex():
                    raise LedgerDamaged(where, "it does not follow from the line before it")
                prev = sha256(raw).digest()
                yield raw, line, prev
        if raw:
            last_line(raw, where)

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
        size = size_of(handle)
        if size == 0 or os.pread(handle, 1, size - 1) == b"\n":
            return []
        start = line_start(handle, size)
        fragment = os.pread(handle, size - start, start)
        aside = self._open(TORN, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            _append(aside, b"offset %d\n" % start + fragment + b"\n")
        finally:
            os.close(aside)
        shorten(handle, start)
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


def _too_much(event: Event, size: int) -> StorageError:
    return StorageError(
        f"an event {event.event_type} of {sized(size)} is more than a ledger line holds",
        hint="name fewer or shorter things in the plan",
    )


def _last_line(handle: int) -> tuple[LedgerLine, bytes] | None:
    raw = next(backwards(handle, size_of(handle)), None)
    return (last_line(raw, NEAR_END), raw) if raw is not None else None
