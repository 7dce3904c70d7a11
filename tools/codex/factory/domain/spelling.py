"""New names that some file system takes for other ones: case and Unicode form ignored."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.identity import RepoPath, WorkerId
from tools.codex.factory.domain.path import ancestors
from tools.codex.factory.domain.shape import emptied
from tools.codex.factory.domain.tree import BaseTree

ChangesOf = Mapping[WorkerId, tuple[Change, ...]]


@dataclass(frozen=True, slots=True)
class Collision:
    """`name` and `other` are one name somewhere; `sides` are the workers who spell them."""

    name: str
    other: str
    sides: tuple[tuple[WorkerId, ...], ...]


def fold(path: str) -> str:
    """Return what a file system that ignores case and Unicode form takes `path` for."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def collisions(changes_of: ChangesOf, base: BaseTree) -> Iterator[Collision]:
    """Yield each collision of new names, among bundles and with the base."""
    rivals = _Rivals(changes_of, base)
    for _, spelled in sorted(_spellings(changes_of).items()):
        yield from _collisions_of(spelled, rivals)


def _spellings(changes_of: ChangesOf) -> dict[str, dict[str, set[WorkerId]]]:
    """Return, for each folded name, how it and its folders are spelled by new paths of whom."""
    found: dict[str, dict[str, set[WorkerId]]] = {}
    for worker, changes in changes_of.items():
        seen: set[str] = set()
        for change in changes:
            if change.old is not None or change.new is None:
                continue
            for name in (change.path, *ancestors(change.path)):
                if name in seen:
                    break
                seen.add(name)
                found.setdefault(fold(name), {}).setdefault(name, set()).add(worker)
    return found


def _collisions_of(spelled: Mapping[str, set[WorkerId]], rivals: "_Rivals") -> Iterator[Collision]:
    """Yield the collisions of one folded name, among workers and with the base."""
    names = sorted(spelled)
    new = [name for name in names if rivals.is_new(name)]
    # Names that differ in their folders only collide where the folders do.
    if new and len({name.rpartition("/")[2] for name in names}) > 1:
        yield Collision(names[-1], names[0], tuple(tuple(sorted(spelled[n])) for n in names))
        for worker in sorted({worker for name in new for worker in spelled[name]}):
            own = [name for name in names if worker in spelled[name]]
            if len(own) > 1:
                yield Collision(own[-1], own[0], ((worker,),))
    for name in new:
        for worker in sorted(spelled[name]):
            rival = rivals.of(name, worker)
            if rival is not None:
                yield Collision(name, rival, ((worker,),))


class _Rivals:
    """The names of the base that a file system would take for another one."""

    def __init__(self, changes_of: ChangesOf, base: BaseTree) -> None:
        self._base = base
        self._changes_of = changes_of
        self._by_path: dict[WorkerId, dict[RepoPath, Change]] = {}
        self._folded: dict[str, dict[str, list[str]]] = {}

    def is_new(self, name: str) -> bool:
        """Return whether the base lacks this very spelling: what it has is not our doing."""
        return self._base.entry(name) is None

    def of(self, name: str, worker: WorkerId) -> str | None:
        """Return a base name that `name` collides with and `worker` does not take away."""
        above, _, last = name.rpartition("/")
        directory = self._base.directories.get(above)
        if directory is None:
            return None
        if above not in self._folded:
            self._folded[above] = {}
            for sibling in directory:
                self._folded[above].setdefault(fold(sibling), []).append(sibling)
        prefix = f"{above}/" if above else ""
        rivals = (prefix + one for one in self._folded[above].get(fold(last), ()) if one != last)
        return next((rival for rival in rivals if not self._is_taken_away(rival, worker)), None)

    def _is_taken_away(self, name: str, worker: WorkerId) -> bool:
        if worker not in self._by_path:
            self._by_path[worker] = {change.path: change for change in self._changes_of[worker]}
        changes = self._by_path[worker]
        own = changes.get(RepoPath(name))
        return (own is not None and own.new is None) or emptied(name, changes, self._base)
