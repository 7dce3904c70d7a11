"""Small real programs that behave, and that misbehave; and whether anything of them is left."""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).parent


def program(name: str, *words: str) -> list[str]:
    """Return the command line of a program in this folder."""
    return [sys.executable, "-I", "-S", str(HERE / f"{name}.py"), *words]


def living(marker: str) -> list[int]:
    """Return every process but this one that has `marker` in its command line or environment."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid() and _shows(Path("/proc", name), marker):
            found.append(int(name))
    return found


def left_of(marker: str) -> list[int]:
    """Return what still lives of `marker` some seconds after all should be gone, and end it."""
    until = time.monotonic() + 5
    while (left := living(marker)) and time.monotonic() < until:
        time.sleep(0.02)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, 9)
    return left


def comes(about: Callable[[], object], seconds: float = 10) -> bool:
    """Return whether `about` becomes true before its time is over."""
    until = time.monotonic() + seconds
    while not about():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _shows(process: Path, marker: str) -> bool:
    try:
        said = (process / "cmdline").read_bytes() + b"\0" + (process / "environ").read_bytes()
    except OSError:
        return False
    return marker.encode() in said
