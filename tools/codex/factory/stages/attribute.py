"""Who made a check red, and which bundles together are green: both within a time budget."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from tools.codex.factory.domain.check import is_green, subsets
from tools.codex.factory.domain.evidence import AttributionRow, Salvage
from tools.codex.factory.domain.identity import WorkerId
from tools.codex.factory.domain.plan import Check, seconds
from tools.codex.factory.stages.check import checked
from tools.codex.factory.stages.trial import Checking, Ran, Tree, ran

Merge = Callable[[tuple[WorkerId, ...]], Tree | None]
"""The merge of some of the bundles, or None where they make none."""


def attributed(
    about: Checking,
    failing: Sequence[Check],
    workers: Sequence[WorkerId],
    *,
    base: Tree,
    merge: Merge,
) -> tuple[AttributionRow, ...]:
    """Return each red check on the base, on each bundle alone, and on all but each."""
    trials: list[tuple[str, WorkerId | None, Tree | None]] = [("base", None, base)]
    if len(workers) > 1:
        trials += [("alone", worker, merge((worker,))) for worker in workers]
        trials += [
            ("without", worker, merge(tuple(one for one in workers if one != worker)))
            for worker in workers
        ]
    checks = tuple(failing)
    # Bundles that change nothing make trees that are there already; each is tried once.
    distinct = {tree.tree: tree for _, _, tree in reversed(trials) if tree is not None}
    until = _deadline(about)
    done = ran(about, [(tree, checks) for tree in reversed(distinct.values())], until=until)
    rows = []
    for check in checks:
        for tried, worker, tree in trials:
            run = done.get((distinct[tree.tree].label, check.name)) if tree is not None else None
            rows.append(
                AttributionRow.model_validate(
                    {
                        "check": check.name,
                        "tried": tried,
                        "worker_id": worker,
                        "result": _result(run),
                    }
                )
            )
    return tuple(rows)


def salvaged(
    about: Checking,
    workers: Sequence[WorkerId],
    attribution: Sequence[AttributionRow],
    *,
    merge: Merge,
) -> Salvage | None:
    """Return the largest part of the bundles that was found green in time, or None."""
    red_alone = {
        row.worker_id for row in attribution if (row.tried, row.result) == ("alone", "failed")
    }
    green_alone = {worker for worker in workers if worker not in red_alone}
    until = _deadline(about)
    for part in subsets(workers, green_alone):
        if about.clock() > until:
            return None
        tree = merge(part)
        if tree is None:
            continue
        # Its logs would stand beside those of the whole under the same names.
        rows = checked(about, tree, on="merged", logs=None)
        if is_green(about.plan, rows):
            return Salvage(workers=part, tree=tree.tree, checks=rows)
    return None


def _deadline(about: Checking) -> datetime:
    return about.clock() + timedelta(seconds=seconds(about.settings.budget))


def _result(run: Ran | None) -> str:
    if run is None or run.step is None:
        return "not_run"
    return "passed" if run.passed else "failed"
