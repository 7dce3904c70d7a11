"""What stands behind a run, and behind a commit that was published of one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tools.codex.factory.domain.amendment import deeds
from tools.codex.factory.domain.desk_answer import Evidence, HeldRun
from tools.codex.factory.domain.evidence import IntegratorStatus
from tools.codex.factory.domain.identity import ObjectId, WorkerId, digest_of, is_run_id
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.publication import (
    AMENDED_TRAILER,
    BASE_TRAILER,
    CHECK_TRAILER,
    REPORT_TRAILER,
    RUN_TRAILER,
    WORKER_TRAILER,
    green,
    trailers,
)
from tools.codex.factory.errors import FactoryError, RunUnavailable, UsageError
from tools.codex.factory.pipelines.holdings import held
from tools.codex.factory.pipelines.record import (
    RecordedRun,
    integrator_status,
    launched_again,
    recorded_run,
    report_file,
    view_of,
)
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.render.text import shown
from tools.codex.factory.repository.discovery import commit_named
from tools.codex.factory.repository.publication import commit_tree, message_of
from tools.codex.factory.storage.run_directory import published_name, seal_name


@dataclass(frozen=True, slots=True)
class _Commit:
    """A commit that was published of a run, and what its trailers say."""

    id: ObjectId
    run: str
    said: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """One run, and what stands behind a commit that was published of it.

    `run` and `state` are None where the run's folder is not here; `seals` are digests by worker.
    """

    run_id: str
    run: HeldRun | None = None
    state: IntegratorStatus | None = None
    seals: Mapping[str, str] = field(default_factory=dict)
    amendments: tuple[str, ...] = ()
    report: str | None = None
    commit: ObjectId | None = None
    evidence: tuple[Evidence, ...] = ()


def of_run(ground: Session, name: str | None) -> Provenance:
    """Return a run with its bundles, checks and report, or the newest where none is named."""
    return _of(ground, recorded_run(ground, name), None)


def of_commit(ground: Session, ref: str) -> Provenance:
    """Return the run that a published commit names, and whether its evidence is still the same.

    Raises RunUnavailable for a commit that no run was published as.
    """
    commit = _commit(ground, ref)
    try:
        run = recorded_run(ground, commit.run)
    except RunUnavailable:
        rows = tuple(Evidence(name=n, said=s, is_here=False) for n, s in commit.said)
        return Provenance(run_id=commit.run, commit=commit.id, evidence=rows)
    return _of(ground, run, commit)


def _of(ground: Session, run: RecordedRun, commit: _Commit | None) -> Provenance:
    name = run.directory.run
    status = _status(ground, run, commit)
    if commit is None and status is not None and launched_again(run, status):
        # What it came to, it came to with another bundle.
        status = None
    seals = {entry.id: _digest(run, seal_name(WorkerId(entry.id))) for entry in run.plan.workers}
    return Provenance(
        run_id=name,
        run=held(ground, name, view_of(ground, name)),
        state=status,
        seals={worker: digest for worker, digest in seals.items() if digest},
        amendments=tuple(
            f"revision {one.revision} ({one.reason}): {deed}"
            for one in run.plan.amendments
            for deed in deeds(one)
        ),
        report=quoted(str(report_file(ground, name))) if status is not None else None,
        commit=commit.id if commit is not None else None,
        evidence=tuple(_evidence(ground, run, status, commit)) if commit is not None else (),
    )


def _status(ground: Session, run: RecordedRun, commit: _Commit | None) -> IntegratorStatus | None:
    """Return what stands behind a commit, or what the run came to last; None where nothing does."""
    name = None if commit is None else _report_of(ground, run, commit)
    if name == "":
        return None
    try:
        return integrator_status(run.directory, name)
    except RunUnavailable:
        return None


def _report_of(ground: Session, run: RecordedRun, commit: _Commit) -> str:
    """Return where the very STATUS.json lies that a commit names; empty where it does not.

    A commit that was written anew since has another id, and names the same.
    """
    view = view_of(ground, run.directory.run)
    commits = [commit.id, *(view.published.values() if view is not None else ())]
    said = {value for name, value in commit.said if name == REPORT_TRAILER}
    names = (published_name(one, "STATUS.json") for one in commits)
    return next((name for name in names if f"sha256:{_digest(run, name)}" in said), "")


def _commit(ground: Session, ref: str) -> _Commit:
    commit = commit_named(ground.git, ground.repository, ref)
    if commit is None:
        raise UsageError(
            f"{ref!r} is not a commit in this repository", hint="name a commit or a branch"
        )
    said = trailers(message_of(ground.git, ground.repository, commit))
    run = next((value for name, value in said if name == RUN_TRAILER), None)
    if run is None or not is_run_id(run):
        raise RunUnavailable(
            f"commit {commit[:12]} names no run: factory did not publish it, or its message was "
            "written anew",
            hint="`git log --grep Factory-Run` lists those that do",
        )
    return _Commit(commit, run, said)


def _evidence(
    ground: Session, run: RecordedRun, status: IntegratorStatus | None, commit: _Commit
) -> Iterator[Evidence]:
    """Yield what the commit names, held against what is in the run's folder."""
    tree = commit_tree(ground.git, ground.repository, commit.id)
    is_proven = status is not None and status.tree == tree
    yield Evidence(name="tree", said=tree, is_here=is_proven)
    for name, said in commit.said:
        if name == REPORT_TRAILER:
            yield Evidence(name=name, said=said, is_here=status is not None)
        elif name == BASE_TRAILER:
            yield Evidence(name=name, said=said, is_here=said == run.manifest.base_commit)
        elif name == WORKER_TRAILER:
            worker, _, digest = said.partition(" sha256:")
            known = worker in run.manifest.workers
            here = known and digest == _digest(run, seal_name(WorkerId(worker)))
            yield Evidence(name=name, said=said, is_here=here)
        elif name == CHECK_TRAILER:
            green_there = {f"{shown(row.name)}: passed" for row in green(status)} if status else ()
            yield Evidence(name=name, said=said, is_here=said in green_there)
        elif name == AMENDED_TRAILER:
            reasons = [shown(one.reason) for one in run.plan.amendments]
            yield Evidence(name=name, said=said, is_here=said in reasons)


def _digest(run: RecordedRun, name: str) -> str:
    """Return the digest of a file of the run, empty where it cannot be read."""
    try:
        return digest_of(run.directory.read(name))
    except (FileNotFoundError, FactoryError):
        return ""
