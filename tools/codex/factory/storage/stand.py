"""Where the ledger stood, and whether what came since is what its run's holder wrote."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.identity import digest_of
from tools.codex.factory.errors import LedgerDamaged
from tools.codex.factory.storage.backward import NEAR_END, line_start
from tools.codex.factory.storage.line import glanced_line, size_of, whole_lines


@dataclass(frozen=True, slots=True)
class Stand:
    """The end of a ledger at some time. `owner` is who may write it: mode, user, group."""

    file: tuple[int, int]
    owner: tuple[int, int, int]
    last: int
    """Where its last whole line begins."""
    end: int
    """Where that line ends."""
    digest: str


def stand_of(file: Path) -> Stand | None:
    """Return where the ledger in `file` stands now; None where there is none."""
    try:
        with _opened(file) as handle:
            end = line_start(handle, size_of(handle))
            last = line_start(handle, end - 1) if end else 0
            found = os.fstat(handle)
            return Stand(
                (found.st_dev, found.st_ino),
                (found.st_mode, found.st_uid, found.st_gid),
                last,
                end,
                digest_of(os.pread(handle, end - last, last)),
            )
    except FileNotFoundError:
        return None


def touched(
    file: Path, stood: Stand, run: str, written: Collection[str], begun: Collection[str] = ()
) -> list[str]:
    """Return what is wrong with a ledger that stood so, and on which `run` has one writer.

    `written` are the digests of the lines that this writer appended since, `begun` of those that
    it may have. What other runs append is theirs; it must follow, and that is all. Reads no
    further back than where it stood.
    """
    try:
        with _opened(file) as handle:
            found = os.fstat(handle)
            if (found.st_dev, found.st_ino) != stood.file:
                return ["the ledger was replaced by another file"]
            wrong = []
            if (found.st_mode, found.st_uid, found.st_gid) != stood.owner:
                wrong.append("mode or owner of the ledger changed")
            if digest_of(os.pread(handle, stood.end - stood.last, stood.last)) != stood.digest:
                return [*wrong, "a line of the ledger that was there is another"]
            return wrong + _since(handle, stood, run, written, begun)
    except FileNotFoundError:
        return ["the ledger is gone"]
    except OSError as error:
        return [f"the ledger cannot be read: {error.strerror}"]


def _since(
    handle: int, stood: Stand, run: str, written: Collection[str], begun: Collection[str]
) -> list[str]:
    raw = os.pread(handle, stood.end - stood.last, stood.last)[:-1]
    left, wrong, prev = set(written), [], digest_of(raw)
    try:
        with os.fdopen(os.dup(handle), "rb") as lines:
            lines.seek(stood.end)
            for raw in whole_lines(lines, lambda _: NEAR_END):
                line, digest = glanced_line(raw, NEAR_END), digest_of(raw)
                if line.prev != prev:
                    wrong.append(f"line {line.seq + 1} does not follow from the line before it")
                if line.run_id == run and digest not in left and digest not in begun:
                    wrong.append(f"line {line.seq + 1} was written by nobody who holds the run")
                left.discard(digest)
                prev = digest
    except LedgerDamaged as error:
        wrong.append(str(error))
    if left:
        wrong.append(f"lines that were written are gone ({len(left)})")
    return wrong


@contextmanager
def _opened(file: Path) -> Iterator[int]:
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)
