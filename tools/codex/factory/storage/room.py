"""What a folder's file system is like, found by using it: writable, its room, its names."""

import fcntl
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.wording import sized

SPARE_BYTES = 64 << 20
"""What a run needs to begin, beside what its checkouts take."""
SPARE_FILES = 500
_NAME = "Case"


@dataclass(frozen=True, slots=True)
class Room:
    """How much is free where a folder lies; `files` is None where that is made as it goes."""

    free_bytes: int
    files: int | None
    is_read_only: bool
    runs_programs: bool
    """Whether the kernel starts programs that lie here."""


@dataclass(frozen=True, slots=True)
class Manners:
    """What a file system does with names, links and modes."""

    folds_case: bool
    keeps_links: bool
    keeps_modes: bool


def nearest(folder: Path) -> Path:
    """Return `folder`, or the nearest that is there above it."""
    while not os.path.lexists(folder):
        folder = folder.parent
    return folder


def room_at(folder: Path) -> Room:
    """Return how much is free at `folder`, which is there."""
    state = os.statvfs(folder)
    return Room(
        free_bytes=state.f_bavail * state.f_frsize,
        files=state.f_favail if state.f_files else None,
        is_read_only=bool(state.f_flag & os.ST_RDONLY),
        runs_programs=not state.f_flag & getattr(os, "ST_NOEXEC", 0),
    )


def complaint_of_room(room: Room) -> str:
    """Return why a run should not begin there; "" where there is room for its records."""
    if room.is_read_only:
        return "it is read-only"
    if room.free_bytes < SPARE_BYTES:
        return f"a run needs {sized(SPARE_BYTES)}, and {sized(room.free_bytes)} are free"
    if room.files is not None and room.files < SPARE_FILES:
        return f"a run needs {SPARE_FILES} files, and {room.files} can be made"
    return ""


def complaint_of_writing(folder: Path) -> str:
    """Return why no file can be written, synced and locked in `folder`; "" where it can."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return str(error.strerror)
    return ""


def may_write(folder: Path) -> bool:
    """Return whether a folder could be made in `folder`, asked without touching it."""
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def manners_of(folder: Path) -> Manners:
    """Return what the file system of `folder` does, tried in a folder of our own in it.

    Raises OSError where nothing can be made there.
    """
    with tempfile.TemporaryDirectory(prefix="factory-manners-", dir=folder) as made:
        here = Path(made)
        file = here / _NAME
        file.write_bytes(b"")
        file.chmod(0o755)
        executable = bool(file.stat().st_mode & 0o100)
        file.chmod(0o644)
        return Manners(
            folds_case=os.path.lexists(here / _NAME.lower()),
            keeps_links=_keeps_links(here / "link"),
            keeps_modes=executable and not file.stat().st_mode & 0o100,
        )


def _keeps_links(link: Path) -> bool:
    try:
        link.symlink_to(_NAME)
    except OSError:
        return False
    return link.is_symlink()
