"""Every run with what it holds; the old ones removed, and never work that is nowhere else."""

import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from pydantic import ValidationError

from tools.codex.factory.domain.artifact import FilesChanged
from tools.codex.factory.domain.desk_answer import HeldRun, PrunedRow
from tools.codex.factory.domain.document import NotStrictJson, parse
from tools.codex.factory.domain.event import PRUNED, Event, EventType, RunView, replay
from tools.codex.factory.domain.holding import UNREADABLE, gone_because, kept_because
from tools.codex.factory.domain.identity import INTEGRATOR, RunId, WorkerId
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.errors import FactoryError, RunUnavailable, StorageError
from tools.codex.factory.pipelines.history import views
from tools.codex.factory.pipelines.pipeline import locked
from tools.codex.factory.pipelines.record import (
    RecordedRun,
    run_named,
    standing_run,
)
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.pipelines.site import work_folder, work_root_of
from tools.codex.factory.pipelines.stale import Left, left_of
from tools.codex.factory.repository.checkout import remove_checkout
from tools.codex.factory.repository.publication import is_on_a_branch
from tools.codex.factory.storage.attempt import DIFF, STRAY
from tools.codex.factory.storage.intake import ATTEMPTS
from tools.codex.factory.storage.passes import Passes
from tools.codex.factory.storage.removal import (
    bytes_below,
    remove_aside,
    set_aside,
    set_aside_in,
)
from tools.codex.factory.storage.run_directory import MANIFEST, SEALS, worker_artifact
from tools.codex.factory.storage.runs_root import runs_in
from tools.codex.factory.wiring import clock


def holdings(ground: Session, limit: int) -> tuple[HeldRun, ...]:
    """Return the last `limit` runs that are here, newest last."""
    seen = {view.run_id: view for view in views(ground, None, limit)}
    here = [name for name in runs_in(ground.runs_root) if _begun(ground, name)]
    # Where there are more than asked for, what is not among them is older.
    unknown = [name for name in here if name not in seen] if len(seen) < limit else []
    named = [*unknown, *(name for name in seen if name in here)]
    return tuple(held(ground, name, seen.get(name)) for name in named[-limit:])


def held(ground: Session, name: str, view: RunView | None) -> HeldRun:
    """Return what a run that is here holds; one that cannot be read holds all that it may."""
    try:
        run = standing_run(ground, name)
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
            for one in _left(ground, run)
            if one.state not in ("done", "kept") and _holds_work(one)
        ),
        bytes=bytes_below(run.directory.folder),
    )


def prune(
    ground: Session, names: Sequence[str], *, age: timedelta, is_rehearsal: bool
) -> tuple[PrunedRow, ...]:
    """Remove runs older than `age` whose work is published or none, or just those in `names`.

    `is_rehearsal`: only say which. Raises RunUnavailable for a name that no run has.
    """
    seen = replay(ground.ledger.lines())
    here = [name for name in runs_in(ground.runs_root) if _begun(ground, name)]
    for name in names:
        if run_named(name) not in here:
            raise RunUnavailable(f"there is no run {name!r}", hint=did_you_mean(name, here[-200:]))
    if not is_rehearsal:
        _swept(ground, seen)
    rows = []
    runs = [held(ground, name, seen.get(name)) for name in names or here]
    for run in sorted(runs, key=lambda run: run.started):
        name = run.run_id
        why = kept_because(run, now=clock(), age=age, is_named=bool(names))
        if why is None and not is_rehearsal:
            why = _removed(ground, name, seen.get(name), is_named=bool(names))
        rows.append(
            PrunedRow(
                run_id=name,
                removed=why is None,
                reason=why or gone_because(run, is_named=bool(names)),
                bytes=run.bytes,
            )
        )
    return tuple(rows)


def _removed(ground: Session, name: str, view: RunView | None, *, is_named: bool) -> str | None:
    """Remove a run; return why it stays, where another factory holds it or it changed just now."""
    run = standing_run(ground, name)
    try:
        with locked(run.directory):
            now = held(ground, name, view)
            if now.uncaptured or (now.unpublished and not (is_named or now.rehearsal)):
                return "it changed just now"
            for one in _left(ground, run):
                one.attempt.clear(remove_checkout)
            set_aside(ground.runs_root, run.directory.run)
    except RunUnavailable as busy:
        if is_named:
            raise
        return str(busy)
    _ended(ground, name)
    return None


def _swept(ground: Session, seen: dict[str, RunView]) -> None:
    """End what a prune that died left: set aside, and maybe not recorded."""
    for name in set_aside_in(ground.runs_root):
        # A run of that name that is here is another, which began since.
        known = name in seen and seen[name].status == PRUNED
        _ended(ground, name, is_recorded=known or _begun(ground, name))


def _ended(ground: Session, name: str, *, is_recorded: bool = False) -> None:
    if not is_recorded:
        event = Event(run_id=name, event_type=EventType.RUN_PRUNED, actor="operator", rc=0)
        ground.ledger.append([event])
    Passes(ground.runs_root).forget(RunId(name))
    remove_aside(ground.runs_root, name, remove_checkout)


def _begun(ground: Session, name: str) -> bool:
    return (ground.runs_root / name / MANIFEST).is_file()


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


def _left(ground: Session, run: RecordedRun) -> list[Left]:
    folder = work_folder(ground, work_root_of(ground), run.directory)
    return left_of(folder, run.directory, keep=False)


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
