"""Is a run on disk what the ledger and the seals say it is? Each answer names a file."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from tools.codex.factory.domain.artifact import IntegratorStatus, Manifest, Seal
from tools.codex.factory.domain.document import NotStrictJson, parse
from tools.codex.factory.domain.event import RunView
from tools.codex.factory.domain.finding import Code
from tools.codex.factory.domain.identity import INTEGRATOR, WorkerId, digest_of
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.errors import StorageError
from tools.codex.factory.storage.intake import sealed
from tools.codex.factory.storage.run_directory import RunDirectory, seal_name, worker_artifact


@dataclass(frozen=True, slots=True, order=True)
class Disagreement:
    """A file of the run, and why it is not what was written."""

    name: str
    reason: str


def disagreements(
    run: RunDirectory,
    plan: Plan,
    manifest: Manifest,
    status: IntegratorStatus | None,
    view: RunView | None,
) -> list[Disagreement]:
    """Return every file that is not what was sealed, or what the ledger recorded of it."""
    found: list[Disagreement] = []
    for entry in plan.workers:
        found += _worker(run, WorkerId(entry.id), plan, view)
    if status is not None:
        found += _integrator(run, view)
        found += _inputs(run, status.inputs)
    return sorted(set(found))


def _worker(
    run: RunDirectory, worker: WorkerId, plan: Plan, view: RunView | None
) -> list[Disagreement]:
    if view is not None and worker not in view.seals and not run.has(seal_name(worker)):
        return []
    raw = sealed(run, worker, patch_bytes=plan.policy.patch_bytes)
    found = [
        Disagreement(finding.subject.partition(": ")[2], finding.message)
        for finding in raw.findings
        if finding.code is Code.SEAL_BROKEN
    ]
    recorded = view.seals.get(worker) if view is not None else None
    if recorded and run.has(seal_name(worker)) and _digest(run, seal_name(worker)) != recorded:
        found.append(Disagreement(seal_name(worker), "the ledger recorded another seal"))
    return found


def _integrator(run: RunDirectory, view: RunView | None) -> list[Disagreement]:
    try:
        marker = parse(Seal, run.read(seal_name(INTEGRATOR)))
    except (FileNotFoundError, StorageError, ValidationError, NotStrictJson) as error:
        return [Disagreement(seal_name(INTEGRATOR), f"the seal is unreadable: {error}")]
    found = [
        Disagreement(where, "its bytes are not the ones that were sealed")
        for name, digest in marker.artifacts.items()
        if _digest(run, where := worker_artifact(INTEGRATOR, name)) != digest
    ]
    recorded = view.status_digest if view is not None else ""
    where = worker_artifact(INTEGRATOR, "STATUS.json")
    if recorded and _digest(run, where) != recorded:
        found.append(Disagreement(where, "the ledger recorded another STATUS.json"))
    return found


def _inputs(run: RunDirectory, inputs: Mapping[str, str]) -> list[Disagreement]:
    return [
        Disagreement(name, "it is not what the integrator was given")
        for name, digest in inputs.items()
        if _digest(run, name) != digest
    ]


def _digest(run: RunDirectory, name: str) -> str:
    """Return the digest of a file, or a word that no digest is."""
    try:
        return digest_of(run.read(name))
    except (FileNotFoundError, StorageError):
        return "unreadable"
