"""Judge again, merge, prove: what the sealed bundles of a run come to."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tools.codex.factory.domain.emitted import computed, differing, reported
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.evidence import Proof
from tools.codex.factory.domain.finding import Code, Finding, blocking
from tools.codex.factory.domain.identity import INTEGRATOR, ObjectId, RunId, digest_of
from tools.codex.factory.domain.manifest import Manifest
from tools.codex.factory.domain.merge import Merged, merge
from tools.codex.factory.domain.patch import scan
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.domain.reader import PatchLimits, PatchRefused
from tools.codex.factory.domain.result import Integration
from tools.codex.factory.domain.verdict import Judgement
from tools.codex.factory.repository.audit import replayed
from tools.codex.factory.repository.difference import difference
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.objects import Objects
from tools.codex.factory.repository.quarantine import keep_pack, pack_of
from tools.codex.factory.stages.validate import judged
from tools.codex.factory.storage.run_directory import RunDirectory

Record = Callable[[Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the integrator works with: git, the run's own store, a folder for throw-away files."""

    git: Git
    store: Path
    objects: Objects
    scratch: Path


def integrate(
    run: RunDirectory, plan: Plan, manifest: Manifest, *, tools: Tools, record: Record
) -> Integration:
    """Return what the sealed bundles of a run come to, and record each step."""
    judgement = judged(run, plan, manifest, tools.objects)
    for event in _check_events(run.run, judgement):
        record(event)
    integration = reached(judgement, plan, manifest, tools=tools)
    for event in _merge_events(run.run, integration):
        record(event)
    return integration


def reached(judgement: Judgement, plan: Plan, manifest: Manifest, *, tools: Tools) -> Integration:
    """Return the merge of the judgement's included bundles and its proof, or why there is none."""
    if not judgement.included:
        return _unmerged(judgement)
    base_commit = ObjectId(manifest.base_commit)
    merged = merge(
        judgement,
        plan,
        base_commit=base_commit,
        base_commit_content=tools.objects.commit(base_commit),
    )
    return proven(judgement, merged, plan, manifest, tools=tools)


def part_of(
    integration: Integration,
    workers: tuple[str, ...],
    plan: Plan,
    manifest: Manifest,
    *,
    tools: Tools,
) -> Integration:
    """Return the merge of only some of the bundles that were merged, with a proof of its own."""
    included = tuple(worker for worker in integration.judgement.included if worker in workers)
    judgement = replace(integration.judgement, included=included)
    return reached(judgement, plan, manifest, tools=tools)


def proven(
    judgement: Judgement, merged: Merged, plan: Plan, manifest: Manifest, *, tools: Tools
) -> Integration:
    """Return the merge with its proof: git keeps the pack, writes the patch, and replays it."""
    pack = pack_of(merged.objects)
    if merged.objects:
        kept = keep_pack(tools.git, tools.store, pack, strict=True)
        if kept.exit_code != 0:
            return _unproven(judgement, "git refuses the merged objects", kept.complaint)
    base_tree = ObjectId(manifest.base_tree)
    patch = difference(tools.git, tools.store, base_tree, merged.tree)
    try:
        said = scan(patch, _limits(plan, patch))
    except PatchRefused as refused:
        return _unproven(judgement, "git's own DIFF.patch cannot be read", str(refused))
    apart = differing(said, merged)
    if apart:
        return _unproven(judgement, "DIFF.patch does not say what was merged", apart)
    audited = replayed(
        tools.git,
        tools.store,
        base_tree=base_tree,
        blobs=judgement.blobs,
        patch=patch,
        known=computed(said, merged),
        scratch=tools.scratch,
    )
    if audited != merged.tree:
        return _unproven(judgement, "git does not reach the merged tree by DIFF.patch", audited)
    changes = tuple(reported(said, merged, judgement.base))
    proof = Proof(
        merged_tree=merged.tree,
        audited_tree=ObjectId(audited),
        pack_sha256=digest_of(pack),
        objects=len(merged.objects),
    )
    return Integration(
        judgement=judgement, merged=merged, patch=patch, changes=changes, proof=proof, extra=()
    )


def _limits(plan: Plan, patch: bytes) -> PatchLimits:
    """Return limits that fit the whole, which may be larger than any one bundle."""
    return replace(
        plan.policy.limits(), patch_bytes=len(patch), sections=len(patch), lines=len(patch)
    )


def _unmerged(judgement: Judgement, *extra: Finding) -> Integration:
    return Integration(
        judgement=judgement, merged=None, patch=b"", changes=(), proof=None, extra=extra
    )


def _unproven(judgement: Judgement, message: str, reason: str) -> Integration:
    finding = blocking(
        Code.PROOF_FAILED,
        f"{INTEGRATOR}: merged tree",
        f"{message}: {reason}",
        "keep the run folder and report this: two engines disagree",
    )
    return _unmerged(judgement, finding)


def _check_events(run: RunId, judgement: Judgement) -> Iterable[Event]:
    codes = [finding.code for finding in judgement.findings if finding.blocks]
    for event_type, family in (
        (EventType.SCOPE_CHECK, "scope."),
        (EventType.OVERLAP_CHECK, "overlap."),
    ):
        count = sum(1 for code in codes if code.startswith(family))
        yield Event(
            run_id=run,
            event_type=event_type,
            actor=INTEGRATOR,
            rc=3 if count else 0,
            file_counts={"blocking": count},
        )


def _merge_events(run: RunId, integration: Integration) -> Iterable[Event]:
    merged, proof = integration.merged, integration.proof
    if merged is None or proof is None:
        return
    yield Event(
        run_id=run,
        event_type=EventType.MERGED,
        actor=INTEGRATOR,
        file_counts={"workers": len(merged.workers), "paths": len(merged.entries)},
        hashes={"tree": merged.tree, "commit": merged.commit or ""},
    )
    yield Event(
        run_id=run,
        event_type=EventType.PROVED,
        actor=INTEGRATOR,
        rc=0,
        hashes={"tree": proof.audited_tree, "pack": proof.pack_sha256},
    )
