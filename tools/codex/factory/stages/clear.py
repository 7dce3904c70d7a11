"""What stands in the way of the integrator's writes, set aside before it writes."""

import os
import stat as modes
from collections.abc import Callable

from tools.codex.factory.domain.artifact import INTEGRATOR_ARTIFACTS, RENDITIONS
from tools.codex.factory.domain.finding import Code, Finding, blocking
from tools.codex.factory.domain.identity import INTEGRATOR
from tools.codex.factory.storage.run_directory import SEALS, STORE, RunDirectory, worker_artifact


def cleared(run: RunDirectory) -> tuple[Finding, ...]:
    """Return a finding for each thing in the way of the integrator that leads out of the run.

    What is found is set aside, so that the report can be written where it belongs.
    """
    folders = (STORE, SEALS, str(INTEGRATOR), f"{INTEGRATOR}/LOGS")
    names = {*INTEGRATOR_ARTIFACTS, *RENDITIONS.values(), *_logs_there(run)}
    files = tuple(worker_artifact(INTEGRATOR, name) for name in sorted(names))
    found = [_set_aside(run, name) for name in folders if _is_other(run, name, modes.S_ISDIR)]
    if any(path.is_symlink() for path in run.store.rglob("*")):
        found.append(_set_aside(run, STORE))
    found += [_set_aside(run, name) for name in files if _is_other(run, name, modes.S_ISREG)]
    return tuple(found)


def _logs_there(run: RunDirectory) -> list[str]:
    return [
        f"LOGS/{name}" for name in run.files_below(f"{INTEGRATOR}/LOGS") if ".refused-" not in name
    ]


def _is_other(run: RunDirectory, name: str, wanted: Callable[[int], bool]) -> bool:
    try:
        return not wanted(os.lstat(run.folder / name).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _set_aside(run: RunDirectory, name: str) -> Finding:
    aside = run.set_aside(name)
    return blocking(
        Code.POLICY_WRITE_OUTSIDE,
        f"{INTEGRATOR}: {name}",
        "what stood there would have led the integrator's write out of the run folder; "
        f"it was set aside as {aside}",
        "find out who put it there; then integrate again",
    )
