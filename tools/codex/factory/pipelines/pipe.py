"""What is said over the integrator's pipe, and what running the checks came to."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

from tools.codex.factory.domain.artifact import Artifact, FindingRecord, LogEntry
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.evidence import (
    AttributionRow,
    CheckRow,
    ConfinementRow,
    LedgerHead,
    Salvage,
    SalvageSearch,
)
from tools.codex.factory.domain.identity import ObjectId, WorkerId


class Order(Artifact):
    """What the integrator is told first: which run, and whose objects it may read.

    Paths stand in git's quotes where they need them, so that any byte survives.
    """

    runs_root: str
    run_id: str
    borrowed: str
    git_version: str
    plans: dict[str, str]
    """Digests of the plan's later revisions."""
    forms: tuple[str, ...]
    """The other forms in which the report is wanted."""


class Asked(Artifact):
    """What the integrator is told once it has merged: merge only these, or report.

    A report is about the merge of `salvage` where there is one, else of all. `logs` are those of
    the checks, which lie beside it already; `findings` are what only who asks could find.
    """

    kind: Literal["merge", "report"]
    workers: tuple[str, ...] = ()
    ledger: LedgerHead | None = None
    checks: tuple[CheckRow, ...] = ()
    attribution: tuple[AttributionRow, ...] = ()
    salvage: Salvage | None = None
    salvage_search: SalvageSearch = "not_asked"
    logs: tuple[LogEntry, ...] = ()
    confinement: tuple[ConfinementRow, ...] = ()
    """How the checks and the integrator itself were confined."""
    findings: tuple[FindingRecord, ...] = ()
    """What only whoever ran the checks can know: what changed outside the run."""
    changed_meanwhile: tuple[str, ...] = ()


class EventSaid(Artifact):
    """An event on its way to the ledger."""

    run_id: str
    event_type: str
    actor: str
    rc: int | None
    duration_ms: int
    parent_event_id: str
    file_counts: dict[str, int]
    hashes: dict[str, str]
    details: dict[str, str]


class Said(Artifact):
    """One line from the integrator: an event, `merged`, `reported`, or why it cannot go on."""

    kind: Literal["event", "merged", "reported", "error"]
    event: EventSaid | None = None
    tree: str | None = None
    commit: str | None = None
    workers: tuple[str, ...] = ()
    message: str = ""
    hint: str = ""
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class MergedSaid:
    """What the integrator merged and proved: the tree (None: nothing), its commit, whose work."""

    tree: ObjectId | None
    commit: ObjectId | None
    workers: tuple[WorkerId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What running the checks came to."""

    checks: tuple[CheckRow, ...] = ()
    attribution: tuple[AttributionRow, ...] = ()
    salvage: Salvage | None = None
    salvage_search: SalvageSearch = "not_asked"
    logs: tuple[LogEntry, ...] = ()
    confinement: tuple[ConfinementRow, ...] = ()
    findings: tuple[FindingRecord, ...] = ()
    changed_meanwhile: tuple[str, ...] = ()


Ask = Callable[[tuple[WorkerId, ...]], MergedSaid]
"""Lets the integrator merge only some of the bundles."""


Examine = Callable[[MergedSaid, Ask], Examined]


def merge_heard(said: Said) -> MergedSaid:
    """Return the merge that was said."""
    return MergedSaid(
        ObjectId(said.tree) if said.tree is not None else None,
        ObjectId(said.commit) if said.commit is not None else None,
        tuple(WorkerId(worker) for worker in said.workers),
    )


def event_said(event: Event) -> Said:
    """Return an event as it is said."""
    return Said(kind="event", event=EventSaid.model_validate(asdict(event)))


def event_heard(said: EventSaid) -> Event:
    """Return the event that was said."""
    return Event(
        run_id=said.run_id,
        event_type=EventType(said.event_type),
        actor=said.actor,
        rc=said.rc,
        duration_ms=said.duration_ms,
        parent_event_id=said.parent_event_id,
        file_counts=said.file_counts,
        hashes=said.hashes,
        details=said.details,
    )
