"""The operator's lever: what was sealed is changed by a new revision, and says why."""

from collections.abc import Mapping

from pydantic import ValidationError

from tools.codex.factory.domain.amendment import AmendmentRefused, Wish, amended, deeds
from tools.codex.factory.domain.artifact import FilesChanged
from tools.codex.factory.domain.document import NotStrictJson, canonical, parse
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.identity import RunId, WorkerId, digest_of
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.domain.plan import Plan, scope_lock
from tools.codex.factory.errors import (
    EXIT_CODE_OF_STATUS,
    RunUnavailable,
    StorageError,
    UsageError,
)
from tools.codex.factory.pipelines.pipeline import locked
from tools.codex.factory.pipelines.record import RecordedRun, recorded_run, standing_run, view_of
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.storage.intake import is_sealed
from tools.codex.factory.storage.run_directory import (
    RunDirectory,
    lock_name,
    plan_name,
    worker_artifact,
)


def amend(ground: Session, name: str | None, wish: Wish) -> RecordedRun:
    """Write the next revision of a run's plan with its scope locks; return the run under it.

    Bundles stay as they were sealed. Raises UsageError for what makes no sense of this run.
    """
    named = recorded_run(ground, name).directory
    with locked(named):
        run = standing_run(ground, named.run)
        _refuse_published(ground, named.run)
        try:
            plan = amended(run.plan, wish)
        except AmendmentRefused as refused:
            raise UsageError(str(refused), hint=refused.hint) from refused
        for worker, paths in wish.dropped_paths.items():
            _refuse_untouched(run.directory, WorkerId(worker), paths)
        files = _files(plan, named.run)
        named.write_all(files)
        ground.ledger.append([_event(plan, named.run, files)])
    return RecordedRun(run.directory, run.manifest, (*run.plans, plan))


def _files(plan: Plan, run: RunId) -> dict[str, bytes]:
    """Return the revision and the scope lock of every worker under it."""
    locks = {
        lock_name(plan.revision, entry.id): canonical(scope_lock(entry, run))
        for entry in plan.workers
    }
    return {**locks, plan_name(plan.revision): canonical(plan)}


def _event(plan: Plan, run: RunId, files: Mapping[str, bytes]) -> Event:
    amendment = plan.amendments[-1]
    return Event(
        run_id=run,
        event_type=EventType.RUN_AMENDED,
        actor="operator",
        rc=EXIT_CODE_OF_STATUS["WAITING"],
        hashes={name: digest_of(content) for name, content in files.items()},
        details={
            "worker_ids": ",".join(entry.id for entry in plan.workers),
            "revision": str(plan.revision),
            "reason": amendment.reason,
            "changes": "; ".join(deeds(amendment)),
        },
    )


def _refuse_published(ground: Session, run: RunId) -> None:
    view = view_of(ground, run)
    if view is not None and view.published:
        raise RunUnavailable(
            f"run {run!r} was published as {', '.join(sorted(view.published))}",
            hint="what was published stays what it is; start another run",
        )


def _refuse_untouched(run: RunDirectory, worker: WorkerId, paths: tuple[str, ...]) -> None:
    """Raise UsageError for a path that the worker does not change: it would leave out nothing."""
    if not is_sealed(run, worker):
        raise UsageError(
            f"{worker} has no bundle yet, so no path of it can be left out",
            hint=f"`factory launch --run-id {run.run}` with the same plan makes one",
        )
    try:
        said = parse(FilesChanged, run.read(worker_artifact(worker, "FILES_CHANGED.json")))
    except (FileNotFoundError, ValidationError, NotStrictJson, StorageError) as error:
        raise UsageError(
            f"FILES_CHANGED.json of {worker} cannot be read, so no path of it can be left out",
            hint=f"`factory amend --drop {worker}` leaves all of its work out",
        ) from error
    changed = [change.path for change in said.changes]
    for path in paths:
        if path not in changed:
            raise UsageError(
                f"{worker} does not change {path!r}", hint=did_you_mean(path, changed[:500])
            )
