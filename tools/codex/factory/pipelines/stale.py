"""What runs left in the work root: whose it is, whether it may go, and its removal."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tools.codex.factory.domain.artifact import WorkerStatus, finding_of
from tools.codex.factory.domain.document import NotStrictJson, parse
from tools.codex.factory.domain.finding import Code, Finding
from tools.codex.factory.domain.identity import INTEGRATOR, WorkerId, digest_of, run_id
from tools.codex.factory.errors import FactoryError, RunUnavailable, StorageError
from tools.codex.factory.executors.local import is_worked_in
from tools.codex.factory.pipelines.pipeline import locked
from tools.codex.factory.storage.attempt import Attempt, attempts_in, cleared_in
from tools.codex.factory.storage.lock import holder_of
from tools.codex.factory.storage.run_directory import MANIFEST, RunDirectory
from tools.codex.factory.storage.seal import is_sealed, sealed

State = Literal[
    "busy", "held", "waits", "open", "partial", "broken", "unknown", "kept", "done", "check", "half"
]  # fmt: skip
GOING: tuple[State, ...] = ("done", "check", "half")
"""What may go: it is captured and sealed, or a check's, or half removed already."""
_ANY_SIZE = 1 << 40
_WHY: dict[State, str] = {
    "done": "captured whole and sealed",
    "check": "a check that was cut off worked in it",
    "half": "its removal was cut off",
}


@dataclass(frozen=True, slots=True)
class Left:
    """An attempt that lies in the work root. Only what is in a state of `GOING` may go."""

    run: str
    worker: str
    attempt: Attempt
    state: State


def left_in(folder: Path, runs_root: Path, *, keep: bool) -> tuple[Left, ...]:
    """Return every attempt below the folder of a repository; `keep`: captured ones stay."""
    found: list[Left] = []
    for place in _folders(folder):
        directory = _run_of(place, runs_root)
        if directory is None:
            run = place.name.rpartition(".")[0]
            found += [Left(run, w.name, a, "unknown") for w, a in _attempts(place)]
        elif holder_of(directory.folder):
            found += [Left(directory.run, w.name, a, "busy") for w, a in _attempts(place)]
        else:
            found += left_of(place, directory, keep=keep)
    return tuple(found)


def clear_done(
    folder: Path, runs_root: Path, *, keep: bool, remove: Callable[[Path], None]
) -> Iterator[str]:
    """Remove the attempts that may go, each run held meanwhile; yield what was done."""
    wanted = {one.run for one in left_in(folder, runs_root, keep=keep) if one.state in GOING}
    for place in _folders(folder):
        directory = _run_of(place, runs_root)
        if directory is None or directory.run not in wanted:
            continue
        with suppress(RunUnavailable), locked(directory):
            for one in left_of(place, directory, keep=keep):
                if one.state in GOING and _cleared(one.attempt, remove):
                    yield f"removed {one.attempt.folder}: {_WHY[one.state]}"
            remove_empty(place)
    with suppress(OSError):
        folder.rmdir()


def remove_empty(place: Path) -> None:
    """Remove the folder of a run in the work root, where nothing lies in it any more."""
    for folder in (*_folders(place), place, place.parent):
        with suppress(OSError):
            folder.rmdir()


def _cleared(attempt: Attempt, remove: Callable[[Path], None]) -> bool:
    handle = attempt.held()
    if handle is None:
        return False
    try:
        attempt.clear(remove)
    finally:
        os.close(handle)
    return not attempt.folder.exists()


def left_of(place: Path, directory: RunDirectory, *, keep: bool) -> list[Left]:
    """Return every attempt of a run that no other factory holds; `place` is where they lie."""
    return [
        Left(directory.run, w.name, a, _state(directory, WorkerId(w.name), a, keep=keep))
        for w, a in _attempts(place)
    ]


def _state(directory: RunDirectory, worker: WorkerId, attempt: Attempt, *, keep: bool) -> State:
    """Return what may become of an attempt of a run that no factory holds."""
    if attempt.is_held() or is_worked_in(attempt):
        return "held"
    if attempt.is_half_removed:
        return "half"
    if worker == INTEGRATOR:
        return "check"
    try:
        outcome = attempt.outcome()
    except StorageError:
        return "partial"
    if outcome is None or not is_sealed(directory, worker):
        return "waits" if outcome is not None and outcome.waits else "open"
    if not outcome.is_whole or _says_partial(outcome.findings):
        # A checkout that somebody removed holds nothing any more.
        return "partial" if os.path.lexists(attempt.checkout) else "done"
    state = _sealed_state(directory, worker)
    return "kept" if state == "done" and keep else state


def _sealed_state(directory: RunDirectory, worker: WorkerId) -> State:
    """Return what the sealed bundle says: the outcome lies where a worker could have written."""
    raw = sealed(directory, worker, patch_bytes=_ANY_SIZE, bundle_bytes=_ANY_SIZE)
    if any(one.code is Code.SEAL_BROKEN for one in raw.findings):
        return "broken"
    try:
        status = parse(WorkerStatus, raw.artifacts["STATUS.json"])
    except (KeyError, NotStrictJson, ValidationError):
        return "broken"
    return "partial" if _says_partial(map(finding_of, status.findings)) else "done"


def _says_partial(findings: Iterable[Finding]) -> bool:
    """Return whether a finding says that something was left in the checkout alone."""
    return any(one.blocks and one.code.startswith("capture.") for one in findings)


def _run_of(place: Path, runs_root: Path) -> RunDirectory | None:
    """Return the run whose checkouts lie in `place`; None where it is not in this runs root."""
    name, _, digest = place.name.rpartition(".")
    try:
        directory = RunDirectory(runs_root, run_id(name))
        manifest = digest_of(directory.read(MANIFEST))
    except (ValueError, FactoryError, FileNotFoundError):
        return None
    return directory if digest and manifest.startswith(digest) else None


def _attempts(place: Path) -> list[tuple[Path, Attempt]]:
    """Return every attempt of every worker below the folder of a run, and of its checks."""
    return [
        (one, attempt)
        for one in _folders(place)
        for attempt in (*_attempts_of(one), *cleared_in(one))
    ]


def _attempts_of(worker: Path) -> list[Attempt]:
    """Return the attempts of a worker; what checks work in has names of its own."""
    if worker.name != INTEGRATOR:
        return list(attempts_in(worker).values())
    return [Attempt(one) for one in _folders(worker) if not one.name.startswith(".")]


def _folders(top: Path) -> list[Path]:
    try:
        with os.scandir(top) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [top / name for name in sorted(names)]
