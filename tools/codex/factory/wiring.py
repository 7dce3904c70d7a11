"""Names become the objects that bear them: the clock, git, this program, its versions."""

import platform
import sys
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from tools.codex.factory import __version__

HOUSE = Path(__file__).resolve().parents[3]


def clock() -> datetime:
    """Return the time now, in UTC. The one clock of the house."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """Return a moment as artifacts say it: ISO 8601, UTC, microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def own_command(*words: str) -> tuple[str, ...]:
    """Return the command line that starts this factory again, never from a checkout (-P)."""
    return (sys.executable, "-P", "-m", "tools.codex.factory", *words)


def supervisor_command() -> tuple[str, ...]:
    """Return the command line of a supervisor; it needs nothing but the standard library (-S)."""
    return (sys.executable, "-P", "-S", "-m", "tools.codex.factory", "_supervisor")


def own_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process of our own: what it needs, and where this code lies."""
    kept = ("PATH", "HOME", "TMPDIR", "XDG_CONFIG_HOME", "LANG")
    chosen = {name: variables[name] for name in kept if name in variables}
    return {**chosen, "PYTHONPATH": str(HOUSE), "PYTHONUTF8": "1"}


def versions(git_version: str) -> dict[str, str]:
    """Return what this run is made with: programs, libraries, host."""
    return {
        "factory": __version__,
        "git": git_version,
        "host": platform.node() or "unknown",
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
    }
