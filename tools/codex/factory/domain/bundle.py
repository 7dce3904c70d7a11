"""Sealed bytes become a Bundle, or findings that say why they are none."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from tools.codex.factory.domain.artifact import (
    WORKER_ARTIFACTS,
    Artifact,
    FilesChanged,
    HandoffNote,
    LogIndex,
    NotStrictJson,
    PathChange,
    ScopeLock,
    WorkerStatus,
    parse,
    strict_json,
    what_is_wrong,
)
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.finding import Code, Finding, blocking, note
from tools.codex.factory.domain.identity import Digest, RunId, WorkerId
from tools.codex.factory.domain.patch import Patch, PatchLimits, PatchRefused, scan
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.tree import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class RawBundle:
    """A worker's sealed bytes, and what was found while they were read.

    `artifacts` maps a name to its bytes; `logs` maps every other file to its digest and size.
    """

    worker: WorkerId
    artifacts: Mapping[str, bytes]
    logs: Mapping[str, tuple[Digest, int]]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle whose every artifact was read. Whether its claims hold is judged elsewhere."""

    worker: WorkerId
    patch: Patch
    scope_lock: ScopeLock
    files_changed: FilesChanged
    status: WorkerStatus
    handoff: HandoffNote


@dataclass(frozen=True, slots=True)
class Read:
    """What became of a RawBundle: a bundle where all of it could be read, and findings."""

    bundle: Bundle | None
    findings: tuple[Finding, ...]


_MODELS: dict[str, type[Artifact]] = {
    "FILES_CHANGED.json": FilesChanged,
    "HANDOFF_NOTE.json": HandoffNote,
    "LOGS/INDEX.json": LogIndex,
    "SCOPE_LOCK.json": ScopeLock,
    "STATUS.json": WorkerStatus,
}


def read(raw: RawBundle, *, run: RunId, limits: PatchLimits, made_elsewhere: bool) -> Read:
    """Return the bundle in `raw`, its identity checked; a finding for each artifact that fails.

    What was made elsewhere is held to the published JSON Schemas as well.
    """
    findings = list(raw.findings)
    documents: dict[str, Artifact] = {}
    for name in WORKER_ARTIFACTS:
        content = raw.artifacts.get(name)
        if content is None:
            findings.append(_missing(raw, name))
        elif name in _MODELS:
            try:
                documents[name] = _document(_MODELS[name], content, made_elsewhere)
            except _Unread as error:
                findings.append(_schema(raw.worker, name, str(error)))
    findings += _identity_findings(raw.worker, run, documents)
    patch, said = _patch(raw, limits)
    findings += said
    if "LOGS/INDEX.json" in documents:
        findings += _log_findings(raw, documents["LOGS/INDEX.json"])
    if patch is None or len(documents) < len(_MODELS):
        return Read(None, tuple(findings))
    return Read(_bundle(raw.worker, patch, documents), tuple(findings))


def claim_findings(bundle: Bundle, changes: tuple[Change, ...]) -> list[Finding]:
    """Return a finding for each claim of the bundle that its own patch contradicts."""
    return [
        *_files_changed_findings(bundle, changes),
        *_status_findings(bundle),
        *_handoff_findings(bundle, changes),
    ]


def path_change(change: Change, owner: str) -> PathChange:
    """Return a change as FILES_CHANGED.json says it."""
    return PathChange.model_construct(
        path=quoted(change.path),
        change_type=change.change_type,
        old_mode=_mode(change.old),
        new_mode=_mode(change.new),
        old_id=change.old.id if change.old else None,
        new_id=change.new.id if change.new else None,
        sha256=change.sha256,
        size=len(change.content) if change.content is not None else None,
        binary=change.binary,
        insertions=change.insertions,
        deletions=change.deletions,
        owner=owner,
    )


class _Unread(ValueError):
    pass


def _document(model: type[Artifact], content: bytes, made_elsewhere: bool) -> Artifact:
    try:
        if made_elsewhere:
            _hold_to_schema(model, content)
        return parse(model, content)
    except ValidationError as error:
        raise _Unread(what_is_wrong(error)) from error
    except (NotStrictJson, RecursionError) as error:
        raise _Unread(str(error)) from error


def _hold_to_schema(model: type[Artifact], content: bytes) -> None:
    # Most bundles are the factory's own, and the import costs more than judging ten of them.
    import jsonschema

    try:
        jsonschema.validate(strict_json(content), model.model_json_schema())
    except jsonschema.ValidationError as error:
        where = ".".join(str(part) for part in error.absolute_path) or "document"
        raise _Unread(f"{where}: {error.message[:200]}") from error


def _bundle(worker: WorkerId, patch: Patch, documents: Mapping[str, Artifact]) -> Bundle:
    lock, files = documents["SCOPE_LOCK.json"], documents["FILES_CHANGED.json"]
    status, handoff = documents["STATUS.json"], documents["HANDOFF_NOTE.json"]
    assert isinstance(lock, ScopeLock) and isinstance(files, FilesChanged)
    assert isinstance(status, WorkerStatus) and isinstance(handoff, HandoffNote)
    return Bundle(
        worker=worker,
        patch=patch,
        scope_lock=lock,
        files_changed=files,
        status=status,
        handoff=handoff,
    )


