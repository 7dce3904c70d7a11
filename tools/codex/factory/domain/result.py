"""What the stages hand back, and what the command line says as JSON."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from tools.codex.factory.domain.artifact import (
    Artifact,
    FilesChanged,
    FindingRecord,
    ObjectIdText,
    PathChange,
    Status,
    record,
)
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.check import check_findings
from tools.codex.factory.domain.claim import path_change
from tools.codex.factory.domain.event import LedgerLine
from tools.codex.factory.domain.evidence import (
    AttributionRow,
    CheckRow,
    IntegratorStatus,
    OverlapDocument,
    OverlapRow,
    Proof,
    Salvage,
    SalvageSearch,
    WorkerRow,
)
from tools.codex.factory.domain.finding import Finding, in_order
from tools.codex.factory.domain.identity import INTEGRATOR, RepoPath, RunId, WorkerId
from tools.codex.factory.domain.merge import Merged
from tools.codex.factory.domain.overlap import matrix
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.domain.verdict import Judgement, decide


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """What the integrator reached: the judgement, the merge and its proof.

    `merged` and `proof` are None where nothing was merged; `extra` are findings beyond the
    judgement's: a proof that failed, a write that was refused.
    """

    judgement: Judgement
    merged: Merged | None
    patch: bytes
    changes: tuple[Change, ...]
    proof: Proof | None
    extra: tuple[Finding, ...]
    checks: tuple[CheckRow, ...] = ()
    attribution: tuple[AttributionRow, ...] = ()
    salvage: Salvage | None = None
    salvage_search: SalvageSearch = "not_asked"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return every finding of the run, in order."""
        return in_order([*self.judgement.findings, *self.extra])

    @property
    def status(self) -> Status:
        """Return the verdict: BLOCKED where a finding blocks or there is no proof."""
        return decide(self.findings) if self.proof is not None else "BLOCKED"

    @property
    def noop(self) -> bool:
        """Return whether nobody changed anything."""
        return self.merged is not None and not self.merged.entries

    @property
    def partial(self) -> bool:
        """Return whether only some of the bundles were merged, and that was proven."""
        if self.proof is None or self.merged is None:
            return False
        return len(self.merged.workers) < len(self.judgement.own_findings)


def with_checks(
    integration: Integration,
    plan: Plan,
    *,
    checks: tuple[CheckRow, ...],
    attribution: tuple[AttributionRow, ...],
    salvage: Salvage | None,
    salvage_search: SalvageSearch,
) -> Integration:
    """Return the integration with what the checks said, and what follows from that.

    Where nothing was merged, nothing was checked, and that is no finding of its own.
    """
    if integration.proof is None:
        return integration
    found = check_findings(plan, checks, attribution)
    return replace(
        integration,
        checks=checks,
        attribution=attribution,
        salvage=salvage,
        salvage_search=salvage_search,
        extra=(*integration.extra, *found),
    )


def worker_rows(
    judgement: Judgement, plan: Plan, merged: Collection[WorkerId] = ()
) -> tuple[WorkerRow, ...]:
    """Return one row for each worker of the plan, sorted by id."""
    rows = []
    for entry in plan.workers:
        worker = WorkerId(entry.id)
        bundle = judgement.bundles.get(worker)
        rows.append(
            WorkerRow(
                worker_id=worker,
                status=judgement.status_of(worker),
                ended=bundle.status.ended.how if bundle else "unreadable",
                changes=len(judgement.changes_of.get(worker, ())),
                merged=worker in merged,
            )
        )
    return tuple(rows)


def overlap_document(judgement: Judgement, base_commit: str) -> OverlapDocument:
    """Return OVERLAP.json: nothing of this one run is in it."""
    rows = judgement.overlaps.rows
    return OverlapDocument(
        schema_version=1,
        base_commit=base_commit,
        overlaps=tuple(
            OverlapRow(
                code=row.code.value,
                path=row.path,
                workers=row.workers,
                lines=row.lines,
                blocks=row.blocks,
            )
            for row in rows
        ),
        matrix=matrix(rows),
        shared={quoted(path): names for path, names in judgement.overlaps.shared.items()},
    )


