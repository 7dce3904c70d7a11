"""The JSON documents of a run: their models, and the one way they become bytes and come back."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, FailFast, Field

from tools.codex.factory.domain.confinement import Demand, Tier
from tools.codex.factory.domain.finding import Code, Finding, Severity
from tools.codex.factory.domain.identity import digest, object_id, run_id, worker_id
from tools.codex.factory.domain.path import repo_path, unquoted
from tools.codex.factory.domain.trespass import MOST_KEPT, Operation

WORKER_ARTIFACTS = (
    "DIFF.patch",
    "FILES_CHANGED.json",
    "HANDOFF_NOTE.json",
    "LOGS/INDEX.json",
    "SCOPE_LOCK.json",
    "STATUS.json",
    "SUGGESTIONS.md",
    "SUMMARY.md",
)
INTEGRATOR_ARTIFACTS = (
    "DIFF.patch",
    "FILES_CHANGED.json",
    "FINAL_REPORT.txt",
    "LOGS/INDEX.json",
    "MERGE_PLAN.md",
    "OVERLAP.json",
    "STATUS.json",
)
RENDITIONS = {
    "junit": "CHECKS.junit.xml",
    "markdown": "FINAL_REPORT.md",
    "sarif": "FINDINGS.sarif",
}
"""Artifacts of the integrator that are written only where a setting asks for them."""


def _path_text(text: str) -> str:
    repo_path(unquoted(text))
    return text


def _any_worker(text: str) -> str:
    return text if text == "Z_integrator" else worker_id(text)


def _host_path_text(text: str) -> str:
    # Its begin may have been a secret.
    if not unquoted(text).startswith(("/", "[factory: ")):
        raise ValueError("it is no absolute path")
    return text


RunIdText = Annotated[str, AfterValidator(run_id)]
WorkerIdText = Annotated[str, AfterValidator(_any_worker)]
ObjectIdText = Annotated[str, AfterValidator(object_id), Field(pattern="^[0-9a-f]{40}$")]
DigestText = Annotated[str, AfterValidator(digest), Field(pattern="^[0-9a-f]{64}$")]
PathText = Annotated[
    str,
    AfterValidator(_path_text),
    Field(
        description="A repository path; in git's C quotes where it holds control characters, "
        "quotes or bytes that are not UTF-8."
    ),
]
HostPathText = Annotated[
    str,
    AfterValidator(_host_path_text),
    Field(description="An absolute path of the host; quoted as repository paths are."),
]
ModeText = Literal["100644", "100755", "120000", "160000"]
Status = Literal["PENDING", "WAITING", "PASS", "BLOCKED", "FAIL"]
# What every reader takes for the same number; Python alone reads one of 4000 digits.
Whole = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]


class Artifact(BaseModel):
    """A document of a run: frozen, strict, without room for unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class ScopeLock(Artifact):
    """SCOPE_LOCK.json: the paths that one worker may touch, in git's pattern rules."""

    schema_version: Literal[1]
    run_id: RunIdText
    worker_id: WorkerIdText
    allow: tuple[str, ...]
    deny: tuple[str, ...]
    shared: tuple[str, ...]
    plan_entry: DigestText
    """sha256 of the worker's canonical entry in PLAN.json."""


class PathChange(Artifact):
    """What one path was and what it becomes. Sizes in bytes, of the new content."""

    path: PathText
    change_type: Literal["added", "modified", "deleted", "type_changed", "mode_changed"]
    old_mode: ModeText | None
    new_mode: ModeText | None
    old_id: ObjectIdText | None
    new_id: ObjectIdText | None
    sha256: DigestText | None
    size: Count | None
    binary: bool
    insertions: Count
    deletions: Count
    owner: str
    """The worker, or the workers of a shared file joined by ', '."""


class FilesChanged(Artifact):
    """FILES_CHANGED.json: the paths that a diff changes, sorted by path."""

    schema_version: Literal[1]
    run_id: RunIdText
    worker_id: WorkerIdText
    changes: Annotated[tuple[PathChange, ...], FailFast()]
    noop: bool
    noop_reason: str | None


