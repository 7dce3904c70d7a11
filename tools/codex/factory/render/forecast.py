"""What a plan comes to, as lines for people."""

from collections.abc import Iterator

from rich.table import Table

from tools.codex.factory.domain.desk_answer import Cost, PlanAnswer
from tools.codex.factory.domain.wording import counted, sized
from tools.codex.factory.render.tables import plain_table
from tools.codex.factory.render.text import shown

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def worker_table(answer: PlanAnswer) -> Table:
    """Return who may write how much of the base."""
    table = plain_table("WORKER", "SOURCE", "MAY WRITE", "SHARES")
    for row in answer.workers:
        shares = str(row.shared) if row.shared else "-"
        table.add_row(row.worker_id, row.source, f"{row.files} of {answer.files} files", shares)
    return table


def finding_lines(answer: PlanAnswer) -> Iterator[str]:
    """Yield each finding, what blocks first."""
    for finding in sorted(answer.findings, key=lambda one: one.severity != "blocks"):
        word = "overlap" if finding.severity == "blocks" else "note"
        yield f"{word:<7}  {shown(finding.subject)}: {shown(finding.message)}"
        if finding.hint:
            yield f"         -> {shown(finding.hint)}"


def forecast_lines(answer: PlanAnswer) -> Iterator[str]:
    """Yield what a launch costs, and the verdict."""
    cost = answer.cost
    room = f"{sized(cost.bytes)} in {counted(cost.files, 'file')}"
    yield f"disk     {counted(cost.checkouts, 'checkout')} at a time: {room}"
    if not cost.processes:
        yield "time     no command is run here: it is all adopted, or done by people and tools"
    else:
        yield _time(cost)
    met = sum(finding.severity == "blocks" for finding in answer.findings)
    said = f"{counted(met, 'overlap')} of scopes" if met else "no overlap of scopes was found"
    yield f"{answer.status}  {shown(answer.title)}: {said}"


def _time(cost: Cost) -> str:
    if not cost.worker_seconds:
        return f"time     at most {duration(cost.wall_seconds)} for the checks"
    return (
        f"time     at most {duration(cost.wall_seconds)}, {cost.processes} at a time "
        f"({duration(cost.worker_seconds)} of workers)"
    )


def duration(seconds: int) -> str:
    """Return a time in its two largest units."""
    parts = []
    for size, unit in _UNITS:
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2]) or "0 s"
