"""What the stages hand back, and what the command line says as JSON."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from tools.codex.factory.domain.artifact import (
    FilesChanged,
    FindingRecord,
    PathChange,
    Status,
    record,
)
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.check import check_findings
from tools.codex.factory.domain.claim import path_change
from tools.codex.factory.domain.evidence import (
    AttributionRow,
    CheckRow,
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
