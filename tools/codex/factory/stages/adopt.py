"""The eight artifacts of work that was made elsewhere: what the factory knows, and no more."""

from collections.abc import Callable
from datetime import datetime

from tools.codex.factory.domain.artifact import (
    Ending,
    FilesChanged,
    HandoffNote,
    LogIndex,
    WorkerStatus,
)
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.claim import path_change
from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.finding import Finding
from tools.codex.factory.domain.identity import ObjectId, RunId
from tools.codex.factory.domain.plan import WorkerEntry, scope_lock
from tools.codex.factory.domain.result import records
from tools.codex.factory.render.documents import suggestions_text, summary_text


def bundle_files(
    run: RunId,
    entry: WorkerEntry,
    patch: bytes,
    changes: tuple[Change, ...],
    *,
    base_commit: ObjectId,
    tree: ObjectId | None,
    findings: tuple[Finding, ...],
    times: tuple[datetime, datetime],
    stamp: Callable[[datetime], str],
) -> dict[str, bytes]:
    """Return the bundle of a source that makes `tree`, or none, for the reasons in `findings`."""
    named = {"schema_version": 1, "run_id": run, "worker_id": entry.id}
    status = WorkerStatus.model_validate(
        {
            **named,
            "status": "PASS" if tree is not None else "BLOCKED",
            "started_at": stamp(times[0]),
            "ended_at": stamp(times[1]),
            "duration_ms": int((times[1] - times[0]).total_seconds() * 1000),
            "ended": Ending(how="adopted", exit_code=None, signal=None),
            "attempts": 1,
            "base_commit": base_commit,
            "captured_tree": tree,
            "findings": records(findings),
            "usage": {},
        }
    )
    files_changed = FilesChanged.model_validate(
        {
            **named,
            "changes": tuple(path_change(change, entry.id) for change in changes),
            "noop": not changes,
            "noop_reason": None if changes else _noop_reason(findings, entry),
        }
    )
    handoff = HandoffNote.model_validate(
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
    return {
        "DIFF.patch": patch,
        "FILES_CHANGED.json": canonical(files_changed),
        "HANDOFF_NOTE.json": canonical(handoff),
        "LOGS/INDEX.json": canonical(LogIndex.model_validate({**named, "logs": ()})),
        "SCOPE_LOCK.json": canonical(scope_lock(entry, run)),
        "STATUS.json": canonical(status),
        "SUGGESTIONS.md": suggestions_text(entry.id).encode(),
        "SUMMARY.md": summary_text(entry.id, entry.source, changes).encode(),
    }


def _noop_reason(findings: tuple[Finding, ...], entry: WorkerEntry) -> str:
    return "the source cannot be adopted" if findings else f"the {entry.source} changes nothing"
