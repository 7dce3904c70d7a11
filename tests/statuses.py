"""Plans, verdicts and what stands behind them: valid by default, one keyword changes one thing."""

from typing import Any

from tools.codex.factory.domain.artifact import (
    Ending,
    FilesChanged,
    FindingRecord,
    HandoffNote,
    WorkerStatus,
)
from tools.codex.factory.domain.bundle import Bundle
from tools.codex.factory.domain.desk_answer import Cost, HeldRun, PlanAnswer
from tools.codex.factory.domain.evidence import (
    CheckRow,
    IntegratorStatus,
    LedgerHead,
    Proof,
    Salvage,
    WorkerRow,
)
from tools.codex.factory.domain.finding import Code
from tools.codex.factory.domain.identity import RunId, WorkerId
from tools.codex.factory.domain.manifest import Manifest
from tools.codex.factory.domain.patch import Patch
from tools.codex.factory.domain.plan import (
    Amendment,
    Check,
    Integration,
    Plan,
    Policy,
    WorkerEntry,
    scope_lock,
)

BASE = "1a2b3c4d" * 5
TREE = "5e6f7a8b" * 5
COMMIT = "9c0d1e2f" * 5
SHA = "ab" * 32
BEGAN = "2026-11-21T03:45:00+00:00"
HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202egnp.exe\u200b\x9b31m\r\n\t\u2028"
"""What steers a screen, a reader's eye or a parser, where it is sent as it is."""


def an_entry(name: str = "A_worker", **more: Any) -> WorkerEntry:
    """Return a worker of a plan; its source is a patch."""
    said: dict[str, Any] = {"id": name, "patch": f"{name}.patch", "allow": ("src/**",)}
    return WorkerEntry.model_validate({**said, **more})


def a_check(name: str = "tests", **more: Any) -> Check:
    """Return a required check."""
    return Check.model_validate({"name": name, "command": ("true",), **more})


def a_plan(**more: Any) -> Plan:
    """Return the first revision of a plan of two workers and one check."""
    said: dict[str, Any] = {
        "schema_version": 1,
        "revision": 1,
        "title": "A title",
        "workers": (an_entry("A_worker"), an_entry("B_worker")),
        "pins": {},
        "integration": Integration(),
        "checks": (a_check(),),
        "policy": Policy(),
        "runs_root": None,
    }
    return Plan.model_validate({**said, **more})


def an_amendment(**more: Any) -> Amendment:
    """Return the record of an amendment that grants nothing."""
    said: dict[str, Any] = {
        "revision": 2,
        "reason": "as agreed",
        "allow": {},
        "deny": {},
        "shared": (),
        "dropped": (),
        "dropped_paths": {},
        "replaced": (),
        "follows": SHA,
    }
    return Amendment.model_validate({**said, **more})


def a_worker_row(name: str = "A_worker", **more: Any) -> WorkerRow:
    """Return a worker whose two changes are in the merged tree."""
    said = {"worker_id": name, "status": "PASS", "ended": "adopted", "changes": 2, "merged": True}
    return WorkerRow.model_validate({**said, **more})


def a_check_row(name: str = "tests", result: str = "passed", **more: Any) -> CheckRow:
    """Return a required check that ended as its result says."""
    code = 0 if result == "passed" else 7
    ended = None if result == "not_run" else Ending(how="exited", exit_code=code, signal=None)
    said: dict[str, Any] = {
        "name": name,
        "required": True,
        "on": "merged",
        "result": result,
        "ended": ended,
        "reason": "",
        "runs": 1,
        "duration_ms": 1500,
        "reused": None,
        "flakes": 0,
        "tail": (),
    }
    return CheckRow.model_validate({**said, **more})


def a_finding(code: Code = Code.SCOPE_OUTSIDE_LOCK, **more: Any) -> FindingRecord:
    """Return a finding that blocks, about one path."""
    said = {
        "code": code.value,
        "severity": "blocks",
        "subject": "A_worker: docs/guide.txt",
        "message": "no pattern allows it",
        "hint": "grant it",
    }
    return FindingRecord.model_validate({**said, **more})


def a_salvage(*workers: str, checks: tuple[CheckRow, ...] = ()) -> Salvage:
    """Return the merge of these workers alone."""
    return Salvage(workers=workers, tree=TREE, checks=checks)


