"""The grammar of names: runs, workers, objects, repository paths, digests."""

import hashlib
import re
from collections.abc import Collection
from datetime import datetime
from typing import NewType

RunId = NewType("RunId", str)
WorkerId = NewType("WorkerId", str)
ObjectId = NewType("ObjectId", str)
RepoPath = NewType("RepoPath", str)
Digest = NewType("Digest", str)

INTEGRATOR = WorkerId("Z_integrator")
_TAKEN = frozenset({INTEGRATOR.casefold(), "seals", "record"})
NULL_ID = ObjectId("0" * 40)
EMPTY_BLOB = ObjectId("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_WORKER_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_OBJECT_ID = re.compile(r"[0-9a-f]{40}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
# Windows opens a device for these names, whatever the extension.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


def run_id(text: str) -> RunId:
    """Return `text` as a run id; raise ValueError saying why it is none."""
    if not _RUN_ID.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a run id (1 to 128 letters, digits, '.', '_', '-'; "
            "the first a letter or digit)"
        )
    if _DEVICE.fullmatch(text):
        raise ValueError(f"{text!r} is a device name on Windows")
    if text.startswith("factory_ledger"):
        raise ValueError(f"{text!r} is a name of the ledger")
    if text.endswith("."):
        raise ValueError(f"{text!r} ends in a dot, which Windows drops")
    return RunId(text)


def is_run_id(text: str) -> bool:
    """Return whether `text` can name a run."""
    try:
        run_id(text)
    except ValueError:
        return False
    return True


def next_run_id(kind: str, at: datetime, base: ObjectId, taken: Collection[str]) -> RunId:
    """Return `<kind>_<utc>_<base_hash>_<seq>`, with the first seq from 001 that is not taken."""
    prefix = f"{kind}_{at:%Y%m%dT%H%M%SZ}_{base[:8]}_"
    seq = 1
    while f"{prefix}{seq:03d}" in taken:
        seq += 1
    return RunId(f"{prefix}{seq:03d}")


def worker_id(text: str) -> WorkerId:
    """Return `text` as a worker id; raise ValueError saying why it is none."""
    if not _WORKER_ID.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a worker id (1 to 64 letters, digits, '_', '-'; the first a letter)"
        )
    if _DEVICE.fullmatch(text):
        raise ValueError(f"{text!r} is a device name on Windows")
    if text.casefold() in _TAKEN:
        raise ValueError(f"{text!r} is the name of a folder that every run has")
    return WorkerId(text)


def object_id(text: str) -> ObjectId:
    """Return `text` as a full SHA-1 object id; raise ValueError if it is none."""
    if not _OBJECT_ID.fullmatch(text):
        raise ValueError(f"{text!r} is not an object id (40 hex digits)")
    return ObjectId(text)


def digest(text: str) -> Digest:
    """Return `text` as a sha256 digest; raise ValueError if it is none."""
    if not _DIGEST.fullmatch(text):
        raise ValueError(f"{text!r} is not a sha256 digest (64 hex digits)")
    return Digest(text)


def digest_of(content: bytes) -> Digest:
    """Return the sha256 of `content`."""
    return Digest(hashlib.sha256(content).hexdigest())


def object_id_of(kind: str, content: bytes) -> ObjectId:
    """Return git's id of an object of `kind` (blob, tree, commit) that holds `content`."""
    header = f"{kind} {len(content)}\0".encode()
    return ObjectId(hashlib.sha1(header + content, usedforsecurity=False).hexdigest())
