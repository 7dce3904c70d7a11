"""The JSON Schemas of every document: the contract that a worker in any language reads."""

from typing import Any

from tools.codex.factory.domain.answer import (
    Answer,
    ConfigAnswer,
    LedgerAnswer,
    ReplayAnswer,
    ReportAnswer,
    RunAnswer,
    SchemasAnswer,
)
from tools.codex.factory.domain.artifact import (
    Artifact,
    FilesChanged,
    HandoffNote,
    LogIndex,
    ScopeLock,
    Seal,
    WorkerStatus,
)
from tools.codex.factory.domain.desk_answer import (
    AmendAnswer,
    CompletionAnswer,
    InitAnswer,
    OpenAnswer,
    PlanAnswer,
    PruneAnswer,
    PublishAnswer,
    RunsAnswer,
    RunShowAnswer,
)
from tools.codex.factory.domain.event import LedgerLine
from tools.codex.factory.domain.evidence import IntegratorStatus, OverlapDocument
from tools.codex.factory.domain.fitness import DoctorAnswer
from tools.codex.factory.domain.manifest import Manifest
from tools.codex.factory.domain.plan import Plan, PlanFile
from tools.codex.factory.domain.reopening import Reopening

MODELS: dict[str, type[Artifact]] = {
    "answer": Answer,
    "answer_amend": AmendAnswer,
    "answer_completion": CompletionAnswer,
    "answer_config": ConfigAnswer,
    "answer_init": InitAnswer,
    "answer_doctor": DoctorAnswer,
    "answer_ledger": LedgerAnswer,
    "answer_ledger_replay": ReplayAnswer,
    "answer_plan": PlanAnswer,
    "answer_open": OpenAnswer,
    "answer_print_report": ReportAnswer,
    "answer_publish": PublishAnswer,
    "answer_prune": PruneAnswer,
    "answer_run": RunAnswer,
    "answer_runs": RunsAnswer,
    "answer_runs_show": RunShowAnswer,
    "answer_schemas": SchemasAnswer,
    "files_changed": FilesChanged,
    "handoff_note": HandoffNote,
    "integrator_status": IntegratorStatus,
    "ledger_line": LedgerLine,
    "log_index": LogIndex,
    "overlap": OverlapDocument,
    "plan": Plan,
    "plan_file": PlanFile,
    "reopened": Reopening,
    "run_manifest": Manifest,
    "scope_lock": ScopeLock,
    "seal": Seal,
    "worker_status": WorkerStatus,
}


def schemas() -> dict[str, dict[str, Any]]:
    """Return every schema by file name."""
    return {
        f"{name}.schema.json": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **model.model_json_schema(),
        }
        for name, model in sorted(MODELS.items())
    }
