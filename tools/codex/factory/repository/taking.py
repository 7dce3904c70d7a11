"""Our own index brought to what lies in a checkout, as far as git can keep it."""

import hashlib
import os
from pathlib import Path

from tools.codex.factory.domain.finding import Code, Finding
from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.domain.path import path_from_bytes
from tools.codex.factory.errors import FactoryError
from tools.codex.factory.repository.listing import Lens, Listing, is_plain, sizes
from tools.codex.factory.repository.staged import Staged
from tools.codex.factory.repository.subject import Subject, found_at
from tools.codex.factory.repository.survey import open_files


def fit(
    subject: Subject, said: Listing, beside: Staged, findings: list[Finding]
) -> dict[bytes, bool]:
    """Return the paths to be taken, each with whether something that git can keep lies there."""
    wanted = sorted(said.changed | said.new | beside.known)
    states = sizes(subject.checkout, wanted)
    left = subject.limits.bundle_bytes
    found: dict[bytes, bool] = {}
    for path in wanted:
        state = states.get(path)
        if state is None and path in beside.hidden:
            continue
        try:
            path_from_bytes(path)
        except ValueError as error:
            findings.append(found_at(subject, Code.CAPTURE_PATH_REFUSED, str(error), path))
            continue
        if state is not None and not is_plain(state):
            findings.append(
                found_at(subject, Code.CAPTURE_SPECIAL_FILE, "no file, no link, no folder", path)
            )
        elif state is not None:
            left -= state.st_size
            if state.st_size > subject.limits.file_bytes or left < 0:
                findings.append(_too_large(subject, path, state.st_size))
                continue
        found[path] = state is not None and is_plain(state)
    return found


def take(through: Lens, subject: Subject, paths: dict[bytes, bool], beside: Staged) -> None:
    """Bring our index to what lies in the checkout at `paths`."""
    there = b"".join(path + b"\0" for path, plain in paths.items() if plain)
    gone = [path for path, plain in paths.items() if not plain]
    if there:
        words = ("-c", "core.looseCompression=0", "update-index", "-z", "--add", "--remove")
        try:
            through.ask(*words, "--replace", "--stdin", feed=there)
        except FactoryError:
            open_files(subject.checkout)
            through.ask(*words, "--replace", "--stdin", feed=there)
    rows = [b"0 " + b"0" * 40 + b"\t" + path for path in gone]
    rows += [
        f"{mode} {_own_blob(through, subject, oid)}\t".encode() + path
        for path, (mode, oid) in beside.hidden.items()
        if path not in paths
    ]
    _set_entries(through, rows)


def _own_blob(through: Lens, subject: Subject, oid: ObjectId) -> str:
    """Return `oid`, once our own store holds its content: a worker's store may lie about it."""
    lent = subject.checkout / ".git" / "objects"
    if int(through.read("cat-file", "-s", oid, more=lent)) > subject.limits.file_bytes:
        raise ValueError(f"blob {oid} in the worker's index is larger than a file may be")
    content = through.read("cat-file", "blob", oid, more=lent)
    return through.ask("hash-object", "-w", "--stdin", feed=content).decode("ascii").strip()


def restore_untouched(through: Lens, subject: Subject) -> None:
    """Give files that hold the very bytes of the base their base entry again.

    Attributes can make git see another blob in a file that nobody touched, in any fresh checkout.
    """
    words = ("diff-index", "--cached", "--raw", "-z", "--no-renames", "--abbrev=40", subject.base)
    parts = through.read(*words).split(b"\0")[:-1]
    rows = []
    for meta, path in zip(parts[::2], parts[1::2], strict=True):
        _, mode, old, new, _ = meta[1:].decode("ascii").split()
        if old != new and mode.startswith("100") and _raw_id(subject.checkout, path) == old:
            rows.append(f"{mode} {old}\t".encode() + path)
    _set_entries(through, rows)


def _raw_id(checkout: Path, path: bytes) -> str:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    handle = os.open(os.path.join(os.fsencode(checkout), path), flags)
    with os.fdopen(handle, "rb") as file:
        size = os.fstat(handle).st_size
        digest = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _set_entries(through: Lens, rows: list[bytes]) -> None:
    if rows:
        feed = b"".join(row + b"\0" for row in rows)
        through.ask("update-index", "-z", "--index-info", feed=feed)


def _too_large(subject: Subject, path: bytes, size: int) -> Finding:
    limits = subject.limits
    most = f"a file may have {limits.file_bytes} bytes, a bundle {limits.bundle_bytes}"
    return found_at(subject, Code.CAPTURE_TOO_LARGE, f"{size} bytes: {most}", path)
