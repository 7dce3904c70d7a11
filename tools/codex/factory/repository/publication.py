"""A commit brought into the user's repository, on a new branch; the only room that writes there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId, object_id
from tools.codex.factory.domain.path import ancestors
from tools.codex.factory.errors import (
    NoRoom,
    PublishRefused,
    RepositoryError,
    UnfitHost,
    UsageError,
)
from tools.codex.factory.host import Host
from tools.codex.factory.process.child import run
from tools.codex.factory.repository.discovery import UserRepository, commit_named
from tools.codex.factory.repository.git import Git, is_full

_MOST_NAME = 200
_NOBODY = "0" * 40
_CONFIGURATION = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
_PERSON = ("NAME", "EMAIL", "DATE")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who makes a commit, as git's own variables."""

    variables: Mapping[str, str]


def identity_of(host: Host, repository: UserRepository) -> Identity:
    """Return the operator's identity, by their own configuration and variables, and never a guess.

    Raises UnfitHost where git knows none.
    """
    return Identity(
        {**_person(host, repository, "AUTHOR"), **_person(host, repository, "COMMITTER")}
    )


def _person(host: Host, repository: UserRepository, role: str) -> dict[str, str]:
    kept = ("PATH", "HOME", "XDG_CONFIG_HOME", "EMAIL")
    own = {name: host.variables[name] for name in kept if name in host.variables}
    names = (*_CONFIGURATION, *(f"GIT_{role}_{one}" for one in _PERSON))
    own |= {name: host.git_variables[name] for name in names if name in host.git_variables}
    done = run(
        ("git", "-c", "user.useConfigOnly=true", "var", f"GIT_{role}_IDENT"),
        env={**own, "GIT_DIR": str(repository.git_dir), "LC_ALL": "C", "GIT_TRACE2": "0"},
        cwd=repository.work_tree,
    )
    if done.exit_code != 0:
        raise UnfitHost(
            f"git does not know who you are: {done.complaint}",
            hint="`git config --global user.name NAME` and `user.email ADDRESS` tell it",
        )
    said = done.stdout.decode("utf-8", "surrogateescape").strip()
    name, _, rest = said.rpartition(" <")
    address, _, date = rest.partition("> ")
    return {
        f"GIT_{role}_NAME": name,
        f"GIT_{role}_EMAIL": address,
        f"GIT_{role}_DATE": f"@{date}",
    }


def message_of(git: Git, repository: UserRepository, commit: ObjectId) -> str:
    """Return the message of a commit of the user's repository."""
    said = git.out("cat-file", "commit", commit, git_dir=repository.git_dir)
    return said.partition(b"\n\n")[2].decode("utf-8", "replace")


def has_object(git: Git, store: Path, oid: str) -> bool:
    """Return whether `store`, or what it borrows from, has an object."""
    return git.call("cat-file", "-e", oid, git_dir=store).exit_code == 0


def commit_tree(git: Git, repository: UserRepository, commit: ObjectId) -> ObjectId:
    """Return the tree of a commit of the user's repository."""
    said = git.out("rev-parse", f"{commit}^{{tree}}", git_dir=repository.git_dir)
    return object_id(said.decode("ascii").strip())


def is_on_a_branch(git: Git, repository: UserRepository, published: Mapping[str, str]) -> bool:
    """Return whether every commit of `published` (branch to commit) is in some ref's history."""
    return bool(published) and all(
        _is_held(git, repository, commit) for commit in published.values()
    )


def _is_held(git: Git, repository: UserRepository, commit: str) -> bool:
    said = git.call(
        "for-each-ref", "--count=1", "--format=%(refname)", "--contains", commit,
        git_dir=repository.git_dir,
    )  # fmt: skip
    return bool(said.stdout)


