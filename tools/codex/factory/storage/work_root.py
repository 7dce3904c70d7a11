"""The folder that checkouts lie in: where it is, and whether there is room."""

import os
import tempfile
from pathlib import Path

from tools.codex.factory.domain.identity import Digest, RunId, digest_of
from tools.codex.factory.domain.wording import sized
from tools.codex.factory.errors import ConfigurationError, UnfitHost
from tools.codex.factory.storage.room import SPARE_BYTES, nearest, room_at

_BLOCK = 4096
_DIGEST_LENGTH = 12


def work_root(setting: str, *, cache: str | None, home: str | None, start: Path) -> Path:
    """Return the work root: `setting` from `start`, else the user's cache folder.

    Raises ConfigurationError where it would lie below a repository: what runs in a checkout there
    would find the files above it.
    """
    if "\0" in setting:
        raise ConfigurationError("work.root holds a NUL byte", hint="name a folder")
    if setting:
        root = start / setting
    elif cache and os.path.isabs(cache):
        root = Path(cache) / "factory"
    elif home and os.path.isabs(home):
        root = Path(home) / ".cache" / "factory"
    else:
        raise ConfigurationError(
            "there is no home folder to keep checkouts in", hint="set work.root to a folder"
        )
    root = Path(os.path.realpath(root))
    for above in (root, *root.parents):
        if os.path.lexists(above / ".git"):
            raise ConfigurationError(
                f"work.root = {str(root)!r} lies in the repository {str(above)!r}",
                hint="set work.root (FACTORY_WORK__ROOT) to a folder that is in no repository",
            )
    return root


def run_folder(root: Path, git_dir: Path, run: RunId, manifest: Digest) -> Path:
    """Return where the checkouts of a run lie.

    Two repositories never share a folder, nor do two runs of one name: the manifest tells them
    apart.
    """
    return repository_folder(root, git_dir) / f"{run}.{manifest[:_DIGEST_LENGTH]}"


def repository_folder(root: Path, git_dir: Path) -> Path:
    """Return where the checkouts of all runs of a repository lie."""
    return root / digest_of(os.fsencode(git_dir.resolve()))[:_DIGEST_LENGTH]


def make_work_root(root: Path) -> None:
    """Make the work root, readable by its owner alone; raise UnfitHost where that fails."""
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        raise UnfitHost(
            f"work.root = {str(root)!r} cannot be written: {error.strerror}",
            hint="set work.root (FACTORY_WORK__ROOT) to a folder that can",
        ) from error


def on_disk(size: int) -> int:
    """Return how many bytes a file of `size` takes, in blocks of the usual size."""
    return (size + _BLOCK - 1) // _BLOCK * _BLOCK


def check_room(root: Path, *, size: int, files: int) -> None:
    """Raise UnfitHost where checkouts of `size` bytes and `files` files do not fit below `root`."""
    room = room_at(nearest(root))
    if size + SPARE_BYTES > room.free_bytes:
        raise UnfitHost(
            f"checkouts need {sized(size)} in {str(root)!r} and {sized(SPARE_BYTES)} to spare, "
            f"and {sized(room.free_bytes)} are free",
            hint="free some, run fewer at a time (--jobs), or set work.root to a larger disk",
        )
    left = room.files
    if left is not None and files > left:
        raise UnfitHost(
            f"checkouts need {files} files in {str(root)!r}, and {left} can be made",
            hint="remove some, run fewer at a time (--jobs), or set work.root to another disk",
        )
