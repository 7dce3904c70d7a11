"""Sealed bytes become a Bundle, or findings that say why they are none."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from tools.codex.factory.domain.artifact import (
    WORKER_ARTIFACTS,
    Artifact,
    FilesChanged,
    HandoffNote,
    LogIndex,
    ScopeLock,
    WorkerStatus,
)
from tools.codex.factory.domain.document import (
    NotStrictJson,
    parse,
    place_of,
    strict_json,
    what_is_wrong,
)
from tools.codex.factory.domain.finding import Code, Finding, blocking, capped
from tools.codex.factory.domain.identity import Digest, RunId, WorkerId
from tools.codex.factory.domain.patch import Patch, scan
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.reader import PatchLimits, PatchRefused


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
            findings += [] if _was_said(raw, name) else [_missing(raw, name)]
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


# Three bytes of text may be eighty of memory. What a patch of 100,000 files needs is below both.
_MOST_ROW_VALUES = 5_000_000
_MOST_VALUES = 500_000


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

    values = sum(content.count(mark) for mark in (b",", b"[", b"{"))
    most = _MOST_ROW_VALUES if model is FilesChanged else _MOST_VALUES
    if values > most:
        raise _Unread(f"document: {values} values, more than the {most} allowed")
    judge = jsonschema.Draft202012Validator(model.model_json_schema())
    # To find them all takes minutes where a megabyte of rows is wrong; one is enough.
    error = next(judge.iter_errors(strict_json(content)), None)
    if error is not None:
        raise _Unread(f"{place_of(error.absolute_path)}: {error.message[:200]}")


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
    times = Counter(log.path for log in index.logs)
    disagree = [
        blocking(
            Code.LOG_DISAGREES,
            f"{raw.worker}: {path}",
            "LOGS/INDEX.json and the log itself disagree"
            if times[path] < 2
            else f"LOGS/INDEX.json names it {times[path]} times",
            "hand in every log that the index names, and no other; name each once",
        )
        for path in sorted(said.keys() | found.keys())
        if said.get(path) != found.get(path) or times[path] > 1
    ]
    return capped(disagree, f"{raw.worker}: LOGS/INDEX.json")


def _was_said(raw: RawBundle, name: str) -> bool:
    """Return whether a finding of the seal says why an artifact cannot be read."""
    return any(one.subject.endswith(f"{raw.worker}/{name}") for one in raw.findings)


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
