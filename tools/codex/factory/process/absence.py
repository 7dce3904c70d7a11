"""Why a program did not begin, in the same words whoever was to start it."""

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

_TAIL = 1 << 16


def why_not_started(program: str, env: Mapping[str, str], cwd: Path, error: OSError) -> str:
    """Return why a program cannot be started in `cwd`, where the system says `error`."""
    if not cwd.is_dir():
        return "the checkout is gone"
    if not isinstance(error, FileNotFoundError):
        return f"program {program!r} cannot be started: {error.strerror}"
    return _absence(program, env)


def why_not_wrapped(program: str, env: Mapping[str, str], log: Path) -> str:
    """Return why a wrapper, whose complaints end `log`, did not begin its program."""
    said = _last_line(log)
    if said.endswith(f"execvp {program}: {os.strerror(errno.ENOENT)}"):
        return _absence(program, env)
    if f"execvp {program}: " in said:
        return f"program {program!r} cannot be started: {said.rpartition(': ')[2]}"
    return f"its confinement cannot be made: {said}"


def _absence(program: str, env: Mapping[str, str]) -> str:
    if "/" in program or shutil.which(program, path=env.get("PATH", os.defpath)) is not None:
        return f"program {program!r} is not there, or what its first line names is not"
    return f"program {program!r} is not on PATH"


def _last_line(log: Path) -> str:
    lines = log.read_bytes()[-_TAIL:].decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it says nothing"
