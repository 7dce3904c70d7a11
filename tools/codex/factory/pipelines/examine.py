"""The checks of a run, between the integrator's merge and its report."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tools.codex.factory.domain.artifact import LogEntry
from tools.codex.factory.domain.check import red
from tools.codex.factory.domain.confined import confined_together
from tools.codex.factory.domain.confinement import Confinement, refusal
from tools.codex.factory.domain.confinement_row import CHECKS, confinement_record, confinement_row
from tools.codex.factory.domain.event import Event
from tools.codex.factory.domain.evidence import ConfinementRow
from tools.codex.factory.domain.identity import INTEGRATOR, ObjectId, WorkerId, digest_of
from tools.codex.factory.domain.result import records
from tools.codex.factory.pipelines.history import flaked_in, passed_in
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

_MOST_LABEL = 40
_TOOLS = ("git", "platform", "python", "zlib")


def examined(
    ground: Session,
    run: RecordedRun,
    merged: MergedSaid,
    ask: Ask,
    record: Callable[[Event], None],
    confinement: Confinement,
    *,
    salvaging: bool,
) -> Examined:
    """Return what the plan's checks say of the merged tree, and of parts of it where they are red.

    In a rehearsal they are asked of the base: what is red there is red before any work.
    """
    with site(ground, run, confinement, record) as where:
        about = _checking(ground, run, where, record)
        cleared_checks(about.folder)
        found = _examined(about, run, merged, ask, salvaging=salvaging)
        return replace(found, confinement=_rows(about))


def _examined(
    about: Checking, run: RecordedRun, merged: MergedSaid, ask: Ask, *, salvaging: bool
) -> Examined:
    logs: list[LogEntry] = []
    commit, tree = ObjectId(run.manifest.base_commit), ObjectId(run.manifest.base_tree)
    base = Tree("base", "the base", commit, tree)
    refused = records(refusal(about.confinement, f"{INTEGRATOR}: checks"))
    if run.manifest.rehearsal:
        rows = checked(about, base, on="base", logs=logs)
        return Examined(checks=rows, logs=tuple(logs), findings=refused)
    whole = _tree("merged", "the merged tree", merged, base)
    rows = checked(about, whole, on="merged", logs=logs)
    if refused:
        # None of them was run: there is nothing to find out about who made one red.
        return Examined(checks=rows, logs=tuple(logs), findings=refused)
    failing = red(run.plan, rows)
    if not failing:
        return Examined(checks=rows, logs=tuple(logs))

    def merge(workers: tuple[WorkerId, ...]) -> Tree | None:
        said = ask(workers)
        return _part(merged, workers, said, base) if said.tree else None

    attribution = attributed(about, failing, merged.workers, base=base, merge=merge)
    found = Examined(checks=rows, attribution=attribution, logs=tuple(logs))
    if not salvaging:
        return found
    salvage, search = salvaged(about, merged.workers, attribution, merge=merge)
    return replace(found, salvage=salvage, salvage_search=search)


def _rows(about: Checking) -> tuple[ConfinementRow, ...]:
    """Return how checks were confined; nothing where each passed before."""
    if not about.confined:
        return ()
    return (confinement_row(CHECKS, confinement_record(confined_together(about.confined))),)


def _checking(
    ground: Session, run: RecordedRun, where: Site, record: Callable[[Event], None]
) -> Checking:
    found, confinement = versions(ground.git_version), where.confinement
    made_with = {name: found[name] for name in _TOOLS}
    # What passes with the network may fail without, and what is hidden decides, too.
    made_with["confinement"] = f"{confinement.tier}, network {confinement.network}"
    return Checking(
        run=run.directory,
        plan=run.plan,
        folder=Path(where.folder) / INTEGRATOR,
        place=where.place,
        shallow=where.shallow,
        environment=check_environment(ground),
        made_with=made_with,
        work=where.work,
        confinement=confinement,
        settings=ground.settings.config.checks,
        passes=Passes(ground.runs_root),
        secrets=ground.secrets,
        witnessed=lambda named, key: passed_in(ground, named, key),
        flaked=lambda key: flaked_in(ground, run.directory.run, key),
        clock=clock,
        record=record,
    )


def _tree(label: str, shown: str, said: MergedSaid, base: Tree) -> Tree:
    """Return what was merged as what can be checked out; nothing changed is the base itself."""
    assert said.tree is not None
    return Tree(label, shown, said.commit or base.commit, said.tree)


def _part(merged: MergedSaid, workers: tuple[WorkerId, ...], said: MergedSaid, base: Tree) -> Tree:
    """Return the merge of some, named by the few in or out, and in folders by their places."""
    left = tuple(worker for worker in merged.workers if worker not in workers)
    word, few, shown = "only", workers, f"{', '.join(workers)} alone"
    if len(left) < len(workers):
        word, few, shown = "but", left, f"all but {', '.join(left)}"
    places = "-".join(str(merged.workers.index(worker)) for worker in few)
    if len(places) > _MOST_LABEL:
        places = digest_of(places.encode())[:_MOST_LABEL]
    return _tree(f"{word}-{places}", shown, said, base)
