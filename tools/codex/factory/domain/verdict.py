"""What speaks against the bundles of a run, and what follows: PASS or BLOCKED."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from tools.codex.factory.domain.artifact import ScopeLock, Status
from tools.codex.factory.domain.bundle import Bundle, RawBundle, read
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.claim import claim_findings
from tools.codex.factory.domain.disclosure import undecided
from tools.codex.factory.domain.ending import ending_findings
from tools.codex.factory.domain.finding import Code, Finding, blocking, in_order, note
from tools.codex.factory.domain.identity import ObjectId, RepoPath, RunId, WorkerId
from tools.codex.factory.domain.overlap import Overlaps, overlaps
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.plan import Plan, WorkerEntry, scope_lock
from tools.codex.factory.domain.proof import Proven, prove, touched_paths, wanted_blobs
from tools.codex.factory.domain.scope import Lock, lock, scope_findings
from tools.codex.factory.domain.shape import shape_findings
from tools.codex.factory.domain.tree import BaseTree, around, spliced


class BaseObjects(Protocol):
    """Reads the objects of the base commit."""

    def tree(self, oid: ObjectId) -> bytes:
        """Return the content of a tree."""
        ...

    def blobs(self, oids: Collection[ObjectId], *, limit: int) -> Mapping[ObjectId, bytes]:
        """Return the blobs of at most `limit` bytes; a larger one is not in the answer."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All that is known of the bundles of a run before any is merged."""

    base: BaseTree
    blobs: Mapping[ObjectId, bytes]
    bundles: Mapping[WorkerId, Bundle]
    changes_of: Mapping[WorkerId, tuple[Change, ...]]
    overlaps: Overlaps
    findings: tuple[Finding, ...]
    included: tuple[WorkerId, ...]
    """The workers that may be merged: all of them, or none, unless policy excludes some."""
    own_findings: Mapping[WorkerId, tuple[Finding, ...]]
    """What each worker's bundle alone gave rise to."""

    def status_of(self, worker: WorkerId) -> Status:
        """Return PASS or BLOCKED for one worker: its own findings and the overlaps it is in."""
        own = any(finding.blocks for finding in self.own_findings[worker])
        met = any(row.blocks and worker in row.workers for row in self.overlaps.rows)
        return "BLOCKED" if own or met else "PASS"


def judge(
    raws: Iterable[RawBundle],
    plan: Plan,
    *,
    run: RunId,
    base_commit: str,
    base_root: ObjectId,
    objects: BaseObjects,
) -> Judgement:
    """Return the judgement of sealed bundles, read against the base commit and its tree."""
    limits = plan.policy.limits()
    entries = {WorkerId(entry.id): entry for entry in plan.workers}
    found: dict[WorkerId, list[Finding]] = {}
    bundles: dict[WorkerId, Bundle] = {}
    for raw in sorted(raws, key=lambda raw: raw.worker):
        made_elsewhere = entries[raw.worker].source == "bundle"
        came = read(raw, run=run, limits=limits, made_elsewhere=made_elsewhere)
        found[raw.worker] = undecided(
            came.findings,
            raw.worker,
            dropped=plan.dropped_paths(raw.worker),
            accepted=_accepted(came.bundle, plan),
        )
        if came.bundle is not None:
            bundles[raw.worker] = came.bundle
            found[raw.worker] += ending_findings(
                came.bundle,
                made_elsewhere=made_elsewhere,
                dropped=plan.dropped_paths(raw.worker),
            )
    wanted = {path for bundle in bundles.values() for path in touched_paths(bundle.patch)}
    base = around(base_root, wanted, objects.tree)
    ids = {oid for bundle in bundles.values() for oid in wanted_blobs(bundle.patch, base)}
    blobs = objects.blobs(ids, limit=limits.file_bytes)
    changes_of: dict[WorkerId, tuple[Change, ...]] = {}
    for worker, bundle in bundles.items():
        proven = prove(bundle.patch, base, blobs, worker=worker, limits=limits)
        found[worker] += proven.findings
        if not any(finding.blocks for finding in proven.findings):
            changes_of[worker] = _kept(proven.changes, plan.dropped_paths(worker))
            found[worker] += claim_findings(bundle, proven.changes)
            if len(changes_of[worker]) < len(proven.changes):
                left = {change.path: change for change in changes_of[worker]}
                found[worker] += shape_findings(left, base, worker)
            found[worker] += _tree_findings(bundle, proven, base)
            found[worker] += _base_findings(bundle, base_commit)
    locks = {worker: lock(e.allow, e.deny, e.shared) for worker, e in entries.items()}
    owners = _owners(changes_of)
    for worker, changes in changes_of.items():
        found[worker] += _scope(
            bundles[worker], changes, entries[worker], locks[worker], plan, owners, run
        )
    allow_identical = plan.policy.allow_identical
    met = overlaps(changes_of, locks, base, allow_identical=allow_identical)

    def meets_nobody(workers: list[WorkerId]) -> bool:
        some = {worker: changes_of[worker] for worker in workers}
        rows = overlaps(some, locks, base, allow_identical=allow_identical).rows
        return not any(row.blocks for row in rows)

    everything = [finding for own in found.values() for finding in own] + met.findings()
    return Judgement(
        base=base,
        blobs=blobs,
        bundles=bundles,
        changes_of=changes_of,
        overlaps=met,
        findings=in_order(everything),
        included=_included(found, met, plan, meets_nobody),
        own_findings={worker: in_order(own) for worker, own in found.items()},
    )


