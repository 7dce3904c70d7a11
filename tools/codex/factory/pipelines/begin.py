"""How a run begins or goes on: its folder claimed, manifest and plan written, the ledger told."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.identity import RunId, WorkerId, digest_of, next_run_id
from tools.codex.factory.domain.manifest import Manifest
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.domain.wording import few
from tools.codex.factory.errors import RunUnavailable
from tools.codex.factory.pipelines.cut_ledger import refuse_cut_ledger
from tools.codex.factory.pipelines.prepare import Prepared, Request
from tools.codex.factory.pipelines.record import (
    RecordedRun,
    last_view,
    refuse_exchanged,
    run_named,
    standing_run,
    view_of,
)
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.repository.discovery import Base
from tools.codex.factory.stages.adopt import sealed_event
from tools.codex.factory.stages.amend import amended_event, revision_files
from tools.codex.factory.stages.reopen import wanted
from tools.codex.factory.storage.earlier import reopened
from tools.codex.factory.storage.lock import LOCK
from tools.codex.factory.storage.run_directory import MANIFEST, PLAN, RunDirectory
from tools.codex.factory.storage.runs_root import claim, make_runs_root, runs_in
from tools.codex.factory.storage.seal import is_sealed
from tools.codex.factory.wiring import clock, stamp, versions

KIND = "factory"


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
        refuse_cut_ledger(ground, run)
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
    # What is told of an earlier run of that name counts for nothing.
    view = None if new else view_of(ground, run.directory.run)
    refuse_exchanged(run, view)
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
    yield from wanted(run.directory, view)
    seals = view.seals if view is not None else {}
    again = reopened(run.directory)
    for entry in run.plan.workers:
        worker = WorkerId(entry.id)
        if worker not in {*seals, *again} and is_sealed(run.directory, worker):
            yield sealed_event(run.directory, worker)


def refuse_unlaunched(ground: Session, run: RecordedRun, *, but: tuple[str, ...] = ()) -> None:
    """Raise RunUnavailable where a bundle was never sealed: there is nothing to judge yet.

    Workers whose source is one of `but` may be open still.
    """
    view = view_of(ground, run.directory.run)
    refuse_exchanged(run, view)
    workers = [WorkerId(entry.id) for entry in run.plan.workers if entry.source not in but]
    again = reopened(run.directory)
    unsealed = [w for w in workers if w in again or not is_sealed(run.directory, w)]
    if not unsealed:
        return
    missing = [w for w in unsealed if w in again or view is None or w not in view.seals]
    if missing:
        name = run.directory.run
        external = {entry.id for entry in run.plan.workers if entry.external}
        wanted = [w for w in missing if w in again and w not in external]
        if external.issuperset(missing):
            raise RunUnavailable(
                f"run {name!r} waits for {', '.join(missing[:5])}",
                hint=f"`factory collect --run-id {name}` takes in what they left",
            )
        if wanted:
            raise RunUnavailable(
                f"run {name!r} is to have a new attempt of {few(wanted)}, and has none yet",
                hint=f"`factory launch --only {','.join(wanted)} --run-id {name}` makes it",
            )
        raise RunUnavailable(
            f"run {name!r} was not launched to its end: no bundle of {', '.join(missing[:5])}",
            hint=f"`factory launch --run-id {name}` with the same plan seals the rest",
        )


def named_in(plan: Plan) -> dict[str, str]:
    """Return what an event says of a plan: names of workers, and of checks, which hold anything."""
    checks = [check.name for check in plan.checks]
    return {
        "worker_ids": ",".join(entry.id for entry in plan.workers),
        "check_names": json.dumps(checks, ensure_ascii=True),
    }


def _refuse_published(ground: Session, run: RunId) -> None:
    """Raise RunUnavailable for the name of a run that is gone, and that a commit still names."""
    view = last_view(ground, run)
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
