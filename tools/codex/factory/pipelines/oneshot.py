"""An integration from plan to verdict: launch, bundle-validate, integrate, or all in a row."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.evidence import IntegratorStatus
from tools.codex.factory.domain.identity import WorkerId
from tools.codex.factory.domain.verdict import Judgement
from tools.codex.factory.errors import RunUnavailable
from tools.codex.factory.pipelines.begin import (
    Prepared,
    Request,
    begun,
    claimed,
    reconciled,
    run_event,
)
from tools.codex.factory.pipelines.history import view_of
from tools.codex.factory.pipelines.integrator import integrated
from tools.codex.factory.pipelines.pipeline import end_event, ending, locked, recorder
from tools.codex.factory.pipelines.record import (
    RecordedRun,
    recorded_run,
)
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.repository.objects import Objects, objects_of
from tools.codex.factory.repository.quarantine import open_store
from tools.codex.factory.stages.launch import launch as launch_stage
from tools.codex.factory.stages.validate import validate
from tools.codex.factory.storage.intake import is_sealed
from tools.codex.factory.storage.run_directory import RunDirectory
from tools.codex.factory.wiring import clock, stamp

Tell = Callable[[Event], None]


def launch(ground: Session, request: Request, prepared: Prepared, tell: Tell) -> RecordedRun:
    """Begin or continue a run and seal a bundle for each worker."""
    directory = claimed(ground, request, prepared.base)
    with locked(directory):
        return _launched(ground, request, prepared, directory, tell)


def bundle_validate(ground: Session, name: str | None, tell: Tell) -> tuple[RecordedRun, Judgement]:
    """Judge the sealed bundles of a run. Whatever comes, an earlier report stays as it is."""
    run = recorded_run(ground, name)
    with locked(run.directory):
        _refuse_unlaunched(ground, run)
        return run, _judged(ground, run, recorder(ground, tell))


def integrate(ground: Session, name: str | None, tell: Tell) -> IntegratorStatus:
    """Judge, merge, prove and report a run."""
    run = recorded_run(ground, name)
    with locked(run.directory):
        _refuse_unlaunched(ground, run)
        return _integrated(ground, run, tell)


def oneshot(ground: Session, request: Request, prepared: Prepared, tell: Tell) -> IntegratorStatus:
    """Launch, validate and integrate, under one lock."""
    directory = claimed(ground, request, prepared.base)
    with locked(directory):
        run = _launched(ground, request, prepared, directory, tell)
        with ending(ground, run, tell) as record:
            _judged(ground, run, record)
        return _integrated(ground, run, tell)


def _launched(
    ground: Session, request: Request, prepared: Prepared, directory: RunDirectory, tell: Tell
) -> RecordedRun:
    run, new = begun(ground, request, prepared, directory)
    with ending(ground, run, tell) as record:
        for event in reconciled(ground, run, new=new):
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
        record(run_event(run, EventType.LAUNCH_END, workers=len(run.plan.workers)))
    return run


def _judged(ground: Session, run: RecordedRun, record: Tell) -> Judgement:
    with _objects(ground, run) as objects:
        return validate(run.directory, run.plan, run.manifest, objects=objects, record=record)


def _refuse_unlaunched(ground: Session, run: RecordedRun) -> None:
    """Raise RunUnavailable where a bundle was never sealed: there is nothing to judge yet."""
    workers = [WorkerId(entry.id) for entry in run.plan.workers]
    unsealed = [worker for worker in workers if not is_sealed(run.directory, worker)]
    if not unsealed:
        return
    view = view_of(ground, run.directory.run)
    missing = [worker for worker in unsealed if view is None or worker not in view.seals]
    if missing:
        name = run.directory.run
        raise RunUnavailable(
            f"run {name!r} was not launched to its end: no bundle of {', '.join(missing[:5])}",
            hint=f"`factory launch --run-id {name}` with the same plan seals the rest",
        )


def _integrated(ground: Session, run: RecordedRun, tell: Tell) -> IntegratorStatus:
    with ending(ground, run, tell) as record:
        record(run_event(run, EventType.INTEGRATE_START, workers=len(run.plan.workers)))
        status = integrated(ground, run, record)
        record(end_event(status))
        return status


@contextmanager
def _objects(ground: Session, run: RecordedRun) -> Iterator[Objects]:
    store = run.directory.check_store()
    open_store(ground.git, store, ground.repository.objects)
    with objects_of(ground.git, store) as objects:
        yield objects
