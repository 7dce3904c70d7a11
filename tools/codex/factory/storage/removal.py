"""A run's folder taken away: set aside in one step, then removed; nothing behind links goes."""

import os
from collections.abc import Callable
from pathlib import Path

from tools.codex.factory.domain.identity import RunId, is_run_id
from tools.codex.factory.storage.run_directory import storing

_PREFIX = ".pruned-"


def set_aside(root: Path, run: RunId) -> None:
    """Take a run out of the runs root; its bytes stay until `remove_aside`."""
    with storing(run):
        os.rename(root / run, aside_folder(root, run))


def aside_folder(root: Path, run: str) -> Path:
    """Return where a run lies that was set aside."""
    return root / f"{_PREFIX}{run}"


def set_aside_in(root: Path) -> tuple[str, ...]:
    """Return the runs that were set aside and are not removed yet, sorted."""
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return ()
    aside = [name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX)]
    return tuple(sorted(name for name in aside if is_run_id(name)))


def remove_aside(root: Path, run: str, remove: Callable[[Path], None]) -> None:
    """Remove a run that was set aside."""
    with storing(run):
        remove(aside_folder(root, run))


def bytes_below(folder: Path) -> int:
    """Return how many bytes a folder takes on disk; what vanishes meanwhile counts nothing."""
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(f"{here}/{name}").st_blocks * 512
            except OSError:
                continue
    return total
