"""What the command line says as JSON: one document for each command."""

from typing import Literal

from pydantic import Field

from tools.codex.factory.domain.artifact import (
    Artifact,
    Count,
    FindingRecord,
    ObjectIdText,
    WorkerIdText,
)
from tools.codex.factory.domain.event import LedgerLine
from tools.codex.factory.domain.evidence import IntegratorStatus, WorkerRow


class ErrorSaid(Artifact):
    """Why a command could not do what it was asked, and what to do."""

    message: str
    hint: str


class Answer(Artifact):
    """What every command says with `--json`."""

    schema_version: Literal[1] = 1
    command: str
    status: Literal["OK", "PENDING", "WAITING", "PASS", "BLOCKED", "FAIL"]
    exit_code: int
    error: ErrorSaid | None = None
    notes: tuple[str, ...] = ()


class RunAnswer(Answer):
    """What a command about one run says with `--json`."""

    run_id: str
    base_commit: ObjectIdText
    tree: ObjectIdText | None = None
    commit: ObjectIdText | None = None
    noop: bool = False
    rehearsal: bool = False
    partial: bool = False
    report: str | None = None
    waiting: dict[str, str] = Field(default_factory=dict)
    """Workers outside that the run waits for, each with the checkout that it works in."""
    workers: tuple[WorkerRow, ...] = ()
    findings: tuple[FindingRecord, ...] = ()


class ReportAnswer(RunAnswer):
    """What `print-report` says with `--json`: the run, and its FINAL_REPORT.txt."""

    text: str


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


class SettingSaid(Artifact):
    """One setting: its value, and the layer that it came from."""

    key: str
    value: bool | int | str | tuple[str, ...]
    layer: str


class ConfigAnswer(Answer):
    """What `config show` says with `--json`."""

    settings: tuple[SettingSaid, ...]


class RunRow(Artifact):
    """One run in the ledger. `ended` is the exit code of its last end, null while open."""

    run_id: str
    status: str
    ended: int | None
    started: str
    last: str
    events: int


class LedgerAnswer(Answer):
    """What `ledger` says with `--json`: runs, or events, newest last."""

    runs: tuple[RunRow, ...] = ()
    events: tuple[LedgerLine, ...] = ()


class DisagreementSaid(Artifact):
    """A file of a run that is not what was written, and why."""

    name: str
    reason: str


class ReplayRow(Artifact):
    """One run, replayed: its state, whether it was rebuilt, and what disagrees."""

    run_id: str
    status: str
    events: int
    rebuilt: bool
    disagreements: tuple[DisagreementSaid, ...]


class ReplayAnswer(Answer):
    """What `ledger-replay` says with `--json`."""

    runs: tuple[ReplayRow, ...] = ()


class SchemasAnswer(Answer):
    """What `schemas` says with `--json`: names, and the folder they were written to, if any."""

    names: tuple[str, ...] = ()
    folder: str | None = None


def run_answer(command: str, status: IntegratorStatus, report: str) -> RunAnswer:
    """Return the answer about an integrated run: STATUS.json in the command line's words."""
    return RunAnswer(
        command=command,
        status=status.status,
        exit_code=status.exit_code,
        run_id=status.run_id,
        base_commit=status.base_commit,
        tree=status.tree,
        commit=status.commit,
        noop=status.noop,
        rehearsal=status.rehearsal,
        partial=status.partial,
        report=report,
        workers=status.workers,
        findings=status.findings,
    )
