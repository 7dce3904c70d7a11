"""A proven run out of the house: one commit on a new branch, and nothing else moves."""

from collections.abc import Callable
from dataclasses import dataclass

from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.evidence import IntegratorStatus
from tools.codex.factory.domain.identity import INTEGRATOR, ObjectId, WorkerId, digest_of
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.plan import Pin, Plan, WorkerEntry
from tools.codex.factory.domain.publication import (
    RUN_TRAILER,
    Origin,
    merged_workers,
    objections,
    origin_of,
    trailers,
)
from tools.codex.factory.errors import PublishRefused
from tools.codex.factory.pipelines.chain import chain_of
from tools.codex.factory.pipelines.oneshot import Launched, oneshot
from tools.codex.factory.pipelines.pipeline import locked
from tools.codex.factory.pipelines.prepare import Prepared, Request
from tools.codex.factory.pipelines.record import (
    RecordedRun,
    integrator_status,
    outdated_by,
    recorded_run,
    standing_run,
    view_of,
)
from tools.codex.factory.pipelines.secrets import refuse_in_branch
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.render.message import commit_message
from tools.codex.factory.repository.discovery import Base, base_of, commit_named
from tools.codex.factory.repository.publication import (
    Identity,
    commit_tree,
    hand_over,
    has_object,
    identity_of,
    make_branch,
    make_commit,
    message_of,
    refuse_branch,
)
from tools.codex.factory.repository.quarantine import open_store
from tools.codex.factory.stages.gather import PatchSource, Source
from tools.codex.factory.stages.verify import Recorded, disagreements
from tools.codex.factory.storage.run_directory import published_name, seal_name, worker_artifact

