"""Git's own diff grammar: bytes in, sections out, every byte accounted for.

What `git diff --binary --full-index` writes (git's diff-format documentation), and nothing else:
`git apply` skips junk, invents names and drops modes, so what it would accept proves nothing.
"""

import re
from dataclasses import dataclass
from typing import Literal

from tools.codex.factory.domain.body import BinaryBody, Body, TextBody, binary_chunk, hunks
from tools.codex.factory.domain.identity import NULL_ID, ObjectId, RepoPath
from tools.codex.factory.domain.path import (
    MAX_PATH_BYTES,
    path_bytes,
    path_from_bytes,
    unquoted_bytes,
)
from tools.codex.factory.domain.reader import PatchLimits, PatchRefused, Reader, lines_of

Kind = Literal["add", "modify", "delete", "rename", "copy"]

MODES = frozenset({"100644", "100755", "120000", "160000"})
GITLINK = "160000"
SYMLINK = "120000"

_INDEX = re.compile(rb"index ([0-9a-f]{40})\.\.([0-9a-f]{40})(?: ([0-7]{6}))?")
_PERCENT = re.compile(rb"(?:100|[1-9]?[0-9])%")
# A byte in quotes may take four.
_LONGEST_NAME = 4 * MAX_PATH_BYTES + 8
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"')
_HEADERS = (
    b"old mode ", b"new mode ", b"deleted file mode ", b"new file mode ",
    b"copy from ", b"copy to ", b"rename from ", b"rename to ",
    b"similarity index ", b"dissimilarity index ",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What a patch says of one file. Ids are None where git writes no index line."""

    kind: Kind
    line: int
    old: RepoPath | None
    new: RepoPath | None
    old_mode: str | None
    new_mode: str | None
    old_id: ObjectId | None
    new_id: ObjectId | None
    body: Body | None

    @property
    def path(self) -> RepoPath:
        """Return the path that the section is about: the new one, or the old where it goes."""
        path = self.new if self.new is not None else self.old
        assert path is not None
        return path


@dataclass(frozen=True, slots=True)
class Patch:
    """A scanned DIFF.patch: its sections in the order written."""

    sections: tuple[Section, ...]


def scan(content: bytes, limits: PatchLimits = PatchLimits()) -> Patch:  # noqa: B008 (frozen)
    """Return the sections of `content`; raise PatchRefused where a byte has no place in them."""
    lines = lines_of(content, limits)
    reader = Reader(lines, limits)
    sections: list[Section] = []
    while reader.position < len(lines):
        if len(sections) == limits.sections:
            raise reader.refuse(f"more than {limits.sections} files")
        sections.append(_section(reader))
    return Patch(tuple(sections))


def _section(reader: Reader) -> Section:
    start = reader.position
    first = reader.next("a file")
    if not first.startswith(b"diff --git "):
        reader.position = start
        raise reader.refuse(f"expected 'diff --git', found {first[:60]!r}")
    headers, index = _headers(reader)
    kind = _kind(reader, headers)
    old, new = _names(start, kind, first[len(b"diff --git ") :], headers)
    old_mode, new_mode, old_id, new_id = _modes_and_ids(reader, kind, headers, index)
    body = _body(reader, old, new, GITLINK in (old_mode, new_mode))
    if body is not None and index is None:
        raise PatchRefused(start + 1, "content without a full index line (use --full-index)")
    if index is None and not headers.keys() - {b"dissimilarity index "}:
        raise PatchRefused(start + 1, "the file does not change")
    return Section(
        kind=kind,
        line=start + 1,
        old=old,
        new=new,
        old_mode=old_mode,
        new_mode=new_mode,
        old_id=old_id,
        new_id=new_id,
        body=body,
    )


def _headers(reader: Reader) -> tuple[dict[bytes, bytes], re.Match[bytes] | None]:
    """Read the extended headers, in the order in which git writes them."""
    found: dict[bytes, bytes] = {}
    last = -1
    while (line := reader.peek()) is not None:
        rank = next((n for n, header in enumerate(_HEADERS) if line.startswith(header)), None)
        if rank is None:
            break
        # git writes similarity before the names, and modes before both.
        order = 4 if rank >= 8 else rank if rank < 4 else rank + 1
        if order <= last:
            raise reader.refuse(f"{line[:60]!r} is out of place")
        last = order
        found[_HEADERS[rank]] = line[len(_HEADERS[rank]) :]
        reader.position += 1
    line = reader.peek()
    if line is None or not line.startswith(b"index "):
        return found, None
    index = _INDEX.fullmatch(line)
    if index is None:
        raise reader.refuse("the index line lacks full object ids (use --full-index)")
    reader.position += 1
    return found, index


def _kind(reader: Reader, headers: dict[bytes, bytes]) -> Kind:
    names: dict[frozenset[bytes], Kind] = {
        frozenset({b"new file mode "}): "add",
        frozenset({b"deleted file mode "}): "delete",
        frozenset({b"rename from ", b"rename to "}): "rename",
        frozenset({b"copy from ", b"copy to "}): "copy",
        frozenset(): "modify",
    }
    modes = {b"old mode ", b"new mode "} & headers.keys()
    if len(modes) == 1:
        raise reader.refuse("one of 'old mode' and 'new mode' is missing")
    scores = {b"similarity index ", b"dissimilarity index "} & headers.keys()
    kind = names.get(frozenset(headers.keys() - modes - scores))
    if kind is None or (modes and kind in ("add", "delete")):
        raise reader.refuse("headers that do not go together")
    if (b"similarity index " in scores) != (kind in ("rename", "copy")):
        raise reader.refuse("a similarity belongs to a rename or copy, and only there")
    if any(not _PERCENT.fullmatch(headers[score]) for score in scores):
        raise reader.refuse("a similarity that is no percentage")
    if b"dissimilarity index " in scores and kind != "modify":
        raise reader.refuse("a dissimilarity belongs to a rewritten file")
    return kind


def _names(
    start: int, kind: Kind, rest: bytes, headers: dict[bytes, bytes]
) -> tuple[RepoPath | None, RepoPath | None]:
    """Return old and new path; the names in `diff --git` and in the headers must be the same."""
    if kind in ("rename", "copy"):
        old_name = headers[b"rename from " if kind == "rename" else b"copy from "]
        new_name = headers[b"rename to " if kind == "rename" else b"copy to "]
        old, new = _path(start, _plain(start, old_name)), _path(start, _plain(start, new_name))
        if not _header_says(rest, path_bytes(old), path_bytes(new), start):
            raise PatchRefused(start + 1, "'diff --git' names other paths than the rename or copy")
        if old == new:
            raise PatchRefused(start + 1, "a rename or copy onto itself")
        return old, new
    path = _path(start, _one_name(start, rest))
    return None if kind == "add" else path, None if kind == "delete" else path


def _one_name(start: int, rest: bytes) -> bytes:
    """Return the one path that `a/path b/path` names twice."""
    if len(rest) > 2 * _LONGEST_NAME:
        raise PatchRefused(start + 1, f"a header of {len(rest)} bytes")
    if rest.startswith(b'"'):
        first = _QUOTED.match(rest)
        left = first.group() if first else rest
    else:
        left = rest[: len(rest) // 2]
    right = rest[len(left) + 1 :]
    if rest[len(left) : len(left) + 1] != b" ":
        raise PatchRefused(start + 1, "'diff --git' names two paths, but nothing is renamed")
    old, new = _plain(start, left), _plain(start, right)
    if old[:2] != b"a/" or new[:2] != b"b/":
        raise PatchRefused(
            start + 1, "names do not begin with a/ and b/ (made with diff.noprefix or the like?)"
        )
    if old[2:] != new[2:]:
        raise PatchRefused(start + 1, "'diff --git' names two paths, but nothing is renamed")
    return old[2:]


def _header_says(rest: bytes, old: bytes, new: bytes, start: int) -> bool:
    if b'"' not in rest or len(rest) > 2 * _LONGEST_NAME:
        return rest == b"a/" + old + b" b/" + new
    if rest.startswith(b'"'):
        first = _QUOTED.match(rest)
        left = first.group() if first else rest
    else:
        left = rest[: rest.index(b' "')] if b' "' in rest else rest
    right = rest[len(left) + 1 :]
    return _plain(start, left) == b"a/" + old and _plain(start, right) == b"b/" + new


def _plain(start: int, name: bytes) -> bytes:
    """Return a name as its bytes, whether git quoted it or not."""
    if len(name) > _LONGEST_NAME:
        raise PatchRefused(start + 1, f"a name of {len(name)} bytes")
    if not name.startswith(b'"'):
        return name
    try:
        return unquoted_bytes(name)
    except ValueError as error:
        raise PatchRefused(start + 1, str(error)) from error


def _path(start: int, name: bytes) -> RepoPath:
    try:
        return path_from_bytes(name)
    except ValueError as error:
        raise PatchRefused(start + 1, str(error)) from error


def _modes_and_ids(
    reader: Reader, kind: Kind, headers: dict[bytes, bytes], index: re.Match[bytes] | None
) -> tuple[str | None, str | None, ObjectId | None, ObjectId | None]:
    old_raw = headers.get(b"old mode ", headers.get(b"deleted file mode "))
    new_raw = headers.get(b"new mode ", headers.get(b"new file mode "))
    same = index.group(3) if index else None
    if same is not None:
        if old_raw is not None or new_raw is not None:
            raise reader.refuse("a mode in the index line beside a mode header")
        old_raw = new_raw = same
    elif index is not None and old_raw is None and new_raw is None:
        raise reader.refuse("the index line lacks the mode")
    for raw in (old_raw, new_raw):
        if raw is not None and raw.decode("ascii", "replace") not in MODES:
            raise reader.refuse(f"{raw[:20]!r} is not a mode that git keeps for a file")
    old_mode = old_raw.decode() if old_raw is not None else None
    new_mode = new_raw.decode() if new_raw is not None else None
    if old_mode is not None and new_mode is not None:
        if same is None and old_mode == new_mode:
            raise reader.refuse("'old mode' and 'new mode' are the same")
        if old_mode[:3] != new_mode[:3]:
            raise reader.refuse(
                "a file becomes another type (git writes a deletion and an addition)"
            )
    if index is None:
        if kind in ("add", "delete"):
            raise reader.refuse("a full index line is missing (use --full-index)")
        return old_mode, new_mode, None, None
    old_id, new_id = ObjectId(index.group(1).decode()), ObjectId(index.group(2).decode())
    if (old_id == NULL_ID) != (kind == "add") or (new_id == NULL_ID) != (kind == "delete"):
        raise reader.refuse("the index line's null id does not fit what happens to the file")
    if old_id == new_id:
        raise reader.refuse("the index line names the same object twice")
    return old_mode, new_mode, old_id, new_id


def _body(reader: Reader, old: RepoPath | None, new: RepoPath | None, gitlink: bool) -> Body | None:
    line = reader.peek()
    if line is None or line.startswith(b"diff --git "):
        return None
    if line.startswith(b"--- "):
        _label(reader, b"--- ", b"a/", old)
        _label(reader, b"+++ ", b"b/", new)
        return TextBody(hunks(reader))
    if line == b"GIT binary patch" and not gitlink:
        reader.position += 1
        return BinaryBody(binary_chunk(reader), binary_chunk(reader))
    if line.startswith(b"Binary files "):
        raise reader.refuse("a binary file without its content (use --binary)")
    raise reader.refuse(f"unexpected {line[:60]!r}")


def _label(reader: Reader, lead: bytes, side: bytes, path: RepoPath | None) -> None:
    """Read `--- a/path` or `+++ b/path`; git adds a tab where the name holds a space."""
    line = reader.next(lead.decode() + "line")
    reader.position -= 1
    if not line.startswith(lead):
        raise reader.refuse(f"expected {lead.decode()!r}, found {line[:60]!r}")
    label = line[len(lead) :]
    if label.endswith(b"\t"):
        label = label[:-1]
        if b" " not in label:
            raise reader.refuse("a tab after a name without spaces")
    elif b" " in label:
        raise reader.refuse("a name with spaces lacks git's closing tab")
    said = b"/dev/null" if label == b"/dev/null" else _plain(reader.position, label)
    wanted = b"/dev/null" if path is None else side + path_bytes(path)
    if said != wanted:
        raise reader.refuse(f"{line[:80]!r} names another path than 'diff --git'")
    reader.position += 1
