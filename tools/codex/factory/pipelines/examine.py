"""The checks of a run, between the integrator's merge and its report."""

from collections.abc import Callable
from pathlib import Path

from tools.codex.factory.domain.artifact import LogEntry
from tools.codex.factory.domain.check import red
from tools.codex.factory.domain.event import Event
from tools.codex.factory.domain.identity import INTEGRATOR, ObjectId, WorkerId
from tools.codex.factory.pipelines.pipe import Ask, Examined, MergedSaid
from tools.codex.factory.pipelines.record import RecordedRun
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.pipelines.site import check_environment, site
from tools.codex.factory.stages.attribute import attributed, salvaged
from tools.codex.factory.stages.check import checked
from tools.codex.factory.stages.order import Site
from tools.codex.factory.stages.trial import Checking, Tree, cleared_checks
from tools.codex.factory.storage.passes import Passes
from tools.codex.factory.wiring import clock, versions

_TOOLS = ("git", "platform", "python", "zlib")


def examined(
    ground: Session,
    run: RecordedRun,
    merged: MergedSaid,
    ask: Ask,
    record: Callable[[Event], None],
    *,
    salvaging: bool,
) -> Examined:
    """Return what the plan's checks say of the merged tree, and of parts of it where they are red.

    In a rehearsal they are asked of the base: what is red there is red before any work.
    """
    if merged.tree is None or not run.plan.checks:
        return Examined()
    with site(ground, run) as where:
        about = _checking(ground, run, where, record)
        cleared_checks(about.folder)
        logs: list[LogEntry] = []
        base = Tree("base", ObjectId(run.manifest.base_commit), ObjectId(run.manifest.base_tree))
        if run.manifest.rehearsal:
            return Examined(checks=checked(about, base, on="base", logs=logs), logs=tuple(logs))
        rows = checked(about, _tree("merged", merged, base), on="merged", logs=logs)
        failing = red(run.plan, rows)
        if not failing:
            return Examined(checks=rows, logs=tuple(logs))

        def merge(workers: tuple[WorkerId, ...]) -> Tree | None:
            said = ask(workers)
            return _tree("-".join(_numbers(merged, workers)), said, base) if said.tree else None

        attribution = attributed(about, failing, merged.workers, base=base, merge=merge)
        salvage = None
        if salvaging:
            salvage = salvaged(about, merged.workers, attribution, merge=merge)
        return Examined(checks=rows, attribution=attribution, salvage=salvage, logs=tuple(logs))


def _checking(
    ground: Session, run: RecordedRun, where: Site, record: Callable[[Event], None]
) -> Checking:
    made_with = versions(ground.git_version)
    return Checking(
        run=run.directory,
        plan=run.plan,
        folder=Path(where.folder) / INTEGRATOR,
        place=where.place,
        shallow=where.shallow,
        environment=check_environment(ground),
        made_with={name: made_with[name] for name in _TOOLS},
        work=where.work,
        settings=ground.settings.config.checks,
        passes=Passes(ground.runs_root),
        clock=clock,
        record=record,
    )


def _tree(label: str, said: MergedSaid, base: Tree) -> Tree:
    """Return what was merged as what can be checked out; nothing changed is the base itself."""
    assert said.tree is not None
    return Tree(label, said.commit or base.commit, said.tree)


def _numbers(merged: MergedSaid, workers: tuple[WorkerId, ...]) -> tuple[str, ...]:
    """Return the workers by their places: folders with many names in theirs grow too long."""
    left = [n for n, worker in enumerate(merged.workers) if worker not in workers]
    kept = [n for n, worker in enumerate(merged.workers) if worker in workers]
    few, word = (kept, "only") if len(kept) <= len(left) else (left, "but")
    return (word, *map(str, few))