def a_status(**more: Any) -> IntegratorStatus:
    """Return the verdict of a run that passed: two workers merged, one check green."""
    said: dict[str, Any] = {
        "schema_version": 1,
        "run_id": "run-1",
        "worker_id": "Z_integrator",
        "status": "PASS",
        "exit_code": 0,
        "base_commit": BASE,
        "base_tree": TREE,
        "tree": TREE,
        "commit": COMMIT,
        "noop": False,
        "rehearsal": False,
        "partial": False,
        "proof": Proof(merged_tree=TREE, audited_tree=TREE, pack_sha256=SHA, objects=3),
        "workers": (a_worker_row("A_worker"), a_worker_row("B_worker")),
        "checks": (a_check_row(),),
        "attribution": (),
        "salvage": None,
        "salvage_search": "not_asked",
        "findings": (),
        "artifacts": {},
        "inputs": {},
        "ledger": LedgerHead(count=9, sha256=SHA),
        "started_at": BEGAN,
        "ended_at": BEGAN,
        "duration_ms": 0,
        "versions": {"factory": "1.2.3"},
        "error": None,
    }
    return IntegratorStatus.model_validate({**said, **more})


def blocked(*findings: FindingRecord, **more: Any) -> IntegratorStatus:
    """Return the verdict of a run that these findings stop; nothing is merged."""
    rows = tuple(a_worker_row(name, merged=False) for name in ("A_worker", "B_worker"))
    said: dict[str, Any] = {
        "status": "BLOCKED",
        "exit_code": 3,
        "tree": None,
        "commit": None,
        "proof": None,
        "workers": rows,
        "checks": (),
        "findings": findings,
    }
    return a_status(**{**said, **more})


def a_manifest(**more: Any) -> Manifest:
    """Return the identity of a run."""
    said: dict[str, Any] = {
        "schema_version": 1,
        "run_id": "run-1",
        "kind": "factory",
        "created_at": BEGAN,
        "base_ref": "main",
        "base_commit": BASE,
        "base_tree": TREE,
        "workers": ("A_worker", "B_worker"),
        "rehearsal": False,
        "plan_sha256": SHA,
        "config_sha256": SHA,
        "versions": {},
    }
    return Manifest.model_validate({**said, **more})


def a_held_run(**more: Any) -> HeldRun:
    """Return a run that passed, was not published, and holds nobody's work."""
    said: dict[str, Any] = {
        "run_id": "run-1",
        "status": "PASS",
        "ended": 0,
        "started": BEGAN,
        "title": "A title",
        "rehearsal": False,
        "published": {},
        "unpublished": (),
        "uncaptured": (),
        "bytes": 2048,
    }
    return HeldRun.model_validate({**said, **more})


def a_cost(**more: int) -> Cost:
    """Return what a launch of two commands takes."""
    said = {
        "checkouts": 2,
        "bytes": 3 << 20,
        "files": 1200,
        "processes": 2,
        "worker_seconds": 7200,
        "wall_seconds": 3690,
    }
    return Cost.model_validate({**said, **more})


def a_plan_answer(**more: Any) -> PlanAnswer:
    """Return what `plan` says of a plan without workers and findings."""
    said: dict[str, Any] = {
        "command": "plan",
        "status": "PASS",
        "exit_code": 0,
        "title": "A title",
        "base_commit": BASE,
        "files": 10,
        "workers": (),
        "findings": (),
        "cost": a_cost(),
    }
    return PlanAnswer.model_validate({**said, **more})


def a_worker_status(*findings: FindingRecord, **more: Any) -> WorkerStatus:
    """Return how a worker ended: well, unless `how`, `exit_code` or `signal` say otherwise."""
    ended = {"how": "exited", "exit_code": 0, "signal": None}
    ended |= {name: more.pop(name) for name in ended if name in more}
    said: dict[str, Any] = {
        "schema_version": 1,
        "run_id": "run-1",
        "worker_id": "A_worker",
        "status": "PASS",
        "started_at": BEGAN,
        "ended_at": BEGAN,
        "duration_ms": 0,
        "ended": Ending.model_validate(ended),
        "attempts": 1,
        "base_commit": BASE,
        "captured_tree": None,
        "findings": findings,
        "usage": {},
    }
    return WorkerStatus.model_validate({**said, **more})


def a_bundle(*findings: FindingRecord, **more: Any) -> Bundle:
    """Return the bundle of A_worker, which changes nothing, and its status as `more` says."""
    who = {"schema_version": 1, "run_id": "run-1", "worker_id": "A_worker"}
    said: dict[str, Any] = {"summary": "", "declared_paths": (), "scope_requests": ()}
    rest: dict[str, Any] = {"risks": (), "follow_ups": (), "no_change": "nothing to do"}
    changed: dict[str, Any] = {"changes": (), "noop": True, "noop_reason": "nothing to do"}
    return Bundle(
        worker=WorkerId("A_worker"),
        patch=Patch(()),
        scope_lock=scope_lock(an_entry(), RunId("run-1")),
        files_changed=FilesChanged.model_validate({**who, **changed}),
        status=a_worker_status(*findings, **more),
        handoff=HandoffNote.model_validate({**who, **said, **rest}),
    )
