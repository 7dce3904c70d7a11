"""Who made a check red, and which bundles together are green: both within a time budget."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from tools.codex.factory.domain.check import is_green, subsets
from tools.codex.factory.domain.evidence import AttributionRow, Salvage, SalvageSearch
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
    until = _deadline(about)
    in_time = _while_there_is_time(about, until, merge)
    trials: list[tuple[str, WorkerId | None, Tree | None]] = [("base", None, base)]
    if len(workers) > 1:
        trials += [("alone", worker, in_time((worker,))) for worker in workers]
        trials += [
            ("without", worker, in_time(tuple(one for one in workers if one != worker)))
            for worker in workers
        ]
    checks = tuple(failing)
    # Bundles that change nothing make trees that are there already; each is tried once.
    distinct = {tree.tree: tree for _, _, tree in reversed(trials) if tree is not None}
    trees = list(reversed(distinct.values()))
    done = ran(about, [(tree, check) for check in checks for tree in trees], until=until)
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
) -> tuple[Salvage | None, SalvageSearch]:
    """Return the largest part of the bundles that was found green in time, and how that went."""
    red_alone = {
        row.worker_id for row in attribution if (row.tried, row.result) == ("alone", "failed")
    }
    green_alone = {worker for worker in workers if worker not in red_alone}
    until = _deadline(about)
    best: Salvage | None = None
    for part in subsets(workers, green_alone):
        if best is not None and len(part) <= len(best.workers):
            break
        if about.clock() > until:
            return best, "out_of_time" if best is None else "found"
        tree = merge(part)
        # Its logs would stand beside those of the whole under the same names.
        rows = checked(about, tree, on="merged", logs=None, until=until) if tree else ()
        if tree is not None and is_green(about.plan, rows):
            best = Salvage(workers=part, tree=tree.tree, checks=rows)
    return best, "none_green" if best is None else "found"


def _while_there_is_time(about: Checking, until: datetime, merge: Merge) -> Merge:
    """Return `merge`, that makes nothing any more after `until`: merging takes time, too."""

    def merged(workers: tuple[WorkerId, ...]) -> Tree | None:
        return merge(workers) if about.clock() < until else None

    return merged


def _deadline(about: Checking) -> datetime:
    return about.clock() + timedelta(seconds=seconds(about.settings.budget))


def _result(run: Ran | None) -> str:
    if run is None or run.step is None:
        return "not_run"
    return "passed" if run.passed else "failed"