class ScopeRequest(Artifact):
    """A path that a worker asks for beyond its lock."""

    path: PathText
    reason: str


class HandoffNote(Artifact):
    """HANDOFF_NOTE.json: what a worker says of its work. Nothing is decided by it."""

    schema_version: Literal[1]
    run_id: RunIdText
    worker_id: WorkerIdText
    summary: str
    declared_paths: Annotated[tuple[PathText, ...], FailFast()]
    scope_requests: Annotated[tuple[ScopeRequest, ...], FailFast()]
    risks: tuple[str, ...]
    follow_ups: tuple[str, ...]
    no_change: str | None
    """Why nothing was changed, where nothing was."""


class LogEntry(Artifact):
    """One log file. `path` is relative to the bundle; size in bytes."""

    path: PathText
    sha256: DigestText
    size: Count
    role: str
    truncated: bool
    redacted: Count = 0
    """How many secrets were taken out of it."""


class LogIndex(Artifact):
    """LOGS/INDEX.json: every log of a bundle."""

    schema_version: Literal[1]
    run_id: RunIdText
    worker_id: WorkerIdText
    logs: Annotated[tuple[LogEntry, ...], FailFast()]


class FindingRecord(Artifact):
    """A finding as artifacts and `--json` show it."""

    code: Annotated[str, AfterValidator(Code)]
    severity: Literal["note", "blocks"]
    subject: str
    message: str
    hint: str


class Ending(Artifact):
    """How a worker ended.

    `adopted` is work made elsewhere, which no process of ours did; `collected` is what a person or
    tool left in its checkout; `stopped` came of the factory's own end; `lost` is not known.
    """

    how: Literal[
        "adopted",
        "collected",
        "unreadable",
        "exited",
        "signalled",
        "timed_out",
        "idle",
        "over_quota",
        "stopped",
        "lost",
        "not_started",
    ]
    exit_code: Whole | None
    signal: Whole | None


class TrespassRecord(Artifact):
    """A write outside what a command may write, tried `count` times by a program."""

    operation: Operation
    path: HostPathText
    program: str
    count: Count


class ConfinementRecord(Artifact):
    """What kept a command to what it may write, and what it tried beyond.

    `weaker` says why the tier is weaker than the strongest, `unobserved` why attempts could not
    be seen; both are empty where that is not so. `beyond` counts attempts more than are listed,
    `caches` writes of Python's caches into read-only places, which are none.
    """

    tier: Tier
    demand: Demand
    weaker: str
    observed: bool
    unobserved: str
    trespasses: Annotated[tuple[TrespassRecord, ...], Field(max_length=MOST_KEPT)]
    beyond: Count
    caches: Count


class WorkerStatus(Artifact):
    """A worker's STATUS.json."""

    schema_version: Literal[1]
    run_id: RunIdText
    worker_id: WorkerIdText
    status: Status
    started_at: str
    ended_at: str
    duration_ms: Count
    ended: Ending
    attempts: Annotated[int, Field(ge=1, le=2**63 - 1)]
    base_commit: ObjectIdText
    captured_tree: ObjectIdText | None
    findings: Annotated[tuple[FindingRecord, ...], FailFast()]
    usage: dict[str, Whole]
    confinement: ConfinementRecord | None = None
    """None for work made elsewhere."""


class Seal(Artifact):
    """The marker beside a bundle that fixes its bytes: sha256 of each file.

    `findings` say what was handed in and could not be taken in.
    """

    schema_version: Literal[1]
    run_id: RunIdText
    worker_id: WorkerIdText
    artifacts: dict[str, DigestText]
    findings: tuple[FindingRecord, ...]


def record(finding: Finding) -> FindingRecord:
    """Return a finding as artifacts show it."""
    return FindingRecord(
        code=finding.code.value,
        severity=finding.severity.value,
        subject=finding.subject,
        message=finding.message,
        hint=finding.hint,
    )


def finding_of(said: FindingRecord) -> Finding:
    """Return the finding that an artifact shows."""
    return Finding(
        code=Code(said.code),
        severity=Severity(said.severity),
        subject=said.subject,
        message=said.message,
        hint=said.hint,
    )
