"""The ledger replayed: runs as their events add up, held against what lies on disk."""

import tempfile
from pathlib import Path

from tools.codex.factory.domain.answer import DisagreementSaid, ReplayRow
from tools.codex.factory.domain.event import PRUNED
from tools.codex.factory.domain.identity import RunId, is_run_id
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.errors import FactoryError, RunUnavailable
from tools.codex.factory.pipelines.chain import chain_of
from tools.codex.factory.pipelines.record import (
    RecordedRun,
    integrator_status,
    launched_again,
    recorded_as,
    run_named,
)
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.repository.objects import objects_of
from tools.codex.factory.repository.quarantine import open_store
from tools.codex.factory.stages.integrate import Tools
from tools.codex.factory.stages.rebuild import rebuild
from tools.codex.factory.stages.verify import (
    Disagreement,
    Recorded,
    changed_since,
    disagreements,
)
from tools.codex.factory.storage.ledger import LEDGER
from tools.codex.factory.storage.run_directory import MANIFEST, PLAN, RunDirectory, plan_name
from tools.codex.factory.storage.runs_root import runs_in


def replayed(ground: Session, name: str | None, *, rebuilding: bool) -> tuple[ReplayRow, ...]:
    """Return every run of the ledger, or the one called `name`, verified and maybe rebuilt.

    A copied run folder without its ledger is verified by its seals alone.
    """
    run = run_named(name) if name is not None else None
    chain = chain_of(ground.ledger, run)
    recorded = {one: Recorded(view, chain.digest_of_line) for one, view in chain.views.items()}
    on_disk = [one for one in runs_in(ground.runs_root) if _is_run(ground, one)]
    there = [*recorded, *(one for one in on_disk if one not in recorded)]
    if run is not None and run not in there:
        known = [*chain_of(ground.ledger).views, *on_disk]
        raise RunUnavailable(f"there is no run {run!r}", hint=did_you_mean(run, known))
    wanted = there if run is None else [run]
    return tuple(_row(ground, one, recorded.get(one), rebuilding) for one in wanted)


def _row(ground: Session, name: str, recorded: Recorded | None, rebuilding: bool) -> ReplayRow:
    found: list[Disagreement] = []
    rebuilt = False
    if recorded is not None and recorded.view.status == PRUNED:
        view = recorded.view
        return ReplayRow(
            run_id=name, status=view.status, events=view.events, rebuilt=False, disagreements=()
        )
    try:
        run = recorded_as(ground.runs_root, name, recorded.view if recorded is not None else None)
        found += _checked(ground, run, recorded)
        if rebuilding and (run.directory.folder / "Z_integrator" / "STATUS.json").exists():
            again = _rebuilt(ground, run)
            rebuilt = again is not None
            found += again or []
    except FactoryError as error:
        found += _unopened(ground, name, recorded, error)
    return ReplayRow(
        run_id=name,
        status=recorded.view.status if recorded is not None else "UNRECORDED",
        events=recorded.view.events if recorded is not None else 0,
        rebuilt=rebuilt,
        disagreements=tuple(
            DisagreementSaid(name=one.name, reason=one.reason) for one in sorted(set(found))
        ),
    )


def _unopened(
    ground: Session, name: str, recorded: Recorded | None, error: FactoryError
) -> list[Disagreement]:
    """Return which of manifest and plan is not what it was, or the error where none can tell."""
    directory = RunDirectory(ground.runs_root, RunId(name))
    if not directory.folder.is_dir():
        return [Disagreement(name, "its folder is gone")]
    begun = dict(recorded.view.begun) if recorded is not None else {}
    try:
        inputs = dict(integrator_status(directory).inputs)
    except FactoryError:
        inputs = {}
    names = {MANIFEST, PLAN}
    known = {one: digest for one, digest in {**inputs, **begun}.items() if one in names}
    changed = changed_since(directory, known, str(error))
    return changed or [Disagreement(f"{MANIFEST} or {PLAN}", str(error))]


def _is_run(ground: Session, name: str) -> bool:
    return is_run_id(name) and (ground.runs_root / name / MANIFEST).exists()


def _checked(ground: Session, run: RecordedRun, recorded: Recorded | None) -> list[Disagreement]:
    try:
        status = integrator_status(run.directory)
    except RunUnavailable:
        status = None
        if recorded is not None and recorded.view.status_digest:
            return [Disagreement("Z_integrator/STATUS.json", "it was written, and is gone")]
    found = disagreements(run.directory, run.plans[0], status, recorded)
    named = status is not None and status.ledger is not None and status.ledger.count > 0
    if recorded is None and named and ground.ledger.file.exists():
        found.append(Disagreement(LEDGER, "it does not know this run, and STATUS.json names it"))
    return found


def _rebuilt(ground: Session, run: RecordedRun) -> list[Disagreement] | None:
    """Return what a second derivation disagrees with; None where the run reached no verdict."""
    status = integrator_status(run.directory)
    if status.status == "FAIL" or launched_again(run, status):
        return None
    with tempfile.TemporaryDirectory(prefix="factory-rebuild-") as folder:
        store = Path(folder) / "objects.git"
        open_store(ground.git, store, ground.repository.objects)
        with objects_of(ground.git, store) as objects:
            tools = Tools(
                git=ground.git,
                store=store,
                objects=objects,
                scratch=Path(folder),
            )
            given = [one for one in run.plans if plan_name(one.revision) in status.inputs]
            plan = given[-1] if given else run.plan
            return rebuild(run.directory, plan, run.manifest, status, tools=tools)
