"""What a worker's own index and HEAD say beyond the files that lie there."""

from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.repository.listing import Lens
from tools.codex.factory.repository.own_git import OwnGit


@dataclass(frozen=True, slots=True)
class Staged:
    """Paths as bytes.

    `known` are in the index or in HEAD and not in the base: ignored or not, they were meant.
    `hidden` are in the index and kept out of the work tree (sparse), with mode and object id.
    `unmerged` are conflicts that nobody resolved.
    """

    known: frozenset[bytes]
    hidden: dict[bytes, tuple[str, ObjectId]]
    unmerged: tuple[bytes, ...]


NOTHING = Staged(frozenset(), {}, ())


def staged(through: Lens, own: OwnGit, *, made: bytes | None, base: ObjectId) -> Staged:
    """Return what index and HEAD add; `made` is the index as the checkout was made with.

    Raises RepositoryError where git cannot read one of them.
    """
    known: set[bytes] = set()
    hidden: dict[bytes, tuple[str, ObjectId]] = {}
    unmerged: set[bytes] = set()
    if own.index is not None and own.index != made:
        for tag, mode, oid, stage, path in _rows(through, own):
            known.add(path)
            if stage != "0":
                unmerged.add(path)
            elif tag == "S":
                hidden[path] = (mode, oid)
    if own.head is not None and own.head != base:
        said = through.read(
            "ls-tree", "-r", "-z", "--name-only", "--full-tree", own.head, more=own.objects
        )
        known.update(said.split(b"\0")[:-1])
    if known:
        known.difference_update(through.ask("ls-files", "-z").split(b"\0")[:-1])
    return Staged(frozenset(known), hidden, tuple(sorted(unmerged)))


def _rows(through: Lens, own: OwnGit) -> list[tuple[str, str, ObjectId, str, bytes]]:
    assert own.index is not None
    copy = through.own / "worker-index"
    copy.write_bytes(own.index)
    for name, content in own.shared_indexes.items():
        (through.own / name).write_bytes(content)
    said = through.read("ls-files", "-z", "-t", "-s", more=own.objects, index=Path(copy))
    found = []
    for row in said.split(b"\0")[:-1]:
        meta, _, path = row.partition(b"\t")
        tag, mode, oid, stage = meta.decode("ascii").split()
        found.append((tag, mode, ObjectId(oid), stage, path))
    return found
