"""How a worker ended, and what speaks against it."""

from collections.abc import Collection, Sequence
from datetime import datetime

from tools.codex.factory.domain.artifact import Ending, FindingRecord, WorkerStatus, finding_of
from tools.codex.factory.domain.bundle import Bundle
from tools.codex.factory.domain.finding import Code, Finding, blocking
from tools.codex.factory.domain.lever import dropping, retrying
from tools.codex.factory.domain.wording import FEW

_ABOUT_A_PATH = ("capture.", "scope.")
_MOST_MESSAGE = 500
_WELL = ("adopted", "collected")
_CODES = {
    "signalled": Code.WORKER_SIGNALLED,
    "timed_out": Code.WORKER_TIMED_OUT,
    "idle": Code.WORKER_IDLE,
    "over_quota": Code.WORKER_OVER_QUOTA,
    "stopped": Code.WORKER_STOPPED,
    "lost": Code.WORKER_LOST,
}
_MESSAGES = {
    "timed_out": "it ran longer than it may",
    "idle": "it said nothing for longer than it may",
    "over_quota": "it took more than it may",
    "stopped": "it was stopped with the factory",
    "lost": "how it ended is not known: its supervisor was killed",
}
_HINTS = {
    "lost": "its LOGS may say what killed it",
    "signalled": "its LOGS may say why; what it had done until then is in its DIFF.patch",
    "timed_out": "its DIFF.patch has its work; a longer `timeout` in the plan is another run",
    "idle": "its DIFF.patch has its work; a longer `idle_timeout` in the plan is another run",
    "over_quota": "its DIFF.patch has its work; another finding says what it took too much of",
    "exited": "its LOGS may say why; what it had done until then is in its DIFF.patch",
}


def path_of(said: FindingRecord, worker: str) -> str | None:
    """Return the path that a finding of a worker's capture is about, as artifacts show it."""
    if not said.code.startswith(_ABOUT_A_PATH):
        return None
    path = said.subject.removeprefix(f"{worker}: ")
    # What is a folder stands there with a slash.
    return path.removesuffix("/") if path != said.subject else None


def ending_findings(
    bundle: Bundle, *, made_elsewhere: bool, dropped: Collection[str]
) -> list[Finding]:
    """Return what speaks against the way a worker ended, and what was found as it was captured.

    Of a bundle made elsewhere the findings are a stranger's: that there are some is enough. What
    is about a path in `dropped` no longer counts.
    """
    said = bundle.status
    found = _of_ending(bundle.worker, said.ended, made_elsewhere=made_elsewhere)
    kept = [one for one in said.findings if path_of(one, bundle.worker) not in dropped]
    if not made_elsewhere:
        found += [finding_of(one) for one in kept]
    is_mended = any(map(_blocks, said.findings)) and not any(map(_blocks, kept))
    ill = (said.status != "PASS" and not is_mended) or not _is_well(said.ended)
    if ill and not any(finding.blocks for finding in found):
        found.append(_badly(bundle, _reasons([f for f in said.findings if _blocks(f)])))
    elif made_elsewhere and any(map(_blocks, kept)):
        found.append(_badly(bundle, "it says PASS, and names findings that block"))
    elif made_elsewhere and not found and not _runs_forward(said):
        found.append(_badly(bundle, "it did not end after it started, by its own times"))
    return found


def _reasons(said: Sequence[FindingRecord]) -> str:
    """Return the first of what a worker's STATUS.json names, which may be a stranger's."""
    named = [f"{one.code}: {one.message[:_MOST_MESSAGE]}" for one in said[:FEW]]
    beyond = len(said) - FEW
    return "; ".join(named) + (f"; and {beyond} more" if beyond > 0 else "")


def _runs_forward(said: WorkerStatus) -> bool:
    """Return whether both times are times of a day, in order. Our own clock may be set back."""
    try:
        started, ended = map(datetime.fromisoformat, (said.started_at, said.ended_at))
        return started <= ended
    except (ValueError, TypeError):
        # A time with a zone and one without cannot be compared.
        return False


def _is_well(ended: Ending) -> bool:
    if ended.signal is not None:
        return False
    if ended.how in _WELL:
        return ended.exit_code in (None, 0)
    return (ended.how, ended.exit_code) == ("exited", 0)


def _of_ending(worker: str, ended: Ending, *, made_elsewhere: bool) -> list[Finding]:
    how, subject = ended.how, f"{worker}: STATUS.json"
    levers = f"{retrying(worker)} makes a new attempt; {dropping(worker)} leaves its work out"
    if made_elsewhere:
        levers = f"{dropping(worker)} leaves its work out"
    hint = f"{_HINTS.get(how, 'its LOGS may say why')}; {levers}"
    if how == "exited" and ended.exit_code != 0:
        message = f"the command exited {ended.exit_code}"
        return [blocking(Code.WORKER_EXIT_CODE, subject, message, hint)]
    if how == "signalled":
        message = f"signal {ended.signal} ended the command"
        return [blocking(Code.WORKER_SIGNALLED, subject, message, hint)]
    if how in _CODES:
        return [blocking(_CODES[how], subject, _MESSAGES[how], hint)]
    return []


def _badly(bundle: Bundle, reasons: str) -> Finding:
    status = bundle.status
    return blocking(
        Code.WORKER_ENDED_BADLY,
        f"{bundle.worker}: STATUS.json",
        f"the worker ended {status.status} ({status.ended.how}){': ' + reasons if reasons else ''}",
        f"mend what the worker says, and run it again; {dropping(bundle.worker)} leaves its work "
        "out",
    )


def _blocks(said: FindingRecord) -> bool:
    return said.severity == "blocks"
