"""Run folders that a factory began and never finished beginning: no manifest was written."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from tools.codex.factory.domain.identity import run_id
from tools.codex.factory.storage.lock import LOCK
from tools.codex.factory.storage.run_directory import MANIFEST, PLAN, storing
from tools.codex.factory.storage.runs_root import runs_in


def half_begun(root: Path) -> tuple[str, ...]:
    """Return every folder that holds nothing but what precedes a manifest, sorted."""
    return tuple(name for name in _unfinished(root) if is_leftover(root / name))


def foreign_folders(root: Path) -> tuple[str, ...]:
    """Return every folder with the name of a run that holds other things than a run, sorted."""
    return tuple(name for name in _unfinished(root) if not is_leftover(root / name))


def is_leftover(folder: Path) -> bool:
    """Return whether a run that died at its begin left this, and nothing else is in it."""
    with os.scandir(folder) as entries:
        return all(
            entry.is_file(follow_symlinks=False)
            and (
                entry.name in (LOCK, PLAN)
                or (entry.name.startswith(".") and entry.name.endswith(".new"))
            )
            for entry in entries
        )


def age_seconds(folder: Path, now: float) -> float:
    """Return for how long nothing was written into `folder`."""
    return now - folder.stat().st_mtime


def remove_leftover(folder: Path) -> bool:
    """Remove a folder that its caller holds; return False where it is no leftover any more."""
    if not stat.S_ISDIR(folder.lstat().st_mode) or not is_leftover(folder):
        return False
    with storing(str(folder)):
        for name in sorted(os.listdir(folder)):
            (folder / name).unlink()
        folder.rmdir()
    return True


def _unfinished(root: Path) -> list[str]:
    found = []
    for name in runs_in(root):
        with suppress(ValueError, OSError):
            if not os.path.lexists(root / run_id(name) / MANIFEST):
                found.append(name)
    return found
