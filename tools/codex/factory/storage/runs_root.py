"""The folder that all runs lie in: made, claimed from, listed."""

import os
import stat
import tempfile
from pathlib import Path

from tools.codex.factory.domain.identity import RunId
from tools.codex.factory.errors import ConfigurationError, RunUnavailable, UnfitHost
from tools.codex.factory.storage.room import complaint_of_room, nearest, room_at
from tools.codex.factory.storage.run_directory import MANIFEST, storing

_CONTENT = (
    "# Written by factory: a run never shows in `git status`, save what is under record/.\n"
    "/*\n!/*/\n/*/*\n!/*/record/\n"
)
IGNORE = ".gitignore"


def make_runs_root(root: Path) -> None:
    """Make the runs root with the .gitignore that keeps runs out of `git status`.

    A .gitignore that is there stays as it is. Raises ConfigurationError for a folder that holds
    files of another kind: ours would hide them; UnfitHost for one that cannot be written.
    """
    ignore = root / IGNORE
    with storing(str(root)):
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(root, error.strerror) from error
        if not os.access(root, os.W_OK):
            raise _unwritable(root, "it is read-only")
        if ignore.exists():
            return
        _refuse_foreign(root)
        with tempfile.NamedTemporaryFile(
            "w", prefix=".gitignore-", dir=root, delete=False, encoding="ascii"
        ) as file:
            file.write(_CONTENT)
        Path(file.name).chmod(0o644)
        Path(file.name).rename(ignore)


def check_records(root: Path) -> None:
    """Raise UnfitHost where there is no room for the bundles, store and report of a new run."""
    reason = complaint_of_room(room_at(nearest(root)))
    if reason:
        raise UnfitHost(
            f"runs.root = {str(root)!r} has no room: {reason}",
            hint="free some, or set runs.root (FACTORY_RUNS__ROOT) to a larger disk",
        )


def foreign_in(root: Path) -> str:
    """Return a file that keeps `root` from becoming a runs root; "" where there is none."""
    if (root / IGNORE).exists():
        return ""
    names = {path.name for path in root.iterdir() if not path.is_dir()}
    foreign = sorted(
        name for name in names if not name.startswith(("factory_ledger", ".gitignore-"))
    )
    return foreign[0] if foreign else ""


def _unwritable(root: Path, reason: str | None) -> UnfitHost:
    return UnfitHost(
        f"runs.root = {str(root)!r} cannot be written: {reason}",
        hint="set runs.root (FACTORY_RUNS__ROOT) to a folder that can",
    )


def _refuse_foreign(root: Path) -> None:
    foreign = foreign_in(root)
    if foreign:
        raise ConfigurationError(
            f"runs.root = {str(root)!r} holds {foreign!r}, which is no run",
            hint="name a folder of its own, like tools/codex/runs",
        )


def claim(root: Path, run: RunId) -> bool:
    """Make the folder of `run`; return False where it is there already. Atomic among processes.

    Raises RunUnavailable where something else than a folder has that name.
    """
    with storing(str(root / run)):
        try:
            os.mkdir(root / run)
            return True
        except FileExistsError:
            if stat.S_ISDIR(os.lstat(root / run).st_mode):
                return False
    raise RunUnavailable(
        f"{str(root / run)!r} is there, and is no folder", hint="choose another --run-id"
    )


def begun_in(root: Path) -> tuple[str, ...]:
    """Return the name of every run folder with a manifest, sorted."""
    return tuple(name for name in runs_in(root) if (root / name / MANIFEST).is_file())


def runs_in(root: Path) -> tuple[str, ...]:
    """Return the name of every run folder, sorted; what begins with a dot is none."""
    try:
        with os.scandir(root) as entries:
            names = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
        return tuple(sorted(name for name in names if not name.startswith(".")))
    except FileNotFoundError:
        return ()
