"""Is a run on disk what the ledger and the seals say it is? Each answer names a file."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from tools.codex.factory.domain.artifact import Seal
from tools.codex.factory.domain.document import NotStrictJson, parse_canonical
from tools.codex.factory.domain.event import RunView
from tools.codex.factory.domain.evidence import IntegratorStatus
from tools.codex.factory.domain.finding import Code
from tools.codex.factory.domain.identity import INTEGRATOR, WorkerId, digest_of
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.errors import FactoryError, StorageError
from tools.codex.factory.storage.earlier import (
    SEALED,
    earlier_name,
    earlier_seals,
    unlike_their_seals,
)
from tools.codex.factory.storage.ledger import LEDGER
from tools.codex.factory.storage.run_directory import RunDirectory, seal_name, worker_artifact
from tools.codex.factory.storage.seal import sealed


@dataclass(frozen=True, slots=True, order=True)
class Disagreement:
    """A file of the run, and why it is not what was written."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger says of a run: its view, and the digest of each line by its number."""

    view: RunView
    digest_of_line: Callable[[int], str | None]


def disagreements(
    run: RunDirectory, plan: Plan, status: IntegratorStatus | None, recorded: Recorded | None
) -> list[Disagreement]:
    """Return every file that is not what was sealed, or what the ledger recorded of it."""
    view = recorded.view if recorded is not None else None
    found: list[Disagreement] = []
    for entry in plan.workers:
        found += _worker(run, WorkerId(entry.id), plan, view)
    if view is not None:
        recorded_files = {**view.begun, **view.amended, **view.earlier}
        found += changed_since(run, recorded_files, "it is not what the ledger recorded")
    if status is not None:
        found += _integrator(run, status, view)
        found += changed_since(
            run, _inputs(run, plan, status), "it is not what the integrator was given"
        )
        if recorded is not None:
            found += _ledger(status, recorded)
    return sorted(set(found))


def changed_since(run: RunDirectory, digests: Mapping[str, str], why: str) -> list[Disagreement]:
    """Return every file whose digest is not the recorded one."""
    return [
        Disagreement(name, why) for name, digest in digests.items() if _digest(run, name) != digest
    ]


def _inputs(run: RunDirectory, plan: Plan, status: IntegratorStatus) -> dict[str, str]:
    """Return what the integrator was given, by where it lies: a seal may have given way since."""
    found = dict(status.inputs)
    for worker in (WorkerId(entry.id) for entry in plan.workers):
        given = found.get(seal_name(worker))
        for number, seal in earlier_seals(run, worker).items():
            if given is not None and digest_of(seal) == given:
                del found[seal_name(worker)]
                found[f"{earlier_name(worker, number)}/{SEALED}"] = given
                break
    return found


def _ledger(status: IntegratorStatus, recorded: Recorded) -> Iterable[Disagreement]:
    """Yield what shows that lines were cut off the ledger, or that its last one was changed."""
    head = status.ledger
    if head is not None and head.count > 0 and recorded.digest_of_line(head.count) != head.sha256:
        yield Disagreement(LEDGER, f"it was longer: STATUS.json names its line {head.count}")
    if not recorded.view.status_digest:
        yield Disagreement(LEDGER, "the end of this run is missing; integrate again to record it")
    elif recorded.view.end != (status.status, status.exit_code):
        yield Disagreement(LEDGER, "the end that it records is not the one in STATUS.json")


def _worker(
    run: RunDirectory, worker: WorkerId, plan: Plan, view: RunView | None
) -> list[Disagreement]:
    if view is not None and worker not in view.seals and not run.has(seal_name(worker)):
        return []
    policy = plan.policy
    raw = sealed(run, worker, patch_bytes=policy.patch_bytes, bundle_bytes=policy.bundle_bytes)
    found = [
        Disagreement(finding.subject.partition(": ")[2], finding.message)
        for finding in raw.findings
        if finding.code is Code.SEAL_BROKEN
    ]
    why = "it is not what the seal of its attempt says"
    found += [Disagreement(name, why) for name in unlike_their_seals(run, worker)]
    recorded = view.seals.get(worker) if view is not None else None
    if recorded and run.has(seal_name(worker)) and _digest(run, seal_name(worker)) != recorded:
        found.append(Disagreement(seal_name(worker), "the ledger recorded another seal"))
    return found


def _integrator(
    run: RunDirectory, status: IntegratorStatus, view: RunView | None
) -> list[Disagreement]:
    try:
        marker = parse_canonical(Seal, run.read(seal_name(INTEGRATOR)))
    except (FileNotFoundError, StorageError, ValidationError, NotStrictJson) as error:
        return [Disagreement(seal_name(INTEGRATOR), f"the seal is unreadable: {error}")]
    found: list[Disagreement] = []
    for name, digest in marker.artifacts.items():
        where = worker_artifact(INTEGRATOR, name)
        there = _digest(run, where)
        if there == digest:
            continue
        # STATUS.json holds the same digests, so two can outvote one.
        if status.artifacts.get(name) == there:
            found.append(Disagreement(seal_name(INTEGRATOR), f"it has another digest of {where}"))
        else:
            found.append(Disagreement(where, "its bytes are not the ones that were sealed"))
        if name == "STATUS.json":
            found.append(Disagreement(seal_name(INTEGRATOR), f"it does not fit {where}"))
    for name in run.files_below(str(INTEGRATOR)):
        if name not in marker.artifacts and ".refused-" not in name:
            where = worker_artifact(INTEGRATOR, name)
            found.append(Disagreement(where, "it was not there when sealed"))
    recorded = view.status_digest if view is not None else ""
    where = worker_artifact(INTEGRATOR, "STATUS.json")
    if recorded and _digest(run, where) != recorded:
        found.append(Disagreement(where, "the ledger recorded another STATUS.json"))
    return found


def _digest(run: RunDirectory, name: str) -> str:
    """Return the digest of a file, or a word that no digest is."""
    try:
        return digest_of(run.read(name))
    except (FileNotFoundError, FactoryError):
        return "unreadable"
