"""A section written back as git writes it, to hold what the scanner read against what it was fed.

What a section does not keep is all that may differ: how alike two files are, in per cent, and what
git quotes after the second `@@` of a hunk.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.codex.factory.domain.body import BinaryBody, BinaryChunk, Hunk, TextBody
from tools.codex.factory.domain.patch import Patch, Section

_PERCENT = rb"(100|[1-9]?[0-9])%"
_REWRITTEN = b"dissimilarity index " + _PERCENT
_QUOTED = {7: b"a", 8: b"b", 9: b"t", 10: b"n", 11: b"v", 12: b"f", 13: b"r", 34: b'"', 92: b"\\"}
_NO_NEWLINE = rb"\\ No newline at end of file"


@dataclass(frozen=True, slots=True)
class Manner:
    """How git was told to write: which names it quotes, and what an empty line of context is."""

    quotes_high: bool = True
    blanks_are_empty: bool = False


def unaccounted(content: bytes, patch: Patch, manner: Manner) -> list[bytes]:
    """Return the lines of `content` that no section says, or not in this place, or not once."""
    lines = content.split(b"\n")
    assert lines.pop() == b""
    found = []
    starts = [*(section.line - 1 for section in patch.sections), len(lines)]
    found += lines[: starts[0]]
    for section, start, end in zip(patch.sections, starts, starts[1:], strict=False):
        found += _unsaid(lines[start:end], list(_section(section, manner)))
    return found


def _unsaid(lines: list[bytes], said: list[bytes]) -> list[bytes]:
    """Return the lines of one section that are not what it says, and what it says beyond them."""
    if any(line.startswith(b"dissimilarity index ") for line in lines[1:4]):
        # -B: git says how much of a file was rewritten, before its ids.
        said.insert(next(n for n, one in enumerate(said) if one.startswith(b"index ")), _REWRITTEN)
    wanted = said[len(lines) :] + lines[len(said) :]
    pairs = zip(lines, said, strict=False)
    return wanted + [line for line, one in pairs if not re.fullmatch(one, line, re.DOTALL)]


def _section(section: Section, manner: Manner) -> Iterator[bytes]:
    """Yield what each line of a section must be."""
    old, new = section.old or section.new, section.new or section.old
    assert old is not None and new is not None
    names = [_name(b"a/", old, manner), _name(b"b/", new, manner)]
    yield re.escape(b"diff --git " + b" ".join(names))
    yield from _headers(section, manner)
    if isinstance(section.body, TextBody):
        yield b"--- " + _label(section.old, names[0])
        yield rb"\+\+\+ " + _label(section.new, names[1])
        shift = 0
        for hunk in section.body.hunks:
            yield from _hunk(hunk, shift, manner)
            shift += len(hunk.new) - len(hunk.old)
    if isinstance(section.body, BinaryBody):
        yield b"GIT binary patch"
        yield from (*_chunk(section.body.forward), *_chunk(section.body.reverse))


def _headers(section: Section, manner: Manner) -> Iterator[bytes]:
    old_mode, new_mode = (section.old_mode or "").encode(), (section.new_mode or "").encode()
    if section.kind == "add":
        yield b"new file mode " + new_mode
    elif section.kind == "delete":
        yield b"deleted file mode " + old_mode
    elif old_mode != new_mode:
        yield b"old mode " + old_mode
        yield b"new mode " + new_mode
    if section.kind in ("rename", "copy"):
        assert section.old is not None and section.new is not None
        yield b"similarity index " + _PERCENT
        word = section.kind.encode()
        yield re.escape(word + b" from " + _name(b"", section.old, manner))
        yield re.escape(word + b" to " + _name(b"", section.new, manner))
    if section.old_id is not None and section.new_id is not None:
        same = b" " + old_mode if old_mode == new_mode else b""
        yield b"index %s\\.\\.%s%s" % (section.old_id.encode(), section.new_id.encode(), same)


def _label(path: str | None, name: bytes) -> bytes:
    if path is None:
        return b"/dev/null"
    return re.escape(name + (b"\t" if b" " in name else b""))


def _hunk(hunk: Hunk, shift: int, manner: Manner) -> Iterator[bytes]:
    sides = _span(hunk.at, len(hunk.old)), _span(hunk.at + shift, len(hunk.new))
    yield rb"@@ -%s \+%s @@( .*)?" % sides
    old, new = iter(hunk.old), iter(hunk.new)
    for mark in hunk.marks:
        line = next(new) if mark == ord("+") else next(old)
        if mark == ord(" "):
            assert next(new) == line
        blank = mark == ord(" ") and line == b"\n" and manner.blanks_are_empty
        yield b"" if blank else re.escape(bytes([mark]) + line.removesuffix(b"\n"))
        if not line.endswith(b"\n"):
            yield _NO_NEWLINE


def _span(at: int, count: int) -> bytes:
    start = at + 1 if count else at
    return b"%d" % start if count == 1 else b"%d,%d" % (start, count)


def _chunk(chunk: BinaryChunk) -> Iterator[bytes]:
    yield b"%s %d" % (chunk.method.encode(), chunk.size)
    for start in range(0, chunk.deflated_size, 52):
        size = min(52, chunk.deflated_size - start)
        letter = bytes([64 + size if size <= 26 else 70 + size])
        group = start // 4 * 5
        yield re.escape(letter + chunk.base85[group : group + -(-size // 4) * 5])
    yield b""


def _name(lead: bytes, path: str, manner: Manner) -> bytes:
    """Return a name as git writes it: in C quotes where a byte of it asks for that."""
    raw = path.encode("utf-8", "surrogateescape")
    quoted = b"".join(_byte(byte, manner) for byte in raw)
    return lead + raw if quoted == raw else b'"' + lead + quoted + b'"'


def _byte(byte: int, manner: Manner) -> bytes:
    if byte in _QUOTED:
        return b"\\" + _QUOTED[byte]
    if byte < 32 or byte == 127 or (byte >= 128 and manner.quotes_high):
        return b"\\%03o" % byte
    return bytes([byte])
