"""What lies in the tree of a commit: its files by path, and the content of a few of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId, object_id
from tools.codex.factory.domain.patch import GITLINK, SYMLINK
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.objects import objects_of


@dataclass(frozen=True, slots=True)
class Inventory:
    """The files of a tree with their objects; `others` are its links and submodules."""

    files: Mapping[str, ObjectId]
    others: frozenset[str]


def inventory(git: Git, git_dir: Path, commit: ObjectId) -> Inventory:
    """Return what lies in the tree of `commit`."""
    said = git.out("ls-tree", "-r", "-z", "--full-tree", commit, git_dir=git_dir)
    files: dict[str, ObjectId] = {}
    others = set()
    for row in said.split(b"\0")[:-1]:
        meta, _, name = row.partition(b"\t")
        mode, _, oid = meta.decode("ascii").split(" ")
        path = name.decode("utf-8", "surrogateescape")
        if mode in (SYMLINK, GITLINK):
            others.add(path)
        else:
            files[path] = object_id(oid)
    return Inventory(files, frozenset(others))


def texts(
    git: Git, git_dir: Path, found: Inventory, paths: Iterable[str], *, limit: int
) -> dict[str, str]:
    """Return the content of those files of at most `limit` bytes, as text."""
    asked = {path: found.files[path] for path in paths}
    with objects_of(git, git_dir) as objects:
        blobs = objects.blobs(frozenset(asked.values()), limit=limit)
    return {
        path: blobs[oid].decode("utf-8", "replace") for path, oid in asked.items() if oid in blobs
    }
