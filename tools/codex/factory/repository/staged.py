"""What a worker's own index and HEAD say beyond the files that lie there."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.repository.listing import Lens, Row, rows_of
from tools.codex.factory.repository.own_git import OwnGit


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """Paths as bytes.

    `known` are in the index or in HEAD and not in the base: ignored or not, they were meant.
    `dropped` are in the base and in neither: where they are ignored, they were taken out.
    `hidden` are kept out of the work tree on purpose (sparse), with what the index has for them.
    `unmerged` are conflicts that nobody resolved.
    """

    known: frozenset[bytes] = frozenset()
    dropped: frozenset[bytes] = frozenset()
    hidden: Mapping[bytes, Row] = field(default_factory=dict)
    unmerged: tuple[bytes, ...] = ()


NOTHING = Staged()


def staged(
    through: Lens, own: OwnGit, *, made: bytes | None, base: ObjectId, tree: Mapping[bytes, Row]
) -> Staged:
    """Return what index and HEAD add to `tree`, the base's own rows.

    `made` is the index as the checkout was made with. Raises RepositoryError where git cannot
    read one of them.
    """
    known: set[bytes] = set()
    hidden: dict[bytes, Row] = {}
    unmerged: set[bytes] = set()
    indexed = own.index is not None and own.index != made
    if indexed:
        for path, row in _rows(through, own):
            known.add(path)
            if row.stage != "0":
                unmerged.add(path)
            elif row.is_hidden:
                hidden[path] = row
    if own.head is not None and own.head != base:
        words = ("ls-tree", "-r", "-z", "--name-only", "--full-tree", own.head)
        known.update(through.read(*words, more=own.objects).split(b"\0")[:-1])
    return Staged(
        known=frozenset(known.difference(tree)),
        dropped=frozenset(path for path in tree if path not in known) if indexed else frozenset(),
        hidden=hidden,
        unmerged=tuple(sorted(unmerged)),
    )


def _rows(through: Lens, own: OwnGit) -> list[tuple[bytes, Row]]:
    assert own.index is not None
    copy = through.own / "worker-index"
    copy.write_bytes(own.index)
    for name, content in own.shared_indexes.items():
        (through.own / name).write_bytes(content)
    return rows_of(through.read("ls-files", "-z", "-t", "-s", more=own.objects, index=copy))
