"""The platform's opener: which program it is, and a file given to it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.errors import FactoryError

SECONDS = 5.0
"""How long an opener may take to say that it failed; one that runs on is a viewer, and stays."""


class OpenerFailed(FactoryError):
    """The opener could not be started, or said that it failed."""

    exit_code = 30


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why there is no opener here."""

    reason: str


def opener(platform: str, variables: Mapping[str, str]) -> str | WhyNot:
    """Return the program that opens files for this operator, or why there is none."""
    name = "open" if platform == "darwin" else "xdg-open"
    if name == "xdg-open" and not (variables.get("DISPLAY") or variables.get("WAYLAND_DISPLAY")):
        return WhyNot("neither DISPLAY nor WAYLAND_DISPLAY is set, so there is no screen for it")
    found = shutil.which(name, path=variables.get("PATH", os.defpath))
    return found or WhyNot(f"program {name!r} is not on PATH")


def open_with(
    program: str, path: Path, *, env: Mapping[str, str], seconds: float = SECONDS
) -> None:
    """Let `program` open `path`; raise OpenerFailed where it says within `seconds` that it failed.

    After that it is left alone: it goes on in a session of its own, beyond our end.
    """
    with tempfile.TemporaryFile() as complaints:
        try:
            child = subprocess.Popen(
                (program, str(path)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                env=env,
                start_new_session=True,
            )
        except OSError as error:
            raise _failed(program, f"cannot be started: {error.strerror}") from error
        try:
            code = child.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            # Nobody waits for it any more; without a code, Popen would complain about that.
            child.returncode = 0
            return
        complaints.seek(0)
        said = complaints.read().decode("utf-8", "replace").strip().splitlines()
    if code != 0:
        raise _failed(program, f"exit code {code}: {said[-1]!r}" if said else f"exit code {code}")


def _failed(program: str, reason: str) -> OpenerFailed:
    return OpenerFailed(
        f"opener {program!r}: {reason}", hint="the path is printed; open it by hand"
    )
