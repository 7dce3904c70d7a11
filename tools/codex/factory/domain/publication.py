"""A run on its way into the user's history: what speaks against it, which trailers lead back."""

from collections.abc import Iterator
from dataclasses import dataclass

from tools.codex.factory.domain.check import is_green
from tools.codex.factory.domain.evidence import CheckRow, IntegratorStatus
from tools.codex.factory.domain.finding import Code
from tools.codex.factory.domain.plan import Amendment, Plan

RUN_TRAILER = "Factory-Run"
WORKER_TRAILER = "Factory-Worker"
BASE_TRAILER = "Factory-Base"
REPORT_TRAILER = "Factory-Report"
CHECK_TRAILER = "Factory-Check"
CARRIED_TRAILER = "Factory-Carried-From"
LEFT_OUT_TRAILER = "Factory-Left-Out"
AMENDED_TRAILER = "Factory-Amended"
_SANDBOX = (Code.SANDBOX_REPOSITORY, Code.SANDBOX_LEDGER)


@dataclass(frozen=True, slots=True)
class Origin:
    """The run that work is from: what was amended there, and whose work is left out."""

    run_id: str
    amendments: tuple[Amendment, ...]
    left_out: tuple[str, ...]


def origin_of(plan: Plan, status: IntegratorStatus) -> Origin:
    """Return what a commit says of the run that its work is from."""
    dropped = {worker for one in plan.amendments for worker in one.dropped}
    left_out = dropped | {row.worker_id for row in status.workers if not row.merged}
    return Origin(status.run_id, plan.amendments, tuple(sorted(left_out)))


def objections(
    status: IntegratorStatus, plan: Plan, *, accept_partial: bool
) -> Iterator[tuple[str, str]]:
    """Yield what speaks against publishing a run, each with what to do."""
    if status.rehearsal:
        yield "it is a rehearsal", "run the plan without --dry-run"
    elif status.noop:
        yield "nobody changed anything", "start a run that changes something"
    elif status.commit is None or status.proof is None:
        yield (
            f"it is {status.status}, and nothing was merged",
            "`factory print-report` says why, and what mends it",
        )
    elif any(one.severity == "blocks" and one.code in _SANDBOX for one in status.findings):
        yield (
            f"it is {status.status}: the repository or the ledger changed while it was made",
            "`factory print-report` says what, and what mends it",
        )
    elif status.status != "PASS" and not status.partial:
        yield f"it is {status.status}", "`factory print-report` says why, and what mends it"
    elif status.status != "PASS" and not accept_partial:
        yield (
            f"it is {status.status}: only {', '.join(merged_workers(status))} fit together",
            "--accept-partial publishes just that",
        )
    elif not is_green(plan, checks_behind(status)):
        yield (
            "a required check is not green on the tree that would be published",
            "`factory integrate --salvage` seeks what is green together",
        )


def trailers(message: str) -> tuple[tuple[str, str], ...]:
    """Return the trailers of a commit message that this factory wrote, in order."""
    _, blank, last = message.rstrip("\n").rpartition("\n\n")
    rows = (line.partition(": ") for line in last.split("\n") if blank)
    return tuple((name, value) for name, _, value in rows if name.startswith("Factory-"))


def checks_behind(status: IntegratorStatus) -> tuple[CheckRow, ...]:
    """Return the checks that were run on the tree that the run stands for."""
    return status.checks if status.salvage is None else status.salvage.checks


def green(status: IntegratorStatus) -> tuple[CheckRow, ...]:
    """Return the checks that passed on that tree."""
    return tuple(row for row in checks_behind(status) if row.result == "passed")


def merged_workers(status: IntegratorStatus) -> list[str]:
    """Return whose work is in the merged tree."""
    return [row.worker_id for row in status.workers if row.merged]
