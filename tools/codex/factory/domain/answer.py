"""What the command line says as JSON: one document for each command."""

from typing import Literal

from pydantic import Field

from tools.codex.factory.domain.artifact import (
    Artifact,
    FindingRecord,
    ObjectIdText,
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
