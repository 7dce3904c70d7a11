"""Our own index brought to what lies in a checkout, as far as git can keep it."""

import filecmp
import os
import stat
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tools.codex.factory.domain.finding import Code, Finding
from tools.codex.factory.domain.path import path_from_bytes
from tools.codex.factory.errors import FactoryError, NoRoom, raise_spent
from tools.codex.factory.repository.listing import (
    Lens,
    Listing,
    Row,
    ignored_among,
    is_plain,
    sizes,
)
from tools.codex.factory.repository.own_git import OwnGit
from tools.codex.factory.repository.staged import Staged
from tools.codex.factory.repository.subject import Subject, found_at
from tools.codex.factory.repository.survey import open_files

GITLINK = "160000"
_UPDATE = (
    "-c", "core.looseCompression=0", "update-index", "-z", "--add", "--remove", "--replace",
    "--stdin",
)  # fmt: skip


@dataclass(slots=True)
class Fit:
    """What our index is to take: paths as they lie there, paths that are gone, whole entries."""

    there: list[bytes] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    entries: dict[bytes, Row] = field(default_factory=dict)


def fit(
    through: Lens,
    subject: Subject,
    said: Listing,
    beside: Staged,
    own: OwnGit | None,
    tree: Mapping[bytes, Row],
    findings: list[Finding],
) -> Fit:
    """Return what may be taken of a checkout; a finding for each path that may not."""
    wanted = sorted(said.changed | said.new | beside.known | beside.hidden.keys())
    folders = {folder for path in beside.hidden for folder in _folders(path)}
    states = sizes(subject.checkout, {*wanted, *beside.dropped, *folders})
    taken = Fit()
    hidden = {
        path: row
        for path, row in beside.hidden.items()
        if path not in states and not _is_below_a_file(path, states)
    }
    left = subject.limits.bundle_bytes
    for path in wanted:
        state = states.get(path)
        if path in hidden:
            continue
        if not _may_be_named(subject, path, findings):
            continue
        if state is None:
            taken.gone.append(path)
        elif not is_plain(state):
            message = "no file, no link, no folder"
            findings.append(found_at(subject, Code.CAPTURE_SPECIAL_FILE, message, path))
            taken.gone.append(path)
        elif stat.S_ISDIR(state.st_mode) and not _is_submodule(subject, path, tree):
            # It was a file to base, index or HEAD; what lies in the folder is listed by itself.
            taken.gone.append(path)
        elif state.st_size > min(left, subject.limits.file_bytes):
            findings.append(_too_large(subject, path, state.st_size))
        else:
            left -= state.st_size
            taken.there.append(path)
    dropped = [path for path in beside.dropped if path in states]
    taken.gone += sorted(ignored_among(through, dropped))
    _fit_hidden(through, subject, hidden, own, tree, taken, findings)
    return taken


def take(through: Lens, subject: Subject, taken: Fit, tree: Mapping[bytes, Row]) -> None:
    """Bring our index to what is taken."""
    if _has_attributes(subject, taken.there):
        # Attributes can make git look at the base's own blob before it writes the new one.
        known = (tree[path] for path in taken.there if path in tree)
        through.borrow({row.oid for row in known if row.mode != GITLINK})
    if taken.there:
        feed = b"".join(path + b"\0" for path in taken.there)
        try:
            through.ask(*_UPDATE, feed=feed)
        except NoRoom:
            raise
        except FactoryError:
            open_files(subject.checkout)
            through.ask(*_UPDATE, feed=feed)
    rows = [b"0 " + b"0" * 40 + b"\t" + path for path in taken.gone]
    rows += [f"{row.mode} {row.oid}\t".encode() + path for path, row in taken.entries.items()]
    _set_entries(through, rows)
    if _has_attributes(subject, taken.there):
        modes = _modified(through, subject)
        untouched = untouched_among(through, subject, modes, tree, seen=modes)
        rows = [f"{mode} {tree[path].oid}\t".encode() + path for path, mode in untouched.items()]
        _set_entries(through, rows)


def untouched_among(
    through: Lens,
    subject: Subject,
    modes: Mapping[bytes, str],
    tree: Mapping[bytes, Row],
    *,
    seen: Collection[bytes],
) -> dict[bytes, str]:
    """Return those files that hold the very bytes of a fresh checkout of the base.

    Attributes, of the base or among the paths `seen`, can make git see another blob in a file
    that nobody touched.
    """
    asked = [path for path in modes if path in tree and tree[path].mode.startswith("100")]
    if not asked or not _has_attributes(subject, seen):
        return {}
    with tempfile.TemporaryDirectory(prefix="fresh-", dir=through.own) as folder:
        through.read(
            "-c", "core.bare=false", "checkout-index", "-z", "--stdin", "--force",
            feed=b"".join(path + b"\0" for path in asked),
            index=through.base_index,
            work_tree=Path(folder),
        )  # fmt: skip
        top = os.fsencode(subject.checkout)
        return {
            path: modes[path]
            for path in asked
            if _same(os.path.join(os.fsencode(folder), path), os.path.join(top, path))
        }


