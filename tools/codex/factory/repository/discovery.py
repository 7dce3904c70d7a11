"""Which repository the factory stands in, what kind it is, and whether it can be worked on."""

import re
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
        raise UsageError(f"{str(folder)!r} is not a folder", hint="look at -C")
    done = git.discover(
        "rev-parse",
        "--path-format=absolute",
        "--is-bare-repository",
        "--absolute-git-dir",
        "--git-path",
        "objects",
        "--show-object-format",
        "--show-toplevel",
        cwd=folder,
    )
    said = done.stdout.decode("utf-8", "surrogateescape").split("\n")
    if said[0] == "true":
        raise UsageError(
            f"{said[1]!r} is a bare repository", hint="work in a clone that has a work tree"
        )
    if done.exit_code != 0:
        raise _no_repository(done.complaint, folder)
    if said[3] != "sha1":
        raise UnfitHost(
            f"the repository keeps its objects by {said[3]}",
            hint="factory knows SHA-1 repositories only",
        )
    return UserRepository(Path(said[1]), Path(said[2]), Path("\n".join(said[4:-1])))


def base_of(git: Git, repository: UserRepository, ref: str) -> Base:
    """Return the commit that `ref` names now; raise UsageError where it names none."""
    commit = commit_named(git, repository, ref)
    if commit is None:
        if commit_named(git, repository, "HEAD") is None:
            raise UsageError("the repository has no commit yet", hint="make a first commit")
        raise BaseRefNotFound(ref)
    tree = git.out("rev-parse", f"{commit}^{{tree}}", git_dir=repository.git_dir).decode().strip()
    _refuse_partial(git, repository, tree)
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
    return object_id(lines[-1]) if done.exit_code == 0 and lines else None


def left_out(git: Git, repository: UserRepository) -> int:
    """Return how many paths of the work tree are not in HEAD and so in no run."""
    filters = git.call(
        "config", "-z", "--name-only", "--get-regexp", r"^filter\..*\.(clean|process|required)$",
        git_dir=repository.git_dir,
    )  # fmt: skip
    names = filters.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]
    # A clean filter is a program of the user's, and status would run it.
    off = [part for n in names for part in ("-c", n + ("=false" if "required" in n else "="))]
    status = git.call(
        *off, "status", "--porcelain", "-z", "--no-renames", "--ignore-submodules=all",
        "--untracked-files=normal",
        git_dir=repository.git_dir,
        cwd=repository.work_tree,
        env={"GIT_WORK_TREE": str(repository.work_tree)},
    )  # fmt: skip
    return status.stdout.count(b"\0")


def _refuse_partial(git: Git, repository: UserRepository, tree: str) -> None:
    promisor = git.call(
        "config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$",
        git_dir=repository.git_dir,
    )  # fmt: skip
    if not promisor.stdout:
        return
    missing = git.call(
        "rev-list", "--objects", "--missing=print", "--no-object-names", tree,
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
        return UsageError(
            f"git does not trust the repository around {str(folder)!r}: another user owns it",
            hint=f"`git config --global --add safe.directory {folder}` says that you do",
        )
    if "not a git repository" in complaint or "must be run in a work tree" in complaint:
        return UsageError(
            f"{str(folder)!r} is not in a git repository", hint="go into one, or name one with -C"
        )
    return RepositoryError(f"git rev-parse failed: {complaint}", hint="look at the repository")