def merged_files(integration: Integration, run: RunId) -> FilesChanged:
    """Return the integrator's FILES_CHANGED.json, with the owner of each path."""
    merged = integration.merged
    owners: Mapping[RepoPath, tuple[WorkerId, ...]] = merged.owners if merged else {}
    changes: tuple[PathChange, ...] = tuple(
        path_change(change, ", ".join(owners[change.path])) for change in integration.changes
    )
    reason = None
    if not changes:
        reason = "nobody changed anything" if integration.noop else "nothing was merged"
    return FilesChanged(
        schema_version=1,
        run_id=run,
        worker_id=INTEGRATOR,
        changes=changes,
        noop=not changes,
        noop_reason=reason,
    )


def records(findings: Iterable[Finding]) -> tuple[FindingRecord, ...]:
    """Return findings as artifacts show them."""
    return tuple(record(finding) for finding in findings)


class ErrorSaid(Artifact):
    """Why a command could not do what it was asked, and what to do."""

    message: str
    hint: str


class Answer(Artifact):
    """What every command says with `--json`."""

    schema_version: Literal[1] = 1
    command: str
    status: Literal["OK", "PENDING", "WAITING", "PASS", "BLOCKED", "FAIL"]
    exit_code: int
    error: ErrorSaid | None = None
    notes: tuple[str, ...] = ()


class RunAnswer(Answer):
    """What a command about one run says with `--json`."""

    run_id: str
    base_commit: ObjectIdText
    tree: ObjectIdText | None = None
    commit: ObjectIdText | None = None
    noop: bool = False
    rehearsal: bool = False
    partial: bool = False
    report: str | None = None
    waiting: dict[str, str] = Field(default_factory=dict)
    """Workers outside that the run waits for, each with the checkout that it works in."""
    workers: tuple[WorkerRow, ...] = ()
    findings: tuple[FindingRecord, ...] = ()


class ReportAnswer(RunAnswer):
    """What `print-report` says with `--json`: the run, and its FINAL_REPORT.txt."""

    text: str


class SettingSaid(Artifact):
    """One setting: its value, and the layer that it came from."""

    key: str
    value: bool | int | str | tuple[str, ...]
    layer: str


class ConfigAnswer(Answer):
    """What `config show` says with `--json`."""

    settings: tuple[SettingSaid, ...]


class RunRow(Artifact):
    """One run in the ledger. `ended` is the exit code of its last end, null while open."""

    run_id: str
    status: str
    ended: int | None
    started: str
    last: str
    events: int


class LedgerAnswer(Answer):
    """What `ledger` says with `--json`: runs, or events, newest last."""

    runs: tuple[RunRow, ...] = ()
    events: tuple[LedgerLine, ...] = ()


class DisagreementSaid(Artifact):
    """A file of a run that is not what was written, and why."""

    name: str
    reason: str


class ReplayRow(Artifact):
    """One run, replayed: its state, whether it was rebuilt, and what disagrees."""

    run_id: str
    status: str
    events: int
    rebuilt: bool
    disagreements: tuple[DisagreementSaid, ...]


class ReplayAnswer(Answer):
    """What `ledger-replay` says with `--json`."""

    runs: tuple[ReplayRow, ...] = ()


class SchemasAnswer(Answer):
    """What `schemas` says with `--json`: names, and the folder they were written to, if any."""

    names: tuple[str, ...] = ()
    folder: str | None = None


def run_answer(command: str, status: IntegratorStatus, report: str) -> RunAnswer:
    """Return the answer about an integrated run: STATUS.json in the command line's words."""
    return RunAnswer(
        command=command,
        status=status.status,
        exit_code=status.exit_code,
        run_id=status.run_id,
        base_commit=status.base_commit,
        tree=status.tree,
        commit=status.commit,
        noop=status.noop,
        rehearsal=status.rehearsal,
        partial=status.partial,
        report=report,
        workers=status.workers,
        findings=status.findings,
    )