def _fit_hidden(
    through: Lens,
    subject: Subject,
    hidden: Mapping[bytes, Row],
    own: OwnGit | None,
    tree: Mapping[bytes, Row],
    taken: Fit,
    findings: list[Finding],
) -> None:
    """Add what the worker's index has for paths that it keeps out of its work tree."""
    new = {path: row for path, row in hidden.items() if not _is_base(tree.get(path), row)}
    if not new or own is None:
        return
    blobs = sorted({row.oid for row in new.values() if row.mode != GITLINK})
    said = through.read(
        "cat-file", "--batch-check=%(objectname) %(objectsize)",
        feed="".join(f"{oid}\n" for oid in blobs).encode(),
        more=own.objects,
    )  # fmt: skip
    size_of = dict(line.split() for line in said.decode("ascii").splitlines())
    for path, row in sorted(new.items()):
        size = size_of.get(row.oid, "0")
        if not _may_be_named(subject, path, findings):
            continue
        if not size.isdigit():
            message = "its content is missing from the worker's git directory"
            findings.append(found_at(subject, Code.CAPTURE_GIT_UNREADABLE, message, path))
        elif int(size) > subject.limits.file_bytes:
            findings.append(_too_large(subject, path, int(size)))
        else:
            taken.entries[path] = row
    oids = {row.oid for row in taken.entries.values() if row.mode != GITLINK}
    if oids:
        through.borrow(oids, more=own.objects)


def _is_submodule(subject: Subject, path: bytes, tree: Mapping[bytes, Row]) -> bool:
    """Return whether git may keep a folder as one entry."""
    was = path in tree and tree[path].mode == GITLINK
    return was or os.path.lexists(os.path.join(os.fsencode(subject.checkout), path, b".git"))


def _folders(path: bytes) -> list[bytes]:
    return [path[:at] for at, byte in enumerate(path) if byte == ord("/")]


def _is_below_a_file(path: bytes, states: Mapping[bytes, os.stat_result]) -> bool:
    """Return whether a file or link lies where a folder above `path` would be: it counts."""
    here = (states.get(folder) for folder in _folders(path))
    return any(state is not None and not stat.S_ISDIR(state.st_mode) for state in here)


def _is_base(base: Row | None, row: Row) -> bool:
    return base is not None and (base.mode, base.oid) == (row.mode, row.oid)


def _may_be_named(subject: Subject, path: bytes, findings: list[Finding]) -> bool:
    try:
        path_from_bytes(path)
    except ValueError as error:
        findings.append(found_at(subject, Code.CAPTURE_PATH_REFUSED, str(error), path))
        return False
    return True


def _modified(through: Lens, subject: Subject) -> dict[bytes, str]:
    """Return the files whose blob differs from the base's, with the mode that they have now."""
    words = ("diff-index", "--cached", "--raw", "-z", "--no-renames", "--abbrev=40", subject.base)
    parts = through.read(*words).split(b"\0")[:-1]
    found = {}
    for meta, path in zip(parts[::2], parts[1::2], strict=True):
        _, mode, old, new, _ = meta[1:].decode("ascii").split()
        if old != new and mode.startswith("100"):
            found[path] = mode
    return found


def has_base_attributes(subject: Subject) -> bool:
    """Return whether the base may have attributes: an index names every path in full."""
    return subject.fresh is None or b".gitattributes" in subject.fresh.index


def _has_attributes(subject: Subject, paths: Collection[bytes]) -> bool:
    """Return whether attributes may change what git sees: the base has some, or the worker does."""
    named = any(path.rpartition(b"/")[2] == b".gitattributes" for path in paths)
    return named or has_base_attributes(subject)


def _same(one: bytes, other: bytes) -> bool:
    try:
        return not os.path.islink(other) and filecmp.cmp(one, other, shallow=False)
    except OSError as error:
        raise_spent(error, "the files of a checkout cannot be read")
        return False


def _set_entries(through: Lens, rows: list[bytes]) -> None:
    if rows:
        feed = b"".join(row + b"\0" for row in rows)
        through.ask("update-index", "-z", "--index-info", feed=feed)


def _too_large(subject: Subject, path: bytes, size: int) -> Finding:
    limits = subject.limits
    most = f"a file may have {limits.file_bytes} bytes, a bundle {limits.bundle_bytes}"
    return found_at(subject, Code.CAPTURE_TOO_LARGE, f"{size} bytes: {most}", path)
