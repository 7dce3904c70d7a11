"""One attempt at an order on disk: its folder, who holds it, what came of it."""

import fcntl
import json
import os
import re
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from tools.codex.factory.domain.identity import Digest, digest_of
from tools.codex.factory.domain.order import CHECKOUT, OUTBOX, Outcome, outcome_from
from tools.codex.factory.errors import StorageError
from tools.codex.factory.storage.durable import replace_file, sync_folder
from tools.codex.factory.storage.flock import is_locked
from tools.codex.factory.storage.regular import read_regular
from tools.codex.factory.storage.run_directory import storing

_NUMBER = re.compile("[1-9][0-9]{0,8}")
_COMPLAINTS = re.compile(r"supervisor-[1-9][0-9]{0,3}\.log")
_MOST_COMPLAINTS = 20
OUTCOME = "outcome.json"
DIFF = "DIFF.patch"
STRAY = "stray.bundle"
LOGS = "logs"
HOME = "home"
_LOCK = "lock"
_TEMPORARY = "temporary"
_TEMPORARY_PREFIX = "factory-"
_OWNER = ".owner"
_RESERVE = "reserve"
"""A file that goes where a disk is full, so that the end of the work can still be written."""
_RESERVE_BYTES = 1 << 16
_CLEARED = ".cleared-"
_MOST_OUTCOME_BYTES = 64 << 20


class Attempt:
    """A folder in which one attempt is made. Only its supervisor holds it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def checkout(self) -> Path:
        """Return where the checkout lies."""
        return self.folder / CHECKOUT

    @property
    def outbox(self) -> Path:
        """Return where a worker may leave its texts."""
        return self.folder / OUTBOX

    @property
    def is_half_removed(self) -> bool:
        """Return whether this is what is left of an attempt whose removal was cut off."""
        return self.folder.name.startswith(_CLEARED)

    def make(self) -> None:
        """Make the folder and what every attempt has; raise StorageError where that fails."""
        with storing(str(self.folder)):
            self.folder.mkdir(parents=True, mode=0o700)
            for name in (OUTBOX, LOGS, HOME):
                (self.folder / name).mkdir()
            (self.folder / _RESERVE).write_bytes(bytes(_RESERVE_BYTES))

    def log_folder(self) -> Path:
        """Return where logs go; what was put in its place, or took it away, is undone."""
        folder = self.folder / LOGS
        if folder.is_symlink() or not folder.is_dir():
            with storing(str(folder)):
                folder.unlink(missing_ok=True)
                folder.mkdir()
        return folder

    def log(self, name: str, *, limit: int) -> bytes:
        """Return the content of a log; raise FileNotFoundError or StorageError."""
        try:
            parent = os.open(self.folder / LOGS, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            raise FileNotFoundError(name) from error
        try:
            return read_regular(name, limit=limit, parent=parent)
        finally:
            os.close(parent)

    def complaints(self) -> int:
        """Return a new open file, supervisor-<n>.log, for what a supervisor says on stderr."""
        number = 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with storing(str(self.folder)):
            while True:
                try:
                    return os.open(self.folder / f"supervisor-{number}.log", flags, 0o600)
                except FileExistsError:
                    number += 1

    def complained(self) -> list[str]:
        """Return the names of the last files that `complaints` opened, whoever wrote them."""
        names = [path.name for path in self.folder.glob("supervisor-*.log")]
        names = [name for name in names if _COMPLAINTS.fullmatch(name)]
        return sorted(names, key=lambda name: int(name[11:-4]))[-_MOST_COMPLAINTS:]

    def held(self) -> int | None:
        """Return an open file that holds this attempt, or None where another process does.

        A supervisor inherits it: the attempt is held for as long as it lives.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with storing(str(self.folder / _LOCK)):
            handle = os.open(self.folder / _LOCK, flags, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        return handle

    def is_held(self) -> bool:
        """Return whether a process holds this attempt, without making anything."""
        return is_locked(self.folder / _LOCK)

    def temporary(self) -> Path:
        """Return a new folder for throw-away files, on a short path: sockets have no long ones."""
        with storing("a folder in TMPDIR"):
            while True:
                made = Path(tempfile.gettempdir(), self._temporary_begin + secrets.token_hex(2))
                # Named before it is made: whoever clears a killed attempt knows of it.
                (self.folder / _TEMPORARY).write_bytes(os.fsencode(made))
                with suppress(FileExistsError):
                    made.mkdir(mode=0o700)
                    break
            (made / _OWNER).write_bytes(os.fsencode(self.folder))
            (made / "t").mkdir(mode=0o700)
        return made / "t"

    @property
    def _temporary_begin(self) -> str:
        """Return how the names of this attempt's folders for throw-away files begin."""
        return f"{_TEMPORARY_PREFIX}{digest_of(os.fsencode(self.folder))[:8]}"

    def drop_temporary(self, remove: Callable[[Path], None]) -> None:
        """Remove the folder for throw-away files, if there is one."""
        with suppress(OSError, StorageError):
            made = Path(os.fsdecode((self.folder / _TEMPORARY).read_bytes()))
            # A worker may have written another name there: only what is marked as ours goes, or
            # bears our name, and the mark was not made when its supervisor was killed.
            is_marked = _owner_of(made) == os.fsencode(self.folder)
            begin = _TEMPORARY_PREFIX if is_marked else self._temporary_begin
            if made.name.startswith(begin) and (is_marked or _is_unmarked(made)):
                remove(made)

    def keep(self, outcome: Outcome, *, patch: bytes | None, stray: bytes) -> Digest:
        """Write what came of the attempt, the outcome last; return its digest."""
        if patch is not None:
            _write(self.folder / DIFF, patch)
        if stray:
            _write(self.folder / STRAY, stray)
        content = json.dumps(asdict(outcome), sort_keys=True).encode("ascii")
        _write(self.folder / OUTCOME, content)
        return digest_of(content)

    def keep_end(self, outcome: Outcome) -> None:
        """Write how the work ended though the disk is full: with that, it need not be done again.

        What it left stays in its checkout, to be captured once there is room.
        """
        (self.folder / _RESERVE).unlink(missing_ok=True)
        self.keep(outcome, patch=None, stray=b"")

    def outcome(self, digest: Digest | None = None) -> Outcome | None:
        """Return what came of the attempt, or None where it came to no end.

        Raises StorageError where it is not what `digest` names, or cannot be read.
        """
        path = self.folder / OUTCOME
        try:
            content = read_regular(path, limit=_MOST_OUTCOME_BYTES)
            if digest is not None and digest_of(content) != digest:
                raise ValueError("it is not what the supervisor wrote")
            return outcome_from(json.loads(content))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise StorageError(
                f"{str(path)!r} is unreadable: {error}", hint="remove it to try again"
            ) from error

    def patch(self, outcome: Outcome, *, limit: int) -> bytes | None:
        """Return the captured DIFF.patch; raise StorageError where it is not what was captured."""
        if outcome.patch is None:
            return None
        content = read_regular(self.folder / DIFF, limit=limit)
        if digest_of(content) != outcome.patch:
            raise StorageError(
                f"{str(self.folder / DIFF)!r} is not what was captured",
                hint="something wrote into the work root; find out what",
            )
        return content

    def clear(self, remove: Callable[[Path], None]) -> None:
        """Remove the attempt, with whatever a killed supervisor left in its throw-away folder.

        It is set aside in one step first: half of an attempt would look like work to be kept.
        """
        self.drop_temporary(remove)
        aside = self.folder
        if not self.is_half_removed:
            aside = self.folder.with_name(f"{_CLEARED}{self.folder.name}")
            remove(aside)
            with suppress(OSError):
                self.folder.rename(aside)
        remove(aside)
        remove(self.folder)
        with suppress(OSError):
            self.folder.parent.rmdir()


def ownerless(top: Path) -> list[Path]:
    """Return the folders for throw-away files in `top` whose attempt is gone, sorted.

    Only what is ours by user, name and mark counts.
    """
    found = []
    with suppress(OSError), os.scandir(top) as entries:
        for entry in entries:
            if entry.name.startswith(_TEMPORARY_PREFIX) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError, StorageError):
                    owner = os.fsdecode(read_regular(Path(entry.path) / _OWNER, limit=1 << 16))
                    mine = entry.stat(follow_symlinks=False).st_uid == os.geteuid()
                    if mine and os.path.isabs(owner) and not os.path.lexists(owner):
                        found.append(Path(entry.path))
    return sorted(found)


