"""The documents of the integrator: its verdict, the proof behind it, and where bundles meet."""

from typing import Literal

from tools.codex.factory.domain.artifact import (
    Artifact,
    Count,
    DigestText,
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


class LedgerHead(Artifact):
    """Where the ledger's chain stood: lines so far and sha256 of the last."""

    count: Count
    sha256: DigestText


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
    error: str | None


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
