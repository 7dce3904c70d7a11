"""New attempts of workers in a run that exists: whether they can be, and what they start from."""

from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from tools.codex.factory.domain.document import what_is_wrong
from tools.codex.factory.domain.event import RunView
from tools.codex.factory.domain.identity import Digest, ObjectId, WorkerId, digest_of
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.domain.plan import ADOPTED, Plan, WorkerEntry
from tools.codex.factory.domain.reopening import Reopening, SetAside
from tools.codex.factory.domain.wording import few
from tools.codex.factory.errors import (
    ConfigurationError,
    RunUnavailable,
    StorageError,
    UsageError,
)
from tools.codex.factory.pipelines.record import RecordedRun, view_of
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.pipelines.site import root_of
from tools.codex.factory.repository.weight import weight
from tools.codex.factory.stages.gather import Source, WorkSource
from tools.codex.factory.storage.earlier import reopen, reopening, to_set_aside
from tools.codex.factory.storage.run_directory import RunDirectory, task_name
from tools.codex.factory.storage.seal import is_sealed
from tools.codex.factory.storage.work_root import check_room, on_disk


def ask_again(
    ground: Session, run: RecordedRun, workers: Sequence[str], reason: str | None
) -> tuple[WorkerId, ...]:
    """Write down that `workers` are to make new attempts, and return them.

    Who has no sealed bundle is just run, and so is who was asked before and is not done: the same
    command goes on. Whoever calls holds the run.
    """
    entries = [_entry(run.plan, worker) for worker in dict.fromkeys(workers)]
    view = view_of(ground, run.directory.run)
    _refuse_published(run, view)
    for entry in entries:
        if entry.task_file is not None and kept_task(run, entry) is None:
            raise ConfigurationError(
                f"worker {entry.id!r}: the task that the run was sealed with is not kept in it",
                hint=f"`factory launch --run-id {run.directory.run}` with the same plan keeps it",
            )
    _refuse_crowd(ground, run, entries)
    _reopen(run, [WorkerId(entry.id) for entry in entries], reason, view)
    return tuple(WorkerId(entry.id) for entry in entries)


def refuse_again(plan: Plan, workers: Sequence[str]) -> None:
    """Raise UsageError for a worker that can make no new attempt under `plan`."""
    for worker in workers:
        _entry(plan, worker)


def work_sources(run: RecordedRun) -> dict[WorkerId, Source]:
    """Return what every worker is given to do, as the run itself has it."""
    return {
        WorkerId(entry.id): WorkSource(kept_task(run, entry) or b"") for entry in run.plan.workers
    }


def keep_tasks(run: RunDirectory, plan: Plan, sources: Mapping[WorkerId, Source]) -> None:
    """Keep each task that the plan has in a file, where it is not kept yet: the file may go."""
    for worker in (WorkerId(entry.id) for entry in plan.workers if entry.task_file is not None):
        source = sources.get(worker)
        if isinstance(source, WorkSource) and not run.has(task_name(worker)):
            run.write(task_name(worker), source.prompt)


def kept_task(run: RecordedRun, entry: WorkerEntry) -> bytes | None:
    """Return the task of a worker, None where it is not the one that the run was sealed with."""
    if entry.task_file is None:
        return (entry.task or "").encode()
    pin = run.plan.pins.get(entry.id)
    try:
        content = run.directory.read(task_name(WorkerId(entry.id)))
    except (FileNotFoundError, StorageError):
        return None
    pinned = Digest(pin.sha256) if pin is not None and pin.sha256 is not None else digest_of(b"")
    return content if digest_of(content) == pinned else None


def _entry(plan: Plan, worker: str) -> WorkerEntry:
    """Return the plan's entry of a worker that can make a new attempt."""
    known = [entry.id for entry in plan.workers]
    gone = {name: one.revision for one in plan.amendments for name in one.dropped}
    if worker in gone:
        raise UsageError(
            f"{worker} is left out since revision {gone[worker]} of the plan",
            hint="start another run to take its work back in",
        )
    if worker not in known:
        raise UsageError(f"the plan has no worker {worker!r}", hint=did_you_mean(worker, known))
    entry = plan.workers[known.index(worker)]
    if entry.source in ADOPTED:
        raise UsageError(
            f"{worker} is a {entry.source} made elsewhere and fixed by its digest: a new attempt "
            "would bring the same bytes",
            hint=f"`factory amend --drop {worker} --reason WHY` goes on without it; other bytes "
            "need a new run",
        )
    return entry


def _refuse_published(run: RecordedRun, view: RunView | None) -> None:
    if view is not None and view.published:
        raise RunUnavailable(
            f"run {run.directory.run!r} was published as {few(sorted(view.published))}",
            hint="what was published stays what it is; start another run",
        )


def _refuse_crowd(ground: Session, run: RecordedRun, entries: Sequence[WorkerEntry]) -> None:
    """Raise UnfitHost where the checkouts of new attempts do not fit below the work root."""
    root, work = root_of(ground), ground.settings.config.work
    commit = ObjectId(run.manifest.base_commit)
    heavy = weight(ground.git, ground.repository.git_dir, commit, on_disk)
    kept = sum(entry.source == "external" for entry in entries)
    running = len(entries) - kept
    count = kept + (running if work.keep else min(running, work.jobs))
    check_room(root, size=count * heavy.size, files=count * heavy.files)


def _reopen(
    run: RecordedRun, workers: Sequence[WorkerId], reason: str | None, view: RunView | None
) -> None:
    before = reopening(run.directory)
    known: dict[str, SetAside] = dict(before.workers) if before is not None else {}
    seals = view.seals if view is not None else {}
    fresh: dict[str, SetAside] = {}
    for worker in workers:
        if worker in known or not is_sealed(run.directory, worker):
            continue
        fresh[worker] = to_set_aside(run.directory, worker, seals.get(worker))
    if not fresh:
        return
    said = {
        "schema_version": 1,
        "run_id": run.directory.run,
        "reason": reason,
        "workers": dict(sorted({**known, **fresh}.items())),
    }
    try:
        asked = Reopening.model_validate(said)
    except ValidationError as error:
        raise UsageError(
            f"the reason is wrong: {what_is_wrong(error)}", hint="give one line of text"
        ) from error
    reopen(run.directory, asked)
