"""How a run begins: the plan read, the base and the sources pinned, the folder claimed."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tools.codex.factory.domain.artifact import Manifest
from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.identity import RunId, WorkerId, digest_of, next_run_id
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.plan import WORKED, Plan, PlanFile, resolved
from tools.codex.factory.domain.plan_file import PlanRefused, parsed
from tools.codex.factory.domain.rehearsal import built_in_plan, rehearsed
from tools.codex.factory.domain.settings import Work
from tools.codex.factory.errors import ConfigurationError, RunUnavailable, StorageError, UsageError
from tools.codex.factory.pipelines.record import (
    RecordedRun,
    run_named,
    standing_run,
    view_of,
)
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.pipelines.site import root_of
from tools.codex.factory.repository.discovery import Base, base_of, commit_named
from tools.codex.factory.repository.weight import weight
from tools.codex.factory.repository.work_tree import left_out
from tools.codex.factory.stages.adopt import sealed_event
from tools.codex.factory.stages.amend import amended_event, revision_files
from tools.codex.factory.stages.gather import Source, gather, pins
from tools.codex.factory.storage.intake import is_sealed
from tools.codex.factory.storage.lock import LOCK
from tools.codex.factory.storage.run_directory import MANIFEST, PLAN, RunDirectory, read_regular
from tools.codex.factory.storage.runs_root import claim, make_runs_root, runs_in
from tools.codex.factory.storage.work_root import check_room, on_disk
from tools.codex.factory.wiring import clock, stamp, versions

KIND = "factory"


DEFAULT_PLAN = "factory.plan.toml"


MAX_PLAN_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the operator asked for. `workers` limits the plan to these ids."""

    base_ref: str
    plan_file: str | None
    run_id: str | None
    workers: tuple[str, ...]
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request that was found fit: nothing is written yet."""

    base: Base
    plan: Plan
    sources: dict[WorkerId, Source]
    notes: tuple[str, ...]
    rehearsal: bool


def prepare(ground: Session, request: Request) -> Prepared:
    """Return the plan, the base and the sources; raise what speaks against starting."""
    folder, file = plan_file(ground, request)
    base = base_of(ground.git, ground.repository, request.base_ref)
    if request.dry_run or file.checks or any(e.source in WORKED for e in file.workers):
        file = _roomy(ground, request, file, base)
    return planned(ground, request, base, folder, file)


def planned(
    ground: Session, request: Request, base: Base, folder: Path, file: PlanFile
) -> Prepared:
    """Return the plan resolved on a base, its sources pinned; whether there is room is not asked.

    `folder` is where the plan lies. Raises ConfigurationError for a source that is not there.
    """
    policy = ground.settings.config.policy()
    sources = gather(
        file,
        folder=folder,
        git=ground.git,
        repository=ground.repository,
        policy=policy,
    )
    plan = resolved(file, policy, pins(sources), ground.runs_root_in_repository)
    notes = list(ground.settings.notes)
    head = commit_named(ground.git, ground.repository, "HEAD") or base.commit
    dirty = left_out(ground.git, ground.repository, head)
    if dirty:
        notes.append(f"{dirty} changed or untracked paths of the work tree are in no run")
    return Prepared(
        base=base, plan=plan, sources=sources, notes=tuple(notes), rehearsal=request.dry_run
    )


def _roomy(ground: Session, request: Request, file: PlanFile, base: Base) -> PlanFile:
    """Return the plan, rehearsed where that was asked; raise where its checkouts do not fit."""
    root = root_of(ground)
    heavy = weight(ground.git, ground.repository.git_dir, base.commit, on_disk)
    if request.dry_run:
        file = rehearsed(file, heavy.paths, runs_root=ground.runs_root_in_repository)
    count = checkouts_at_once(file, ground.settings.config.work)
    if request.run_id is not None and (ground.runs_root / request.run_id / MANIFEST).exists():
        # It goes on: what it needs is there already, or not.
        return file
    check_room(root, size=count * heavy.size, files=count * heavy.files)
    return file


def checkouts_at_once(file: PlanFile | Plan, work: Work) -> int:
    """Return how many checkouts of a plan are there at a time, at most."""
    kept = sum(entry.source == "external" for entry in file.workers)
    running = sum(entry.source == "command" for entry in file.workers)
    count = kept + (running if work.keep else min(running, work.jobs))
    return max(count, min(len(file.checks), work.jobs))


def plan_file(ground: Session, request: Request) -> tuple[Path, PlanFile]:
    """Return the folder that the plan lies in, and the plan; raise where it is wrong."""
    named = request.plan_file
    if request.dry_run and not named and not (ground.repository.work_tree / DEFAULT_PLAN).exists():
        return ground.folder, _limited(built_in_plan(), request.workers)
    path = ground.folder / named if named else ground.repository.work_tree / DEFAULT_PLAN
    try:
        file = parsed(read_regular(os.path.realpath(path), limit=MAX_PLAN_BYTES), path.name)
        return path.parent, _limited(file, request.workers)
    except PlanRefused as refused:
        raise ConfigurationError(str(refused), hint=refused.hint) from refused
    except FileNotFoundError:
        shown = named or DEFAULT_PLAN
        raise ConfigurationError(
            f"plan {shown!r} is not there",
            hint="`factory init` writes one, or name one with --plan",
        ) from None
    except StorageError as error:
        raise ConfigurationError(f"plan {error}", hint=error.hint) from error


def _limited(file: PlanFile, workers: tuple[str, ...]) -> PlanFile:
    known = [entry.id for entry in file.workers]
    for worker in workers:
        if worker not in known:
            raise UsageError(f"the plan has no worker {worker!r}", hint=did_you_mean(worker, known))
    kept = tuple(entry for entry in file.workers if not workers or entry.id in workers)
    return file.model_copy(update={"workers": kept})


def claimed(ground: Session, request: Request, base: Base) -> RunDirectory:
    """Return the folder of the run: a new one, or the one that the operator named."""
    explicit = run_named(request.run_id) if request.run_id is not None else None
    make_runs_root(ground.runs_root)
    if explicit is not None:
        directory = RunDirectory(ground.runs_root, explicit)
        if not directory.has(MANIFEST):
            _refuse_published(ground, explicit)
            if not claim(ground.runs_root, explicit):
                _refuse_foreign(directory)
        return directory
    now = clock()
    taken = set(runs_in(ground.runs_root))
    for line in ground.ledger.recent():
        if line.ts_utc < now.strftime("%Y-%m-%dT%H:%M:%S"):
            break
        taken.add(line.run_id)
    while True:
        run = next_run_id(KIND, now, base.commit, taken)
        if claim(ground.runs_root, run):
            return RunDirectory(ground.runs_root, run)
        taken.add(run)


def begun(
    ground: Session, request: Request, prepared: Prepared, directory: RunDirectory
) -> tuple[RecordedRun, bool]:
    """Return the run, and whether it is new: its manifest was written just now."""
    if directory.has(MANIFEST):
        run = standing_run(ground, directory.run)
        _refuse_another(run, prepared)
        return run, False
    plan_content = canonical(prepared.plan)
    manifest = _manifest(ground, request, prepared, directory.run, plan_content)
    directory.write(PLAN, plan_content)
    directory.write(MANIFEST, canonical(manifest))
    return RecordedRun(directory, manifest, (prepared.plan,)), True


def reconciled(ground: Session, run: RecordedRun, *, new: bool) -> Iterator[Event]:
    """Yield what the ledger must say of a run before it goes on.

    A process that died between a file and its event left the event out.
    """
    view = view_of(ground, run.directory.run)
    workers = len(run.plan.workers)
    if new or view is None or not view.begun:
        hashes = {name: digest_of(run.directory.read(name)) for name in (MANIFEST, PLAN)}
        start = run_event(run, EventType.RUN_START, hashes=hashes, workers=workers)
        yield replace(start, details={**start.details, **named_in(run.plan)})
        for plan in run.plans[1:]:
            files = revision_files(plan, run.directory.run)
            yield amended_event(plan, run.directory.run, files)
    else:
        yield run_event(run, EventType.RUN_CONTINUED, workers=workers)
    seals = view.seals if view is not None else {}
    for entry in run.plan.workers:
        worker = WorkerId(entry.id)
        if worker not in seals and is_sealed(run.directory, worker):
            yield sealed_event(run.directory, worker)


def named_in(plan: Plan) -> dict[str, str]:
    """Return what an event says of a plan: names of workers, and of checks, which hold anything."""
    checks = [check.name for check in plan.checks]
    return {
        "worker_ids": ",".join(entry.id for entry in plan.workers),
        "check_names": json.dumps(checks, ensure_ascii=True),
    }


def _refuse_published(ground: Session, run: RunId) -> None:
    """Raise RunUnavailable for the name of a run that is gone, and that a commit still names."""
    view = view_of(ground, run)
    if view is not None and view.published:
        raise RunUnavailable(
            f"run {run!r} was published as {', '.join(sorted(view.published))} and removed since",
            hint="choose another --run-id: commits lead back to that one",
        )


def _refuse_foreign(directory: RunDirectory) -> None:
    """Raise RunUnavailable for a folder that holds more than a run that died at its begin."""
    names = {path.name for path in directory.folder.iterdir()} - {LOCK, PLAN}
    if any(not (name.startswith(".") and name.endswith(".new")) for name in names):
        raise RunUnavailable(
            f"{str(directory.folder)!r} is there, and is no run of this factory",
            hint="choose another --run-id",
        )


def _refuse_another(run: RecordedRun, prepared: Prepared) -> None:
    """Raise RunUnavailable where the run that is there has another base or plan."""
    name = run.directory.run
    if run.manifest.base_commit != prepared.base.commit:
        raise RunUnavailable(
            f"run {name!r} has base {run.manifest.base_commit[:12]}, "
            f"not {prepared.base.commit[:12]}",
            hint="choose another --run-id, or name that base with --base-ref",
        )
    if run.manifest.rehearsal != prepared.rehearsal:
        said = "a rehearsal" if run.manifest.rehearsal else "no rehearsal"
        raise RunUnavailable(
            f"run {name!r} is {said}", hint="choose another --run-id, or mind --dry-run"
        )
    begun_with = run.plans[0]
    if begun_with != prepared.plan:
        fields = [
            field
            for field in type(begun_with).model_fields
            if getattr(begun_with, field) != getattr(prepared.plan, field)
        ]
        raise RunUnavailable(
            f"run {name!r} was made with another plan (differs in {', '.join(fields)})",
            hint="choose another --run-id",
        )


def _manifest(
    ground: Session, request: Request, prepared: Prepared, run: RunId, plan_content: bytes
) -> Manifest:
    return Manifest(
        schema_version=1,
        run_id=run,
        kind="factory",
        created_at=stamp(clock()),
        base_ref=quoted(request.base_ref),
        base_commit=prepared.base.commit,
        base_tree=prepared.base.tree,
        workers=tuple(entry.id for entry in prepared.plan.workers),
        rehearsal=prepared.rehearsal,
        plan_sha256=digest_of(plan_content),
        config_sha256=ground.settings.config.digest(),
        versions=versions(ground.git_version),
    )


def run_event(
    run: RecordedRun,
    event_type: EventType,
    *,
    hashes: Mapping[str, str] | None = None,
    workers: int,
) -> Event:
    """Return an event about a whole run."""
    return Event(
        run_id=run.directory.run,
        event_type=event_type,
        actor="factory",
        hashes=hashes or {},
        file_counts={"workers": workers},
        details={"base_commit": run.manifest.base_commit},
    )
