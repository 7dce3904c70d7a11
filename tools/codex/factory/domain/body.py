"""The body of a patch section: hunks of text, or the two halves of a binary patch."""

import re
from dataclasses import dataclass
from typing import Literal

from tools.codex.factory.domain.reader import PatchRefused, Reader

NO_NEWLINE = b"\\ No newline at end of file"
# git writes no count of 1, and no leading zero.
_START = rb"(0|[1-9][0-9]{0,9})"
_COUNT = rb"(?:,(0|[2-9]|[1-9][0-9]{1,9}))?"
_HUNK = re.compile(rb"@@ -%b%b \+%b%b @@(?: .*)?" % (_START, _COUNT, _START, _COUNT), re.DOTALL)
_BINARY = re.compile(rb"(literal|delta) (0|[1-9][0-9]{0,15})")


@dataclass(frozen=True, slots=True)
class Hunk:
    """One hunk: lines `old` at line `at` (from 0) of the pre-image become `new`.

    Lines keep their newline; only the last line of a file may be without.
    """

    at: int
    old: tuple[bytes, ...]
    new: tuple[bytes, ...]
    marks: bytes
    """One byte per line of the hunk: space, minus or plus."""


@dataclass(frozen=True, slots=True)
class TextBody:
    """The hunks of one file, in order, apart from each other."""

    hunks: tuple[Hunk, ...]


@dataclass(frozen=True, slots=True)
class BinaryChunk:
    """One half of a binary patch: deflated bytes in git's base 85, `size` inflated."""

    method: Literal["literal", "delta"]
    size: int
    deflated_size: int
    base85: bytes


@dataclass(frozen=True, slots=True)
class BinaryBody:
    """Both halves of a binary patch: from pre-image to post-image, and back."""

    forward: BinaryChunk
    reverse: BinaryChunk


Body = TextBody | BinaryBody


def hunks(reader: Reader) -> tuple[Hunk, ...]:
    """Return the hunks that stand next; raise PatchRefused where they are not in git's grammar."""
    found: list[Hunk] = []
    shift = 0
    free = 0
    while (line := reader.peek()) is not None and line.startswith(b"@@ "):
        hunk, new_at = _hunk(reader, line)
        if hunk.at < free or (found and hunk.at == free):
            raise reader.refuse("hunks out of order, overlapping or touching")
        if new_at != hunk.at + shift:
            raise reader.refuse("the hunk's two positions do not fit the hunks before it")
        shift += len(hunk.new) - len(hunk.old)
        free = hunk.at + len(hunk.old)
        found.append(hunk)
    if not found:
        raise reader.refuse("a file header without hunks")
    return tuple(found)


def _hunk(reader: Reader, line: bytes) -> tuple[Hunk, int]:
    header = _HUNK.fullmatch(line)
    if header is None:
        raise reader.refuse(f"{line[:60]!r} is not a hunk header")
    old_start, new_start = int(header[1]), int(header[3])
    old_left = int(header[2]) if header[2] is not None else 1
    new_left = int(header[4]) if header[4] is not None else 1
    # With no lines on a side git names the line before, so the position needs no step back.
    at = old_start - 1 if old_left else old_start
    new_at = new_start - 1 if new_left else new_start
    if at < 0 or new_at < 0:
        raise reader.refuse("line 0 in a hunk that has lines")
    reader.position += 1
    return _hunk_lines(reader, at, old_left, new_left), new_at


def _hunk_lines(reader: Reader, at: int, old_left: int, new_left: int) -> Hunk:
    old: list[bytes] = []
    new: list[bytes] = []
    marks = bytearray()
    lines, position, end = reader.lines, reader.position, len(reader.lines)
    while old_left or new_left:
        if position >= end:
            raise PatchRefused(position + 1, "the hunk is cut off")
        line = lines[position]
        # diff.suppressBlankEmpty drops the space of an empty context line.
        mark = line[0] if line else 32
        ends = position + 1 < end and lines[position + 1] == NO_NEWLINE
        text = line[1:] if ends else line[1:] + b"\n"
        if mark == 32:
            old.append(text)
            new.append(text)
            old_left -= 1
            new_left -= 1
        elif mark == 45:
            old.append(text)
            old_left -= 1
        elif mark == 43:
            new.append(text)
            new_left -= 1
        else:
            raise PatchRefused(position + 1, f"{line[:60]!r} does not belong in a hunk")
        marks.append(mark)
        if ends and not text:
            raise PatchRefused(position + 1, "a last line without a byte in it")
        if ends and ((mark != 43 and old_left) or (mark != 45 and new_left)):
            raise PatchRefused(position + 2, "a file ends in the middle of the hunk")
        if old_left < 0 or new_left < 0:
            raise PatchRefused(position + 1, "the hunk holds more lines than its header says")
        position += 2 if ends else 1
    reader.position = position
    if not marks.strip():
        raise reader.refuse("a hunk that changes nothing")
    return Hunk(at, tuple(old), tuple(new), bytes(marks))


def binary_chunk(reader: Reader) -> BinaryChunk:
    """Return the half of a binary patch that stands next; raise PatchRefused as `hunks` does."""
    line = reader.next("a binary chunk")
    header = _BINARY.fullmatch(line)
    if header is None:
        reader.position -= 1
        raise reader.refuse(f"{line[:60]!r} is not a binary chunk header")
    size = int(header[2])
    if size > reader.limits.file_bytes:
        raise reader.refuse(f"a chunk of {size} bytes, more than {reader.limits.file_bytes}")
    parts: list[bytes] = []
    total = 0
    short = False
    while line := reader.next("the end of a binary chunk"):
        count = _line_bytes(line[0])
        if short or count == 0 or len(line) != 1 + (count + 3) // 4 * 5:
            reader.position -= 1
            raise reader.refuse("a line of a binary chunk has a wrong length")
        short = count < 52
        total += count
        parts.append(line[1:])
    method: Literal["literal", "delta"] = "literal" if header[1] == b"literal" else "delta"
    return BinaryChunk(method, size, total, b"".join(parts))


def _line_bytes(letter: int) -> int:
    """Return how many bytes a line holds that begins with `letter`: A-Z 1-26, a-z 27-52."""
    if 65 <= letter <= 90:
        return letter - 64
    return letter - 70 if 97 <= letter <= 122 else 0
