"""An integration from plan to verdict: launch, bundle-validate, integrate, or all in a row."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.artifact import IntegratorStatus, Manifest
from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.identity import ObjectId, RunId, WorkerId, digest_of, next_run_id
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.plan import Plan, PlanFile, PlanRefused, parsed, resolved
from tools.codex.factory.domain.verdict import Judgement
from tools.codex.factory.errors import ConfigurationError, RunUnavailable, StorageError, UsageError
from tools.codex.factory.pipelines.integrator import integrated
from tools.codex.factory.pipelines.pipeline import end_event, ending, locked
from tools.codex.factory.pipelines.record import (
    RecordedRun,
    recorded_in,
    recorded_run,
    run_named,
)
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.repository.discovery import Base, base_of, commit_named
from tools.codex.factory.repository.objects import Objects, objects_of
from tools.codex.factory.repository.quarantine import open_store
from tools.codex.factory.repository.work_tree import left_out
from tools.codex.factory.stages.gather import Source, gather, pins
from tools.codex.factory.stages.launch import launch as launch_stage
from tools.codex.factory.stages.validate import validate
from tools.codex.factory.storage.lock import LOCK
from tools.codex.factory.storage.run_directory import (
    MANIFEST,
    PLAN,
    RunDirectory,
    claim,
    make_runs_root,
    read_regular,
    runs_in,
)
from tools.codex.factory.wiring import clock, stamp, versions

KIND = "factory"
DEFAULT_PLAN = "factory.plan.toml"
MAX_PLAN_BYTES = 16 << 20

Tell = Callable[[Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the operator asked for. `workers` limits the plan to these ids."""

    base_ref: str
    plan_file: str | None
    run_id: str | None
    workers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request that was found fit: nothing is written yet."""

    base: Base
    plan: Plan
    sources: dict[WorkerId, Source]
    notes: tuple[str, ...]


def prepare(ground: Session, request: Request) -> Prepared:
    """Return the plan, the base and the sources; raise what speaks against starting."""
    folder, file = _plan_file(ground, request)
    base = base_of(ground.git, ground.repository, request.base_ref)
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
    return Prepared(base=base, plan=plan, sources=sources, notes=tuple(notes))


def launch(ground: Session, request: Request, prepared: Prepared, tell: Tell) -> RecordedRun:
    """Begin or continue a run and seal a bundle for each worker."""
    directory = _claimed(ground, request, prepared.base)
    with locked(directory):
        return _launched(ground, request, prepared, directory, tell)


def bundle_validate(ground: Session, name: str | None, tell: Tell) -> tuple[RecordedRun, Judgement]:
    """Judge the sealed bundles of a run."""
    run = recorded_run(ground, name)
    with locked(run.directory):
        return run, _validated(ground, run, tell)


def integrate(ground: Session, name: str | None, tell: Tell) -> IntegratorStatus:
    """Judge, merge, prove and report a run."""
    run = recorded_run(ground, name)
    with locked(run.directory):
        return _integrated(ground, run, tell)


def oneshot(ground: Session, request: Request, prepared: Prepared, tell: Tell) -> IntegratorStatus:
    """Launch, validate and integrate, under one lock."""
    directory = _claimed(ground, request, prepared.base)
    with locked(directory):
        run = _launched(ground, request, prepared, directory, tell)
        _validated(ground, run, tell)
        return _integrated(ground, run, tell)


def _launched(
    ground: Session, request: Request, prepared: Prepared, directory: RunDirectory, tell: Tell
) -> RecordedRun:
    run, event = _begun(ground, request, prepared, directory)
    with ending(ground, run, tell) as record:
        record(event)
        with _objects(ground, run) as objects:
            launch_stage(
                directory,
                run.plan,
                prepared.sources,
                base=prepared.base,
                git=ground.git,
                repository=ground.repository,
                objects=objects,
                clock=clock,
                stamp=stamp,
                record=record,
            )
        record(_event(run, EventType.LAUNCH_END, workers=len(run.plan.workers)))
    return run


def _validated(ground: Session, run: RecordedRun, tell: Tell) -> Judgement:
    with ending(ground, run, tell) as record, _objects(ground, run) as objects:
        return validate(
            run.directory,
            run.plan,
            base_tree=ObjectId(run.manifest.base_tree),
            objects=objects,
            record=record,
        )


def _integrated(ground: Session, run: RecordedRun, tell: Tell) -> IntegratorStatus:
    with ending(ground, run, tell) as record:
        record(_event(run, EventType.INTEGRATE_START, workers=len(run.plan.workers)))
        status = integrated(ground, run, record)
        record(end_event(status))
        return status


@contextmanager
def _objects(ground: Session, run: RecordedRun) -> Iterator[Objects]:
    store = run.directory.check_store()
    open_store(ground.git, store, ground.repository.objects)
    with objects_of(ground.git, store) as objects:
        yield objects


def _plan_file(ground: Session, request: Request) -> tuple[Path, PlanFile]:
    """Return the folder that the plan lies in, and the plan."""
    named = request.plan_file
    path = ground.folder / named if named else ground.repository.work_tree / DEFAULT_PLAN
    try:
        file = parsed(read_regular(path.resolve(), limit=MAX_PLAN_BYTES), path.name)
        return path.parent, _limited(file, request.workers)
    except PlanRefused as refused:
        raise ConfigurationError(str(refused), hint=refused.hint) from refused
    except FileNotFoundError:
        shown = named or DEFAULT_PLAN
        raise ConfigurationError(
            f"plan {shown!r} is not there", hint="name one with --plan; docs/plan.md shows how"
        ) from None
    except StorageError as error:
        raise ConfigurationError(f"plan {error}", hint="a plan is a plain file") from error


def _limited(file: PlanFile, workers: tuple[str, ...]) -> PlanFile:
    known = [entry.id for entry in file.workers]
    for worker in workers:
        if worker not in known:
            raise UsageError(f"the plan has no worker {worker!r}", hint=did_you_mean(worker, known))
    kept = tuple(entry for entry in file.workers if not workers or entry.id in workers)
    return file.model_copy(update={"workers": kept})


def _claimed(ground: Session, request: Request, base: Base) -> RunDirectory:
    """Return the folder of the run: a new one, or the one that the operator named."""
    explicit = run_named(request.run_id) if request.run_id is not None else None
    make_runs_root(ground.runs_root)
    if explicit is not None:
        directory = RunDirectory(ground.runs_root, explicit)
        if not claim(ground.runs_root, explicit) and not directory.has(MANIFEST):
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


def _begun(
    ground: Session, request: Request, prepared: Prepared, directory: RunDirectory
) -> tuple[RecordedRun, Event]:
    """Return the run, its manifest written, and the event that says so."""
    if directory.has(MANIFEST):
        run = recorded_in(ground.runs_root, directory.run)
        _refuse_another(run, prepared)
        return run, _event(run, EventType.RUN_CONTINUED, workers=len(run.plan.workers))
    plan_content = canonical(prepared.plan)
    manifest = _manifest(ground, request, prepared, directory.run, plan_content)
    directory.write(PLAN, plan_content)
    directory.write(MANIFEST, canonical(manifest))
    run = RecordedRun(directory, manifest, prepared.plan)
    hashes = {MANIFEST: digest_of(canonical(manifest)), PLAN: digest_of(plan_content)}
    return run, _event(run, EventType.RUN_START, hashes=hashes, workers=len(manifest.workers))


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
    if run.plan != prepared.plan:
        fields = [
            field
            for field in type(run.plan).model_fields
            if getattr(run.plan, field) != getattr(prepared.plan, field)
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
        rehearsal=False,
        plan_sha256=digest_of(plan_content),
        config_sha256=ground.settings.config.digest(),
        versions=versions(ground.git_version),
    )


def _event(
    run: RecordedRun,
    event_type: EventType,
    *,
    hashes: Mapping[str, str] | None = None,
    workers: int,
) -> Event:
    return Event(
        run_id=run.directory.run,
        event_type=event_type,
        actor="factory",
        hashes=hashes or {},
        file_counts={"workers": workers},
        details={"base_commit": run.manifest.base_commit},
    )
