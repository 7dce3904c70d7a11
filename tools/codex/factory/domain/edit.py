"""A base blob and a section make the new blob, exact or refused; many edits make one union."""

import base64
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tools.codex.factory.domain.body import BinaryChunk, Body, Hunk, TextBody

# Whole groups of five characters; the decoder needs some thirty bytes for each character.
_PIECE = 5 << 14
_MOST_OPERATIONS = 4_000_000


class DoesNotApply(ValueError):
    """The body does not fit the blob that it is applied to."""


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Lines `start` to `end` (from 0, end excluded) of the base become `lines`."""

    start: int
    end: int
    lines: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Clash:
    """Edits of several owners that touch: lines `start` to `end` (from 0) of the base."""

    start: int
    end: int
    owners: tuple[str, ...]


def split_lines(content: bytes) -> list[bytes]:
    """Return the lines of `content` with their newlines; only the last may be without."""
    lines = [line + b"\n" for line in content.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def applied(before: bytes, body: Body, *, file_bytes: int) -> bytes:
    """Return what `body` makes of `before`, or raise DoesNotApply. No offset, no fuzz."""
    if isinstance(body, TextBody):
        return _text_applied(before, body)
    after = _chunk_applied(before, body.forward, file_bytes)
    # The way back is bytes of the patch too: it must lead back, or it says something else.
    if _chunk_applied(after, body.reverse, file_bytes) != before:
        raise DoesNotApply("the binary patch's way back does not lead back")
    return after


def edits(body: TextBody) -> tuple[Edit, ...]:
    """Return the changes of `body` in base lines, without context."""
    return tuple(edit for hunk in body.hunks for edit in _hunk_edits(hunk))


def clashes(edits_of: Mapping[str, Iterable[Edit]], *, allow_identical: bool) -> tuple[Clash, ...]:
    """Return where edits of different owners touch: no untouched base line lies between them.

    The sweep is by position, so the cost does not grow with the pairs. With `allow_identical`
    the same edit by several owners counts once.
    """
    owners_of: dict[Edit, set[str]] = {}
    for owner, own in edits_of.items():
        for edit in own:
            owners_of.setdefault(edit, set()).add(owner)
    found: list[Clash] = []
    group: list[Edit] = []
    reach = -1
    for edit in sorted(owners_of):
        if edit.start > reach:
            found += _clash_in(group, owners_of, allow_identical)
            group = []
        group.append(edit)
        reach = max(reach, edit.end)
    return tuple(found + _clash_in(group, owners_of, allow_identical))


def union(before: bytes, edits_of: Mapping[str, Iterable[Edit]]) -> bytes:
    """Return `before` with every edit made once, in base lines. The edits must not clash."""
    lines = split_lines(before)
    out: list[bytes] = []
    done = 0
    for edit in sorted({edit for own in edits_of.values() for edit in own}):
        out += lines[done : edit.start]
        out += edit.lines
        done = edit.end
    return b"".join(out + lines[done:])


def _clash_in(
    group: list[Edit], owners_of: Mapping[Edit, set[str]], allow_identical: bool
) -> list[Clash]:
    """Return the clash of edits that touch; one owner's own edits never touch each other."""
    owners = {owner for edit in group for owner in owners_of[edit]}
    if len(owners) < 2 or (allow_identical and len(group) == 1):
        return []
    return [Clash(group[0].start, max(edit.end for edit in group), tuple(sorted(owners)))]


def _text_applied(before: bytes, body: TextBody) -> bytes:
    lines = split_lines(before)
    out: list[bytes] = []
    done = 0
    for hunk in body.hunks:
        end = hunk.at + len(hunk.old)
        if tuple(lines[hunk.at : end]) != hunk.old or hunk.at > len(lines):
            raise DoesNotApply(f"the hunk at line {hunk.at + 1} does not match the base")
        if hunk.at == len(lines) and lines and not lines[-1].endswith(b"\n"):
            raise DoesNotApply("lines are added after a last line that has no newline")
        if hunk.new and not hunk.new[-1].endswith(b"\n") and end < len(lines):
            raise DoesNotApply(f"the hunk at line {hunk.at + 1} ends the file before its end")
        out += lines[done : hunk.at]
        out += hunk.new
        done = end
    return b"".join(out + lines[done:])


