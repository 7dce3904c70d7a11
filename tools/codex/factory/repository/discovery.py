"""Which repository the factory stands in, what kind it is, and whether it can be worked on."""

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId, object_id
from tools.codex.factory.errors import (
    BaseRefNotFound,
    FactoryError,
    RepositoryError,
    UnfitHost,
    UsageError,
)
from tools.codex.factory.repository.git import Git

OLDEST_GIT = (2, 38)


@dataclass(frozen=True, slots=True)
class UserRepository:
    """The user's repository, which is read and never written."""

    git_dir: Path
    objects: Path
    work_tree: Path


@dataclass(frozen=True, slots=True)
class Base:
    """What the base ref named when the run began. Never resolved again."""

    ref: str
    commit: ObjectId
    tree: ObjectId


def git_version(git: Git, cwd: Path) -> str:
    """Return git's version; raise UnfitHost where it is older than the factory needs."""
    said = git.discover("version", cwd=cwd).stdout.decode("utf-8", "replace").strip()
    found = re.search(r"([0-9]+)\.([0-9]+)", said)
    if not found or (int(found[1]), int(found[2])) < OLDEST_GIT:
        wanted = ".".join(map(str, OLDEST_GIT))
        raise UnfitHost(f"{said or 'git'} is too old", hint=f"install git {wanted} or newer")
    return said.removeprefix("git version ")


def repository_at(git: Git, folder: Path) -> UserRepository:
    """Return the repository around `folder`; raise UsageError or UnfitHost saying why not."""
    if not folder.is_dir():
        raise UsageError(f"{str(folder)!r} is not a folder", hint="name a folder with -C")
    kind = git.discover("rev-parse", "--is-bare-repository", "--show-object-format", cwd=folder)
    if kind.exit_code != 0:
        raise _no_repository(kind.complaint, folder)
    bare, form = kind.stdout.decode("ascii").split()
    if bare == "true":
        where = _asked(git, folder, "--absolute-git-dir")
        raise UsageError(
            f"{str(where)!r} is a bare repository", hint="work in a clone that has a work tree"
        )
    if form != "sha1":
        raise UnfitHost(
            f"the repository keeps its objects by {form}",
            hint="work in a clone that keeps them by SHA-1: factory knows no other",
        )
    return UserRepository(
        git_dir=_asked(git, folder, "--absolute-git-dir"),
        objects=_asked(git, folder, "--path-format=absolute", "--git-path", "objects"),
        work_tree=_asked(git, folder, "--show-toplevel"),
    )


def _asked(git: Git, folder: Path, *words: str) -> Path:
    """Return the one path that `git rev-parse words` names; a path may hold newlines."""
    done = git.discover("rev-parse", *words, cwd=folder)
    if done.exit_code != 0:
        raise _no_repository(done.complaint, folder)
    return Path(done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n"))


def shallow_of(git: Git, repository: UserRepository) -> str:
    """Return the content of git's `shallow` file: where the history of a shallow clone ends."""
    path = _asked(git, repository.work_tree, "--path-format=absolute", "--git-path", "shallow")
    try:
        return path.read_text("ascii")
    except FileNotFoundError:
        return ""


def work_trees(git: Git, repository: UserRepository) -> tuple[str, ...]:
    """Return the real path of every work tree of the repository: its own, and those beside it."""
    said = git.out("worktree", "list", "--porcelain", "-z", git_dir=repository.git_dir)
    named = [
        os.fsdecode(row.removeprefix(b"worktree "))
        for row in said.split(b"\0")
        if row.startswith(b"worktree ")
    ]
    return tuple(os.path.realpath(path) for path in [str(repository.work_tree), *named])


def base_of(git: Git, repository: UserRepository, ref: str) -> Base:
    """Return the commit that `ref` names now; raise UsageError where it names none."""
    commit = commit_named(git, repository, ref)
    if commit is None:
        if commit_named(git, repository, "HEAD") is None:
            raise UsageError("the repository has no commit yet", hint="make a first commit")
        raise BaseRefNotFound(ref)
    _refuse_partial(git, repository, commit)
    tree = git.out("rev-parse", f"{commit}^{{tree}}", git_dir=repository.git_dir).decode().strip()
    return Base(ref, commit, object_id(tree))


def commit_named(git: Git, repository: UserRepository, ref: str) -> ObjectId | None:
    """Return the id of the commit that `ref` names, or None."""
    if not ref or "\0" in ref:
        return None
    done = git.call(
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        f"{ref}^{{commit}}",
        git_dir=repository.git_dir,
        cwd=repository.work_tree,
    )
    # Older git echoes --end-of-options before the answer.
    lines = done.stdout.decode("ascii", "replace").split()
    if done.exit_code != 0 or not lines or lines[-1].startswith("^"):
        return None
    return object_id(lines[-1])


def _refuse_partial(git: Git, repository: UserRepository, commit: ObjectId) -> None:
    # Naming the tree would already let git fetch it: only this walk asks without fetching.
    promisor = git.call(
        "config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$",
        git_dir=repository.git_dir,
    )  # fmt: skip
    if not promisor.stdout:
        return
    missing = git.call(
        "rev-list", "--objects", "--missing=print", "--no-object-names", "--no-walk", commit,
        git_dir=repository.git_dir,
    )  # fmt: skip
    gone = sum(1 for line in missing.stdout.split(b"\n") if line.startswith(b"?"))
    if missing.exit_code != 0 or gone:
        raise UnfitHost(
            f"this is a partial clone, and {gone or 'some'} objects of the base are missing",
            hint="`git config --unset remote.origin.partialclonefilter; git fetch --refetch` "
            "fetches them",
        )


def _no_repository(complaint: str, folder: Path) -> FactoryError:
    if "dubious ownership" in complaint or "safe.directory" in complaint:
        named = shlex.quote(str(folder))
        return UsageError(
            f"git does not trust the repository around {str(folder)!r}: another user owns it",
            hint=f"`git config --global --add safe.directory {named}` says that you do",
        )
    if "not a git repository" in complaint or "must be run in a work tree" in complaint:
        return UsageError(
            f"{str(folder)!r} is not in a git repository", hint="go into one, or name one with -C"
        )
    return RepositoryError(
        f"git rev-parse failed: {complaint}", hint="`git status` there shows what git makes of it"
    )
