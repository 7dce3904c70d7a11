"""How those who worked were confined, and what they tried outside, as lines of a report."""

from collections.abc import Iterable

from tools.codex.factory.domain.artifact import TrespassRecord
from tools.codex.factory.domain.evidence import ConfinementRow
from tools.codex.factory.domain.trespass import is_stopped
from tools.codex.factory.domain.wording import counted
from tools.codex.factory.render.text import shown

_MOST_PATHS = 20
_TITLE = "  confinement    "
_MOST_PATH = 240


def confinement_of_this_run(rows: Iterable[ConfinementRow]) -> list[str]:
    """Return the block `confinement`: who was kept by what, and what they tried beyond."""
    lines = [line for row in rows for line in _row(row)] or ["nothing was run that says how"]
    margin = " " * len(_TITLE)
    return [f"{margin if number else _TITLE}{line}" for number, line in enumerate(lines)]


def _row(row: ConfinementRow) -> list[str]:
    weaker = f", weaker than bubblewrap: {shown(row.weaker)}" if row.weaker else ""
    lines = [f"{shown(row.who)}: {row.tier} ({row.demand}){weaker}"]
    if not row.observed:
        lines.append(f"  attempts cannot be observed: {shown(row.unobserved)}")
    stopped = [one for one in row.trespasses if is_stopped(one.operation, row.tier)]
    others = [one for one in row.trespasses if not is_stopped(one.operation, row.tier)]
    lines += _attempts(stopped, "stopped", row.beyond if row.tier != "unconfined" else 0)
    lines += _attempts(
        others, "seen, which nothing stops", row.beyond if row.tier == "unconfined" else 0
    )
    return lines


def _attempts(tried: list[TrespassRecord], what: str, beyond: int) -> list[str]:
    count = sum(one.count for one in tried) + beyond
    if not count:
        return []
    verb = "was" if count == 1 else "were"
    lines = [f"  {counted(count, 'attempt')} to write outside {verb} {what}:"]
    lines += [f"    {_attempt(one)}" for one in tried[:_MOST_PATHS]]
    more = count - sum(one.count for one in tried[:_MOST_PATHS])
    return [*lines, f"    and {more:,} more"] if more else lines


def _attempt(one: TrespassRecord) -> str:
    path, program = shown(one.path), shown(one.program)
    path = path if len(path) <= _MOST_PATH else f"{path[:_MOST_PATH]}..."
    times = f", {one.count:,} times" if one.count > 1 else ""
    return f"{one.operation} {path} ({program}{times})"
