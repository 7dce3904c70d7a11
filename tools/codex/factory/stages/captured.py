"""The bundle of what an attempt came to: its capture proven on the base, its texts, its logs."""

from datetime import timedelta
from typing import Literal

from tools.codex.factory.domain.artifact import Ending
from tools.codex.factory.domain.confinement_row import trespass_findings
from tools.codex.factory.domain.finding import Code, Finding, blocking
from tools.codex.factory.domain.identity import WorkerId
from tools.codex.factory.domain.lever import retrying
from tools.codex.factory.domain.order import Outcome, end_of
from tools.codex.factory.domain.plan import WorkerEntry
from tools.codex.factory.domain.tree import around, spliced
from tools.codex.factory.errors import StorageError
from tools.codex.factory.stages.bundle import Made, bundle_files, proven_on
from tools.codex.factory.stages.order import Launch
from tools.codex.factory.stages.redact import (
    Sieve,
    redacted_bundle,
    redacted_confined,
    redaction_note,
)
from tools.codex.factory.storage.attempt import STRAY, Attempt
from tools.codex.factory.storage.intake import LOG_BYTES, TakenIn
from tools.codex.factory.storage.outbox import take_in_outbox
from tools.codex.factory.storage.regular import TooLarge, read_regular

_TOO_LARGE = b"[factory: the log is too large]\n"


def attempt_files(
    about: Launch, entry: WorkerEntry, attempt: Attempt, outcome: Outcome, number: int
) -> TakenIn:
    """Return the bundle of an attempt: what was captured, proven on the base, without secrets."""
    worker = WorkerId(entry.id)
    findings = list(outcome.findings)
    findings += _step_findings(entry, outcome)
    confined, hidden = redacted_confined(outcome.confined, about.secrets)
    if about.site.blocks_trespass:
        findings += trespass_findings(entry.id, confined)
    if hidden:
        findings.append(redaction_note(entry.id, "STATUS.json", hidden))
    patch = _patch(about, attempt, outcome, findings)
    proven = proven_on({worker: patch or b""}, about.plan, about.base, about.objects)[worker]
    tree = None
    if patch is not None and not proven.findings:
        entries = {change.path: change.new for change in proven.changes}
        tree = spliced(around(about.base.tree, set(entries), about.objects.tree), entries).root
    outbox = take_in_outbox(attempt.outbox, about.run.run, worker)
    ended = about.clock()
    # Only one outside is waited for: of any other, it says that nobody saw its end.
    waited: Literal["collected", "lost"] = "collected" if entry.external else "lost"
    made = Made(
        patch=patch or b"",
        changes=proven.changes if tree is not None else (),
        tree=tree,
        findings=(*findings, *outbox.findings),
        times=(ended - timedelta(milliseconds=outcome.milliseconds), ended),
        ended=Ending(
            how=outcome.how if outcome.how != "waiting" else waited,
            exit_code=outcome.exit_code,
            signal=outcome.signal,
        ),
        attempts=number,
        confined=confined,
        texts=outbox.files,
        logs=_logs(about, attempt, outcome),
    )
    sieve = Sieve(secrets=about.secrets, plan=about.plan, objects=about.objects)
    made, told = sieve.withheld(worker, made, proven.findings)
    files = bundle_files(
        about.run.run, entry, made, base_commit=about.base.commit, stamp=about.stamp
    )
    kept = redacted_bundle(files, worker, about.secrets)
    return TakenIn(kept.files, (*told, *kept.findings))


def _patch(
    about: Launch, attempt: Attempt, outcome: Outcome, findings: list[Finding]
) -> bytes | None:
    try:
        return attempt.patch(outcome, limit=about.plan.policy.patch_bytes)
    except (StorageError, FileNotFoundError) as error:
        name = attempt.folder.parent.name
        hint = "the attempt is kept in the work root; launch again"
        findings.append(blocking(Code.CAPTURE_FAILED, f"{name}: DIFF.patch", _reason(error), hint))
        return None


def _reason(error: Exception) -> str:
    """Return why a capture cannot be taken, without the folders, which differ from run to run."""
    if isinstance(error, FileNotFoundError):
        return "what was captured is gone"
    return str(error).rpartition(": ")[2] or "what was captured cannot be read"


def _step_findings(entry: WorkerEntry, outcome: Outcome) -> list[Finding]:
    """Return why the worker was not started, where a step says so."""
    found = []
    again = f"{retrying(entry.id)} makes a new attempt"
    for step in outcome.steps:
        if step.kind == "setup" and not step.is_good and step.how != "stopped":
            message = f"{step.name} {end_of(step)}; the worker was not started"
            hint = f"look into {entry.id}/LOGS in the run folder, bring what it lacks; then {again}"
            found.append(
                blocking(Code.WORKER_SETUP_FAILED, f"{entry.id}: {step.name}", message, hint)
            )
        elif step.how == "not_started":
            hint = f"install it, or let setup bring it; then {again}"
            found.append(
                blocking(Code.WORKER_NOT_STARTED, f"{entry.id}: {step.name}", step.reason, hint)
            )
    return found


def _logs(about: Launch, attempt: Attempt, outcome: Outcome) -> dict[str, tuple[str, bool, bytes]]:
    found = {}
    # What is sealed must be read back: no log may be larger than one is then.
    most = min(2 * about.site.work.log_bytes, LOG_BYTES)
    for log in outcome.logs:
        try:
            content = attempt.log(log.name, limit=most)
        except TooLarge:
            content = _TOO_LARGE
        except (FileNotFoundError, StorageError):
            content = b"[factory: the log is gone]\n"
        if content:
            found[f"LOGS/{log.name}"] = (log.role, log.truncated, content)
    for name in attempt.complained():
        if content := _beside(attempt, name, most):
            found[f"LOGS/{name}"] = ("supervisor", False, content)
    if outcome.stray and (content := _beside(attempt, STRAY, about.plan.policy.bundle_bytes)):
        found[f"LOGS/{STRAY}"] = ("commits that are in no captured tree", False, content)
    return found


def _beside(attempt: Attempt, name: str, limit: int) -> bytes:
    """Return a log that lies in the folder of an attempt itself; b"" where there is none."""
    try:
        return read_regular(attempt.folder / name, limit=limit)
    except TooLarge:
        return _TOO_LARGE
    except (FileNotFoundError, StorageError):
        return b""
