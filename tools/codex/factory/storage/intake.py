"""The one door for bytes made elsewhere: regular files within limits, each a finding if not."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tools.codex.factory.domain.artifact import (
    WORKER_ARTIFACTS,
)
from tools.codex.factory.domain.finding import Code, Finding, blocking
from tools.codex.factory.domain.identity import WorkerId
from tools.codex.factory.domain.path import quoted, repo_path
from tools.codex.factory.errors import StorageError
from tools.codex.factory.storage.regular import NotARegularFile, TooLarge, read_regular

MAX_FILES = 1000
MAX_DEPTH = 4
_MAX_ENTRIES = 2 * MAX_FILES
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
MAX_NAME_BYTES = 200
JSON_BYTES = 64 << 20
TEXT_BYTES = 16 << 20
LOG_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class TakenIn:
    """The files of a bundle made elsewhere, and what could not be taken in."""

    files: Mapping[str, bytes]
    findings: tuple[Finding, ...]


def take_in_folder(
    folder: Path, worker: WorkerId, *, patch_bytes: int, bundle_bytes: int
) -> TakenIn:
    """Return the regular files of `folder`; a finding for each thing that is none, or too large.

    Raises StorageError where the folder itself cannot be read.
    """
    files: dict[str, bytes] = {}
    findings: list[Finding] = []
    left = bundle_bytes
    with _opened(folder) as top:
        for name in _names_below(top, worker, findings):
            try:
                files[name] = _read_still(
                    top, name, min(left, limit_of(name, patch_bytes, bundle_bytes))
                )
                left -= len(files[name])
            except TooLarge as error:
                findings.append(_refused(Code.TOO_LARGE, worker, name, error))
            except (NotARegularFile, FileNotFoundError) as error:
                findings.append(_refused(Code.NOT_A_FILE, worker, name, error))
    return TakenIn(files, tuple(findings))


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Yield the open folder that the plan names; raise StorageError where it cannot be read."""
    try:
        top = os.open(folder, _FOLDER)
    except OSError as error:
        raise StorageError(
            f"bundle folder {str(folder)!r}: {error.strerror}", hint="look at its permissions"
        ) from error
    try:
        yield top
    finally:
        os.close(top)


def _names_below(top: int, worker: WorkerId, findings: list[Finding]) -> list[str]:
    """Return every name below `top` but folders, sorted; count and depth are capped.

    Counted is whatever lies there, or a folder of bad names or of folders would have no end.
    """
    found: list[str] = []
    seen = 0
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        try:
            with _below(top, prefix) as here, os.scandir(here) as entries:
                some = list(islice(entries, _MAX_ENTRIES - seen + 1))
                folders = {e.name for e in some if e.is_dir(follow_symlinks=False)}
        except OSError as error:
            findings.append(_no_folder(worker, prefix.rstrip("/"), error))
            continue
        seen += len(some)
        for name in sorted(prefix + entry.name for entry in some):
            is_folder = name.removeprefix(prefix) in folders
            is_too_many = len(found) >= MAX_FILES or seen > _MAX_ENTRIES
            if is_too_many or (is_folder and name.count("/") >= MAX_DEPTH):
                what = f"more than {MAX_DEPTH} folders deep or {MAX_FILES} files"
                # What else was found of it no longer matters.
                findings[:] = [_too_large(worker, prefix.rstrip("/") or ".", what)]
                return []
            if is_folder:
                waiting.append(name + "/")
            elif _is_name(name):
                found.append(name)
            else:
                findings.append(_bad_name(worker, name))
    return sorted(found)


@contextmanager
def _below(top: int, prefix: str) -> Iterator[int]:
    """Yield the open folder at `prefix`; a link on the way is refused at any moment."""
    here = os.dup(top)
    try:
        for part in prefix.split("/")[:-1]:
            step = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = step
        yield here
    finally:
        os.close(here)


def _read_still(top: int, name: str, limit: int) -> bytes:
    """Return the content of a file that nobody writes: read twice, it is the same."""
    above, _, leaf = name.rpartition("/")
    try:
        with _below(top, f"{above}/" if above else "") as parent:
            content = read_regular(leaf, limit=limit, parent=parent)
            if read_regular(leaf, limit=limit, parent=parent) == content:
                return content
    except (FileNotFoundError, StorageError):
        raise
    except OSError as error:
        raise NotARegularFile(
            f"{name}: {error.strerror}", hint="put a regular file there"
        ) from error
    raise NotARegularFile(f"{name}: it changes while it is read", hint="try again")


def _is_name(name: str) -> bool:
    """True for a name that a log may have; a dot in front is for files being written."""
    try:
        repo_path(name)
        parts = [part.encode("utf-8") for part in name.split("/")]
    except ValueError:
        return False
    return all(len(part) <= MAX_NAME_BYTES and not part.startswith(b".") for part in parts)


def limit_of(name: str, patch_bytes: int, bundle_bytes: int) -> int:
    """Return how large a file of a bundle may be: as large as whoever wrote it was allowed."""
    if name.endswith(".patch"):
        return patch_bytes if name == "DIFF.patch" else max(patch_bytes, LOG_BYTES)
    if name.endswith(".bundle"):
        return max(bundle_bytes, LOG_BYTES)
    if name in WORKER_ARTIFACTS:
        return JSON_BYTES if name.endswith(".json") else TEXT_BYTES
    return LOG_BYTES


def _refused(code: Code, worker: WorkerId, name: str, error: Exception) -> Finding:
    reason = str(error).rpartition(": ")[2] or "it is gone"
    hint = "hand in plain files, each a copy of its own, within the limits"
    return blocking(code, f"{worker}: {quoted(name)}", reason, hint)


def _too_large(worker: WorkerId, name: str, what: str) -> Finding:
    hint = "hand in the eight artifacts and the logs, and nothing else"
    return blocking(Code.TOO_LARGE, f"{worker}: {quoted(name)}", what, hint)


def _no_folder(worker: WorkerId, name: str, error: OSError) -> Finding:
    hint = "hand in folders that can be read, and no links in their place"
    return blocking(Code.NOT_A_FILE, f"{worker}: {quoted(name)}", error.strerror or "gone", hint)


def _bad_name(worker: WorkerId, name: str) -> Finding:
    shown = quoted(name)
    return blocking(Code.NOT_A_FILE, f"{worker}: {shown}", "a name that no log has", "rename it")