def cleared_in(folder: Path) -> list[Attempt]:
    """Return the attempts below `folder` whose removal was cut off, sorted."""
    with suppress(OSError):
        names = [name for name in os.listdir(folder) if name.startswith(_CLEARED)]
        return [Attempt(folder / name) for name in sorted(names)]
    return []


def attempts_in(folder: Path) -> dict[int, Attempt]:
    """Return the attempts below the folder of one worker, by number."""
    try:
        names = [name for name in os.listdir(folder) if _NUMBER.fullmatch(name)]
    except FileNotFoundError:
        return {}
    return {int(name): Attempt(folder / name) for name in sorted(names, key=int)}


def _owner_of(made: Path) -> bytes:
    """Return what a folder for throw-away files says of whose it is; b"" for nothing."""
    try:
        return read_regular(made / _OWNER, limit=1 << 16)
    except FileNotFoundError:
        return b""


def _is_unmarked(made: Path) -> bool:
    """Return whether a folder holds nothing at all, but for a mark that says nothing yet."""
    return os.listdir(made) in ([], [_OWNER]) and _owner_of(made) == b""


def _write(path: Path, content: bytes) -> None:
    """Write a file beside, sync, rename."""
    with storing(str(path)):
        if path.is_dir() and not path.is_symlink():
            # A worker that made a folder of this name would else keep its own work from us.
            path.rename(path.with_name(f".{path.name}.refused"))
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            replace_file(parent, path.name, content, mode=0o600)
            sync_folder(parent)
        finally:
            os.close(parent)