def refuse_branch(git: Git, repository: UserRepository, branch: str) -> None:
    """Raise UsageError for what is no name of a branch, PublishRefused for one that is there."""
    ref = f"refs/heads/{branch}"
    form = git.call("check-ref-format", ref, git_dir=repository.git_dir)
    if form.exit_code != 0 or branch.startswith(("-", "refs/")) or branch in ("HEAD", "@"):
        raise UsageError(
            f"{branch!r} is no name for a branch",
            hint="`git check-ref-format --help` has the rules",
        )
    if any(len(part.encode("utf-8", "surrogateescape")) > _MOST_NAME for part in branch.split("/")):
        raise UsageError(f"{branch[:40]!r}... is too long for a file", hint="name a shorter one")
    other_name = git.call("symbolic-ref", "--quiet", ref, git_dir=repository.git_dir)
    if other_name.exit_code == 0:
        raise PublishRefused(
            f"branch {branch!r} is there already: it is another name of "
            f"{other_name.stdout.decode('utf-8', 'replace').strip()!r}",
            hint="name another with --branch: publish never moves a branch",
        )
    if f"branch {ref}".encode("utf-8", "surrogateescape") in _checked_out(git, repository):
        raise PublishRefused(
            f"branch {branch!r} is checked out, and has no commit yet",
            hint="name another with --branch: publish changes no work tree",
        )
    there = commit_named(git, repository, ref)
    if there is not None:
        raise PublishRefused(
            f"branch {branch!r} is there already, at {there[:12]}",
            hint="name another with --branch: publish never moves a branch",
        )
    other = _in_the_way(git, repository, ref)
    if other:
        raise PublishRefused(
            f"branch {branch!r} cannot be beside {other!r}", hint="name another with --branch"
        )


def _checked_out(git: Git, repository: UserRepository) -> list[bytes]:
    """Return what every work tree says of itself, a branch without a commit included."""
    said = git.out("worktree", "list", "--porcelain", "-z", git_dir=repository.git_dir)
    return said.split(b"\0")


def _in_the_way(git: Git, repository: UserRepository, ref: str) -> str:
    """Return a ref that is `ref`, above it or below it; empty where none is."""
    above = [above for above in ancestors(ref) if above.startswith("refs/heads/")]
    said = git.call("for-each-ref", "--format=%(refname)", ref, *above, git_dir=repository.git_dir)
    found = said.stdout.decode("utf-8", "surrogateescape").split("\n")[:-1]
    near = [one for one in found if one in (ref, *above) or one.startswith(f"{ref}/")]
    return near[0] if near else ""


def make_commit(
    git: Git,
    store: Path,
    tree: ObjectId,
    *,
    parent: ObjectId,
    message: str,
    identity: Identity,
) -> ObjectId:
    """Make a commit of `tree` in the run's own store, unsigned, and return its id."""
    said = git.out(
        "commit-tree", tree, "-p", parent, "-F", "-",
        git_dir=store,
        feed=message.encode("utf-8", "surrogateescape"),
        env=identity.variables,
    )  # fmt: skip
    return object_id(said.decode("ascii").strip())


def hand_over(git: Git, store: Path, repository: UserRepository, commit: ObjectId) -> None:
    """Bring what `commit` adds to its parent from the run's store into the user's objects."""
    wanted = f"{commit}\n^{commit}^\n".encode()
    pack = git.out("pack-objects", "--revs", "--stdout", "-q", git_dir=store, feed=wanted)
    kept = git.call("index-pack", "--stdin", "--strict", git_dir=repository.git_dir, feed=pack)
    if kept.exit_code != 0:
        raise RepositoryError(
            f"git index-pack failed: {kept.complaint}",
            hint="look at free space and at the permissions of the repository",
        )


def make_branch(
    git: Git, repository: UserRepository, branch: str, commit: ObjectId, *, identity: Identity
) -> None:
    """Make a branch that is not there yet; raise PublishRefused where git will not."""
    done = git.call(
        "update-ref", "--no-deref", "-m", "factory publish",
        f"refs/heads/{branch}", commit, _NOBODY,
        git_dir=repository.git_dir,
        env=identity.variables,
    )  # fmt: skip
    if done.exit_code != 0 and is_full(repository.git_dir):
        what = f"branch {branch!r} cannot be made in {str(repository.git_dir)!r}"
        raise NoRoom(what, "the disk is full")
    if done.exit_code != 0:
        raise PublishRefused(
            f"branch {branch!r} cannot be made: {done.complaint}",
            hint="name another with --branch",
        )
