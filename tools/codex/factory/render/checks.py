"""What the checks said, as lines of a report."""

from collections.abc import Iterable

from tools.codex.factory.domain.artifact import Ending
from tools.codex.factory.domain.evidence import AttributionRow, CheckRow, IntegratorStatus
from tools.codex.factory.domain.wording import counted
from tools.codex.factory.render.text import shown


def checks_section(status: IntegratorStatus) -> list[str]:
    """Return the section CHECKS: results, and who made a red one red; no times, no logs."""
    lines = _rows(status.checks)
    for name in dict.fromkeys(row.check for row in status.attribution):
        lines += _table(name, [row for row in status.attribution if row.check == name])
    lines += _salvage(status)
    if not status.checks:
        return []
    return ["CHECKS", *lines, ""]


def _salvage(status: IntegratorStatus) -> list[str]:
    if status.salvage is not None:
        lines = [f"  salvaged: {', '.join(status.salvage.workers)} together are green"]
        return [*lines, *(f"  {line}" for line in _rows(status.salvage.checks))]
    words = {
        "none_green": "  salvage: no part of the bundles is green",
        "out_of_time": "  salvage: no green part was found before checks.budget ended",
    }
    return [words[status.salvage_search]] if status.salvage_search in words else []


def checks_line(status: IntegratorStatus, declared: int) -> str:
    """Return the checks in one line of evidence."""
    if not declared:
        return "none declared"
    if not status.checks:
        return f"{declared} declared, none run: nothing was merged"
    on = "the merged tree" if status.salvage is None else "the merge of all bundles"
    if status.checks[0].on == "base":
        on = "the base commit, before any work"
    words = ("passed", "failed", "flaky", "not_run")
    counts = [(word, sum(row.result == word for row in status.checks)) for word in words]
    said = ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in counts if count)
    return f"{said}, on {on}"


def checks_of_this_run(status: IntegratorStatus) -> list[str]:
    """Return what differs from run to run: durations, what was not run again, ends of logs."""
    lines = []
    for row in status.checks:
        if row.reused is not None:
            said = f"not run again: it passed on this tree in {row.reused}"
        else:
            said = f"{counted(row.runs, 'run')}, the first {row.duration_ms} ms"
        lines.append(f"  check          {shown(row.name)}: {said}")
        lines += [f"    | {shown(line)}" for line in row.tail]
    return lines


def _rows(rows: Iterable[CheckRow]) -> list[str]:
    return [
        f"  {row.result.replace('_', ' '):<7}  {'required' if row.required else 'optional'}  "
        f"{shown(row.name)}{_how(row)}"
        for row in rows
    ]


def _how(row: CheckRow) -> str:
    if row.result == "not_run":
        return f": {shown(row.reason)}"
    if row.result == "passed" or row.ended is None:
        return ""
    return f": {_ended(row.ended)}"


def _ended(ended: Ending) -> str:
    if ended.how == "exited":
        return f"exit {ended.exit_code}"
    return f"signal {ended.signal}" if ended.how == "signalled" else ended.how.replace("_", " ")


def _table(name: str, rows: list[AttributionRow]) -> list[str]:
    """Return one red check, bundle by bundle."""
    result = {(row.tried, row.worker_id): row.result.replace("_", " ") for row in rows}
    workers = [row.worker_id for row in rows if row.tried == "alone" and row.worker_id]
    lines = [f"  who made {shown(name)} red: on the base commit {result['base', None]}"]
    if workers:
        width = max(len("bundle"), *(len(worker) for worker in workers))
        lines.append(f"    {'bundle':<{width}}  alone    all but it")
    lines += [
        f"    {worker:<{width}}  {result['alone', worker]:<7}  {result['without', worker]}"
        for worker in workers
    ]
    return lines
