"""Do the changes of one bundle leave a tree that can be: no name both a file and a folder?"""

from collections.abc import Iterator, Mapping

from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.finding import Code, Finding, blocking
from tools.codex.factory.domain.identity import RepoPath, WorkerId
from tools.codex.factory.domain.path import ancestors, quoted
from tools.codex.factory.domain.tree import DIRECTORY, BaseTree


def shape_findings(
    changes: Mapping[RepoPath, Change], base: BaseTree, worker: WorkerId
) -> Iterator[Finding]:
    """Yield a finding for each new path that a file stands in the way of, in base or patch."""
    for path, change in changes.items():
        if change.new is None:
            continue
        for above in ancestors(path):
            other = changes.get(RepoPath(above))
            entry = other.new if other else base.entry(above)
            if entry is not None and entry.mode != DIRECTORY:
                yield _shape(
                    worker, path, f"{quoted(above)!r} above it is a file, link or submodule"
                )
                break
        entry = base.entry(path)
        if entry is None or change.old is not None:
            continue
        if entry.mode != DIRECTORY:
            yield _shape(worker, path, "the base already has this path")
        elif not emptied(path, changes, base):
            yield _shape(worker, path, "the base has a directory there that keeps files")


def emptied(directory: str, changes: Mapping[RepoPath, Change], base: BaseTree) -> bool:
    """Return whether `changes` take away everything that the base has below `directory`."""
    entries = base.directories.get(directory)
    if entries is None:
        return False
    for name, entry in entries.items():
        path = f"{directory}/{name}" if directory else name
        change = changes.get(RepoPath(path))
        if entry.mode == DIRECTORY:
            if not emptied(path, changes, base):
                return False
        elif change is None or change.new is not None:
            return False
    return True


def _shape(worker: WorkerId, path: RepoPath, message: str) -> Finding:
    return blocking(
        Code.PATCH_TREE_SHAPE,
        f"{worker}: {quoted(path)}",
        message,
        "take the one away in the same patch, or use another name",
    )
