"""What a worker left in its own git directory, read as files: git is never run in there."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId

_ID = re.compile(rb"[0-9a-f]{40}")
_REF = re.compile(r"refs/[A-Za-z0-9._/+@-]+")
_MOST_REFS = 10_000
_MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class OwnGit:
    """HEAD's commit (None: unborn, or no id), the refs beside it, the index, where objects lie."""

    head: ObjectId | None
    refs: dict[str, ObjectId]
    index: bytes | None
    shared_indexes: dict[str, bytes]
    objects: Path


class GitReplaced(Exception):
    """The git directory is a link, a file, or not there."""


def own_git(checkout: Path) -> OwnGit:
    """Return what lies in the git directory of `checkout`.

    Raises FileNotFoundError where there is none, GitReplaced where it is no folder of the
    checkout's own, OSError where it cannot be read.
    """
    folder = checkout / ".git"
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise GitReplaced
    objects = folder / "objects"
    if not stat.S_ISDIR((folder / "refs").lstat().st_mode) or not _plain_store(objects):
        raise GitReplaced
    refs = _refs(folder)
    return OwnGit(
        head=_head(folder, refs),
        refs=refs,
        index=_content(folder / "index"),
        shared_indexes={
            name: content
            for name in os.listdir(folder)
            if name.startswith("sharedindex.") and (content := _content(folder / name)) is not None
        },
        objects=objects,
    )


def _plain_store(objects: Path) -> bool:
    """Return whether a store holds nothing but folders and files: git would follow or hang."""
    waiting = [str(objects)]
    if not stat.S_ISDIR(objects.lstat().st_mode):
        return False
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif not entry.is_file(follow_symlinks=False):
                    return False
    return True


def _head(folder: Path, refs: dict[str, ObjectId]) -> ObjectId | None:
    said = _content(folder / "HEAD") or b""
    if said.startswith(b"ref: "):
        name = said[5:].strip().decode("utf-8", "surrogateescape")
        return refs.get(name)
    return _id(said)


def _refs(folder: Path) -> dict[str, ObjectId]:
    found: dict[str, ObjectId] = {}
    for line in (_content(folder / "packed-refs") or b"").splitlines():
        oid, _, name = line.partition(b" ")
        if (known := _id(oid)) is not None:
            found[name.decode("utf-8", "surrogateescape")] = known
    for path in _files(folder / "refs"):
        known = _id(_content(path) or b"")
        if known is not None:
            found[str(path.relative_to(folder))] = known
    plain = sorted(name for name in found if _is_plain(name))
    return {name: found[name] for name in plain[:_MOST_REFS]}


def _is_plain(name: str) -> bool:
    """True for names that git takes for sure; an odder one is worth no risk."""
    parts = name.split("/")
    bad = any(p == "" or p[0] == "." or p[-1] == "." or p.endswith(".lock") for p in parts)
    return bool(_REF.fullmatch(name)) and not bad and ".." not in name and "@{" not in name


def _files(folder: Path) -> Iterator[Path]:
    for here, _, names in os.walk(folder):
        yield from (Path(here) / name for name in names)


def _id(text: bytes) -> ObjectId | None:
    text = text.strip()
    return ObjectId(text.decode("ascii")) if _ID.fullmatch(text) else None


def _content(path: Path) -> bytes | None:
    """Return the content of a plain file of no more than _MOST_BYTES, or None."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with suppress(OSError):
        handle = os.open(path, flags)
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(handle)
            if stat.S_ISREG(found.st_mode) and found.st_size <= _MOST_BYTES:
                return file.read()
    return None
