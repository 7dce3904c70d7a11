"""Lines of an open ledger: which bytes are one, which are a run's, where runs began."""

import os
from collections.abc import Callable, Iterator
from typing import BinaryIO

from pydantic import ValidationError

from tools.codex.factory.domain.event import EventType, LedgerLine, has_its_id
from tools.codex.factory.domain.glance import glanced
from tools.codex.factory.domain.identity import digest_of
from tools.codex.factory.domain.line import Line
from tools.codex.factory.errors import LedgerDamaged
from tools.codex.factory.storage.backward import LONGEST, NEAR_END, holding, too_long

_BEGINS = b'"event_type":"%s"' % EventType.RUN_START.encode()


def parsed_line(raw: bytes, where: str) -> LedgerLine:
    """Return the line in `raw`; raise LedgerDamaged saying where it stands."""
    try:
        return LedgerLine.model_validate_json(raw)
    except ValidationError as error:
        raise LedgerDamaged(where, "it is not a ledger line") from error


def last_line(raw: bytes, where: str) -> LedgerLine:
    """Return the last line of a ledger, which no other holds the digest of, held to its own id.

    Raises LedgerDamaged saying where it stands.
    """
    line = parsed_line(raw, where)
    if not has_its_id(line):
        raise LedgerDamaged(where, "its event_id is not the one of what it says")
    return line


def glanced_line(raw: bytes, where: str) -> Line:
    """Return the line in `raw` at a glance; raises just as `parsed_line` does."""
    try:
        return glanced(raw)
    except ValidationError as error:
        raise LedgerDamaged(where, "it is not a ledger line") from error


def whole_lines(file: BinaryIO, where: Callable[[int], str]) -> Iterator[bytes]:
    """Yield each whole line from where `file` stands on, without its newline.

    One that is not ended is not yielded. Raises LedgerDamaged, which says `where` of its number,
    for one that is longer than a line may be.
    """
    number = 1
    while raw := file.readline(LONGEST + 1):
        if not raw.endswith(b"\n"):
            if len(raw) > LONGEST:
                raise too_long(where(number))
            return
        yield raw[:-1]
        number += 1


def lines_of_run(handle: int, position: int, run: str) -> Iterator[LedgerLine]:
    """Yield the lines of a run before `position`, newest first.

    Each is held to the digest in the line after it, whosever that is.
    """
    for _, raw, follower in holding(handle, position, b'"run_id":"%s"' % run.encode()):
        line = parsed_line(raw, NEAR_END)
        if line.run_id != run:
            continue
        if follower is not None and glanced_line(follower, NEAR_END).prev != digest_of(raw):
            where = f"ledger line {line.seq + 2}"
            raise LedgerDamaged(where, "it does not follow from the line before it")
        yield line


def begins(handle: int, position: int) -> Iterator[tuple[str, int]]:
    """Yield each run that began before `position`, newest first, and where its line begins."""
    for start, raw, _ in holding(handle, position, _BEGINS):
        line = glanced_line(raw, NEAR_END)
        if line.event_type == EventType.RUN_START:
            yield line.run_id, start


def size_of(handle: int) -> int:
    """Return how many bytes an open file has now."""
    return os.fstat(handle).st_size
