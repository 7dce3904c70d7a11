"""Files of the operator's own that the factory writes once, where none are, and never again."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tools.codex.factory.errors import UsageError


def write_new(top: Path, files: Mapping[str, bytes]) -> None:
    """Write each file below `top`, or none: raises UsageError where one is there already."""
    for name in files:
        if os.path.lexists(top / name):
            raise _there(name)
        _check_inside(top, name)
    written: list[Path] = []
    try:
        for name, content in files.items():
            path = top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                written.append(path)
                file.write(content)
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