Tell = Callable[[Event], None]
_KEPT = ("FINAL_REPORT.txt", "STATUS.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was published: the run whose proven tree it is, its status, the branch, its commit."""

    run: RecordedRun
    status: IntegratorStatus
    branch: str
    commit: ObjectId


def publish(
    ground: Session,
    name: str | None,
    tell: Tell,
    *,
    branch: str | None,
    onto: str | None,
    accept_partial: bool,
) -> Published:
    """Make one commit of a run's proven tree on a new branch of the user's repository.

    With `onto`, the run's bundles are merged, proven and checked on that commit first, as a run of
    their own. Raises PublishRefused for anything but what is proven, and for a branch that is
    there.
    """
    if branch is not None:
        # Before the lock, which says by which words it is held.
        refuse_in_branch(branch, ground.secrets)
    named = recorded_run(ground, name).directory
    with locked(named):
        run = standing_run(ground, named.run)
        place = branch if branch is not None else f"factory/{named.run}"
        status = _proven(ground, run, accept_partial=accept_partial)
        whole = _whole(run, status)
        done = _made_already(ground, run, status, place)
        if done is not None:
            ground.ledger.append([_event(done, named.run, whole)])
            return done
        refuse_branch(ground.git, ground.repository, place)
        identity = identity_of(ground.host, ground.repository)
        origin = origin_of(run.plan, status)
        base = base_of(ground.git, ground.repository, onto) if onto is not None else None
        if base is None or base.commit == run.manifest.base_commit:
            made = _made(ground, run, status, place, identity, origin)
            ground.ledger.append([_event(made, named.run, whole)])
            return made
        carried, reached = _carried(ground, run, status, base, tell)
        made = _made(ground, carried, reached, place, identity, origin)
        own = _event(made, carried.directory.run, _whole(carried, reached))
        ground.ledger.append([own, _event(made, named.run, whole)])
        return made


def _made_already(
    ground: Session, run: RecordedRun, status: IntegratorStatus, branch: str
) -> Published | None:
    """Return what a `publish` made that died before it was recorded; None where none did."""
    git, repository = ground.git, ground.repository
    commit = commit_named(git, repository, f"refs/heads/{branch}")
    view = view_of(ground, run.directory.run)
    if commit is None or (view is not None and quoted(branch) in view.published):
        return None
    named = dict(trailers(message_of(git, repository, commit))).get(RUN_TRAILER)
    if named != status.run_id or commit_tree(git, repository, commit) != status.tree:
        return None
    return Published(run=run, status=status, branch=branch, commit=commit)


def _made(
    ground: Session,
    run: RecordedRun,
    status: IntegratorStatus,
    branch: str,
    identity: Identity,
    origin: Origin,
) -> Published:
    """Make the commit in the run's store, hand it over, keep its report, and make the branch."""
    digests = _digests(run, status)
    message = commit_message(run.plan, run.manifest, status, digests=digests, origin=origin)
    store = run.directory.check_store()
    open_store(ground.git, store, ground.repository.objects)
    assert status.tree is not None
    if not has_object(ground.git, store, status.tree):
        raise PublishRefused(
            f"the merged tree of run {status.run_id!r} is not in its store any more",
            hint=f"`factory integrate --run-id {status.run_id}` makes it again",
        )
    commit = make_commit(
        ground.git,
        store,
        ObjectId(status.tree),
        parent=ObjectId(run.manifest.base_commit),
        message=message,
        identity=identity,
    )
    hand_over(ground.git, store, ground.repository, commit)
    # What stands behind a commit stays, whatever the run is integrated to afterwards.
    reports = {
        published_name(commit, name): run.directory.read(worker_artifact(INTEGRATOR, name))
        for name in _KEPT
    }
    run.directory.write_all(reports)
    make_branch(ground.git, ground.repository, branch, commit, identity=identity)
    return Published(run=run, status=status, branch=branch, commit=commit)


def _whole(run: RecordedRun, status: IntegratorStatus) -> tuple[str, ...]:
    """Return whose work is in the merged tree with nothing left out."""
    return tuple(w for w in merged_workers(status) if not run.plan.dropped_paths(w))


def _proven(ground: Session, run: RecordedRun, *, accept_partial: bool) -> IntegratorStatus:
    """Return the run's STATUS.json; raise PublishRefused unless all that it says still stands."""
    name = run.directory.run
    status = integrator_status(run.directory)
    changed = outdated_by(run, status)
    if changed:
        raise PublishRefused(
            f"run {name!r} is not published: {changed} since it was integrated",
            hint=f"`factory integrate --run-id {name}` judges it anew",
        )
    for objection, hint in objections(status, run.plan, accept_partial=accept_partial):
        raise PublishRefused(f"run {name!r} is not published: {objection}", hint=hint)
    chain = chain_of(ground.ledger, name)
    view = chain.views.get(name)
    recorded = Recorded(view, chain.digest_of_line) if view is not None else None
    found = disagreements(run.directory, run.plans[0], status, recorded)
    if recorded is None or found:
        said = f"{found[0].name}: {found[0].reason}" if found else "the ledger does not know it"
        raise PublishRefused(
            f"run {name!r} is not what was recorded: {said}",
            hint=f"`factory ledger-replay --run-id {name}` names everything that differs",
        )
    return status


def _carried(
    ground: Session, run: RecordedRun, status: IntegratorStatus, base: Base, tell: Tell
) -> tuple[RecordedRun, IntegratorStatus]:
    """Return a run of the same bundles on another base, integrated; raise where it is not PASS."""
    merged = merged_workers(status)
    sources: dict[str, PatchSource] = {
        worker: PatchSource(
            run.directory.read(worker_artifact(WorkerId(worker), "DIFF.patch")),
            run.plan.dropped_paths(worker),
        )
        for worker in merged
    }
    plan = _plan_of_patches(run, {w: source.content for w, source in sources.items()})
    given: dict[WorkerId, Source] = {WorkerId(w): source for w, source in sources.items()}
    prepared = Prepared(base=base, plan=plan, sources=given, notes=(), rehearsal=False)
    request = Request(base_ref=base.ref, plan_file=None, run_id=None, workers=())
    ended = oneshot(ground, request, prepared, tell)
    assert not isinstance(ended, Launched)
    carried = recorded_run(ground, ended.run_id)
    for objection, _ in objections(ended, carried.plan, accept_partial=False):
        raise PublishRefused(
            f"the work of run {run.directory.run!r} on {base.commit[:12]} is run "
            f"{ended.run_id!r}, and that is not published: {objection}",
            hint=f"`factory print-report --run-id {ended.run_id}` says why; to try again, name "
            f"`--run-id {run.directory.run}`",
        )
    return carried, ended


def _plan_of_patches(run: RecordedRun, patches: dict[str, bytes]) -> Plan:
    """Return the run's plan with the captured patch of each worker for its source."""

    def entry(one: WorkerEntry) -> WorkerEntry:
        patch = f"{run.directory.run}/{one.id}/DIFF.patch"
        kept = one.model_dump(include={"id", "task", "allow", "deny", "shared"})
        return WorkerEntry(**kept, patch=patch)

    return run.plan.model_copy(
        update={
            "revision": 1,
            "workers": tuple(entry(one) for one in run.plan.workers if one.id in patches),
            "pins": {w: _pin(run.plan, w, content) for w, content in patches.items()},
            "amendments": (),
        }
    )


def _pin(plan: Plan, worker: str, content: bytes) -> Pin:
    """Return the pin of a captured patch; what was accepted of it is accepted with it."""
    return Pin(sha256=digest_of(content), accepted_secrets=plan.accepted_secrets(worker))


def _digests(run: RecordedRun, status: IntegratorStatus) -> dict[str, str]:
    """Return the digest of each merged worker's seal, and of STATUS.json as ""."""
    names = {worker: seal_name(WorkerId(worker)) for worker in merged_workers(status)}
    names[""] = worker_artifact(INTEGRATOR, "STATUS.json")
    return {worker: digest_of(run.directory.read(name)) for worker, name in names.items()}


def _event(made: Published, run: str, whole: tuple[str, ...]) -> Event:
    """Return the event that `run` was published, whose work is `whole` in it."""
    return Event(
        run_id=run,
        event_type=EventType.PUBLISHED,
        actor="operator",
        rc=0,
        hashes={"commit": made.commit, "tree": made.status.tree or ""},
        details={
            "branch": quoted(made.branch),
            "base_commit": made.run.manifest.base_commit,
            "as": made.run.directory.run,
            "workers": ",".join(whole),
        },
    )
