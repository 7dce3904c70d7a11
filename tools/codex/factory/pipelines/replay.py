"""The ledger replayed: runs as their events add up, held against what lies on disk."""

import tempfile
from pathlib import Path

from tools.codex.factory.domain.event import RunView, replay
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.domain.result import DisagreementSaid, ReplayRow
from tools.codex.factory.errors import FactoryError, RunUnavailable
from tools.codex.factory.pipelines.record import (
    RecordedRun,
    integrator_status,
    recorded_in,
    run_named,
)
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.repository.objects import objects_of
from tools.codex.factory.repository.quarantine import open_store
from tools.codex.factory.stages.integrate import Tools
from tools.codex.factory.stages.rebuild import rebuild
from tools.codex.factory.stages.verify import Disagreement, disagreements
from tools.codex.factory.storage.run_directory import MANIFEST, runs_in


def replayed(ground: Session, name: str | None, *, rebuilding: bool) -> tuple[ReplayRow, ...]:
    """Return every run of the ledger, or the one called `name`, verified and maybe rebuilt.

    A copied run folder without its ledger is verified by its seals alone.
    """
    views = replay(ground.ledger.lines())
    if name is None:
        wanted = list(views)
    else:
        wanted = [run_named(name)]
        there = {run for run in runs_in(ground.runs_root) if _is_run(ground, run)} | set(views)
        if wanted[0] not in there:
            hint = did_you_mean(wanted[0], there)
            raise RunUnavailable(f"there is no run {wanted[0]!r}", hint=hint)
    return tuple(_row(ground, run, views.get(run), rebuilding) for run in wanted)


def _row(ground: Session, name: str, view: RunView | None, rebuilding: bool) -> ReplayRow:
    found: list[Disagreement] = []
    rebuilt = False
    try:
        run = recorded_in(ground.runs_root, name)
        found += _checked(run, view)
        if rebuilding and (run.directory.folder / "Z_integrator" / "STATUS.json").exists():
            again = _rebuilt(ground, run)
            rebuilt = again is not None
            found += again or []
    except FactoryError as error:
        found.append(Disagreement(name, str(error)))
    return ReplayRow(
        run_id=name,
        status=view.status if view is not None else "UNRECORDED",
        events=view.events if view is not None else 0,
        rebuilt=rebuilt,
        disagreements=tuple(
            DisagreementSaid(name=one.name, reason=one.reason) for one in sorted(set(found))
        ),
    )


def _is_run(ground: Session, name: str) -> bool:
    return (ground.runs_root / name / MANIFEST).exists()


def _checked(run: RecordedRun, view: RunView | None) -> list[Disagreement]:
    try:
        status = integrator_status(run.directory)
    except RunUnavailable:
        status = None
        if view is not None and view.status_digest:
            return [Disagreement("Z_integrator/STATUS.json", "it was written, and is gone")]
    return disagreements(run.directory, run.plan, run.manifest, status, view)


def _rebuilt(ground: Session, run: RecordedRun) -> list[Disagreement] | None:
    """Return what a second derivation disagrees with; None where the run reached no verdict."""
    status = integrator_status(run.directory)
    if status.status == "FAIL":
        return None
    with tempfile.TemporaryDirectory(prefix="factory-rebuild-") as folder:
        store = Path(folder) / "objects.git"
        open_store(ground.git, store, ground.repository.objects)
        with objects_of(ground.git, store) as objects:
            tools = Tools(
                git=ground.git,
                store=store,
                borrowed=ground.repository.objects,
                objects=objects,
                scratch=Path(folder),
            )
            return rebuild(run.directory, run.plan, run.manifest, status, tools=tools)
