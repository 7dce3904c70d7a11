"""What checks said of a tree, and what follows."""

from collections.abc import Collection, Iterator, Sequence
from itertools import combinations

from tools.codex.factory.domain.evidence import AttributionRow, CheckRow
from tools.codex.factory.domain.finding import Code, Finding, Severity
from tools.codex.factory.domain.identity import WorkerId
from tools.codex.factory.domain.order import ended_how
from tools.codex.factory.domain.plan import Check, Plan

_HINT_FAILED = (
    "read its log in Z_integrator/LOGS; `factory integrate --salvage` seeks what is green together"
)
_HINT_BASE = "mend the base commit first: no worker can make this check green"


def check_findings(
    plan: Plan, rows: Sequence[CheckRow], attribution: Sequence[AttributionRow]
) -> list[Finding]:
    """Return a finding for each check that is not plainly green; a required one blocks."""
    said = {row.name: row for row in rows}
    found = []
    for check in plan.checks:
        row = said.get(check.name)
        if row is None or row.result == "not_run":
            reason = row.reason if row is not None else "it was not run"
            hint = "look at [integration] setup and the checks of the plan"
            found.append(_finding(check, Code.CHECK_NOT_RUN, reason, hint))
        elif row.result == "failed":
            found.append(_failed(check, row, attribution))
        elif row.result == "flaky":
            times = "once" if row.runs == 2 else f"{row.runs - 1} times"
            message = f"{_how(row)} {times}, and then passed on the same tree"
            hint = "make it steady, or give it `retries` in the plan"
            found.append(_finding(check, Code.CHECK_FLAKY, message, hint, blocks=not check.retries))
        elif row.flakes:
            times = "once" if row.flakes == 1 else f"{row.flakes} times"
            message = f"it passed now, and was flaky on this very tree {times} before"
            hint = "make it steady, or give it `retries` in the plan"
            found.append(_finding(check, Code.CHECK_FLAKY, message, hint, blocks=False))
    return found


def is_green(plan: Plan, rows: Sequence[CheckRow]) -> bool:
    """Return whether nothing in `rows` speaks against a PASS."""
    return not any(finding.blocks for finding in check_findings(plan, rows, ()))


def red(plan: Plan, rows: Sequence[CheckRow]) -> tuple[Check, ...]:
    """Return the required checks that ran and failed, every time."""
    failed = {
        row.name
        for row in rows
        if row.result == "failed" and (row.ended is None or row.ended.how != "not_started")
    }
    return tuple(check for check in plan.checks if check.required and check.name in failed)


def culprits(attribution: Sequence[AttributionRow], check: str) -> str:
    """Return in words what the trials of a red check show."""
    rows = [row for row in attribution if row.check == check and row.result != "not_run"]
    if any(row.tried == "base" and row.result == "failed" for row in rows):
        return "it is red on the base commit too"
    alone = [row.worker_id for row in rows if (row.tried, row.result) == ("alone", "failed")]
    mended = [row.worker_id for row in rows if (row.tried, row.result) == ("without", "passed")]
    parts = []
    if alone:
        parts.append(f"red with {', '.join(map(str, alone))} alone")
    elif _all_green_alone(attribution, check):
        parts.append("green with each bundle alone, red only together")
    if mended:
        parts.append(f"green without {', '.join(map(str, mended))}")
    return "; ".join(parts)


def _all_green_alone(attribution: Sequence[AttributionRow], check: str) -> bool:
    alone = [row for row in attribution if (row.check, row.tried) == (check, "alone")]
    return bool(alone) and all(row.result == "passed" for row in alone)


def subsets(
    workers: Sequence[WorkerId], green_alone: Collection[WorkerId]
) -> Iterator[tuple[WorkerId, ...]]:
    """Yield parts of `workers` in the order in which they are worth a try.

    First all that are green alone, which is a good guess and soon known; then the large ones.
    """
    likely = tuple(worker for worker in workers if worker in green_alone)
    seen = {tuple(workers), ()}
    if likely not in seen:
        seen.add(likely)
        yield likely
    for size in range(len(workers) - 1, 0, -1):
        for part in combinations(workers, size):
            if part not in seen:
                seen.add(part)
                yield part


def _failed(check: Check, row: CheckRow, attribution: Sequence[AttributionRow]) -> Finding:
    if row.on == "base":
        message = f"{_how(row)} on the base commit, before any work"
        return _finding(check, Code.CHECK_RED_ON_BASE, message, _HINT_BASE)
    said = culprits(attribution, check.name)
    message = f"{_how(row)} on the merge of the bundles{'; ' + said if said else ''}"
    hint = _HINT_BASE if "base commit" in said else _HINT_FAILED
    if row.ended is not None and row.ended.how == "not_started":
        hint = "install it, bring it by [integration] setup, or name it by a path"
    return _finding(check, Code.CHECK_FAILED, message, hint)


def _how(row: CheckRow) -> str:
    ended = row.ended
    if ended is None:
        return "failed"
    if ended.how == "not_started":
        return f"could not be started ({row.reason})"
    how = ended_how(ended.how, ended.exit_code, ended.signal)
    return f"{how} ({row.reason})" if row.reason else how


def _finding(check: Check, code: Code, message: str, hint: str, *, blocks: bool = True) -> Finding:
    severity = Severity.BLOCKS if blocks and check.required else Severity.NOTE
    return Finding(
        code=code, severity=severity, subject=f"check {check.name}", message=message, hint=hint
    )
