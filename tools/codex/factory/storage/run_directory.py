"""Where every artifact of a run lies; refuses to write outside, and never follows a link."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.codex.factory.domain.identity import RunId, WorkerId
from tools.codex.factory.errors import (
    OutsideRunDirectory,
    RunUnavailable,
    StorageError,
    raise_spent,
)
from tools.codex.factory.storage.durable import replace_file, sync_folder
from tools.codex.factory.storage.regular import read_regular

MANIFEST = "RUN_MANIFEST.json"
PLAN = "PLAN.json"
STORE = "objects.git"
SEALS = "seals"
UNWRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)
"""What the system says of a place that may not be written."""
_NOWHERE = Path()
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class RunDirectory:
    """One run's folder. Names are relative to it, with slashes."""

    def __init__(self, root: Path, run: RunId) -> None:
        self.run = run
        self.folder = root / run

    @property
    def store(self) -> Path:
        """Return where the run's own objects lie."""
        return self.folder / STORE

    def check_store(self) -> Path:
        """Return the store; raise OutsideRunDirectory where a link in it leads git elsewhere."""
        for path in (self.folder, self.store, *self.store.rglob("*")):
            if path.is_symlink():
                raise OutsideRunDirectory(str(path))
        return self.store

    def write(self, name: str, content: bytes) -> None:
        """Write a file beside, sync, rename; raise OutsideRunDirectory where a link stands."""
        self.write_all({name: content})

    def write_all(self, files: Mapping[str, bytes]) -> None:
        """Write files as `write` does; each folder is synced once, when all its files are there."""
        folders: dict[str, list[str]] = {}
        for name in sorted(files):
            folders.setdefault(name.rpartition("/")[0], []).append(name)
        for names in folders.values():
            with self._parent(names[0], make=True) as (parent, _):
                for name in names:
                    leaf = name.rpartition("/")[2]
                    _check_leaf(leaf, name)
                    self._refuse_link(parent, leaf, name)
                    with storing(name, self.folder):
                        replace_file(parent, leaf, files[name])
                with storing(names[0], self.folder):
                    sync_folder(parent)

    @contextmanager
    def reader(self, folder: str) -> Iterator[Callable[[str, int], bytes]]:
        """Yield a way to read many files of one folder: by name in it, with a size limit."""
        with self._parent(f"{folder}/x", make=False) as (parent, _):

            def read(name: str, limit: int) -> bytes:
                if "/" in name:
                    return self.read(f"{folder}/{name}", limit=limit)
                _check_leaf(name, f"{folder}/{name}")
                return read_regular(name, limit=limit, parent=parent)

            yield read

    def read(self, name: str, *, limit: int = 1 << 30) -> bytes:
        """Return the content of a regular file; raise FileNotFoundError or StorageError."""
        with self._parent(name, make=False) as (parent, leaf):
            return read_regular(leaf, limit=limit, parent=parent)

    def has(self, name: str) -> bool:
        """Return whether `name` is there, as a regular file."""
        try:
            return stat.S_ISREG(os.lstat(self.folder / name).st_mode)
        except OSError:
            return False

    def files_below(self, name: str) -> tuple[str, ...]:
        """Return every name below the folder `name` that is no folder, sorted, relative to it."""
        found: list[str] = []
        waiting = [""]
        if (self.folder / name).is_symlink():
            return ()
        while waiting:
            prefix = waiting.pop()
            try:
                with os.scandir(f"{self.folder}/{name}/{prefix}") as entries:
                    for entry in entries:
                        here = prefix + entry.name
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(here + "/")
                        else:
                            found.append(here)
            except (FileNotFoundError, NotADirectoryError):
                continue
        return tuple(sorted(found))

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError), self._parent(name, make=False) as (parent, leaf):
            os.unlink(leaf, dir_fd=parent)

    def move(self, old: str, new: str) -> None:
        """Rename a file within the run, durably; a link in the way of either name is refused."""
        with (
            self._parent(old, make=False) as (source, leaf),
            self._parent(new, make=True) as (target, other),
        ):
            self._refuse_link(source, leaf, old)
            self._refuse_link(target, other, new)
            with storing(new):
                os.rename(leaf, other, src_dir_fd=source, dst_dir_fd=target)
                sync_folder(target)
                sync_folder(source)

    def set_aside(self, name: str) -> str:
        """Rename whatever stands at `name` out of the way; return its new name."""
        with self._parent(name, make=False) as (parent, leaf):
            number = 1
            while _exists(parent, aside := f"{leaf}.refused-{number}"):
                number += 1
            with storing(name, self.folder):
                os.rename(leaf, aside, src_dir_fd=parent, dst_dir_fd=parent)
        above = name.rpartition("/")[0]
        return f"{above}/{aside}" if above else aside

    def scratch(self) -> "tempfile.TemporaryDirectory[str]":
        """Return a folder inside the run for throw-away files; it is gone when it is left.

        What a killed predecessor left goes too: whoever asks holds the run.
        """
        for old in self.folder.glob(".scratch-*"):
            if old.is_dir() and not old.is_symlink():
                shutil.rmtree(old)
        with storing(".scratch", self.folder):
            return tempfile.TemporaryDirectory(prefix=".scratch-", dir=self.folder)

    @contextmanager
    def _parent(self, name: str, *, make: bool) -> Iterator[tuple[int, str]]:
        """Yield an open folder above `name` and its last part; each step refuses a link."""
        parts = name.split("/")
        if not name or "\0" in name or not all(part not in ("", ".", "..") for part in parts):
            raise OutsideRunDirectory(name)
        try:
            parent = os.open(self.folder, _FOLDER)
        except FileNotFoundError:
            raise RunUnavailable(
                f"run {self.run!r} is gone", hint="`factory ledger` lists the runs"
            ) from None
        except OSError as error:
            raise_spent(error, f"cannot open {str(self.folder)!r}")
            raise OutsideRunDirectory(str(self.folder)) from error
        try:
            for part in parts[:-1]:
                child = self._step(parent, part, name, make)
                os.close(parent)
                parent = child
            yield parent, parts[-1]
        finally:
            os.close(parent)

    def _step(self, parent: int, part: str, name: str, make: bool) -> int:
        if make:
            with storing(name, self.folder), suppress(FileExistsError):
                os.mkdir(part, dir_fd=parent)
        try:
            return os.open(part, _FOLDER, dir_fd=parent)
        except FileNotFoundError:
            raise
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise OutsideRunDirectory(name) from error
            raise_spent(error, f"cannot open {str(self.folder / name)!r}")
            raise StorageError(
                f"cannot open {name!r}: {error.strerror}",
                hint=f"look at the permissions of {str(self.folder)!r}",
            ) from error

    def _refuse_link(self, parent: int, leaf: str, name: str) -> None:
        with storing(name, self.folder), suppress(FileNotFoundError):
            if not stat.S_ISREG(os.lstat(leaf, dir_fd=parent).st_mode):
                raise OutsideRunDirectory(name)


