"""What a worker left in its own git directory, read as files: git is never run in there."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId

_ID = re.compile(rb"[0-9a-f]{40}")
_MOST_TIPS = 10_000
_MOST_BYTES = 256 << 20
_REFLOGS = ("HEAD", "refs/stash")


@dataclass(frozen=True, slots=True)
class OwnGit:
    """HEAD's commit (None: unborn), the index, where objects lie, and every other known tip.

    `tips` are refs by name, and what only reflogs know: older stashes, commits that were left.
    """

    head: ObjectId | None
    tips: dict[str, ObjectId]
    index: bytes | None
    shared_indexes: dict[str, bytes]
    objects: Path


class GitReplaced(Exception):
    """The git directory is a link, a file, or holds what leads out of it."""


class GitUnreadable(Exception):
    """Something in the git directory is not what git writes there; `str()` says what."""


def own_git(checkout: Path, lent: bytes) -> OwnGit:
    """Return what lies in the git directory of `checkout`, whose store borrows by the line `lent`.

    Raises FileNotFoundError where there is none, GitReplaced where it is not the checkout's own,
    GitUnreadable or OSError where it cannot be read.
    """
    folder = checkout / ".git"
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise GitReplaced
    objects = folder / "objects"
    if not (_is_folder(folder / "refs") and _is_folder(objects) and _is_plain_store(objects)):
        raise GitReplaced
    if _content(objects / "info" / "alternates") not in (lent, None):
        raise GitReplaced
    if (folder / "reftable").exists():
        raise GitUnreadable("its refs are kept in a form that is not read here (reftable)")
    refs = dict(_refs(folder))
    if len(refs) > _MOST_TIPS:
        raise GitUnreadable(f"it holds more than {_MOST_TIPS} refs")
    index = _content(folder / "index")
    if index is not None and not _is_whole(index):
        raise GitUnreadable("its index is damaged")
    return OwnGit(
        head=_head(folder, refs),
        tips={**dict(_logged(folder)), **refs},
        index=index,
        shared_indexes={
            name: content
            for name in os.listdir(folder)
            if name.startswith("sharedindex.") and (content := _content(folder / name)) is not None
        },
        objects=objects,
    )


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _is_plain_store(objects: Path) -> bool:
    """Return whether a store holds nothing but folders and files: git would follow or hang."""
    waiting = [str(objects)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif not entry.is_file(follow_symlinks=False):
                    return False
    return True


def _is_whole(index: bytes) -> bool:
    """Return whether an index ends in its own checksum, or in zeros (index.skipHash)."""
    body, end = index[:-20], index[-20:]
    return end in (hashlib.sha1(body, usedforsecurity=False).digest(), bytes(20))


def _head(folder: Path, refs: dict[str, ObjectId]) -> ObjectId | None:
    said = _content(folder / "HEAD") or b""
    if said.startswith(b"ref: "):
        return refs.get(_text(said[5:].strip()))
    return _id(said)


def _refs(folder: Path) -> Iterator[tuple[str, ObjectId]]:
    for line in (_content(folder / "packed-refs") or b"").splitlines():
        oid, _, name = line.partition(b" ")
        if (known := _id(oid)) is not None:
            yield _text(name), known
    for path in _files(folder / "refs"):
        if (known := _id(_content(path) or b"")) is not None:
            yield str(path.relative_to(folder)), known


def _logged(folder: Path) -> Iterator[tuple[str, ObjectId]]:
    """Yield what HEAD and the stash once were: dropped from no ref, these are nowhere else."""
    for name in _REFLOGS:
        lines = (_content(folder / "logs" / name) or b"").splitlines()[-_MOST_TIPS:]
        for back, line in enumerate(reversed(lines)):
            if (known := _id(line[41:81])) is not None:
                yield f"{name}@{{{back}}}", known


def _files(folder: Path) -> Iterator[Path]:
    for here, _, names in os.walk(folder):
        yield from (Path(here) / name for name in names)


def _id(text: bytes) -> ObjectId | None:
    text = text.strip()
    return ObjectId(text.decode("ascii")) if _ID.fullmatch(text) else None


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _content(path: Path) -> bytes | None:
    """Return the content of a plain file, or None where there is none.

    Raises GitUnreadable for what is no plain file, or too large to be read.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise GitUnreadable(f"{path.name} in it cannot be read: {error.strerror}") from error
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_BYTES:
            raise GitUnreadable(f"{path.name} in it is no plain file of a usual size")
        return file.read()
