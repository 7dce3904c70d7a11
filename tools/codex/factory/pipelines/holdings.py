"""What every run that is here holds: work, where it is published, what is in a checkout alone."""

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from tools.codex.factory.domain.artifact import FilesChanged
from tools.codex.factory.domain.desk_answer import HeldRun
from tools.codex.factory.domain.document import NotStrictJson, parse
from tools.codex.factory.domain.event import PRUNED, RunView
from tools.codex.factory.domain.holding import UNREADABLE
from tools.codex.factory.domain.identity import INTEGRATOR, WorkerId
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.errors import FactoryError, StorageError
from tools.codex.factory.pipelines.history import views
from tools.codex.factory.pipelines.record import RecordedRun, recorded_as
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.pipelines.site import work_folder, work_root_of
from tools.codex.factory.pipelines.stale import GOING, Left, left_of
from tools.codex.factory.repository.publication import is_on_a_branch
from tools.codex.factory.storage.attempt import DIFF, STRAY
from tools.codex.factory.storage.removal import bytes_below
from tools.codex.factory.storage.run_directory import SEALS, worker_artifact
from tools.codex.factory.storage.runs_root import begun_in
from tools.codex.factory.storage.seal import ATTEMPTS


def holdings(ground: Session, limit: int) -> tuple[HeldRun, ...]:
    """Return the last `limit` runs that are here, newest last."""
    seen = {view.run_id: view for view in views(ground, None, limit)}
    here = begun_in(ground.runs_root)
    # Where there are more than asked for, what is not among them is older.
    unknown = [name for name in here if name not in seen] if len(seen) < limit else []
    named = [*unknown, *(name for name in seen if name in here)]
    return tuple(held(ground, name, seen.get(name)) for name in named[-limit:])


def held(ground: Session, name: str, view: RunView | None) -> HeldRun:
    """Return what a run that is here holds; one that cannot be read holds all that it may."""
    if view is not None and view.status == PRUNED:
        # That was another of this name.
        view = None
    try:
        run = recorded_as(ground.runs_root, name, view)
    except FactoryError as error:
        return _unreadable(ground, name, view, error)
    return HeldRun(
        run_id=name,
        status=view.status if view is not None else "UNRECORDED",
        ended=view.ended if view is not None else None,
        started=run.manifest.created_at,
        title=run.plan.title,
        rehearsal=run.manifest.rehearsal,
        published=dict(view.published) if view is not None else {},
        unpublished=tuple(_unpublished(ground, run, view)),
        uncaptured=tuple(
            quoted(str(one.attempt.checkout))
            for one in left_by(ground, run)
            if one.state not in (*GOING, "kept") and _holds_work(one)
        ),
        bytes=bytes_below(run.directory.folder),
    )


def left_by(ground: Session, run: RecordedRun) -> list[Left]:
    """Return every attempt of a run that lies in the work root."""
    folder = work_folder(ground, work_root_of(ground), run.directory)
    return left_of(folder, run.directory, keep=False)


def _unpublished(ground: Session, run: RecordedRun, view: RunView | None) -> Iterator[str]:
    """Yield each worker whose captured work is on no branch that was published."""
    out: frozenset[str] = frozenset()
    if view is not None and is_on_a_branch(ground.git, ground.repository, view.published):
        out = view.published_workers
    for worker in run.manifest.workers:
        is_out = worker in out or not _has_changes(run, WorkerId(worker))
        if not is_out or _has_more(run, WorkerId(worker)):
            yield worker


def _has_more(run: RecordedRun, worker: WorkerId) -> bool:
    """Return whether a bundle holds work that no merge takes: earlier attempts, other refs."""
    names = run.directory.files_below(str(worker))
    patches = [n for n in names if n.startswith(f"{ATTEMPTS}/") and n.endswith("/DIFF.patch")]
    sizes = [(run.directory.folder / worker / name).stat().st_size for name in patches]
    return any(sizes) or any(name.rpartition("/")[2] == STRAY for name in names)


def _has_changes(run: RecordedRun, worker: WorkerId) -> bool:
    """Return whether a bundle holds work; one that cannot be read may."""
    name = worker_artifact(worker, "FILES_CHANGED.json")
    try:
        said = parse(FilesChanged, run.directory.read(name))
        return bool(said.changes) or bool(run.directory.read(worker_artifact(worker, "DIFF.patch")))
    except FileNotFoundError:
        return False
    except (StorageError, ValidationError, NotStrictJson):
        return True


def _holds_work(one: Left) -> bool:
    """Return whether there is a checkout, or a capture of it: somebody may have removed both."""
    attempt = one.attempt
    return any(os.path.lexists(path) for path in (attempt.checkout, attempt.folder / DIFF))


def _sealed_in(folder: Path) -> set[str]:
    return {path.stem for path in (folder / SEALS).glob("*.json")} - {INTEGRATOR}


def _unreadable(ground: Session, name: str, view: RunView | None, error: FactoryError) -> HeldRun:
    folder: Path = ground.runs_root / name
    return HeldRun(
        run_id=name,
        status=UNREADABLE,
        ended=None,
        started=view.started if view is not None else "",
        title=str(error),
        rehearsal=False,
        published=dict(view.published) if view is not None else {},
        unpublished=tuple(sorted(_sealed_in(folder))),
        uncaptured=(),
        bytes=bytes_below(folder),
    )
