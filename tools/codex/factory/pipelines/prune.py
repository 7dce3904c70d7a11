"""Old runs removed, and never work that is nowhere else; what was cut off is ended by the next."""

from collections.abc import Sequence
from datetime import timedelta

from tools.codex.factory.domain.desk_answer import HeldRun, PrunedRow
from tools.codex.factory.domain.event import PRUNED, Event, EventType, RunView
from tools.codex.factory.domain.holding import gone_because, kept_because
from tools.codex.factory.domain.identity import RunId
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.errors import RunUnavailable
from tools.codex.factory.pipelines.chain import chain_of
from tools.codex.factory.pipelines.holdings import held, left_by
from tools.codex.factory.pipelines.pipeline import locked
from tools.codex.factory.pipelines.record import run_named, standing_run
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.pipelines.site import work_folder, work_root_of
from tools.codex.factory.pipelines.stale import remove_empty
from tools.codex.factory.repository.checkout import remove_checkout
from tools.codex.factory.storage.passes import Passes
from tools.codex.factory.storage.removal import (
    aside_folder,
    bytes_below,
    remove_aside,
    set_aside,
    set_aside_in,
)
from tools.codex.factory.storage.runs_root import begun_in
from tools.codex.factory.wiring import clock


def would_go(ground: Session, names: Sequence[str], *, age: timedelta) -> tuple[PrunedRow, ...]:
    """Return what `prune` would remove now; nothing is written."""
    views = chain_of(ground.ledger).views
    rows = [_row(run, _kept(run, names, age), names) for run in _looked_at(ground, names, views)]
    return (*_cut_off(ground, names), *rows)


def prune(ground: Session, names: Sequence[str], *, age: timedelta) -> tuple[PrunedRow, ...]:
    """Remove runs older than `age` whose work is published or none, or just those in `names`.

    Raises RunUnavailable for a name that no run has, or that another factory holds.
    """
    views = chain_of(ground.ledger).views
    runs = _looked_at(ground, names, views)
    rows = _cut_off(ground, names)
    _swept(ground, views)
    for run in runs:
        why = _kept(run, names, age)
        if why is None:
            why = _removed(ground, run.run_id, views.get(run.run_id), is_named=bool(names))
        rows.append(_row(run, why, names))
    return tuple(rows)


def _looked_at(ground: Session, names: Sequence[str], views: dict[str, RunView]) -> list[HeldRun]:
    """Return the runs in `names`, or all that are here, the oldest first."""
    here, aside = begun_in(ground.runs_root), set_aside_in(ground.runs_root)
    for name in names:
        if run_named(name) not in (*here, *aside):
            raise RunUnavailable(f"there is no run {name!r}", hint=did_you_mean(name, here[-200:]))
    wanted = [name for name in names if name in here] if names else here
    runs = [held(ground, name, views.get(name)) for name in wanted]
    return sorted(runs, key=lambda run: run.started)


def _cut_off(ground: Session, names: Sequence[str]) -> list[PrunedRow]:
    """Return those of `names` whose removal was cut off: that is ended now."""
    here = begun_in(ground.runs_root)
    return [
        PrunedRow(
            run_id=name,
            removed=True,
            reason="its removal was cut off",
            bytes=bytes_below(aside_folder(ground.runs_root, name)),
        )
        for name in set_aside_in(ground.runs_root)
        if name in names and name not in here
    ]


def _kept(run: HeldRun, names: Sequence[str], age: timedelta) -> str | None:
    return kept_because(run, now=clock(), age=age, is_named=bool(names))


def _row(run: HeldRun, why: str | None, names: Sequence[str]) -> PrunedRow:
    return PrunedRow(
        run_id=run.run_id,
        removed=why is None,
        reason=why or gone_because(run, is_named=bool(names)),
        bytes=run.bytes,
    )


def _removed(ground: Session, name: str, view: RunView | None, *, is_named: bool) -> str | None:
    """Remove a run; return why it stays, where another factory holds it or it changed just now."""
    run = standing_run(ground, name)
    try:
        with locked(run.directory):
            now = held(ground, name, view)
            if now.uncaptured or (now.unpublished and not (is_named or now.rehearsal)):
                return "it changed just now"
            for one in left_by(ground, run):
                one.attempt.clear(remove_checkout)
            remove_empty(work_folder(ground, work_root_of(ground), run.directory))
            set_aside(ground.runs_root, run.directory.run)
    except RunUnavailable as busy:
        if is_named:
            raise
        return str(busy)
    _ended(ground, name)
    return None


def _swept(ground: Session, views: dict[str, RunView]) -> None:
    """End what a prune that died left: set aside, and maybe not recorded."""
    for name in set_aside_in(ground.runs_root):
        # A run of that name that is here is another, which began since.
        known = name in views and views[name].status == PRUNED
        _ended(ground, name, is_recorded=known or name in begun_in(ground.runs_root))


def _ended(ground: Session, name: str, *, is_recorded: bool = False) -> None:
    if not is_recorded:
        event = Event(run_id=name, event_type=EventType.RUN_PRUNED, actor="operator", rc=0)
        ground.ledger.append([event])
    Passes(ground.runs_root).forget(RunId(name))
    remove_aside(ground.runs_root, name, remove_checkout)
