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
from tools.codex.factory.errors import UsageError
from tools.codex.factory.pipelines.again import ask_again, keep_tasks, refuse_again, work_sources
from tools.codex.factory.pipelines.begin import (
    begun,
    claimed,
    reconciled,
    refuse_unlaunched,
    run_event,
)
from tools.codex.factory.pipelines.confining import check_confinement, worker_confinement
from tools.codex.factory.pipelines.cut_ledger import refuse_cut_ledger
from tools.codex.factory.pipelines.escapes import escapes, strangers_run, with_escapes
from tools.codex.factory.pipelines.examine import examined
from tools.codex.factory.pipelines.integrator import integrated
from tools.codex.factory.pipelines.pipe import Ask, Examined, MergedSaid
from tools.codex.factory.pipelines.pipeline import Recorder, end_event, ending, locked
from tools.codex.factory.pipelines.prepare import Prepared, Request
from tools.codex.factory.pipelines.record import (
    RecordedRun,
    recorded_run,
    standing_run,
)
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.pipelines.site import root_of, site
from tools.codex.factory.repository.discovery import Base
from tools.codex.factory.repository.objects import Objects, objects_of
from tools.codex.factory.repository.quarantine import open_store
from tools.codex.factory.stages.adopt import adopt
from tools.codex.factory.stages.gather import Source
from tools.codex.factory.stages.launch import launch as launch_stage
from tools.codex.factory.stages.order import Launch
from tools.codex.factory.stages.reopen import set_all_aside
from tools.codex.factory.stages.validate import validate
from tools.codex.factory.storage.earlier import close, reopened
from tools.codex.factory.storage.run_directory import RunDirectory
from tools.codex.factory.storage.seal import is_sealed
from tools.codex.factory.wiring import clock, stamp

Tell = Callable[[Event], None]
_DIED = "the command that sealed it died; ask again for another"


@dataclass(frozen=True, slots=True)
class Launched:
    """A run whose workers were run, and who still waits for a person or tool, in which checkout.

    `left` are those that were not asked for and have no bundle yet.
    """

    run: RecordedRun
    waiting: Mapping[WorkerId, Path]
    left: tuple[WorkerId, ...] = ()
    notes: tuple[str, ...] = ()


def launch(ground: Session, request: Request, prepared: Prepared, tell: Tell) -> Launched:
    """Begin or continue a run and seal a bundle for each worker."""
    directory = claimed(ground, request, prepared.base)
    with locked(directory):
        return _launched(ground, request, prepared, directory, tell)


def launch_only(
    ground: Session, name: str | None, workers: tuple[str, ...], reason: str | None, tell: Tell
) -> Launched:
    """Make a new attempt of each of `workers` in a run that exists, and run nobody else."""
    found = recorded_run(ground, name)
    refuse_again(found.plan, workers)
    named = found.directory
    with locked(named):
        run = standing_run(ground, named.run)
        asked = ask_again(ground, run, workers, reason)
        again = reopened(named)
        sealed = [worker for worker in asked if is_sealed(named, worker) and worker not in again]
        notes = tuple(f"{worker} made it before: {_DIED}" for worker in sealed)
        with ending(ground, run, tell) as record:
            for event in reconciled(ground, run, new=False):
                record(event)
            sources, base = work_sources(run), _base(run)
            waiting = _worked(ground, run, sources, base, record, collecting=(), only=asked)
        unsealed = [WorkerId(entry.id) for entry in run.plan.workers]
        left = tuple(w for w in unsealed if w not in waiting and not is_sealed(named, w))
        return Launched(run, waiting, left, notes)


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
        refuse_cut_ledger(ground, run)
        refuse_unlaunched(ground, run, but=("external",))
        sources, base = work_sources(run), _base(run)
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
        refuse_cut_ledger(ground, run)
        refuse_unlaunched(ground, run)
        return run, _judged(ground, run, Recorder(ground, tell))


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
        refuse_cut_ledger(ground, run)
        refuse_unlaunched(ground, run)
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
    keep_tasks(directory, run.plan, prepared.sources)
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
    record: Recorder,
    *,
    collecting: Collection[WorkerId],
    only: Collection[WorkerId] | None = None,
) -> dict[WorkerId, Path]:
    """Seal a bundle for each worker: adopt what was made elsewhere, run the rest.

    Bundles that give way to new attempts are set aside first, whoever asked for that.
    """
    waiting: dict[WorkerId, Path] = {}
    set_all_aside(run.directory, [entry.id for entry in run.plan.workers], record)
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
            confinement = worker_confinement(ground, run.directory, root_of(ground))
            runs, is_kept = strangers_run(run, only), confinement.is_kept
            with (
                escapes(ground, run, record, "workers", runs=runs, is_kept=is_kept),
                site(ground, run, confinement, record) as where,
            ):
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
                waiting = launch_stage(about, collecting=collecting, only=only)
    workers = [WorkerId(entry.id) for entry in run.plan.workers]
    if all(worker in waiting or is_sealed(run.directory, worker) for worker in workers):
        record(_launch_end(run, waiting))
    close(run.directory)
    return waiting


def _launch_end(run: RecordedRun, waiting: Collection[WorkerId]) -> Event:
    """Return the event that every worker has a bundle, but those that are waited for."""
    end = run_event(run, EventType.LAUNCH_END, workers=len(run.plan.workers))
    if not waiting:
        return end
    said = {**end.details, "status": "WAITING", "for": ", ".join(waiting)}
    return replace(end, rc=4, details=said)


def _base(run: RecordedRun) -> Base:
    """Return the base that the run began with."""
    said = run.manifest
    return Base(said.base_ref, ObjectId(said.base_commit), ObjectId(said.base_tree))


def _judged(ground: Session, run: RecordedRun, record: Tell) -> Judgement:
    with _objects(ground, run) as objects:
        return validate(run.directory, run.plan, run.manifest, objects=objects, record=record)


def _integrated(
    ground: Session, run: RecordedRun, tell: Tell, *, salvaging: bool
) -> IntegratorStatus:
    close(run.directory)
    with ending(ground, run, tell) as record:
        record(run_event(run, EventType.INTEGRATE_START, workers=len(run.plan.workers)))

        def examine(merged: MergedSaid, ask: Ask) -> Examined:
            if merged.tree is None or not run.plan.checks:
                return with_escapes(ground, run, Examined())
            kept = check_confinement(ground, run.directory, root_of(ground))
            with escapes(ground, run, record, "checks", runs=True, is_kept=kept.is_kept):
                found = examined(ground, run, merged, ask, record, kept, salvaging=salvaging)
            return with_escapes(ground, run, found)

        status = integrated(ground, run, record, examine)
        record(end_event(status))
        return status


@contextmanager
def _objects(ground: Session, run: RecordedRun) -> Iterator[Objects]:
    store = run.directory.check_store()
    open_store(ground.git, store, ground.repository.objects)
    with objects_of(ground.git, store) as objects:
        yield objects
