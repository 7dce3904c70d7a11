"""A ledger read from its end: no further than asked for, whatever lies before, in little memory."""

import os
from collections.abc import Iterator

from tools.codex.factory.domain.wording import sized
from tools.codex.factory.errors import LedgerDamaged, StorageError

LONGEST = 16 << 20
"""So many bytes a line may have: what is longer is no line of ours, and is not read."""
NEAR_END = "a line near the end of the ledger"
_CHUNK = 1 << 16
_LARGEST_CHUNK = 1 << 22


def too_long(where: str) -> LedgerDamaged:
    """Return that a line has more bytes than a line may have."""
    return LedgerDamaged(where, f"it is longer than {sized(LONGEST)}")


def line_start(handle: int, size: int) -> int:
    """Return where the line begins that `size` lies in: after the last newline before it.

    Raises LedgerDamaged where it is longer than a line may be.
    """
    position, step = size, _CHUNK
    while position > 0:
        step = min(step, position)
        position -= step
        found = os.pread(handle, step, position).rfind(b"\n")
        if found >= 0:
            return position + found + 1
        if size - position > LONGEST:
            raise too_long(NEAR_END)
        step = min(2 * step, _LARGEST_CHUNK)
    return 0


def backwards(handle: int, position: int) -> Iterator[bytes]:
    """Yield whole lines before `position` from last to first; a fragment at the end is skipped."""
    for _, block in _blocks(handle, position):
        yield from reversed(block[:-1].split(b"\n"))


def holding(handle: int, position: int, words: bytes) -> Iterator[tuple[int, bytes, bytes | None]]:
    """Yield whole lines before `position` that hold `words`, from last to first.

    Each comes with where it begins, and with the line after it, None for the last. Other lines are
    looked through and not taken apart.
    """
    newer: bytes | None = None
    for begin, block in _blocks(handle, position):
        end = len(block)
        while (found := block.rfind(words, 0, end)) >= 0:
            start = block.rfind(b"\n", 0, found) + 1
            stop = block.index(b"\n", found)
            follower = _first(block, stop + 1)
            yield begin + start, block[start:stop], newer if follower is None else follower
            end = start
        newer = _first(block, 0)


def _first(block: bytes, start: int) -> bytes | None:
    """Return the line of a block that begins at `start`; None where the block ends there."""
    return block[start : block.index(b"\n", start)] if start < len(block) else None


def _blocks(handle: int, position: int) -> Iterator[tuple[int, bytes]]:
    """Yield whole lines before `position` with where they begin, many at once, the last first."""
    position = line_start(handle, position)
    step = _CHUNK
    # The end of a line whose begin is not read yet, the last piece first.
    pieces: list[bytes] = []
    while position > 0:
        step = min(step, position)
        position -= step
        chunk = os.pread(handle, step, position)
        if len(chunk) != step:
            hint = "look who writes there: only factory does, and it only appends"
            raise StorageError("the ledger became shorter while it was read", hint=hint)
        start = 0 if position == 0 else chunk.find(b"\n") + 1
        if position > 0 and start == 0:
            pieces.append(chunk)
            if sum(map(len, pieces)) > LONGEST:
                raise too_long(NEAR_END)
        else:
            block = b"".join((chunk[start:], *reversed(pieces)))
            if block:
                yield position + start, block
            pieces = [chunk[:start]]
        step = min(2 * step, _LARGEST_CHUNK)
