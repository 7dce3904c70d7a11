"""What can happen in a run, and what it adds up to."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from tools.codex.factory.domain.artifact import Artifact, Count, DigestText
from tools.codex.factory.domain.identity import Digest, digest_of

FIRST_PREV = Digest("0" * 64)
PRUNED = "PRUNED"
"""The status of a run whose folder was removed on purpose."""
_TS = "%Y-%m-%dT%H:%M:%S.%fZ"


class EventType(StrEnum):
    """Every kind of event."""

    RUN_START = "RUN_START"
    RUN_CONTINUED = "RUN_CONTINUED"
    CHECKOUT_MADE = "CHECKOUT_MADE"
    SETUP_STARTED = "SETUP_STARTED"
    WORKER_STARTED = "WORKER_STARTED"
    WORKER_ACTIVE = "WORKER_ACTIVE"
    WORKER_ENDED = "WORKER_ENDED"
    ATTEMPT_KEPT = "ATTEMPT_KEPT"
    CHECKOUT_KEPT = "CHECKOUT_KEPT"
    WORKER_WAITING = "WORKER_WAITING"
    BUNDLE_SEALED = "BUNDLE_SEALED"
    LAUNCH_END = "LAUNCH_END"
    BUNDLE_VALIDATED = "BUNDLE_VALIDATED"
    VALIDATE_END = "VALIDATE_END"
    INTEGRATE_START = "INTEGRATE_START"
    SCOPE_CHECK = "SCOPE_CHECK"
    OVERLAP_CHECK = "OVERLAP_CHECK"
    MERGED = "MERGED"
    PROVED = "PROVED"
    CHECK_STARTED = "CHECK_STARTED"
    CHECK_ENDED = "CHECK_ENDED"
    CHECKED = "CHECKED"
    REPORT_WRITTEN = "REPORT_WRITTEN"
    RUN_END = "RUN_END"
    RUN_AMENDED = "RUN_AMENDED"
    RUN_REOPENED = "RUN_REOPENED"
    PUBLISHED = "PUBLISHED"
    RUN_PRUNED = "RUN_PRUNED"
    LEDGER_REPAIRED = "LEDGER_REPAIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened. `rc` is the exit code that the command would end with, if any."""

    run_id: str
    event_type: EventType
    actor: str
    rc: int | None = None
    duration_ms: int = 0
    parent_event_id: str = ""
    file_counts: Mapping[str, int] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)


class LedgerLine(Artifact):
    """One line of the ledger: an event, its place in the chain, and the line before it."""

    schema_version: Literal[1]
    seq: Count
    ts_utc: str
    run_id: str
    event_type: str
    actor: str
    event_id: str
    parent_event_id: str
    duration_ms: Count
    file_counts: dict[str, int]
    hashes: dict[str, str]
    rc: int | None
    details: dict[str, str]
    prev: DigestText
    """sha256 of the line before, without its newline; zeros before the first."""


@dataclass(frozen=True, slots=True)
class RunView:
    """The sum of a run's events. `ended` is the exit code of its last end, None while open."""

    run_id: str
    status: str
    started: str
    last: str
    ended: int | None
    events: int
    status_digest: str
    seals: Mapping[str, str]
    begun: Mapping[str, str]
    """Digests of manifest and plan, as recorded when the run began."""
    published: Mapping[str, str]
    """Branches that were made of it, each with the commit that it was given."""
    published_workers: frozenset[str]
    """Whose work is wholly in one of them."""
    amended: Mapping[str, str]
    """Digests of the plan's later revisions and their scope locks."""
    earlier: Mapping[str, str]
    """Digests of what marks each sealed bundle that gave way to a new attempt, by file."""
    end: tuple[str, int | None] | None
    """Status and exit code of the last integration; an amendment leaves it as it is."""


def line_of(event: Event, *, seq: int, at: datetime, prev: Digest) -> tuple[LedgerLine, bytes]:
    """Return the ledger line of an event, and its bytes with the newline."""
    stamp = at.strftime(_TS)
    identity = f"{prev} {seq} {stamp} {event.run_id} {event.event_type} {event.actor}"
    line = LedgerLine(
        schema_version=1,
        seq=seq,
        ts_utc=stamp,
        run_id=event.run_id,
        event_type=event.event_type.value,
        actor=event.actor,
        event_id=digest_of(identity.encode())[:16],
        parent_event_id=event.parent_event_id,
        duration_ms=event.duration_ms,
        file_counts=dict(event.file_counts),
        hashes=_textual(event.hashes),
        rc=event.rc,
        details=_textual(event.details),
        prev=prev,
    )
    return line, text_of(line).encode("ascii") + b"\n"