def decide(findings: Iterable[Finding]) -> Status:
    """Return BLOCKED if any finding blocks, else PASS. FAIL is not decided here: it is caught."""
    return "BLOCKED" if any(finding.blocks for finding in findings) else "PASS"


def _included(
    found: Mapping[WorkerId, list[Finding]],
    met: Overlaps,
    plan: Plan,
    meets_nobody: Callable[[list[WorkerId]], bool],
) -> tuple[WorkerId, ...]:
    """Return who is merged. Of bundles that overlap, the one with the earlier id stays."""
    clean = [w for w in sorted(found) if not any(finding.blocks for finding in found[w])]
    rows = [row for row in met.rows if row.blocks]
    if plan.policy.on_blocked == "strict":
        return tuple(clean) if len(clean) == len(found) and not rows else ()
    contested = {worker for row in rows for worker in row.workers}
    kept: list[WorkerId] = []
    for worker in clean:
        # Who is in no row meets nobody, so only the contested are held against each other.
        if worker not in contested or meets_nobody([w for w in kept if w in contested] + [worker]):
            kept.append(worker)
    return tuple(kept)


def _owners(changes_of: Mapping[WorkerId, tuple[Change, ...]]) -> dict[RepoPath, int]:
    count: dict[RepoPath, int] = {}
    for changes in changes_of.values():
        for change in changes:
            count[change.path] = count.get(change.path, 0) + 1
    return count


def _scope(
    bundle: Bundle,
    changes: tuple[Change, ...],
    entry: WorkerEntry,
    held: Lock,
    plan: Plan,
    owners: Mapping[RepoPath, int],
    run: RunId,
) -> list[Finding]:
    requests = {request.path: request.reason for request in bundle.handoff.scope_requests}
    granted = frozenset(
        change.path
        for change in changes
        if plan.policy.grant_requests
        and quoted(change.path) in requests
        and owners[change.path] == 1
    )
    found = scope_findings(
        bundle.worker,
        changes,
        held,
        runs_root=plan.runs_root,
        requests=requests,
        granted=granted,
    )
    found += _check_definitions(bundle.worker, changes, plan)
    if not _was_given(bundle.scope_lock, plan, entry, run):
        found.append(
            blocking(
                Code.SCOPE_LOCK_DIFFERS,
                f"{bundle.worker}: SCOPE_LOCK.json",
                "it is not the lock that the plan gives to this worker",
                "the plan decides; a worker cannot issue its own lock",
            )
        )
    return found


def _was_given(said: ScopeLock, plan: Plan, entry: WorkerEntry, run: RunId) -> bool:
    """Return whether this lock is the plan's, as it is or as it was before it was amended."""
    # Whose lock it says to be is judged as identity.
    named = {"run_id": said.run_id, "worker_id": said.worker_id}
    if entry.source == "bundle":
        # Its plan entry names the folder that it lies in, which its maker could not know.
        named["plan_entry"] = said.plan_entry
    given = (scope_lock(one, run) for one in plan.entries_of(entry.id))
    return any(said == lock.model_copy(update=named) for lock in given)


def _kept(changes: tuple[Change, ...], dropped: frozenset[str]) -> tuple[Change, ...]:
    """Return the changes but for those that the operator left out."""
    return tuple(change for change in changes if quoted(change.path) not in dropped)


def _accepted(bundle: Bundle | None, plan: Plan) -> frozenset[str]:
    """Return the paths whose made-up secrets may stand: they hold what the operator looked at.

    That FILES_CHANGED.json says the truth of the patch is judged on its own.
    """
    if bundle is None:
        return frozenset()
    seen = plan.accepted_secrets(bundle.worker)
    rows = ((change.path, change.new_id) for change in bundle.files_changed.changes)
    return frozenset(path for path, blob in rows if blob is not None and seen.get(path) == blob)


def _check_definitions(worker: WorkerId, changes: tuple[Change, ...], plan: Plan) -> list[Finding]:
    """Return a note for each changed file that a check or its setup names."""
    commands = [*plan.integration.setup, *(check.command for check in plan.checks)]
    named = {word.removeprefix("./") for argv in commands for word in argv}
    return [
        note(
            Code.SCOPE_CHECK_DEFINITION,
            f"{worker}: {quoted(change.path)}",
            "a check of the plan names this file, and the worker changed it",
            "read the change: it decides what the check says",
        )
        for change in changes
        if change.path in named
    ]


def _base_findings(bundle: Bundle, base_commit: str) -> list[Finding]:
    said = bundle.status.base_commit
    if said == base_commit:
        return []
    return [
        blocking(
            Code.IDENTITY,
            f"{bundle.worker}: STATUS.json",
            f"it names base commit {said}, the run has {base_commit}",
            "make the bundle on the run's base commit",
        )
    ]


def _tree_findings(bundle: Bundle, proven: Proven, base: BaseTree) -> list[Finding]:
    """Return a finding where the tree that the bundle names is not what its patch makes."""
    if bundle.status.captured_tree is None and bundle.status.status != "PASS":
        # Nothing could be captured, and that is a finding of its own.
        return []
    made = spliced(base, {change.path: change.new for change in proven.changes}).root
    if bundle.status.captured_tree == made:
        return []
    return [
        blocking(
            Code.TREE_DISAGREES,
            f"{bundle.worker}: STATUS.json",
            f"DIFF.patch makes tree {made}, captured_tree is {bundle.status.captured_tree}",
            "hand in the patch and the status of one and the same work",
        )
    ]
