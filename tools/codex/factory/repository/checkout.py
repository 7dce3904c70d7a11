"""A self-contained checkout of a commit: its own git directory, no remote, objects on loan."""

import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.errors import NoRoom, raise_spent
from tools.codex.factory.process.child import run
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.loan import loan
from tools.codex.factory.repository.survey import open_folders

BRANCH = "refs/heads/factory"
# What would reach outside, ask, or run a program of the user's, whatever their own settings say.
_CONFIG = """\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
\tlogallrefupdates = true
\thooksPath = /dev/null
\tfsmonitor = false
\tautocrlf = false
[user]
\tname = {name}
\temail = {name}@factory.invalid
[commit]
\tgpgSign = false
[tag]
\tgpgSign = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
[push]
\tdefault = nothing
[advice]
\tdetachedHead = false
"""


_LARGE_INDEX_BYTES = 200_000
_NO_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}
_SECOND = 1_000_000_000
_PAUSE_SECONDS = 0.02
# A clock that is set back would keep us for as long.
_MOST_SETTLING_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Fresh:
    """A checkout as it was made: git's index of it, which a worker cannot reach in here."""

    index: bytes
    index_time: tuple[int, int]
    """When the index was accessed and modified, in nanoseconds: git reads again what is younger."""


def make_checkout(
    git: Git, folder: Path, commit: ObjectId, *, store: Path, shallow: bytes, name: str
) -> Fresh:
    """Make `folder` a checkout of `commit` whose git directory borrows the objects in `store`.

    `shallow` is the content of the user's own file of that name: where their history ends, this
    one does. Commits made here are by `name`. Raises RepositoryError where git fails, and NoRoom
    where a disk is full: half a checkout is nobody's work, and goes.
    """
    try:
        return _made(git, folder, commit, store=store, shallow=shallow, name=name)
    except (NoRoom, OSError) as error:
        remove_checkout(folder)
        if isinstance(error, OSError):
            raise_spent(error, f"a checkout cannot be made in {str(folder)!r}")
        raise


def _made(
    git: Git, folder: Path, commit: ObjectId, *, store: Path, shallow: bytes, name: str
) -> Fresh:
    own = folder / ".git"
    for made in (folder, own, own / "objects" / "info", own / "refs" / "heads", own / "info"):
        made.mkdir(parents=True)
    (own / "HEAD").write_text(f"ref: {BRANCH}\n", "ascii")
    (own / BRANCH).write_text(f"{commit}\n", "ascii")
    (own / "config").write_text(_CONFIG.format(name=name), "utf-8")
    (own / "objects" / "info" / "alternates").write_bytes(loan(store / "objects"))
    if shallow:
        (own / "shallow").write_bytes(shallow)
    git.out(
        "read-tree", "-m", "-u", commit, git_dir=own, cwd=folder, env={"GIT_WORK_TREE": str(folder)}
    )
    index = own / "index"
    content = index.read_bytes()
    if len(content) > _LARGE_INDEX_BYTES:
        _let_it_settle(index)
    times = index.stat()
    return Fresh(content, (times.st_atime_ns, times.st_mtime_ns))


def _let_it_settle(index: Path) -> None:
    """Give `index` a later second than any file it names: git trusts no entry of its own second.

    It would read all those files again, each time it is asked, and that costs more than this wait.
    """
    written = index.stat().st_mtime_ns // _SECOND
    until = time.monotonic() + _MOST_SETTLING_SECONDS
    while time.monotonic() < until and index.stat().st_mtime_ns // _SECOND <= written:
        time.sleep(_PAUSE_SECONDS)
        os.utime(index)


def is_checkout_folder(folder: Path) -> bool:
    """Return whether `folder` is a folder still, and not a link to another."""
    try:
        return stat.S_ISDIR(folder.lstat().st_mode)
    except OSError:
        return False


def remove_checkout(folder: Path) -> None:
    """Remove a checkout, whatever a worker did to its modes; what is behind links stays."""
    if not is_checkout_folder(folder):
        with suppress(OSError):
            folder.unlink(missing_ok=True)
        return
    # A program of the host's does this in half the time that we would take.
    words = ("rm", "-rf", "--", str(folder))
    run(words, env=_NO_ENVIRONMENT, cwd=Path("/"))
    if folder.exists():
        open_folders(folder)
        run(words, env=_NO_ENVIRONMENT, cwd=Path("/"))
