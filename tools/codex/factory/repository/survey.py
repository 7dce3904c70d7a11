"""A worker's checkout before git reads it: folders opened up, what would hang git taken away."""

import os
import stat
from contextlib import suppress
from pathlib import Path

# Git opens files of these names without asking what they are, and waits for ever on a pipe.
_OPENED_BY_GIT = frozenset({".gitignore", ".gitattributes", ".gitmodules"})


def surveyed(checkout: Path) -> tuple[bytes, ...]:
    """Make every folder below `checkout` readable, and remove pipes and devices that git opens.

    Returns the paths that were removed, relative, sorted. Links are not followed; what lies in a
    folder named `.git` is not looked at.
    """
    removed: list[bytes] = []
    waiting = [(os.fsencode(checkout), b"")]
    while waiting:
        here, prefix = waiting.pop()
        open_folder(here)
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name != b".git":
                            waiting.append((entry.path, prefix + entry.name + b"/"))
                    elif os.fsdecode(entry.name) in _OPENED_BY_GIT and _would_hang(entry):
                        os.unlink(entry.path)
                        removed.append(prefix + entry.name)
        except OSError:
            # What cannot be read even now, git will complain of.
            continue
    return tuple(sorted(removed))


def open_folder(folder: bytes | str) -> None:
    """Let the owner read, enter and change a folder again."""
    _allow(folder, stat.S_IRWXU)


def open_files(checkout: Path) -> None:
    """Let the owner read every file below `checkout` again; links are not followed."""
    for here, _, files in os.walk(os.fsencode(checkout)):
        for name in files:
            _allow(os.path.join(here, name), stat.S_IRUSR)


def _would_hang(entry: "os.DirEntry[bytes]") -> bool:
    return not entry.is_symlink() and not entry.is_file(follow_symlinks=False)


def _allow(path: bytes | str, wanted: int) -> None:
    with suppress(OSError):
        mode = os.lstat(path).st_mode
        if not stat.S_ISLNK(mode) and stat.S_IMODE(mode) & wanted != wanted:
            os.chmod(path, stat.S_IMODE(mode) | wanted)
