"""What the commands at the operator's desk, before a run and after its report, say as JSON."""

from tools.codex.factory.domain.answer import Answer
from tools.codex.factory.domain.artifact import (
    Artifact,
    Count,
    FindingRecord,
    ObjectIdText,
    WorkerIdText,
)
from tools.codex.factory.domain.evidence import IntegratorStatus


class CompletionAnswer(Answer):
    """What `completion` says with `--json`."""

    shell: str
    script: str


class OpenAnswer(Answer):
    """What `open-report` and `open-run` say with `--json`: the path, which is opened by nobody."""

    run_id: str
    path: str


class LanguageSaid(Artifact):
    """A language of the repository, and how many files are in it."""

    language: str
    files: int


class CheckSaid(Artifact):
    """A check that was found. `missing` says why the plan has it as a comment only, if it does."""

    name: str
    command: tuple[str, ...]
    missing: str


class WorkerSaid(Artifact):
    """A worker of the plan, and what it may write."""

    worker_id: str
    allow: tuple[str, ...]


class InitAnswer(Answer):
    """What `init` says with `--json`: what it found, what it wrote, and the plan itself."""

    files: tuple[str, ...]
    languages: tuple[LanguageSaid, ...]
    checks: tuple[CheckSaid, ...]
    workers: tuple[WorkerSaid, ...]
    plan: str


class AmendAnswer(Answer):
    """What `amend` says with `--json`: the revision that is in force now, and what it changes."""

    run_id: str
    revision: int
    reason: str
    changes: tuple[str, ...]


class PublishAnswer(Answer):
    """What `publish` says with `--json`: the branch that was made, and the commit it is at.

    `run_id` is the run whose proven tree it is: with `--onto` another than the one named.
    """

    run_id: str
    branch: str
    base_commit: ObjectIdText
    tree: ObjectIdText
    commit: ObjectIdText


class PlannedWorker(Artifact):
    """One worker of a plan: how many files of the base it may write, how many of them it shares."""

    worker_id: WorkerIdText
    source: str
    files: Count
    shared: Count


class Cost(Artifact):
    """What a launch takes: checkouts at one time with bytes and files of all of them.

    Seconds are bounds: `worker_seconds` of all attempts and setups one after another,
    `wall_seconds` of all of them so many at a time and then of the checks.
    """

    checkouts: Count
    bytes: Count
    files: Count
    processes: Count
    worker_seconds: Count
    wall_seconds: Count


class PlanAnswer(Answer):
    """What `plan` says with `--json`: who may write what, what speaks against it, what it costs."""

    title: str
    base_commit: ObjectIdText
    files: Count
    workers: tuple[PlannedWorker, ...]
    findings: tuple[FindingRecord, ...]
    cost: Cost


class HeldRun(Artifact):
    """A run and what it holds on disk. `bytes` are those of its folder.

    `unpublished` are the workers whose captured work is on no branch that was published of it,
    `uncaptured` the checkouts that hold what is nowhere else.
    """

    run_id: str
    status: str
    ended: int | None
    started: str
    title: str
    rehearsal: bool
    published: dict[str, str]
    unpublished: tuple[str, ...]
    uncaptured: tuple[str, ...]
    bytes: Count


class RunsAnswer(Answer):
    """What `runs list` says with `--json`: runs, newest last."""

    runs: tuple[HeldRun, ...]


class PrunedRow(Artifact):
    """A run that `runs prune` looked at: whether it is removed, and why, or why not."""

    run_id: str
    removed: bool
    reason: str
    bytes: Count


class PruneAnswer(Answer):
    """What `runs prune` says with `--json`; with `--dry-run` nothing was removed yet."""

    dry_run: bool
    runs: tuple[PrunedRow, ...]


class Evidence(Artifact):
    """What a commit's trailers name, and whether it is still here and the same."""

    name: str
    said: str
    is_here: bool


class RunShowAnswer(Answer):
    """What `runs show` says with `--json`: one run, and what stands behind a published commit.

    `run` and `state` are null where the run's folder is not here.
    """

    run_id: str
    run: HeldRun | None
    state: IntegratorStatus | None
    seals: dict[str, str]
    amendments: tuple[str, ...]
    report: str | None
    commit: ObjectIdText | None
    evidence: tuple[Evidence, ...]
