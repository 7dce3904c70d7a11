"""A branch made elsewhere: what its work makes of the base commit, exactly or not at all."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId, RepoPath
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.tree import BaseTree, Entry
from tools.codex.factory.domain.wording import few
from tools.codex.factory.repository.difference import RawChange, raw_changes
from tools.codex.factory.repository.discovery import Base, UserRepository
from tools.codex.factory.repository.git import Git


@dataclass(frozen=True, slots=True)
class Carried:
    """What a branch changes, as entries on the base; `refusal` says why it could not be carried."""

    entries: dict[RepoPath, Entry | None]
    refusal: str


def carried(
    git: Git,
    repository: UserRepository,
    store: Path,
    base: Base,
    commit: ObjectId,
    around: Callable[[set[RepoPath]], BaseTree],
) -> Carried:
    """Return what `commit` changes since it left the base's history, held to the base's entries.

    Nothing is merged here: a path that the base has meanwhile changed itself refuses the branch.
    `store` borrows the repository's objects.
    """
    found = git.call("merge-base", "--all", base.commit, commit, git_dir=repository.git_dir)
    ancestors = found.stdout.decode().split()
    if len(ancestors) != 1:
        many = "several merge bases" if ancestors else "no common history"
        return Carried({}, f"{commit[:12]} has {many} with the base commit")
    try:
        # In a store without an index: git diff-tree would read the user's, and renew its times.
        changes = raw_changes(git, store, ObjectId(ancestors[0]), commit)
    except ValueError as error:
        return Carried({}, str(error))
    if ancestors[0] != base.commit:
        tree = around({change.path for change in changes})
        stale = [change for change in changes if not _fits(change, tree)]
        if stale:
            named = few([quoted(change.path) for change in stale], 3)
            return Carried({}, f"the base itself has changed {named} since {ancestors[0][:12]}")
    return Carried({change.path: change.new for change in changes}, "")


def _fits(change: RawChange, base: BaseTree) -> bool:
    return base.entry(change.path) == change.old
