"""What can happen in a run, and what it adds up to."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from tools.codex.factory.domain.artifact import Artifact, Count, DigestText
from tools.codex.factory.domain.identity import Digest, digest_of
from tools.codex.factory.domain.line import Line

FIRST_PREV = Digest("0" * 64)
PRUNED = "PRUNED"
"""The status of a run whose folder was removed on purpose."""
_TS = "%Y-%m-%dT%H:%M:%S.%fZ"


class EventType(StrEnum):
    """Every kind of event."""

    RUN_START = "RUN_START"
    RUN_CONTINUED = "RUN_CONTINUED"
    SANDBOX_WEAKER = "SANDBOX_WEAKER"
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
    REPOSITORY_CHANGED = "REPOSITORY_CHANGED"


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
    kind = event.event_type.value
    line = LedgerLine(
        schema_version=1,
        seq=seq,
        ts_utc=stamp,
        run_id=event.run_id,
        event_type=kind,
        actor=event.actor,
        event_id=event_id_of(prev, seq, stamp, event.run_id, kind, event.actor),
        parent_event_id=event.parent_event_id,
        duration_ms=event.duration_ms,
        file_counts=dict(event.file_counts),
        hashes=_textual(event.hashes),
        rc=event.rc,
        details=_textual(event.details),
        prev=prev,
    )
    return line, text_of(line).encode("ascii") + b"\n"


def event_id_of(prev: str, seq: int, stamp: str, run: str, kind: str, actor: str) -> str:
    """Return the id of an event: it names its place in the chain, when, whose, what and who."""
    return digest_of(f"{prev} {seq} {stamp} {run} {kind} {actor}".encode())[:16]


def has_its_id(line: LedgerLine) -> bool:
    """Return whether the id of a line is the one of what it says."""
    said = (line.prev, line.seq, line.ts_utc, line.run_id, line.event_type, line.actor)
    return line.event_id == event_id_of(*said)


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


def replay(lines: Iterable[Line]) -> dict[str, RunView]:
    """Return what the events of each run add up to, in the order in which runs began."""
    sums: dict[str, _Sum] = {}
    for line in lines:
        run = line.run_id
        if run:
            so_far = sums.get(run)
            if so_far is None:
                sums[run] = so_far = _Sum(run, line.ts_utc)
            so_far.take(line)
    return {run: found.view() for run, found in sums.items()}


class _Sum:
    """What a run's events add up to so far: a RunView that takes another event."""

    def __init__(self, run: str, started: str) -> None:
        self._run = run
        self._begin(started)
        self._events = 0

    def _begin(self, started: str) -> None:
        """Be the sum of a run that begins now."""
        self._status = "PENDING"
        self._started = self._last = started
        self._ended: int | None = None
        self._events = 1
        self._status_digest = ""
        self._seals: dict[str, str] = {}
        self._begun: Mapping[str, str] = {}
        self._published: dict[str, str] = {}
        self._workers: frozenset[str] = frozenset()
        self._amended: dict[str, str] = {}
        self._earlier: dict[str, str] = {}
        self._end: tuple[str, int | None] | None = None

    def view(self) -> RunView:
        """Return the sum."""
        return RunView(
            run_id=self._run,
            status=self._status,
            started=self._started,
            last=self._last,
            ended=self._ended,
            events=self._events,
            status_digest=self._status_digest,
            seals=self._seals,
            begun=self._begun,
            published=self._published,
            published_workers=self._workers,
            amended=self._amended,
            earlier=self._earlier,
            end=self._end,
        )

    def take(self, line: Line) -> None:
        """Add an event."""
        self._last = line.ts_utc
        self._events += 1
        match line.event_type:
            case EventType.RUN_START:
                if self._begun or self._status == PRUNED:
                    # The name was used again: nothing of the run that is gone counts for this one.
                    self._begin(line.ts_utc)
                self._begun = line.hashes
            case EventType.RUN_PRUNED:
                self._status = PRUNED
            case EventType.INTEGRATE_START:
                self._status, self._ended = "PENDING", None
                self._status_digest, self._end = "", None
            case EventType.RUN_AMENDED:
                # What it came to before no longer stands, and a person is to go on.
                self._amended.update(line.hashes)
                self._status, self._ended = "WAITING", line.rc
            case EventType.RUN_REOPENED:
                # The bundles that it came to its end with are those of earlier attempts now.
                for worker in line.details.get("of", "").split(","):
                    self._seals.pop(worker, None)
                self._status, self._ended = "PENDING", None
            case EventType.ATTEMPT_KEPT if "SEAL.json" in line.hashes:
                folder = f"{line.actor}/attempts/{line.details.get('attempt', '')}"
                for name, digest in line.hashes.items():
                    self._earlier[f"{folder}/{name}"] = digest
            case EventType.BUNDLE_SEALED:
                self._seals[line.actor] = line.hashes.get("seal", "")
            case EventType.LAUNCH_END if line.details.get("status") == "WAITING":
                self._status, self._ended = "WAITING", line.rc
            case EventType.RUN_CONTINUED if self._status in ("WAITING", "FAIL"):
                self._status, self._ended = "PENDING", None
            case EventType.PUBLISHED:
                said = line.details
                self._published[said.get("branch", "")] = line.hashes.get("commit", "")
                self._workers |= frozenset(said.get("workers", "").split(",")) - {""}
            case EventType.RUN_END:
                self._status, self._ended = line.details.get("status", "FAIL"), line.rc
                self._end = (self._status, line.rc)
                self._status_digest = line.hashes.get("STATUS.json", "")