def _check_leaf(leaf: str, name: str) -> None:
    if leaf in ("", ".", "..") or "\0" in leaf:
        raise OutsideRunDirectory(name)


def worker_artifact(worker: WorkerId, name: str) -> str:
    """Return where an artifact of a worker lies."""
    return f"{worker}/{name}"


def plan_name(revision: int) -> str:
    """Return where a revision of the plan lies: the first as PLAN.json, the amended beside it."""
    return PLAN if revision == 1 else f"PLAN.{revision}.json"


def lock_name(revision: int, worker: str) -> str:
    """Return where the scope lock lies that an amended plan gives to a worker."""
    return f"SCOPE_LOCKS.{revision}/{worker}.json"


def task_name(worker: WorkerId) -> str:
    """Return where the task of a worker is kept that the plan has in a file of its own."""
    return f"TASK.{worker}.txt"


def published_name(commit: str, name: str) -> str:
    """Return where the copy of an artifact lies that stands behind a published commit."""
    return f"PUBLISHED.{commit[:12]}/{name}"


def seal_name(worker: WorkerId) -> str:
    """Return where the seal of a bundle lies."""
    return f"{SEALS}/{worker}.json"


@contextmanager
def storing(name: str, folder: Path = _NOWHERE) -> Iterator[None]:
    """Turn an OSError of the block into a StorageError that names what was being written.

    Where there is no room it is NoRoom, which names it from `folder` on.
    """
    try:
        yield
    except OSError as error:
        raise_spent(error, f"cannot write {str(folder / name)!r}")
        raise StorageError(
            f"cannot write {name!r}: {error.strerror}",
            hint="look at permissions and free space, or set runs.root",
        ) from error


def _exists(parent: int, name: str) -> bool:
    try:
        os.lstat(name, dir_fd=parent)
    except FileNotFoundError:
        return False
    return True
