"""Files of the operator's own that the factory writes once, where none are, and never again."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tools.codex.factory.errors import StorageError, UsageError
from tools.codex.factory.storage.regular import read_regular


def write_new(top: Path, files: Mapping[str, bytes]) -> None:
    """Write each file below `top`, or none: raises UsageError where one is there already.

    What was begun and not ended by a process that was killed is ended.
    """
    begun = {name: _begun(top / name, files[name]) for name in files}
    for name in files:
        if begun[name] is None or begun == {name: len(files[name]) for name in files}:
            raise _there(name)
        _check_inside(top, name)
    written: list[Path] = []
    try:
        for name, content in files.items():
            path = top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            is_there = os.path.lexists(path)
            with path.open("ab" if is_there else "xb") as file:
                written += [path] * (not is_there)
                file.write(content[begun[name] or 0 :])
    except OSError as error:
        for path in written:
            with suppress(OSError):
                path.unlink()
        if isinstance(error, FileExistsError):
            raise _there(name) from error
        raise UsageError(
            f"cannot write {name!r}: {error.strerror}",
            hint="look at permissions; `factory init --print` prints the plan",
        ) from error


def _begun(path: Path, content: bytes) -> int | None:
    """Return how much of `content` a file holds already; None where it holds something else."""
    if not os.path.lexists(path):
        return 0
    try:
        found = read_regular(path, limit=len(content))
    except StorageError:
        return None
    return len(found) if content.startswith(found) else None


def _check_inside(top: Path, name: str) -> None:
    real = os.path.realpath(top / name)
    if not real.startswith(os.path.realpath(top) + os.sep):
        raise UsageError(
            f"{name!r} would be written to {real!r}, outside the repository",
            hint="a folder above it is a symbolic link",
        )


def _there(name: str) -> UsageError:
    return UsageError(
        f"{name!r} is there already, and is never overwritten",
        hint="`factory init --print` prints a plan; to begin anew, move the file away",
    )
