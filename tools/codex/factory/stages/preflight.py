"""Is this host fit: asked by using each thing once."""

import locale
import platform
import resource
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tools.codex.factory.domain.fitness import Group, Row, noted, ok, unfit
from tools.codex.factory.errors import FactoryError
from tools.codex.factory.process.packages import PACKAGES, package_version
from tools.codex.factory.repository.discovery import git_version
from tools.codex.factory.repository.git import Git

_OLDEST_PYTHON = (3, 11)
_FEW_FILES = 1024
_NO_PROC = "without it a process that leaves its session behind a worker's back is not found"


def host_rows(git: Git | FactoryError, variables: Mapping[str, str], cwd: Path) -> tuple[Row, ...]:
    """Return a row for each thing that the host must have; `git` may be why it cannot be called."""
    asked = git_row(git, variables, cwd)
    # GitPython cannot be imported where there is no git; that is no fault of its own.
    packages = [name for name in PACKAGES if name != "GitPython" or asked.is_fit]
    return (
        _platform_row(),
        *_proc_rows(),
        _python_row(),
        asked,
        *(_package_row(name) for name in packages),
        _text_row(),
        _open_files_row(),
    )


def refused(group: Group, what: str, error: FactoryError) -> Row:
    """Return the row that says why a thing could not be used."""
    return unfit(group, what, str(error), error.hint)


def git_row(git: Git | FactoryError, variables: Mapping[str, str], cwd: Path) -> Row:
    """Return whether git runs, and is new enough."""
    if isinstance(git, FactoryError):
        return refused("host", "git", git)
    try:
        version = git_version(git, cwd if cwd.is_dir() else Path("/"))
    except FactoryError as error:
        return refused("host", "git", error)
    return ok("host", f"git {version}", shutil.which("git", path=variables.get("PATH")) or "")


def _platform_row() -> Row:
    name = f"{platform.system()} {platform.release()} {platform.machine()}"
    if sys.platform == "linux":
        return ok("host", name)
    lacks = "no subreaper, no /proc: what a worker daemonises is not ended with it; no confinement"
    return noted("host", name, lacks, "run workers that daemonise on Linux")


def _proc_rows() -> tuple[Row, ...]:
    if sys.platform != "linux":
        return ()
    if Path("/proc/self/stat").is_file():
        return (ok("host", "/proc"),)
    return (unfit("host", "/proc", f"it is not mounted; {_NO_PROC}", "mount -t proc proc /proc"),)


def _python_row() -> Row:
    name = f"Python {platform.python_version()}"
    if sys.version_info[:2] >= _OLDEST_PYTHON:
        return ok("host", name, sys.executable)
    return unfit("host", name, "it is too old", "install Python 3.11 or newer")


def _package_row(name: str) -> Row:
    try:
        return ok("host", f"{name} {package_version(name)}")
    except FactoryError as error:
        return refused("host", name, error)


def _text_row() -> Row:
    names, text = sys.getfilesystemencoding(), locale.getpreferredencoding(do_setlocale=False)
    what = f"names are {names}, text is {text}"
    if {_spelled(names), _spelled(text)} == {"utf8"}:
        return ok("host", what)
    return noted("host", what, "names beyond ASCII may be shown wrong", "export PYTHONUTF8=1")


def _spelled(encoding: str) -> str:
    return encoding.lower().replace("-", "").replace("_", "")


def _open_files_row() -> Row:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    what = "open files"
    if soft == resource.RLIM_INFINITY:
        return ok("host", what, "no limit")
    if soft >= _FEW_FILES:
        return ok("host", what, f"up to {soft}")
    most = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
    said = f"only up to {soft}; supervisors and what workers start inherit that"
    return noted("host", what, said, f"ulimit -n {_FEW_FILES} (this shell may have {most})")
