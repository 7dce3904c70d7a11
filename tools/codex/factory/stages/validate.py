"""Sealed bundles are read and judged. Repeatable; nothing but events is written."""

from collections.abc import Callable, Iterable

from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.identity import ObjectId, RunId, WorkerId
from tools.codex.factory.domain.manifest import Manifest
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.domain.verdict import BaseObjects, Judgement, decide, judge
from tools.codex.factory.storage.run_directory import RunDirectory
from tools.codex.factory.storage.seal import sealed


def judged(run: RunDirectory, plan: Plan, manifest: Manifest, objects: BaseObjects) -> Judgement:
    """Return the judgement of a run's sealed bundles, read anew."""
    most = {"patch_bytes": plan.policy.patch_bytes, "bundle_bytes": plan.policy.bundle_bytes}
    raws = [sealed(run, WorkerId(e.id), **most) for e in plan.workers]
    return judge(
        raws,
        plan,
        run=run.run,
        base_commit=manifest.base_commit,
        base_root=ObjectId(manifest.base_tree),
        objects=objects,
    )


def validate(
    run: RunDirectory,
    plan: Plan,
    manifest: Manifest,
    *,
    objects: BaseObjects,
    record: Callable[[Event], None],
) -> Judgement:
    """Judge a run's sealed bundles and record, for each worker and for all, what came of it."""
    judgement = judged(run, plan, manifest, objects)
    for event in validation_events(run.run, plan, judgement):
        record(event)
    return judgement


def validation_events(run: RunId, plan: Plan, judgement: Judgement) -> Iterable[Event]:
    """Yield one event for each worker, and one for the whole."""
    for entry in plan.workers:
        worker = WorkerId(entry.id)
        own = judgement.own_findings[worker]
        yield Event(
            run_id=run,
            event_type=EventType.BUNDLE_VALIDATED,
            actor=worker,
            rc=0 if judgement.status_of(worker) == "PASS" else 3,
            file_counts={
                "changes": len(judgement.changes_of.get(worker, ())),
                "findings": len(own),
                "outside": len(
                    {f.subject for f in own if f.blocks and f.code.startswith("scope.")}
                ),
            },
            details={"status": judgement.status_of(worker)},
        )
    status = decide(judgement.findings)
    yield Event(
        run_id=run,
        event_type=EventType.VALIDATE_END,
        actor="factory",
        rc=0 if status == "PASS" else 3,
        file_counts={"findings": len(judgement.findings)},
        details={"status": status},
    )
