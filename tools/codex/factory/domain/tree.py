"""A base tree and changed entries make new trees, in memory and by git's own object grammar."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tools.codex.factory.domain.identity import ObjectId, RepoPath, object_id_of
from tools.codex.factory.domain.path import ancestors, path_bytes

DIRECTORY = "040000"


class Entry(NamedTuple):
    """What a tree holds under one name."""

    mode: str
    id: ObjectId


Directory = dict[str, Entry]


@dataclass(frozen=True, slots=True)
class BaseTree:
    """The part of the base commit's tree that a run needs: the directories on the way to paths.

    `directories` maps a path ("" is the root) to its entries; what is not loaded is not there.
    """

    root: ObjectId
    directories: dict[str, Directory]
    rows: dict[str, dict[str, tuple[bytes, bytes]]] = field(
        default_factory=dict, compare=False, repr=False
    )
    """Entries as tree objects hold them, made when a directory is first spliced."""

    def entry(self, path: str) -> Entry | None:
        """Return the entry at `path`, or None. The directory above `path` must be loaded."""
        above, _, name = path.rpartition("/")
        directory = self.directories.get(above)
        return directory.get(name) if directory is not None else None


@dataclass(frozen=True, slots=True)
class Spliced:
    """A new root and the tree objects that the base does not have."""

    root: ObjectId
    objects: dict[ObjectId, bytes]


def around(root: ObjectId, paths: Iterable[str], read: Callable[[ObjectId], bytes]) -> BaseTree:
    """Return the base tree with every directory on the way to `paths` loaded by `read`."""
    wanted = {directory for path in paths for directory in (*ancestors(path), path)}
    directories = {"": parsed(read(root))}
    for path in sorted(wanted):
        above, _, name = path.rpartition("/")
        entry = directories.get(above, {}).get(name)
        if entry is not None and entry.mode == DIRECTORY:
            directories[path] = parsed(read(entry.id))
    return BaseTree(root, directories)


def parsed(content: bytes) -> Directory:
    """Return the entries of a tree object; modes as git's index keeps them."""
    entries: Directory = {}
    position = 0
    while position < len(content):
        space = content.index(b" ", position)
        end = content.index(b"\0", space)
        mode = _canonical_mode(content[position:space])
        name = content[space + 1 : end].decode("utf-8", "surrogateescape")
        entries[name] = Entry(mode, ObjectId(content[end + 1 : end + 21].hex()))
        position = end + 21
    return entries


def spliced(base: BaseTree, entries: Mapping[RepoPath, Entry | None]) -> Spliced:
    """Return `base` with `entries` set, or removed where None. Costs what is touched, no more.

    The entries must fit each other: no path below another that is a file.
    """
    if not entries:
        return Spliced(base.root, {})
    pending: dict[str, dict[str, Entry | None]] = {"": {}}
    for written, entry in entries.items():
        above, _, name = written.rpartition("/")
        pending.setdefault(above, {})[name] = entry
        for directory in ancestors(written):
            pending.setdefault(directory, {})
    objects: dict[ObjectId, bytes] = {}
    made: dict[str, dict[str, Entry | None]] = {}
    for path in sorted(pending, key=lambda p: p.count("/") if p else -1, reverse=True):
        wanted = _wanted(pending[path], made.pop(path, {}))
        content = _changed_rows(base, path, wanted)
        if path == "":
            break
        above, _, name = path.rpartition("/")
        made.setdefault(above, {})[name] = (
            Entry(DIRECTORY, _kept(content, objects)) if content else None
        )
    return Spliced(_kept(content, objects), objects)


def _wanted(
    files: Mapping[str, Entry | None], subdirectories: Mapping[str, Entry | None]
) -> dict[str, Entry | None]:
    """Return what becomes of each name: a new directory wins over a deleted file, a file over an
    emptied directory."""
    kept = {name: entry for name, entry in subdirectories.items() if entry or not files.get(name)}
    return {**files, **kept}


def _changed_rows(base: BaseTree, path: str, wanted: Mapping[str, Entry | None]) -> bytes:
    """Return the tree object of a base directory with some names changed; empty where none is."""
    directory = base.directories.get(path, {})
    if path not in base.rows:
        base.rows[path] = {name: _row(name, entry) for name, entry in directory.items()}
    rows = dict(base.rows[path])
    for name, entry in wanted.items():
        if entry is None:
            rows.pop(name, None)
        else:
            rows[name] = _row(name, entry)
    return b"".join(row for _, row in sorted(rows.values()))


def _row(name: str, entry: Entry) -> tuple[bytes, bytes]:
    """Return the key that git sorts an entry by, and the entry as a tree object holds it."""
    raw = path_bytes(name)
    is_directory = entry.mode == DIRECTORY
    # git sorts a directory as if its name ended in a slash.
    key = raw + b"/" if is_directory else raw
    mode = b"40000" if is_directory else entry.mode.encode()
    return key, mode + b" " + raw + b"\0" + bytes.fromhex(entry.id)


def _kept(content: bytes, objects: dict[ObjectId, bytes]) -> ObjectId:
    oid = object_id_of("tree", content)
    objects[oid] = content
    return oid


def _canonical_mode(raw: bytes) -> str:
    """Return the mode as git's index keeps it: old trees hold 100664 and zero-padded modes."""
    number = int(raw, 8)
    kind = number & 0o170000
    if kind == 0o100000:
        return "100755" if number & 0o100 else "100644"
    return f"{kind:06o}"
