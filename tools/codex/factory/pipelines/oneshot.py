"""An integration from plan to verdict: launch, collect, bundle-validate, integrate, or all."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.evidence import IntegratorStatus
from tools.codex.factory.domain.identity import ObjectId, WorkerId
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.domain.plan import WORKED
from tools.codex.factory.domain.verdict import Judgement
from tools.codex.factory.errors import RunUnavailable, UsageError
from tools.codex.factory.pipelines.begin import begun, claimed, reconciled, run_event
from tools.codex.factory.pipelines.examine import examined
from tools.codex.factory.pipelines.integrator import integrated
from tools.codex.factory.pipelines.pipe import Ask, Examined, MergedSaid
from tools.codex.factory.pipelines.pipeline import end_event, ending, locked, recorder
from tools.codex.factory.pipelines.prepare import Prepared, Request
from tools.codex.factory.pipelines.record import (
    RecordedRun,
    recorded_run,
    view_of,
)
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.pipelines.site import root_of, site
from tools.codex.factory.repository.discovery import Base
from tools.codex.factory.repository.objects import Objects, objects_of
from tools.codex.factory.repository.quarantine import open_store
from tools.codex.factory.stages.adopt import adopt
from tools.codex.factory.stages.gather import Source, WorkSource
from tools.codex.factory.stages.launch import launch as launch_stage
from tools.codex.factory.stages.order import Launch
from tools.codex.factory.stages.validate import validate
from tools.codex.factory.storage.intake import is_sealed
from tools.codex.factory.storage.run_directory import RunDirectory
from tools.codex.factory.wiring import clock, stamp

Tell = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Launched:
    """A run whose workers were run, and who still waits for a person or tool, in which checkout."""

    run: RecordedRun
    waiting: Mapping[WorkerId, Path]


def launch(ground: Session, request: Request, prepared: Prepared, tell: Tell) -> Launched:
    """Begin or continue a run and seal a bundle for each worker."""
    directory = claimed(ground, request, prepared.base)
    with locked(directory):
        return _launched(ground, request, prepared, directory, tell)


def collect(
    ground: Session, name: str | None, workers: tuple[str, ...], tell: Tell
) -> Launched | IntegratorStatus:
    """Capture what persons and tools left in their checkouts; then judge, merge, prove, report.

    Only `workers` are taken, or all where none is named; the run goes on once nobody is left.
    """
    run = recorded_run(ground, name)
    external = [WorkerId(entry.id) for entry in run.plan.workers if entry.external]
    for worker in workers:
        if worker not in external:
            raise UsageError(
                f"the run has no external worker {worker!r}", hint=did_you_mean(worker, external)
            )
    collecting = [worker for worker in external if not workers or worker in workers]
    with locked(run.directory):
        _refuse_unlaunched(ground, run, but=("external",))
        sources = {
            WorkerId(entry.id): WorkSource((entry.task or "").encode())
            for entry in run.plan.workers
        }
        base = Base(
            run.manifest.base_ref,
            ObjectId(run.manifest.base_commit),
            ObjectId(run.manifest.base_tree),
        )
        with ending(ground, run, tell) as record:
            for event in reconciled(ground, run, new=False):
                record(event)
            waiting = _worked(ground, run, sources, base, record, collecting=collecting)
        if waiting:
            return Launched(run, waiting)
        with ending(ground, run, tell) as record:
            _judged(ground, run, record)
        return _integrated(ground, run, tell, salvaging=False)


def bundle_validate(ground: Session, name: str | None, tell: Tell) -> tuple[RecordedRun, Judgement]:
    """Judge the sealed bundles of a run. Whatever comes, an earlier report stays as it is."""
    run = recorded_run(ground, name)
    with locked(run.directory):
        _refuse_unlaunched(ground, run)
        return run, _judged(ground, run, recorder(ground, tell))


def integrate(
    ground: Session, name: str | None, tell: Tell, *, salvaging: bool
) -> IntegratorStatus:
    """Judge, merge, prove, check and report a run.

    `salvaging`: where a check is red, the largest part of the bundles that is green is sought.
    """
    run = recorded_run(ground, name)
    if run.plan.checks:
        root_of(ground)
    with locked(run.directory):
        _refuse_unlaunched(ground, run)
        return _integrated(ground, run, tell, salvaging=salvaging)


def oneshot(
    ground: Session, request: Request, prepared: Prepared, tell: Tell
) -> Launched | IntegratorStatus:
    """Launch, validate and integrate, under one lock; a run that waits goes no further."""
    directory = claimed(ground, request, prepared.base)
    with locked(directory):
        launched = _launched(ground, request, prepared, directory, tell)
        if launched.waiting:
            return launched
        run = launched.run
        with ending(ground, run, tell) as record:
            _judged(ground, run, record)
        return _integrated(ground, run, tell, salvaging=False)


def _launched(
    ground: Session, request: Request, prepared: Prepared, directory: RunDirectory, tell: Tell
) -> Launched:
    run, new = begun(ground, request, prepared, directory)
    with ending(ground, run, tell) as record:
        for event in reconciled(ground, run, new=new):
            record(event)
        waiting = _worked(ground, run, prepared.sources, prepared.base, record, collecting=())
    return Launched(run, waiting)


def _worked(
    ground: Session,
    run: RecordedRun,
    sources: Mapping[WorkerId, Source],
    base: Base,
    record: Tell,
    *,
    collecting: Collection[WorkerId],
) -> dict[WorkerId, Path]:
    """Seal a bundle for each worker: adopt what was made elsewhere, run the rest."""
    waiting: dict[WorkerId, Path] = {}
    with _objects(ground, run) as objects:
        adopt(
            run.directory,
            run.plan,
            sources,
            base=base,
            git=ground.git,
            repository=ground.repository,
            objects=objects,
            secrets=ground.secrets,
            clock=clock,
            stamp=stamp,
            record=record,
        )
        if any(entry.source in WORKED for entry in run.plan.workers):
            with site(ground, run) as where:
                about = Launch(
                    run=run.directory,
                    plan=run.plan,
                    sources=sources,
                    site=where,
                    base=base,
                    objects=objects,
                    secrets=ground.secrets,
                    clock=clock,
                    stamp=stamp,
                    record=record,
                )
                waiting = launch_stage(about, collecting=collecting)
    end = run_event(run, EventType.LAUNCH_END, workers=len(run.plan.workers))
    if waiting:
        names = ", ".join(waiting)
        end = replace(end, rc=4, details={**end.details, "status": "WAITING", "for": names})
    record(end)
    return waiting


def _judged(ground: Session, run: RecordedRun, record: Tell) -> Judgement:
    with _objects(ground, run) as objects:
        return validate(run.directory, run.plan, run.manifest, objects=objects, record=record)


def _refuse_unlaunched(ground: Session, run: RecordedRun, *, but: tuple[str, ...] = ()) -> None:
    """Raise RunUnavailable where a bundle was never sealed: there is nothing to judge yet.

    Workers whose source is one of `but` may be open still.
    """
    workers = [WorkerId(entry.id) for entry in run.plan.workers if entry.source not in but]
    unsealed = [worker for worker in workers if not is_sealed(run.directory, worker)]
    if not unsealed:
        return
    view = view_of(ground, run.directory.run)
    missing = [worker for worker in unsealed if view is None or worker not in view.seals]
    if missing:
        name = run.directory.run
        external = {entry.id for entry in run.plan.workers if entry.external}
        if external.issuperset(missing):
            raise RunUnavailable(
                f"run {name!r} waits for {', '.join(missing[:5])}",
                hint=f"`factory collect --run-id {name}` takes in what they left",
            )
        raise RunUnavailable(
            f"run {name!r} was not launched to its end: no bundle of {', '.join(missing[:5])}",
            hint=f"`factory launch --run-id {name}` with the same plan seals the rest",
        )


def _integrated(
    ground: Session, run: RecordedRun, tell: Tell, *, salvaging: bool
) -> IntegratorStatus:
    with ending(ground, run, tell) as record:
        record(run_event(run, EventType.INTEGRATE_START, workers=len(run.plan.workers)))

        def examine(merged: MergedSaid, ask: Ask) -> Examined:
            return examined(ground, run, merged, ask, record, salvaging=salvaging)

        status = integrated(ground, run, record, examine)
        record(end_event(status))
        return status


@contextmanager
def _objects(ground: Session, run: RecordedRun) -> Iterator[Objects]:
    store = run.directory.check_store()
    open_store(ground.git, store, ground.repository.objects)
    with objects_of(ground.git, store) as objects:
        yield objects
