"""What was reached is written down: every artifact of the integrator, one verdict in all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tools.codex.factory.domain.artifact import RENDITIONS, FilesChanged, LogEntry, LogIndex, Seal
from tools.codex.factory.domain.confinement_row import worker_confinement_rows
from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.evidence import (
    ConfinementRow,
    IntegratorStatus,
    LedgerHead,
    OverlapDocument,
)
from tools.codex.factory.domain.finding import Finding
from tools.codex.factory.domain.identity import INTEGRATOR, Digest, WorkerId, digest_of
from tools.codex.factory.domain.manifest import Manifest
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.domain.result import (
    Integration,
    merged_files,
    overlap_document,
    records,
    worker_rows,
)
from tools.codex.factory.errors import EXIT_CODE_OF_STATUS, FactoryError
from tools.codex.factory.render.documents import (
    empty_merge_plan,
    failure_report,
    final_report,
    merge_plan,
)
from tools.codex.factory.render.renditions import rendered
from tools.codex.factory.storage.run_directory import (
    MANIFEST,
    RunDirectory,
    plan_name,
    seal_name,
    worker_artifact,
)

TRACEBACK = "LOGS/traceback.txt"
_LOG_INDEX = "LOGS/INDEX.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThisRun:
    """What differs from run to run: when, with what, and where the ledger stood.

    `forms` are those in which the report is wanted beside FINAL_REPORT.txt; `confinement` says how
    others than workers were confined, whose bundles say it; `changed_meanwhile` says what changed
    outside the run while something ran.
    """

    started: datetime
    ended: datetime
    versions: Mapping[str, str]
    ledger: LedgerHead | None
    forms: tuple[str, ...]
    stamp: Callable[[datetime], str]
    confinement: tuple[ConfinementRow, ...] = ()
    changed_meanwhile: tuple[str, ...] = ()

    @property
    def duration_ms(self) -> int:
        """Return how long the integration took, in milliseconds."""
        return int((self.ended - self.started).total_seconds() * 1000)


def write_report(
    run: RunDirectory,
    plan: Plan,
    manifest: Manifest,
    integration: Integration,
    about: ThisRun,
    logs: tuple[LogEntry, ...] = (),
) -> IntegratorStatus:
    """Write every artifact of an integration, its seal last, and return STATUS.json.

    `logs` are those of the checks, which lie in LOGS already.
    """
    files = documents(run, plan, manifest, integration)
    files[_LOG_INDEX] = canonical(_logs(run, logs))
    workers = worker_confinement_rows(integration.judgement, plan)
    reached = {
        **status_fields(plan, integration),
        "confinement": (*workers, *about.confinement),
    }
    status = _status(run, manifest, about, files, input_digests(run, plan), reached)
    files["FINAL_REPORT.txt"] = final_report(plan, manifest, integration, status).encode()
    files |= rendered(about.forms, plan, status)
    return _write(run, files, status, logs)


def write_failure(
    run: RunDirectory,
    plan: Plan,
    manifest: Manifest,
    error: FactoryError,
    about: ThisRun,
) -> IntegratorStatus:
    """Write every artifact of a run that the factory could not finish, and return STATUS.json."""
    files = _empty_documents(run, manifest)
    if error.log:
        files[TRACEBACK] = error.log.encode("utf-8", "replace")
        files[_LOG_INDEX] = canonical(_logs(run, (_traceback_entry(error.log),)))
    failed = {**_NOTHING_REACHED, "exit_code": error.exit_code, "error": str(error)}
    status = _status(run, manifest, about, files, {}, failed)
    text = failure_report(plan.title, manifest, status, error.hint)
    files["FINAL_REPORT.txt"] = text.encode()
    files |= rendered(about.forms, plan, status)
    return _write(run, files, status)


def documents(
    run: RunDirectory, plan: Plan, manifest: Manifest, integration: Integration
) -> dict[str, bytes]:
    """Return the artifacts that follow from the bundles alone."""
    overlap = overlap_document(integration.judgement, manifest.base_commit)
    return {
        "DIFF.patch": integration.patch,
        "FILES_CHANGED.json": canonical(merged_files(integration, run.run)),
        "MERGE_PLAN.md": merge_plan(plan, integration, manifest.base_commit).encode(),
        "OVERLAP.json": canonical(overlap),
    }


def status_fields(plan: Plan, integration: Integration) -> dict[str, Any]:
    """Return the fields of STATUS.json that follow from the bundles alone."""
    merged, proof = integration.merged, integration.proof
    return {
        "status": integration.status,
        "exit_code": EXIT_CODE_OF_STATUS[integration.status],
        "tree": merged.tree if merged and proof else None,
        "commit": merged.commit if merged and proof else None,
        "noop": integration.noop,
        "partial": integration.partial,
        "proof": proof,
        "workers": worker_rows(
            integration.judgement, plan, merged.workers if merged and proof else ()
        ),
        "checks": integration.checks,
        "attribution": integration.attribution,
        "salvage": integration.salvage,
        "salvage_search": integration.salvage_search,
        "findings": records(integration.findings),
    }


def input_digests(run: RunDirectory, plan: Plan) -> dict[str, Digest]:
    """Return the digests of what the integrator was given: manifest, plan, seals."""
    plans = [plan_name(revision) for revision in range(1, plan.revision + 1)]
    seals = [seal_name(WorkerId(entry.id)) for entry in plan.workers]
    names = (MANIFEST, *plans, *seals)
    return {name: digest_of(run.read(name)) for name in names if run.has(name)}


def report_event(status: IntegratorStatus) -> Event:
    """Return the event that says what was reported."""
    return Event(
        run_id=status.run_id,
        event_type=EventType.REPORT_WRITTEN,
        actor=INTEGRATOR,
        rc=status.exit_code,
        hashes={"STATUS.json": digest_of(canonical(status)), **status.artifacts},
        file_counts={"findings": len(status.findings)},
        details={
            "status": status.status,
            "blocked": ",".join(row.worker_id for row in status.workers if row.status != "PASS"),
        },
    )


def with_findings(integration: Integration, findings: tuple[Finding, ...]) -> Integration:
    """Return the integration with more findings."""
    return replace(integration, extra=(*integration.extra, *findings))


_NOTHING_REACHED: dict[str, Any] = {
    "status": "FAIL",
    "tree": None,
    "commit": None,
    "noop": False,
    "partial": False,
    "proof": None,
    "workers": (),
    "checks": (),
    "attribution": (),
    "salvage": None,
    "salvage_search": "not_asked",
    "findings": (),
}


def _status(
    run: RunDirectory,
    manifest: Manifest,
    about: ThisRun,
    files: Mapping[str, bytes],
    inputs: Mapping[str, Digest],
    reached: Mapping[str, Any],
) -> IntegratorStatus:
    fields = {
        "schema_version": 1,
        "run_id": run.run,
        "worker_id": INTEGRATOR,
        "base_commit": manifest.base_commit,
        "base_tree": manifest.base_tree,
        "rehearsal": manifest.rehearsal,
        "artifacts": {name: digest_of(content) for name, content in files.items()},
        "inputs": dict(inputs),
        "ledger": about.ledger,
        "started_at": about.stamp(about.started),
        "ended_at": about.stamp(about.ended),
        "duration_ms": about.duration_ms,
        "versions": dict(about.versions),
        "changed_meanwhile": about.changed_meanwhile,
        "error": None,
        "confinement": about.confinement,
    }
    return IntegratorStatus.model_validate({**fields, **reached})


def _write(
    run: RunDirectory,
    files: dict[str, bytes],
    status: IntegratorStatus,
    logs: tuple[LogEntry, ...] = (),
) -> IntegratorStatus:
    digests = {log.path: Digest(log.sha256) for log in logs}
    digests |= {name: digest_of(content) for name, content in files.items()}
    status = status.model_copy(update={"artifacts": dict(digests)})
    files["STATUS.json"] = canonical(status)
    for name in run.files_below(f"{INTEGRATOR}/LOGS"):
        # The log of an earlier integration is no log of this one.
        if f"LOGS/{name}" not in digests and ".refused-" not in name:
            run.remove(worker_artifact(INTEGRATOR, f"LOGS/{name}"))
    for name in set(RENDITIONS.values()) - files.keys():
        run.remove(worker_artifact(INTEGRATOR, name))
    run.write_all({worker_artifact(INTEGRATOR, name): files[name] for name in files})
    digests["STATUS.json"] = digest_of(files["STATUS.json"])
    marker = Seal(
        schema_version=1,
        run_id=run.run,
        worker_id=INTEGRATOR,
        artifacts=dict(sorted(digests.items())),
        findings=(),
    )
    run.write(seal_name(INTEGRATOR), canonical(marker))
    return status


def _empty_documents(run: RunDirectory, manifest: Manifest) -> dict[str, bytes]:
    nothing = FilesChanged(
        schema_version=1,
        run_id=run.run,
        worker_id=INTEGRATOR,
        changes=(),
        noop=True,
        noop_reason="the factory could not go on",
    )
    overlap = OverlapDocument(
        schema_version=1, base_commit=manifest.base_commit, overlaps=(), matrix={}, shared={}
    )
    return {
        "DIFF.patch": b"",
        "FILES_CHANGED.json": canonical(nothing),
        _LOG_INDEX: canonical(_logs(run, ())),
        "MERGE_PLAN.md": empty_merge_plan(manifest.base_commit).encode(),
        "OVERLAP.json": canonical(overlap),
    }


def _traceback_entry(log: str) -> LogEntry:
    content = log.encode("utf-8", "replace")
    return LogEntry(
        path=TRACEBACK,
        sha256=digest_of(content),
        size=len(content),
        role="traceback",
        truncated=False,
    )


def _logs(run: RunDirectory, logs: tuple[LogEntry, ...]) -> LogIndex:
    return LogIndex(schema_version=1, run_id=run.run, worker_id=INTEGRATOR, logs=logs)
