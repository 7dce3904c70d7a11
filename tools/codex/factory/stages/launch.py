"""Sources made elsewhere are taken in as sealed bundles, whatever state they are in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tools.codex.factory.domain.artifact import (
    Ending,
    FilesChanged,
    HandoffNote,
    LogIndex,
    WorkerStatus,
)
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.claim import path_change
from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.finding import Code, Finding, blocking
from tools.codex.factory.domain.identity import ObjectId, RepoPath, WorkerId, digest_of
from tools.codex.factory.domain.patch import scan
from tools.codex.factory.domain.plan import Plan, WorkerEntry, scope_lock
from tools.codex.factory.domain.proof import prove, touched_paths, wanted_blobs
from tools.codex.factory.domain.reader import PatchRefused
from tools.codex.factory.domain.result import records
from tools.codex.factory.domain.tree import Entry, around, spliced
from tools.codex.factory.errors import RepositoryError
from tools.codex.factory.render.documents import suggestions_text, summary_text
from tools.codex.factory.repository.branch import carried
from tools.codex.factory.repository.difference import differences
from tools.codex.factory.repository.discovery import Base, UserRepository
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.objects import Objects
from tools.codex.factory.repository.quarantine import keep_pack, pack_of
from tools.codex.factory.stages.gather import BranchSource, BundleSource, PatchSource, Source
from tools.codex.factory.storage.intake import is_sealed, seal
from tools.codex.factory.storage.run_directory import RunDirectory

Record = Callable[[Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What a source makes of the base: a tree, or the raw patch and why it makes none."""

    tree: ObjectId | None
    raw: bytes
    findings: tuple[Finding, ...]


def launch(
    run: RunDirectory,
    plan: Plan,
    sources: Mapping[WorkerId, Source],
    *,
    base: Base,
    git: Git,
    repository: UserRepository,
    objects: Objects,
    clock: Callable[[], datetime],
    stamp: Callable[[datetime], str],
    record: Record,
) -> None:
    """Seal a bundle for every worker that has none yet."""
    entries = {WorkerId(entry.id): entry for entry in plan.workers}
    open_workers = [worker for worker in entries if not is_sealed(run, worker)]
    started = clock()
    new: dict[ObjectId, tuple[str, bytes]] = {}
    work: dict[WorkerId, _Work] = {}
    for worker in open_workers:
        source = sources[worker]
        if isinstance(source, BundleSource):
            digest = seal(run, worker, source.taken.files, source.taken.findings)
            record(_sealed_event(run, worker, digest, source.taken.files.get("DIFF.patch", b"")))
        elif isinstance(source, PatchSource):
            work[worker] = _patched(worker, source.content, plan, base, objects, new)
        elif isinstance(source, BranchSource):
            work[worker] = _branched(
                worker, source.commit, git, repository, run.store, base, objects, new
            )
    if new:
        kept = keep_pack(git, run.store, pack_of(new), strict=False)
        if kept.exit_code != 0:
            raise RepositoryError(f"git index-pack failed: {kept.complaint}")
    made = [(worker, done.tree) for worker, done in work.items() if done.tree is not None]
    patches = differences(git, run.store, [(base.tree, tree) for _, tree in made])
    patch_of = dict(zip((worker for worker, _ in made), patches, strict=True))
    for worker, done in work.items():
        files = _bundle_files(
            run,
            plan,
            entries[worker],
            done,
            patch_of.get(worker, done.raw),
            base=base,
            objects=objects,
            times=(started, clock()),
            stamp=stamp,
        )
        digest = seal(run, worker, files)
        record(_sealed_event(run, worker, digest, files["DIFF.patch"]))


def _patched(
    worker: WorkerId,
    content: bytes,
    plan: Plan,
    base: Base,
    objects: Objects,
    new: dict[ObjectId, tuple[str, bytes]],
) -> _Work:
    changes, findings = _proven(worker, content, plan, base, objects)
    if findings:
        return _Work(tree=None, raw=content, findings=findings)
    entries = {change.path: change.new for change in changes}
    new |= {
        change.new.id: ("blob", change.content)
        for change in changes
        if change.new is not None and change.content is not None
    }
    return _Work(tree=_tree(entries, base, objects, new), raw=content, findings=())


