"""What kind of repository this is, read without touching it."""

import os
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.repository.discovery import UserRepository, shallow_of
from tools.codex.factory.repository.git import Git

_GITLINK = b"160000 "


@dataclass(frozen=True, slots=True)
class Kind:
    """Where a repository differs from a plain clone. `branch` is "" where HEAD is detached."""

    is_linked: bool
    """Whether its work tree is one of several (`git worktree add`)."""
    is_shallow: bool
    folds_case: bool
    ignores_case: bool
    """What git was told of the file system (core.ignorecase)."""
    branch: str


def kind_of(git: Git, repository: UserRepository) -> Kind:
    """Return what kind of repository this is."""
    top = repository.work_tree
    branch = git.call("symbolic-ref", "--quiet", "--short", "HEAD", git_dir=repository.git_dir)
    ignoring = git.call(
        "config", "--local", "--type=bool", "core.ignorecase", git_dir=repository.git_dir
    )
    return Kind(
        is_linked=(repository.git_dir / "commondir").exists(),
        is_shallow=bool(shallow_of(git, repository)),
        folds_case=_is_same(top / ".git", top / ".GIT"),
        ignores_case=ignoring.stdout.strip() == b"true",
        branch=branch.stdout.decode("utf-8", "surrogateescape").strip(),
    )


def submodules_in(git: Git, repository: UserRepository, commit: ObjectId) -> int:
    """Return how many submodules the tree of `commit` names."""
    said = git.out(
        "ls-tree", "-r", "-z", "--full-tree", commit, git_dir=repository.git_dir
    )  # fmt: skip
    return sum(row.startswith(_GITLINK) for row in said.split(b"\0"))


def _is_same(one: Path, other: Path) -> bool:
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except OSError:
        return False
