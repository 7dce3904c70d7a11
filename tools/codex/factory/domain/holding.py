"""What a run holds, and whether it may be removed."""

from datetime import UTC, datetime, timedelta

from tools.codex.factory.domain.desk_answer import HeldRun
from tools.codex.factory.domain.wording import few

UNREADABLE = "UNREADABLE"
"""The status of a run whose manifest or plan says nothing that this factory understands."""


def kept_because(run: HeldRun, *, now: datetime, age: timedelta, is_named: bool) -> str | None:
    """Return why a run must stay, or None where it may go.

    What is in a checkout alone stays also where the run is named.
    """
    if run.status == UNREADABLE:
        return f"it cannot be read: {run.title}"
    if run.uncaptured:
        remedy = f"{'go on with the run, or ' if run.ended is None else ''}look, then remove it"
        return f"{few(run.uncaptured)} holds work that was not captured whole: {remedy}"
    if is_named:
        return None
    if run.ended is None or run.status == "WAITING":
        return f"it is {run.status}"
    if run.unpublished and not run.rehearsal:
        named = few(run.unpublished)
        return f"work of {named} is not published; --run-id removes it all the same"
    if now - _moment(run.started) < age:
        return f"it is younger than {_days(age)}"
    return None


def gone_because(run: HeldRun, *, is_named: bool) -> str:
    """Return why a run may go."""
    if is_named and run.unpublished and not run.rehearsal:
        return f"named; the unpublished work of {few(run.unpublished)} goes with it"
    if run.rehearsal:
        return "a rehearsal"
    return "published" if run.published else "it holds no work"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _days(age: timedelta) -> str:
    hours = int(age.total_seconds() // 3600)
    return f"{hours // 24} d" if hours % 24 == 0 else f"{hours} h"
