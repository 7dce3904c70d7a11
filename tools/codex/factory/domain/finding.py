"""What the operator should know: one fact about one subject, from a closed list of codes."""

from dataclasses import dataclass, replace
from enum import StrEnum

MOST_ALIKE = 100
"""How many findings of one kind are named."""


class Severity(StrEnum):
    """Whether a finding stops the run."""

    NOTE = "note"
    BLOCKS = "blocks"


class Code(StrEnum):
    """Every kind of finding. The value is stable; docs and machines know it by that."""

    ARTIFACT_MISSING = "bundle.artifact_missing"
    TOO_LARGE = "bundle.too_large"
    NOT_A_FILE = "bundle.not_a_file"
    SCHEMA = "bundle.schema"
    IDENTITY = "bundle.identity"
    SEAL_BROKEN = "bundle.seal_broken"
    DIFF_DISAGREES = "bundle.diff_disagrees"
    TREE_DISAGREES = "bundle.tree_disagrees"
    LOG_DISAGREES = "bundle.log_disagrees"
    HANDOFF_CONTRADICTS = "bundle.handoff_contradicts"
    UNDECLARED_PATH = "bundle.undeclared_path"
    NO_CHANGE = "bundle.no_change"
    PATCH_GRAMMAR = "patch.grammar"
    PATCH_PATH_TWICE = "patch.path_twice"
    PATCH_BASE_DIFFERS = "patch.base_differs"
    PATCH_DOES_NOT_APPLY = "patch.does_not_apply"
    PATCH_RESULT_DIFFERS = "patch.result_differs"
    PATCH_TREE_SHAPE = "patch.tree_shape"
    SOURCE_NOT_CARRIED = "source.not_carried"
    WORKER_ENDED_BADLY = "worker.ended_badly"
    WORKER_EXIT_CODE = "worker.exit_code"
    WORKER_SIGNALLED = "worker.signalled"
    WORKER_TIMED_OUT = "worker.timed_out"
    WORKER_IDLE = "worker.idle"
    WORKER_OVER_QUOTA = "worker.over_quota"
    WORKER_STOPPED = "worker.stopped"
    WORKER_LOST = "worker.lost"
    WORKER_NOT_STARTED = "worker.not_started"
    WORKER_SETUP_FAILED = "worker.setup_failed"
    WORKER_SETUP_DIRTY = "worker.setup_dirty"
    WORKER_PROCESSES_LEFT = "worker.processes_left"
    WORKER_LOG_TRUNCATED = "worker.log_truncated"
    WORKER_OUTBOX = "worker.outbox"
    SANDBOX_TRESPASS = "sandbox.trespass"
    CAPTURE_FAILED = "capture.failed"
    CAPTURE_CHECKOUT_GONE = "capture.checkout_gone"
    CAPTURE_GIT_GONE = "capture.git_gone"
    CAPTURE_GIT_REPLACED = "capture.git_replaced"
    CAPTURE_GIT_UNREADABLE = "capture.git_unreadable"
    CAPTURE_UNMERGED = "capture.unmerged"
    CAPTURE_NESTED_REPOSITORY = "capture.nested_repository"
    CAPTURE_SPECIAL_FILE = "capture.special_file"
    CAPTURE_PATH_REFUSED = "capture.path_refused"
    CAPTURE_TOO_LARGE = "capture.too_large"
    CAPTURE_LEFT_OUT = "capture.left_out"
    CAPTURE_OTHER_REFS = "capture.other_refs"
    SCOPE_FILTERED_PATH = "scope.filtered_path"
    SCOPE_OUTSIDE_LOCK = "scope.outside_lock"
    SCOPE_DENIED = "scope.denied"
    SCOPE_ALWAYS_DENIED = "scope.always_denied"
    SCOPE_SENSITIVE = "scope.sensitive_path"
    SCOPE_LOCK_DIFFERS = "scope.lock_differs"
    SCOPE_REQUESTED = "scope.requested"
    SCOPE_GRANTED = "scope.granted"
    SCOPE_CHECK_DEFINITION = "scope.check_definition"
    SCOPE_EXECUTABLE = "scope.executable_bit"
    SCOPE_SENSITIVE_ALLOWED = "scope.sensitive_allowed"
    OVERLAP_SAME_PATH = "overlap.same_path"
    OVERLAP_HUNKS = "overlap.hunks"
    OVERLAP_FILE_DIRECTORY = "overlap.file_directory"
    OVERLAP_NAME = "overlap.name_collision"
    OVERLAP_GLOBAL_FILE = "overlap.global_file"
    OVERLAP_EMPTIED = "overlap.emptied_directory"
    PROOF_FAILED = "merge.proof_failed"
    CHECK_FAILED = "check.failed"
    CHECK_FLAKY = "check.flaky"
    CHECK_NOT_RUN = "check.not_run"
    CHECK_RED_ON_BASE = "check.red_on_base"
    PLAN_SCOPES_OVERLAP = "plan.scopes_overlap"
    PLAN_MATCHES_NOTHING = "plan.matches_nothing"
    PLAN_EMPTY_SCOPE = "plan.empty_scope"
    PLAN_SENSITIVE_PATH = "plan.sensitive_path"
    PLAN_SHARED_LOCK_FILE = "plan.shared_lock_file"
    SECRET_IN_PATCH = "secret.in_patch"
    SECRET_REDACTED = "secret.redacted"
    SANDBOX_WEAKER = "sandbox.weaker_than_required"
    SANDBOX_REPOSITORY = "sandbox.repository_changed"
    SANDBOX_LEDGER = "sandbox.ledger_touched"
    POLICY_WRITE_OUTSIDE = "policy.write_outside_run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing about one subject. `subject` begins with the worker where there is one."""

    code: Code
    severity: Severity
    subject: str
    message: str
    hint: str = ""

    @property
    def blocks(self) -> bool:
        """Return whether this finding alone makes the run BLOCKED."""
        return self.severity is Severity.BLOCKS


def blocking(code: Code, subject: str, message: str, hint: str = "") -> Finding:
    """Return a finding that stops the run."""
    return Finding(code=code, severity=Severity.BLOCKS, subject=subject, message=message, hint=hint)


def note(code: Code, subject: str, message: str, hint: str = "") -> Finding:
    """Return a finding that the operator should know, and no more."""
    return Finding(code=code, severity=Severity.NOTE, subject=subject, message=message, hint=hint)


def capped(found: list[Finding], subject: str) -> list[Finding]:
    """Return the first of many findings of one kind, and one about `subject` that counts the rest.

    A stranger's file may be wrong in a million places; nobody reads them.
    """
    if len(found) <= MOST_ALIKE:
        return found
    message = f"{len(found) - MOST_ALIKE:,} more like those that are named"
    return [*found[:MOST_ALIKE], replace(found[-1], subject=subject, message=message)]


def in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    """Return the findings each once, sorted by subject and code."""
    return tuple(sorted(set(findings), key=lambda f: (f.subject, f.code, f.message, f.hint)))
