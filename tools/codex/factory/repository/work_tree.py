"""What of the user's work tree is in no run, asked without touching a file of theirs."""

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.errors import UnfitHost, raise_spent
from tools.codex.factory.process.child import Completed, TookTooLong
from tools.codex.factory.repository.discovery import UserRepository
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.quarantine import open_store

# What decides how a file of the work tree compares with its blob.
_COMPARING = r"^core\.(autocrlf|eol|filemode|ignorecase|symlinks|precomposeunicode)$"

_PATIENCE_SECONDS = 600.0
"""So long git may take in a tree where a stranger may have put a pipe in the place of a file."""


def left_out(git: Git, repository: UserRepository, head: ObjectId) -> int:
    """Return how many paths of the work tree are not in the commit `head`.

    A copy of the index is asked, in a git directory of our own: reading the user's would renew
    the times of a split index, and their directory brings filters, hooks and monitors along.
    Raises UnfitHost where TMPDIR takes no copy.
    """
    status = _status(git, repository, f"{head}", untracked="normal")
    return status.stdout.count(b"\0")


def unclean(git: Git, repository: UserRepository, near: ObjectId | None) -> list[str] | None:
    """Return each path of the work tree that is not as in the index, or not in it; None where git
    cannot tell. Of what git ignores none is named, and a repository in the tree by its folder.

    `near` is a commit that the index is about; no ref is asked: a pipe in its place would never
    answer. Raises as `left_out` does.
    """
    head = near or "ref: refs/heads/none"
    patient = replace(git, patience=_PATIENCE_SECONDS)
    try:
        status = _status(patient, repository, head, untracked="all")
    except TookTooLong:
        return None
    if status.exit_code != 0:
        return None
    rows = status.stdout.split(b"\0")[:-1]
    return [os.fsdecode(row[3:]) for row in rows if row[1:2] != b" "]


def _status(git: Git, repository: UserRepository, head: str, *, untracked: str) -> Completed:
    try:
        with tempfile.TemporaryDirectory(prefix="factory-status-") as folder:
            own = Path(folder) / "status.git"
            return _status_in(git, repository, head, own, untracked)
    except OSError as error:
        raise_spent(error, "cannot look at the work tree by a copy of its index in TMPDIR")
        raise UnfitHost(
            f"cannot look at the work tree by a copy of its index in TMPDIR: {error.strerror}",
            hint="set TMPDIR to a folder that can be written; `factory doctor` tries it",
        ) from error


def _status_in(
    git: Git, repository: UserRepository, head: str, own: Path, untracked: str
) -> Completed:
    open_store(git, own, repository.objects)
    (own / "HEAD").write_text(f"{head}\n", "ascii")
    for source in _index_files(repository.git_dir):
        shutil.copy2(source, own / source.name)
    exclude = repository.git_dir / "info" / "exclude"
    if exclude.is_file():
        (own / "info").mkdir(exist_ok=True)
        shutil.copy2(exclude, own / "info" / "exclude")
    return git.call(
        *_comparing(git, repository), "-c", "core.bare=false",
        "status", "--porcelain", "-z", "--no-renames", "--ignore-submodules=all",
        f"--untracked-files={untracked}",
        git_dir=own,
        cwd=repository.work_tree,
        env={"GIT_WORK_TREE": str(repository.work_tree)},
    )  # fmt: skip


def _index_files(git_dir: Path) -> list[Path]:
    found = [git_dir / "index", *git_dir.glob("sharedindex.*")]
    return [path for path in found if path.is_file()]


def _comparing(git: Git, repository: UserRepository) -> list[str]:
    done = git.call(
        "config", "--local", "-z", "--get-regexp", _COMPARING, git_dir=repository.git_dir
    )
    rows = done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]
    pairs = [row.partition("\n") for row in rows]
    return [part for name, _, value in pairs for part in ("-c", f"{name}={value}")]
