"""Git's own diff between two trees, with settings that no configuration can change."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId, RepoPath, object_id
from tools.codex.factory.domain.path import path_from_bytes
from tools.codex.factory.domain.tree import Entry
from tools.codex.factory.repository.git import Git

_DIFF = (
    "diff-tree", "-r", "--binary", "--full-index", "--no-renames", "--no-ext-diff",
    "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/", "-p",
)  # fmt: skip
_PAIR = re.compile(rb"^[0-9a-f]{40} [0-9a-f]{40}$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RawChange:
    """One path of `git diff-tree --raw`: its entries before and after, None where there is none."""

    path: RepoPath
    old: Entry | None
    new: Entry | None


def difference(git: Git, store: Path, old: ObjectId, new: ObjectId) -> bytes:
    """Return DIFF.patch between two trees."""
    return differences(git, store, [(old, new)])[0]


def differences(
    git: Git, store: Path, pairs: Sequence[tuple[ObjectId, ObjectId]]
) -> tuple[bytes, ...]:
    """Return DIFF.patch of each pair of trees, from one git process."""
    asked = [pair for pair in pairs if pair[0] != pair[1]]
    feed = "".join(f"{old} {new}\n" for old, new in asked).encode()
    said = git.out(*_DIFF, "--stdin", git_dir=store, feed=feed) if asked else b""
    # Lines of a diff begin with a space, a sign, or a word; none is two object ids.
    marks = list(_PAIR.finditer(said))
    found: dict[tuple[ObjectId, ObjectId], bytes] = {}
    for number, mark in enumerate(marks):
        end = marks[number + 1].start() if number + 1 < len(marks) else len(said)
        old, new = mark.group().decode().split()
        found[ObjectId(old), ObjectId(new)] = said[mark.end() + 1 : end]
    return tuple(found.get(pair, b"") for pair in pairs)


def raw_changes(git: Git, git_dir: Path, old: ObjectId, new: ObjectId) -> tuple[RawChange, ...]:
    """Return every path that differs between two trees; raise ValueError for a hostile path."""
    said = git.out("diff-tree", "-r", "-z", "--raw", "--no-renames", old, new, git_dir=git_dir)
    parts = said.split(b"\0")[:-1]
    return tuple(_raw(parts[n], parts[n + 1]) for n in range(0, len(parts), 2))


def _raw(meta: bytes, path: bytes) -> RawChange:
    old_mode, new_mode, old_id, new_id, _ = meta[1:].decode().split()
    return RawChange(path_from_bytes(path), _entry(old_mode, old_id), _entry(new_mode, new_id))


def _entry(mode: str, oid: str) -> Entry | None:
    return None if mode == "000000" else Entry(mode, object_id(oid))
