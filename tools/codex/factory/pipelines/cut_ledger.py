"""Whether the ledger lacks its end: a line that the STATUS.json of a run names must be there."""

from tools.codex.factory.domain.event import RunView
from tools.codex.factory.domain.evidence import IntegratorStatus, LedgerHead
from tools.codex.factory.errors import FactoryError, LedgerDamaged
from tools.codex.factory.pipelines.record import RecordedRun, integrator_status, view_of
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.storage.ledger import LEDGER


def refuse_cut_ledger(ground: Session, run: RecordedRun) -> None:
    """Raise LedgerDamaged where the ledger lacks a line that the run's STATUS.json names.

    A ledger that did not see the run begin, or saw it begin after that, never had the line: the
    run was copied here, or the ledger was begun anew.
    """
    try:
        status = integrator_status(run.directory)
    except FactoryError:
        return
    head = status.ledger
    if head is None or head.count == 0:
        return
    is_there = ground.ledger.digest_of_line(head.count) == head.sha256
    if not is_there and saw_it(view_of(ground, run.directory.run), status):
        raise LedgerDamaged(LEDGER, cut_at(run.directory.run, head))


def cut_at(run: str, head: LedgerHead) -> str:
    """Return what is wrong with a ledger that lacks the line that a run's STATUS.json names."""
    return f"it was longer, or is another: STATUS.json of {run!r} names its line {head.count}"


def saw_it(view: RunView | None, status: IntegratorStatus) -> bool:
    """Return whether a ledger saw the begin of the run that came to this STATUS.json."""
    return view is not None and bool(view.begun) and view.started <= status.ended_at
