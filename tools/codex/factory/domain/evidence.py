"""The documents of the integrator: its verdict, proof and checks, and where bundles meet."""

from typing import Literal

from tools.codex.factory.domain.artifact import (
    Artifact,
    ConfinementRecord,
    Count,
    DigestText,
    Ending,
    FindingRecord,
    ObjectIdText,
    PathText,
    RunIdText,
    Status,
    WorkerIdText,
)


class WorkerRow(Artifact):
    """One worker in a list: its status, how it ended, how many paths it changes, and whether
    these are in the merged tree."""

    worker_id: WorkerIdText
    status: Status
    ended: str
    changes: Count
    merged: bool


class Proof(Artifact):
    """How the merged tree was reached twice."""

    merged_tree: ObjectIdText
    audited_tree: ObjectIdText
    pack_sha256: DigestText
    objects: Count


class CheckRow(Artifact):
    """One check of the plan, run on the merged tree; in a rehearsal on the base.

    `failed` failed every time, `flaky` first failed and then passed. `ended` is how its first run
    ended; `reason` says why it was not run. `reused` names the run whose PASS of the very same
    thing stands for this one; `flakes` counts how often it was flaky on this tree in earlier
    integrations of this run; `tail` is the end of what a run that failed said.
    """

    name: str
    required: bool
    on: Literal["merged", "base"]
    result: Literal["passed", "failed", "flaky", "not_run"]
    ended: Ending | None
    reason: str
    runs: Count
    duration_ms: Count
    reused: str | None
    flakes: Count
    tail: tuple[str, ...]


class AttributionRow(Artifact):
    """A red check, tried on the base, with one bundle alone, or with all but one."""

    check: str
    tried: Literal["base", "alone", "without"]
    worker_id: WorkerIdText | None
    result: Literal["passed", "failed", "flaky", "not_run"]


class Salvage(Artifact):
    """The bundles whose merge is green where the merge of all is not, proven and checked."""

    workers: tuple[WorkerIdText, ...]
    tree: ObjectIdText
    checks: tuple[CheckRow, ...]


SalvageSearch = Literal["not_asked", "found", "none_green", "out_of_time"]
"""What came of looking for bundles that are green together."""


class KeptPass(Artifact):
    """A check that passed, by the digest of everything that could change that."""

    schema_version: Literal[1]
    key: DigestText
    run_id: RunIdText
    check: str


class LedgerHead(Artifact):
    """Where the ledger's chain stood: lines so far and sha256 of the last."""

    count: Count
    sha256: DigestText


class ConfinementRow(ConfinementRecord):
    """How a worker, the checks (`checks`) or the integrator were confined."""

    who: str


class IntegratorStatus(Artifact):
    """Z_integrator/STATUS.json: the verdict and what stands behind it."""

    schema_version: Literal[1]
    run_id: RunIdText
    worker_id: Literal["Z_integrator"]
    status: Status
    exit_code: int
    base_commit: ObjectIdText
    base_tree: ObjectIdText
    tree: ObjectIdText | None
    commit: ObjectIdText | None
    noop: bool
    rehearsal: bool
    partial: bool
    proof: Proof | None
    workers: tuple[WorkerRow, ...]
    checks: tuple[CheckRow, ...]
    attribution: tuple[AttributionRow, ...]
    salvage: Salvage | None
    salvage_search: SalvageSearch
    findings: tuple[FindingRecord, ...]
    artifacts: dict[str, DigestText]
    """sha256 of every other artifact of the integrator."""
    inputs: dict[str, DigestText]
    """sha256 of the manifest, the plan and each bundle's seal."""
    ledger: LedgerHead | None
    started_at: str
    ended_at: str
    duration_ms: Count
    versions: dict[str, str]
    changed_meanwhile: tuple[str, ...] = ()
    """What changed outside the run while something ran, and blocks nothing."""
    error: str | None
    confinement: tuple[ConfinementRow, ...] = ()


class OverlapRow(Artifact):
    """One place where bundles meet.

    `lines` are lines of the base file, from 1, last included; where lines are only added, the one
    that they follow.
    """

    code: str
    path: PathText
    workers: tuple[WorkerIdText, ...]
    lines: tuple[Count, Count] | None
    blocks: bool


class OverlapDocument(Artifact):
    """OVERLAP.json: where bundles meet, and the matrix of workers that do."""

    schema_version: Literal[1]
    base_commit: ObjectIdText
    overlaps: tuple[OverlapRow, ...]
    matrix: dict[str, dict[str, int]]
    """Worker by worker, how many rows of `overlaps` name both."""
    shared: dict[str, tuple[WorkerIdText, ...]]
    """Shared files that were united, with their writers."""