def _patch(raw: RawBundle, limits: PatchLimits) -> tuple[Patch | None, list[Finding]]:
    content = raw.artifacts.get("DIFF.patch")
    if content is None:
        return None, []
    try:
        return scan(content, limits), []
    except PatchRefused as refused:
        return None, [
            blocking(
                Code.PATCH_GRAMMAR,
                f"{raw.worker}: DIFF.patch",
                str(refused),
                "make the patch with `git diff --binary --full-index`, and add nothing to it",
            )
        ]


def _identity_findings(
    worker: WorkerId, run: RunId, documents: Mapping[str, Artifact]
) -> list[Finding]:
    found = []
    for name, document in documents.items():
        said = (getattr(document, "run_id", None), getattr(document, "worker_id", None))
        if said != (run, worker):
            found.append(
                blocking(
                    Code.IDENTITY,
                    f"{worker}: {name}",
                    f"it names run {said[0]!r} and worker {said[1]!r}, not {run!r} and {worker!r}",
                    "hand in the bundle made for this run, or only its DIFF.patch as a `patch`",
                )
            )
    return found


def _log_findings(raw: RawBundle, index: Artifact) -> list[Finding]:
    assert isinstance(index, LogIndex)
    said = {log.path: (log.sha256, log.size) for log in index.logs}
    found = {quoted(path): held for path, held in raw.logs.items()}
    return [
        blocking(
            Code.LOG_DISAGREES,
            f"{raw.worker}: {path}",
            "LOGS/INDEX.json and the log itself disagree",
            "hand in every log that the index names, and no other",
        )
        for path in sorted(said.keys() | found.keys())
        if said.get(path) != found.get(path)
    ]


def _files_changed_findings(bundle: Bundle, changes: tuple[Change, ...]) -> list[Finding]:
    said = bundle.files_changed
    found: list[Finding] = []
    want = {change.path: path_change(change, bundle.worker) for change in changes}
    by_text = {row.path: row for row in want.values()}
    have = {row.path: row for row in said.changes}
    for path in sorted(by_text.keys() | have.keys()):
        if by_text.get(path) != have.get(path):
            found.append(_disagrees(bundle.worker, path, by_text.get(path), have.get(path)))
    if len(have) != len(said.changes) or said.noop != (not changes):
        message = "a path stands twice" if len(have) != len(said.changes) else "`noop` is not so"
        found.append(
            blocking(
                Code.DIFF_DISAGREES,
                f"{bundle.worker}: FILES_CHANGED.json",
                message,
                "write it from the patch",
            )
        )
    return found


def _disagrees(
    worker: WorkerId, path: str, want: PathChange | None, have: PathChange | None
) -> Finding:
    if have is None:
        message = "DIFF.patch changes it, FILES_CHANGED.json does not name it"
    elif want is None:
        message = "FILES_CHANGED.json names it, DIFF.patch does not change it"
    else:
        fields = [n for n in PathChange.model_fields if getattr(want, n) != getattr(have, n)]
        message = "; ".join(
            f"{n} is {getattr(want, n)!r}, FILES_CHANGED.json says {getattr(have, n)!r}"
            for n in fields
        )
    return blocking(
        Code.DIFF_DISAGREES, f"{worker}: {path}", message, "write FILES_CHANGED.json from the patch"
    )


def _status_findings(bundle: Bundle) -> list[Finding]:
    status = bundle.status
    if status.status == "PASS" and not any(f.severity == "blocks" for f in status.findings):
        return []
    said = "; ".join(f"{f.code}: {f.message}" for f in status.findings if f.severity == "blocks")
    return [
        blocking(
            Code.WORKER_ENDED_BADLY,
            f"{bundle.worker}: STATUS.json",
            f"the worker ended {status.status} ({status.ended.how}){': ' + said if said else ''}",
            "mend what the worker says, and run it again",
        )
    ]


def _handoff_findings(bundle: Bundle, changes: tuple[Change, ...]) -> list[Finding]:
    handoff, worker = bundle.handoff, bundle.worker
    changed = {quoted(change.path) for change in changes}
    declared = set(handoff.declared_paths)
    subject = f"{worker}: HANDOFF_NOTE.json"
    hint = "correct the note, or the work"
    found = [
        blocking(
            Code.HANDOFF_CONTRADICTS,
            subject,
            f"it declares {path!r}, which DIFF.patch does not change",
            hint,
        )
        for path in sorted(declared - changed)
    ]
    if handoff.no_change is not None and changed:
        message = f"it says that nothing was changed, but DIFF.patch changes {len(changed)} paths"
        found.append(blocking(Code.HANDOFF_CONTRADICTS, subject, message, hint))
    if declared:
        found += [
            note(Code.UNDECLARED_PATH, f"{worker}: {path}", "changed, but not declared in the note")
            for path in sorted(changed - declared)
        ]
    if not changed:
        reason = handoff.no_change or bundle.files_changed.noop_reason
        said = f": {reason}" if reason else ""
        found.append(note(Code.NO_CHANGE, f"{worker}: DIFF.patch", f"nothing was changed{said}"))
    return found


def _missing(raw: RawBundle, name: str) -> Finding:
    return blocking(
        Code.ARTIFACT_MISSING,
        f"{raw.worker}: {name}",
        "the artifact is missing from the bundle",
        "hand in all eight artifacts",
    )


def _schema(worker: WorkerId, name: str, message: str) -> Finding:
    return blocking(
        Code.SCHEMA, f"{worker}: {name}", message, "schemas/ holds the contract of each artifact"
    )


def _mode(entry: Entry | None) -> str | None:
    return entry.mode if entry is not None else None