def _branched(
    worker: WorkerId,
    commit: ObjectId,
    git: Git,
    repository: UserRepository,
    store: Path,
    base: Base,
    objects: Objects,
    new: dict[ObjectId, tuple[str, bytes]],
) -> _Work:
    done = carried(
        git, repository, store, base, commit, lambda paths: around(base.tree, paths, objects.tree)
    )
    if done.refusal:
        refused = blocking(
            Code.SOURCE_NOT_CARRIED,
            f"{worker}: {commit}",
            f"the branch cannot be carried over exactly: {done.refusal}",
            "rebase the branch on the base commit",
        )
        return _Work(tree=None, raw=b"", findings=(refused,))
    return _Work(tree=_tree(done.entries, base, objects, new), raw=b"", findings=())


def _tree(
    entries: Mapping[RepoPath, Entry | None],
    base: Base,
    objects: Objects,
    new: dict[ObjectId, tuple[str, bytes]],
) -> ObjectId:
    made = spliced(around(base.tree, entries, objects.tree), entries)
    new |= {oid: ("tree", content) for oid, content in made.objects.items()}
    return made.root


def _proven(
    worker: WorkerId, content: bytes, plan: Plan, base: Base, objects: Objects
) -> tuple[tuple[Change, ...], tuple[Finding, ...]]:
    limits = plan.policy.limits()
    try:
        patch = scan(content, limits)
    except PatchRefused as refused:
        finding = blocking(Code.PATCH_GRAMMAR, f"{worker}: DIFF.patch", str(refused))
        return (), (finding,)
    tree = around(base.tree, touched_paths(patch), objects.tree)
    blobs = objects.blobs(wanted_blobs(patch, tree), limit=limits.file_bytes)
    proven = prove(patch, tree, blobs, worker=worker, limits=limits)
    return proven.changes, proven.findings


def _bundle_files(
    run: RunDirectory,
    plan: Plan,
    entry: WorkerEntry,
    done: _Work,
    patch: bytes,
    *,
    base: Base,
    objects: Objects,
    times: tuple[datetime, datetime],
    stamp: Callable[[datetime], str],
) -> dict[str, bytes]:
    """Return the eight artifacts of work that was made elsewhere."""
    worker = WorkerId(entry.id)
    changes: tuple[Change, ...] = ()
    if done.tree is not None:
        changes, _ = _proven(worker, patch, plan, base, objects)
    named = {"schema_version": 1, "run_id": run.run, "worker_id": worker}
    status = WorkerStatus.model_validate(
        {
            **named,
            "status": "PASS" if done.tree is not None else "BLOCKED",
            "started_at": stamp(times[0]),
            "ended_at": stamp(times[1]),
            "duration_ms": int((times[1] - times[0]).total_seconds() * 1000),
            "ended": Ending(how="adopted", exit_code=None, signal=None),
            "attempts": 1,
            "base_commit": base.commit,
            "captured_tree": done.tree,
            "findings": records(done.findings),
            "usage": {},
        }
    )
    files_changed = FilesChanged.model_validate(
        {
            **named,
            "changes": tuple(path_change(change, worker) for change in changes),
            "noop": not changes,
            "noop_reason": None if changes else _noop_reason(done, entry),
        }
    )
    handoff = HandoffNote.model_validate(
        {
            **named,
            "summary": "",
            "declared_paths": (),
            "scope_requests": (),
            "risks": (),
            "follow_ups": (),
            "no_change": None,
        }
    )
    return {
        "DIFF.patch": patch,
        "FILES_CHANGED.json": canonical(files_changed),
        "HANDOFF_NOTE.json": canonical(handoff),
        "LOGS/INDEX.json": canonical(LogIndex.model_validate({**named, "logs": ()})),
        "SCOPE_LOCK.json": canonical(scope_lock(entry, run.run)),
        "STATUS.json": canonical(status),
        "SUGGESTIONS.md": suggestions_text(worker).encode(),
        "SUMMARY.md": summary_text(worker, entry.source, changes).encode(),
    }


def _noop_reason(done: _Work, entry: WorkerEntry) -> str:
    return (
        "the source cannot be adopted" if done.findings else f"the {entry.source} changes nothing"
    )


def _sealed_event(run: RunDirectory, worker: WorkerId, digest: str, patch: bytes) -> Event:
    return Event(
        run_id=run.run,
        event_type=EventType.BUNDLE_SEALED,
        actor=worker,
        hashes={"seal": digest, "DIFF.patch": digest_of(patch)},
        file_counts={"patch_bytes": len(patch)},
    )
