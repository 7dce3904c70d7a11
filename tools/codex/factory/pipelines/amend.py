"""The operator's lever: what was sealed is changed by a new revision, and says why."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from pydantic import ValidationError

from tools.codex.factory.domain.amendment import AmendmentRefused, Wish, amended
from tools.codex.factory.domain.artifact import FilesChanged, WorkerStatus
from tools.codex.factory.domain.document import NotStrictJson, parse
from tools.codex.factory.domain.ending import path_of
from tools.codex.factory.domain.identity import RunId, WorkerId
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.errors import (
    RunUnavailable,
    StorageError,
    UsageError,
)
from tools.codex.factory.pipelines.cut_ledger import refuse_cut_ledger
from tools.codex.factory.pipelines.pipeline import locked
from tools.codex.factory.pipelines.record import (
    RecordedRun,
    recorded_run,
    standing_run,
    view_of,
)
from tools.codex.factory.pipelines.secrets import refuse_in_wish
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.render.text import shown
from tools.codex.factory.stages.amend import amended_event, revision_files
from tools.codex.factory.storage.run_directory import (
    RunDirectory,
    worker_artifact,
)
from tools.codex.factory.storage.seal import is_sealed

_MOST_KNOWN = 500


def amend(ground: Session, name: str | None, wish: Wish) -> RecordedRun:
    """Write the next revision of a run's plan with its scope locks; return the run under it.

    Bundles stay as they were sealed. Raises UsageError for what makes no sense of this run.
    """
    # Before the lock, which says by which words it is held.
    refuse_in_wish(wish, ground.secrets)
    named = recorded_run(ground, name).directory
    with locked(named):
        run = standing_run(ground, named.run)
        refuse_cut_ledger(ground, run)
        _refuse_published(ground, named.run)
        try:
            plan = amended(run.plan, _meant(run.directory, run.plan, wish))
        except AmendmentRefused as refused:
            raise UsageError(str(refused), hint=refused.hint) from refused
        files = revision_files(plan, named.run)
        named.write_all(files)
        ground.ledger.append([amended_event(plan, named.run, files)])
    return RecordedRun(run.directory, run.manifest, (*run.plans, plan))


def _refuse_published(ground: Session, run: RunId) -> None:
    view = view_of(ground, run)
    if view is not None and view.published:
        raise RunUnavailable(
            f"run {run!r} was published as {', '.join(sorted(view.published))}",
            hint="what was published stays what it is; start another run",
        )


def _meant(run: RunDirectory, plan: Plan, wish: Wish) -> Wish:
    """Return the wish with each path that it names as artifacts show it."""
    known = {entry.id for entry in plan.workers}

    def meant(paths: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return {
            worker: tuple(_path(run, WorkerId(worker), path) for path in several)
            if worker in known
            else several
            for worker, several in paths.items()
        }

    return replace(
        wish,
        dropped_paths=meant(wish.dropped_paths),
        accepted_secrets={
            worker: _looked_at(run, WorkerId(worker), rows) if worker in known else rows
            for worker, rows in wish.accepted_secrets.items()
        },
    )


def _looked_at(run: RunDirectory, worker: WorkerId, paths: Collection[str]) -> dict[str, str]:
    """Return the paths that are meant, each with the blob that the sealed bundle puts there."""
    files, _ = _sealed(run, worker)
    blobs = {row.path: row.new_id for row in files.changes if row.new_id is not None}
    return {path: blobs[path] for path in (_known(worker, said, [*blobs]) for said in paths)}


def _path(run: RunDirectory, worker: WorkerId, said: str) -> str:
    return _known(worker, said, _touched(run, worker))


def _known(worker: WorkerId, said: str, known: list[str]) -> str:
    """Return the path that is meant; raise UsageError where the worker has none of that name.

    It may be typed as artifacts have it, or as a screen shows it.
    """
    said = said.removesuffix("/")
    meant = [path for path in known if said in (path, shown(path))]
    if said in meant:
        return said
    if len(meant) != 1:
        raise UsageError(
            f"{worker} does not change {said!r}", hint=did_you_mean(said, known[:_MOST_KNOWN])
        )
    return meant[0]


def _touched(run: RunDirectory, worker: WorkerId) -> list[str]:
    """Return every path that a bundle changes, or that a finding of its capture names."""
    files, status = _sealed(run, worker)
    found = [change.path for change in files.changes]
    return found + [path for one in status.findings if (path := path_of(one, worker)) is not None]


def _sealed(run: RunDirectory, worker: WorkerId) -> tuple[FilesChanged, WorkerStatus]:
    """Return what a sealed bundle says that it changes, and how it ended."""
    if not is_sealed(run, worker):
        raise UsageError(
            f"{worker} has no bundle yet, so no path of it can be named",
            hint=f"`factory launch --run-id {run.run}` with the same plan makes one",
        )
    try:
        return (
            parse(FilesChanged, run.read(worker_artifact(worker, "FILES_CHANGED.json"))),
            parse(WorkerStatus, run.read(worker_artifact(worker, "STATUS.json"))),
        )
    except (FileNotFoundError, ValidationError, NotStrictJson, StorageError) as error:
        raise UsageError(
            f"the bundle of {worker} cannot be read, so no path of it can be named",
            hint=f"`factory amend --drop {worker} --reason WHY` leaves all of its work out",
        ) from error