def text_of(line: LedgerLine) -> str:
    """Return a line as the ledger holds it, without its newline."""
    return json.dumps(line.model_dump(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _textual(said: Mapping[str, str]) -> dict[str, str]:
    """Return what an event says as text that JSON can hold: bytes that are none are escaped."""
    return {
        name: value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        for name, value in said.items()
    }


def next_moment(now: datetime, last: str | None) -> datetime:
    """Return `now`, or one microsecond after `last` where the clock has not passed it."""
    if last is None:
        return now
    after = datetime.strptime(last, _TS).replace(tzinfo=now.tzinfo) + timedelta(microseconds=1)
    return max(now, after)


def replay(lines: Iterable[LedgerLine]) -> dict[str, RunView]:
    """Return what the events of each run add up to, in the order in which runs began."""
    views: dict[str, RunView] = {}
    for line in lines:
        if line.run_id:
            before = views.get(line.run_id) or _unbegun(line)
            views[line.run_id] = _after(before, line)
    return views


def _unbegun(line: LedgerLine) -> RunView:
    return RunView(
        run_id=line.run_id,
        status="PENDING",
        started=line.ts_utc,
        last=line.ts_utc,
        ended=None,
        events=0,
        status_digest="",
        seals={},
        begun={},
        published={},
        published_workers=frozenset(),
        amended={},
        earlier={},
        end=None,
    )


def _after(view: RunView, line: LedgerLine) -> RunView:
    view = replace(view, last=line.ts_utc, events=view.events + 1)
    match line.event_type:
        case EventType.RUN_START if view.begun or view.status == PRUNED:
            # The name was used again: nothing of the run that is gone counts for this one.
            return replace(_unbegun(line), events=1, begun=line.hashes)
        case EventType.RUN_START:
            return replace(view, begun=line.hashes)
        case EventType.RUN_PRUNED:
            return replace(view, status=PRUNED)
        case EventType.INTEGRATE_START:
            return replace(view, status="PENDING", ended=None, status_digest="", end=None)
        case EventType.RUN_AMENDED:
            # What it came to before no longer stands, and a person is to go on.
            amended = {**view.amended, **line.hashes}
            return replace(view, status="WAITING", ended=line.rc, amended=amended)
        case EventType.RUN_REOPENED:
            # The bundles that it came to its end with are those of earlier attempts now.
            open_again = line.details.get("of", "").split(",")
            seals = {w: seal for w, seal in view.seals.items() if w not in open_again}
            return replace(view, status="PENDING", ended=None, seals=seals)
        case EventType.ATTEMPT_KEPT if "SEAL.json" in line.hashes:
            folder = f"{line.actor}/attempts/{line.details.get('attempt', '')}"
            kept = {f"{folder}/{name}": digest for name, digest in line.hashes.items()}
            return replace(view, earlier={**view.earlier, **kept})
        case EventType.BUNDLE_SEALED:
            worker, seal = line.actor, line.hashes.get("seal", "")
            return replace(view, seals={**view.seals, worker: seal})
        case EventType.LAUNCH_END if line.details.get("status") == "WAITING":
            return replace(view, status="WAITING", ended=line.rc)
        case EventType.RUN_CONTINUED if view.status in ("WAITING", "FAIL"):
            return replace(view, status="PENDING", ended=None)
        case EventType.PUBLISHED:
            branch = line.details.get("branch", "")
            workers = frozenset(line.details.get("workers", "").split(",")) - {""}
            return replace(
                view,
                published={**view.published, branch: line.hashes.get("commit", "")},
                published_workers=view.published_workers | workers,
            )
        case EventType.RUN_END:
            status = line.details.get("status", "FAIL")
            return replace(
                view,
                status=status,
                ended=line.rc,
                end=(status, line.rc),
                status_digest=line.hashes.get("STATUS.json", ""),
            )
        case _:
            return view
