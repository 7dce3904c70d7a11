"""What a command that was killed left of the files that it was about to throw away itself."""

import os
import re
import stat
from contextlib import suppress
from pathlib import Path

IN_TEMPORARY = ("factory-status-", "factory-rebuild-", "factory-canary-", "factory-run-")
IN_WORK_ROOT = ("factory-manners-",)
IN_RUNS_ROOT = (".gitignore-",)
_RANDOM = re.compile("[a-z0-9_]{8}")
_HOLDS = {
    "factory-status-": re.compile(r"status\.git"),
    "factory-rebuild-": re.compile(r"objects\.git|(?:audit|lens)-[a-z0-9_]{8}"),
    "factory-canary-": re.compile("own|seen|hidden"),
    "factory-run-": re.compile("run"),
    "factory-manners-": re.compile("[Cc]ase|link"),
}
"""What alone lies in a folder of ours: in a shared folder anybody may use such a name."""
_AT_WORK_SECONDS = 3600.0
"""For how long nothing is written where a command may still be at work."""


def cut_off_in(top: Path, prefixes: tuple[str, ...]) -> tuple[Path, ...]:
    """Return every file and folder of ours in `top` with such a name, sorted."""
    found = []
    with suppress(OSError), os.scandir(top) as entries:
        for entry in entries:
            begin = next((one for one in prefixes if entry.name.startswith(one)), None)
            if begin is None or not _RANDOM.fullmatch(entry.name.removeprefix(begin)):
                continue
            with suppress(OSError):
                seen = entry.stat(follow_symlinks=False)
                if seen.st_uid == os.geteuid() and _is_ours(entry.path, seen.st_mode, begin):
                    found.append(Path(entry.path))
    return tuple(sorted(found))


def _is_ours(path: str, mode: int, begin: str) -> bool:
    """Return whether a command of ours made what lies at `path`, as far as it shows."""
    held = _HOLDS.get(begin)
    if held is None:
        return stat.S_ISREG(mode)
    return stat.S_ISDIR(mode) and all(held.fullmatch(name) for name in os.listdir(path))


def is_settled(path: Path, now: float) -> bool:
    """Return whether nothing at `path` or below it was written for so long that nobody does."""
    newest = path.lstat().st_mtime
    for here, folders, files in os.walk(path):
        for name in (*folders, *files):
            with suppress(OSError):
                newest = max(newest, os.lstat(f"{here}/{name}").st_mtime)
    return now - newest >= _AT_WORK_SECONDS
