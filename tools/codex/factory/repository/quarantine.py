"""The run's own object store: a bare repository that borrows the user's objects and keeps ours."""

import hashlib
import os
import struct
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.errors import raise_spent
from tools.codex.factory.process.child import Completed
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.loan import loan

_TYPE = {"commit": 1, "tree": 2, "blob": 3}


def open_store(git: Git, store: Path, borrowed: Path) -> None:
    """Make `store` a bare repository that borrows the objects in `borrowed`.

    Done again it only renews the loan, so a run survives a repository that was moved.
    """
    try:
        _open_store(git, store, borrowed)
    except OSError as error:
        raise_spent(error, f"cannot write {str(store)!r}")
        raise


def _open_store(git: Git, store: Path, borrowed: Path) -> None:
    info = store / "objects" / "info"
    # The loan is written last: without one, a git that was killed may have made half of the store.
    if not (info / "alternates").exists():
        store.mkdir(exist_ok=True)
        git.out(
            "init", "--quiet", "--bare", "--template=", "--object-format=sha1", ".",
            git_dir=store,
        )  # fmt: skip
    info.mkdir(parents=True, exist_ok=True)
    # A new file in place of the old: that one might have another name elsewhere.
    handle, name = tempfile.mkstemp(dir=info, prefix="alternates-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(loan(borrowed))
        os.rename(name, info / "alternates")
    except OSError:
        os.unlink(name)
        raise


def pack_of(objects: Mapping[ObjectId, tuple[str, bytes]], *, level: int = 1) -> bytes:
    """Return a pack (gitformat-pack, version 2) of whole objects, sorted by id.

    `level` is zlib's: 0 for a pack that is thrown away as soon as it was read.
    """
    parts = [struct.pack(">4sII", b"PACK", 2, len(objects))]
    for oid in sorted(objects):
        kind, content = objects[oid]
        parts.append(_object_header(_TYPE[kind], len(content)))
        parts.append(zlib.compress(content, level))
    body = b"".join(parts)
    return body + hashlib.sha1(body, usedforsecurity=False).digest()


def keep_pack(git: Git, store: Path, pack: bytes, *, strict: bool) -> Completed:
    """Let git check `pack` and keep it in `store`; `strict` also holds each object to git's rules.

    What git says against the pack is in the answer: nothing is kept then.
    """
    flags = ("--strict",) if strict else ()
    return git.call("index-pack", "--stdin", *flags, git_dir=store, feed=pack)


def _object_header(kind: int, size: int) -> bytes:
    """Return type and size: four bits of the size beside the type, then seven a byte."""
    byte = kind << 4 | size & 15
    size >>= 4
    out = bytearray()
    while size:
        out.append(byte | 0x80)
        byte = size & 0x7F
        size >>= 7
    out.append(byte)
    return bytes(out)
