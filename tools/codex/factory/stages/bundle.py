"""The eight artifacts of one worker's work, wherever it was made; what its patch comes to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tools.codex.factory.domain.artifact import (
    Ending,
    FilesChanged,
    HandoffNote,
    LogEntry,
    LogIndex,
    WorkerStatus,
)
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.claim import path_change
from tools.codex.factory.domain.confined import Confined
from tools.codex.factory.domain.confinement_row import confinement_record
from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.finding import Code, Finding, blocking
from tools.codex.factory.domain.identity import ObjectId, RunId, WorkerId, digest_of
from tools.codex.factory.domain.patch import Patch, scan
from tools.codex.factory.domain.plan import Plan, WorkerEntry, scope_lock
from tools.codex.factory.domain.proof import Proven, prove, touched_paths, wanted_blobs
from tools.codex.factory.domain.reader import PatchRefused
from tools.codex.factory.domain.result import records
from tools.codex.factory.domain.tree import around
from tools.codex.factory.render.documents import suggestions_text, summary_text
from tools.codex.factory.repository.discovery import Base
from tools.codex.factory.repository.objects import Objects

ADOPTED = Ending(how="adopted", exit_code=None, signal=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a worker made: its patch, the tree that it leads to (None: to none, see `findings`).

    `texts` are what it left for people, by artifact; `logs` maps a path in the bundle to its role,
    whether it was cut, and its bytes.
    """

    patch: bytes
    changes: tuple[Change, ...]
    tree: ObjectId | None
    findings: tuple[Finding, ...]
    times: tuple[datetime, datetime]
    ended: Ending = ADOPTED
    attempts: int = 1
    confined: Confined | None = None
    texts: Mapping[str, bytes] = field(default_factory=dict)
    logs: Mapping[str, tuple[str, bool, bytes]] = field(default_factory=dict)


def bundle_files(
    run: RunId,
    entry: WorkerEntry,
    made: Made,
    *,
    base_commit: ObjectId,
    stamp: Callable[[datetime], str],
) -> dict[str, bytes]:
    """Return the files of a bundle, logs included."""
    named = {"schema_version": 1, "run_id": run, "worker_id": entry.id}
    files_changed = FilesChanged.model_validate(
        {
            **named,
            "changes": tuple(path_change(change, entry.id) for change in made.changes),
            "noop": not made.changes,
            "noop_reason": None if made.changes else _noop_reason(made, entry),
        }
    )
    return {
        "DIFF.patch": made.patch,
        "FILES_CHANGED.json": canonical(files_changed),
        "HANDOFF_NOTE.json": canonical(_empty_handoff(named)),
        "SCOPE_LOCK.json": canonical(scope_lock(entry, run)),
        "STATUS.json": canonical(_status(named, made, base_commit, stamp)),
        "SUGGESTIONS.md": suggestions_text(entry.id).encode(),
        "SUMMARY.md": summary_text(entry.id, entry.source, made.changes).encode(),
        **made.texts,
        "LOGS/INDEX.json": canonical(_log_index(named, made)),
        **{path: content for path, (_, _, content) in made.logs.items()},
    }


def proven_on(
    contents: Mapping[WorkerId, bytes], plan: Plan, base: Base, objects: Objects
) -> dict[WorkerId, Proven]:
    """Return each patch proven on the base, whose trees and blobs are read once for all."""
    limits = plan.policy.limits()
    found: dict[WorkerId, Proven] = {}
    patches: dict[WorkerId, Patch] = {}
    for worker, content in contents.items():
        try:
            patches[worker] = scan(content, limits)
        except PatchRefused as refused:
            finding = blocking(Code.PATCH_GRAMMAR, f"{worker}: DIFF.patch", str(refused))
            found[worker] = Proven((), (finding,))
    wanted = {path for patch in patches.values() for path in touched_paths(patch)}
    tree = around(base.tree, wanted, objects.tree)
    ids = {oid for patch in patches.values() for oid in wanted_blobs(patch, tree)}
    blobs = objects.blobs(ids, limit=limits.file_bytes)
    for worker, patch in patches.items():
        found[worker] = prove(patch, tree, blobs, worker=worker, limits=limits)
    return found


def _status(
    named: Mapping[str, object],
    made: Made,
    base_commit: ObjectId,
    stamp: Callable[[datetime], str],
) -> WorkerStatus:
    ended = made.ended
    well = ended.how in ("adopted", "collected") or (ended.how, ended.exit_code) == ("exited", 0)
    blocked = any(finding.blocks for finding in made.findings)
    return WorkerStatus.model_validate(
        {
            **named,
            "status": "PASS" if made.tree is not None and well and not blocked else "BLOCKED",
            "started_at": stamp(made.times[0]),
            "ended_at": stamp(made.times[1]),
            "duration_ms": int((made.times[1] - made.times[0]).total_seconds() * 1000),
            "ended": ended,
            "attempts": made.attempts,
            "base_commit": base_commit,
            "captured_tree": made.tree,
            "findings": records(made.findings),
            "usage": {},
            "confinement": confinement_record(made.confined) if made.confined else None,
        }
    )


def _empty_handoff(named: Mapping[str, object]) -> HandoffNote:
    return HandoffNote.model_validate(
        {
            **named,
            "summary": "",
            "declared_paths": (),
            "scope_requests": (),
            "risks": (),
            "follow_ups": (),
            "no_change": None,
        }
    )


def _log_index(named: Mapping[str, object], made: Made) -> LogIndex:
    entries = tuple(
        LogEntry(
            path=path,
            sha256=digest_of(content),
            size=len(content),
            role=role,
            truncated=truncated,
        )
        for path, (role, truncated, content) in sorted(made.logs.items())
    )
    return LogIndex.model_validate({**named, "logs": entries})


def _noop_reason(made: Made, entry: WorkerEntry) -> str:
    if made.ended.how == "not_started":
        return "it was not started"
    if made.tree is None:
        return "nothing of it can be used"
    return f"the {entry.source} changes nothing"