def _hunk_edits(hunk: Hunk) -> list[Edit]:
    """Split a hunk at its context lines."""
    found: list[Edit] = []
    old = new = 0
    start: tuple[int, int] | None = None
    for mark in (*hunk.marks, 32):
        if mark == 32:
            if start is not None:
                found.append(Edit(hunk.at + start[0], hunk.at + old, hunk.new[start[1] : new]))
                start = None
            old, new = old + 1, new + 1
            continue
        start = start or (old, new)
        if mark == 45:
            old += 1
        else:
            new += 1
    return found


def _chunk_applied(before: bytes, chunk: BinaryChunk, file_bytes: int) -> bytes:
    content = _inflated(chunk)
    return content if chunk.method == "literal" else _delta_applied(before, content, file_bytes)


def _inflated(chunk: BinaryChunk) -> bytes:
    try:
        pieces = range(0, len(chunk.base85), _PIECE)
        padded = b"".join(base64.b85decode(chunk.base85[n : n + _PIECE]) for n in pieces)
    except ValueError as error:
        raise DoesNotApply(f"the binary patch is not base 85: {error}") from error
    deflated, padding = padded[: chunk.deflated_size], padded[chunk.deflated_size :]
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(deflated, chunk.size + 1)
        # An empty result is only finished by asking once more.
        content += stream.decompress(stream.unconsumed_tail, 1) if not stream.eof else b""
    except zlib.error as error:
        raise DoesNotApply(f"the binary patch does not inflate: {error}") from error
    if len(content) != chunk.size or not stream.eof:
        raise DoesNotApply(f"the binary patch does not inflate to the {chunk.size} bytes it names")
    if stream.unused_data or padding.strip(b"\0"):
        raise DoesNotApply("the binary patch holds bytes after its end")
    return content


def _delta_applied(before: bytes, delta: bytes, file_bytes: int) -> bytes:
    """Apply git's pack delta (gitformat-pack, "deltified representation")."""
    try:
        source, position = _varint(delta, 0)
        target, position = _varint(delta, position)
        if source != len(before):
            raise DoesNotApply("the binary delta is made for a blob of another size")
        if target > file_bytes:
            raise DoesNotApply(f"the binary delta makes {target} bytes, more than {file_bytes}")
        return _delta_body(before, delta, position, target)
    except IndexError as error:
        raise DoesNotApply("the binary delta is cut off") from error


def _delta_body(before: bytes, delta: bytes, position: int, target: int) -> bytes:
    out = bytearray()
    operations = 0
    while position < len(delta):
        operation = delta[position]
        position += 1
        operations += 1
        if operations > _MOST_OPERATIONS:
            raise DoesNotApply(f"the binary delta holds more than {_MOST_OPERATIONS} operations")
        if operation & 0x80:
            offset, size, position = _copy_arguments(delta, position, operation)
            if offset + size > len(before):
                raise DoesNotApply("the binary delta copies from beyond the blob")
            out += before[offset : offset + size]
        elif operation:
            if position + operation > len(delta):
                raise DoesNotApply("the binary delta is cut off")
            out += delta[position : position + operation]
            position += operation
        else:
            raise DoesNotApply("the binary delta holds an unknown operation")
        if len(out) > target:
            raise DoesNotApply("the binary delta makes more bytes than it names")
    if len(out) != target:
        raise DoesNotApply("the binary delta makes fewer bytes than it names")
    return bytes(out)


def _copy_arguments(delta: bytes, position: int, operation: int) -> tuple[int, int, int]:
    values = [0, 0]
    for bit in range(7):
        if operation >> bit & 1:
            field, place = (0, bit) if bit < 4 else (1, bit - 4)
            values[field] |= delta[position] << 8 * place
            position += 1
    return values[0], values[1] or 0x10000, position


def _varint(content: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise DoesNotApply("the binary delta names a size that no blob has")
