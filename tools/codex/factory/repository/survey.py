"""A worker's checkout before git reads it: folders opened up, what would hang git taken away."""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.errors import raise_spent

# Git opens files of these names without asking what they are, and waits for ever on a pipe.
_OPENED_BY_GIT = frozenset({b".gitignore", b".gitattributes", b".gitmodules"})
_MOST_GITFILE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Survey:
    """Paths relative to the checkout, sorted.

    `removed` were pipes, devices, or links to such, that git would have opened. `nested` are
    folders below the top that are repositories themselves, or would be; `astray` are those of
    them whose git directory is elsewhere, so that git must not look at them.
    """

    removed: tuple[bytes, ...]
    nested: tuple[bytes, ...]
    astray: tuple[bytes, ...]


def surveyed(checkout: Path) -> Survey:
    """Make every folder below `checkout` readable, and take away what would make git wait.

    Links are not followed. Of the checkout's own git directory nothing is looked at.
    """
    top = os.fsencode(checkout)
    removed: list[bytes] = []
    nested: list[bytes] = []
    astray: list[bytes] = []
    waiting = [b""]
    while waiting:
        prefix = waiting.pop()
        open_folder(top + b"/" + prefix)
        try:
            with os.scandir(top + b"/" + prefix) as entries:
                for entry in entries:
                    path = prefix + entry.name
                    if entry.name == b".git":
                        if prefix:
                            nested.append(prefix)
                            fit = _vetted(top, path, entry, removed)
                            astray += [] if fit else [prefix]
                    elif entry.is_dir(follow_symlinks=False):
                        waiting.append(path + b"/")
                    elif entry.name in _OPENED_BY_GIT and not _is_plain(entry):
                        os.unlink(entry.path)
                        removed.append(path)
        except OSError as error:
            raise_spent(error, f"{str(checkout)!r} cannot be read")
            # What cannot be read even now, git will complain of.
            continue
    return Survey(tuple(sorted(removed)), tuple(sorted(nested)), tuple(sorted(astray)))


def open_folder(folder: bytes | str) -> None:
    """Let the owner read, enter and change a folder again."""
    _allow(folder, stat.S_IRWXU)


def open_folders(top: Path) -> None:
    """Let the owner read, enter and change `top` and every folder below it again."""
    waiting = [os.fsencode(top)]
    while waiting:
        here = waiting.pop()
        open_folder(here)
        with suppress(OSError), os.scandir(here) as entries:
            waiting += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]


def open_files(checkout: Path) -> None:
    """Let the owner read every file below `checkout` again; links are not followed."""
    for here, _, files in os.walk(os.fsencode(checkout)):
        for name in files:
            _allow(os.path.join(here, name), stat.S_IRUSR)


def _vetted(top: bytes, path: bytes, entry: "os.DirEntry[bytes]", removed: list[bytes]) -> bool:
    """Return whether git may look at a nested git directory; pipes and devices in it go."""
    if entry.is_dir(follow_symlinks=False):
        return _vetted_folder(top, path, removed)
    if entry.is_symlink() or not entry.is_file(follow_symlinks=False):
        return False
    # A submodule's `.git` is a file that names a folder in the checkout's own git directory.
    if entry.stat(follow_symlinks=False).st_size > _MOST_GITFILE_BYTES:
        return False
    named = Path(os.fsdecode(entry.path)).read_bytes().removeprefix(b"gitdir:").strip()
    return _vetted_target(top, os.path.join(os.path.dirname(entry.path), named), removed)


def _vetted_target(top: bytes, named: bytes, removed: list[bytes]) -> bool:
    """Return whether git may follow a file that names another folder: into the checkout only."""
    inside = os.path.realpath(top) + b"/"
    target = os.path.realpath(named)
    return target.startswith(inside) and _vetted_folder(
        os.path.realpath(top), target.removeprefix(inside), removed
    )


def _vetted_folder(top: bytes, path: bytes, removed: list[bytes]) -> bool:
    waiting = [path]
    while waiting:
        here = waiting.pop()
        open_folder(top + b"/" + here)
        with suppress(OSError), os.scandir(top + b"/" + here) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(here + b"/" + entry.name)
                elif entry.is_symlink() and entry.is_dir():
                    return False
                elif not _leads_to_a_file(entry):
                    os.unlink(entry.path)
                    removed.append(here + b"/" + entry.name)
                elif entry.name == b"commondir" and not _vetted_common(top, entry, removed):
                    return False
    return True


def _vetted_common(top: bytes, entry: "os.DirEntry[bytes]", removed: list[bytes]) -> bool:
    """Return whether the folder that a linked work tree shares is the checkout's own."""
    if entry.is_symlink() or entry.stat(follow_symlinks=False).st_size > _MOST_GITFILE_BYTES:
        return False
    said = Path(os.fsdecode(entry.path)).read_bytes().strip()
    shared = os.path.realpath(os.path.join(os.path.dirname(entry.path), said))
    own = os.path.realpath(top + b"/.git")
    return shared == own and _plain_folder(own, removed)


def _plain_folder(folder: bytes, removed: list[bytes]) -> bool:
    """Return whether a folder holds no link and no `commondir`; pipes and devices in it go."""
    for here, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(here, name)
            kind = os.lstat(path).st_mode
            if stat.S_ISLNK(kind):
                return False
            if not (stat.S_ISDIR(kind) or stat.S_ISREG(kind)):
                os.unlink(path)
                removed.append(os.path.relpath(path, os.path.dirname(folder)))
    return True


def _leads_to_a_file(entry: "os.DirEntry[bytes]") -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _is_plain(entry: "os.DirEntry[bytes]") -> bool:
    return entry.is_symlink() or entry.is_file(follow_symlinks=False)


def _allow(path: bytes | str, wanted: int) -> None:
    with suppress(OSError):
        mode = os.lstat(path).st_mode
        if not stat.S_ISLNK(mode) and stat.S_IMODE(mode) & wanted != wanted:
            os.chmod(path, stat.S_IMODE(mode) | wanted)
