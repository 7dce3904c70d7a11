"""What an executor is asked to do in a checkout, and what came of it."""

import re
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from tools.codex.factory.domain.confined import Confined, confined_from
from tools.codex.factory.domain.confinement import FREE, Confinement, confinement_from
from tools.codex.factory.domain.finding import Code, Finding, Severity
from tools.codex.factory.domain.identity import Digest, ObjectId
from tools.codex.factory.domain.reader import PatchLimits
from tools.codex.factory.domain.wording import brief

How = Literal[
    "exited",
    "signalled",
    "timed_out",
    "idle",
    "over_quota",
    "stopped",
    "not_started",
    "lost",
    "waiting",
]
CHECKOUT = "checkout"
OUTBOX = "outbox"
PROMPT = "prompt.md"
_LOG_NAME = re.compile(r"((?:setup|check)-[0-9]{1,9}|worker)\.(stdout|stderr)\.log")
_MOST_NUMBER = 1 << 53
CLEAR = b"clear"
"""What a supervisor is told once its outcome was taken in, and its folder may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command of an order. Times in seconds; no `idle_seconds` means it may be silent."""

    name: str
    kind: Literal["setup", "work"]
    argv: tuple[str, ...]
    wall_seconds: float
    idle_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """All that an executor needs. `folder` is where checkout, outbox and logs lie.

    `makes`: a checkout of `commit` is made; else one is there. `captures`: what it holds in the
    end is taken. `is_lost`: who worked in it before is gone, and how it ended is not known.
    `is_check`: the folder is of no use afterwards.
    `shallow` is the content of git's file of that name. `known` is the end that an earlier
    supervisor wrote, where only its work is captured once more.
    """

    name: str
    folder: str
    commit: ObjectId
    store: str
    shallow: str
    makes: bool
    captures: bool
    steps: tuple[Step, ...]
    environment: dict[str, str]
    is_check: bool
    grace_seconds: float
    log_bytes: int
    ignore: tuple[str, ...]
    limits: PatchLimits
    confinement: Confinement = FREE
    is_lost: bool = False
    known: "Outcome | None" = None
    active_seconds: float = 30.0
    """What it says is told of at most once in this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded:
    """How one command ended. `reason` says why it was not started, or what it took too
    much of."""

    name: str
    kind: str
    how: How
    exit_code: int | None
    signal: int | None
    milliseconds: int
    survivors: int
    reason: str

    @property
    def is_good(self) -> bool:
        """Return whether it ran to its end and exited 0."""
        return self.how == "exited" and self.exit_code == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """One log file in the order's folder."""

    name: str
    role: str
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an order.

    `patch` is the digest of the captured DIFF.patch beside it (None: nothing was captured);
    `is_whole`: nothing but ignored files is in the checkout alone. `was_captured`: a capture was
    tried, so what has no patch cannot be captured.
    """

    how: How
    exit_code: int | None
    signal: int | None
    milliseconds: int
    steps: tuple[StepEnded, ...]
    findings: tuple[Finding, ...]
    logs: tuple[Log, ...]
    patch: Digest | None
    stray: bool
    is_whole: bool
    was_captured: bool
    confined: Confined | None = None

    @property
    def is_good(self) -> bool:
        """Return whether the work ended as it should, whatever it changed."""
        return self.how == "exited" and self.exit_code == 0

    @property
    def is_own(self) -> bool:
        """Return whether this is the work's own end: nobody stopped it, and it was seen."""
        return self.how not in ("stopped", "lost")

    @property
    def waits(self) -> bool:
        """Return whether the checkout is made, and whoever works in it is not done."""
        return self.how == "waiting" and not self.was_captured


def with_end(outcome: Outcome, known: Outcome | None) -> Outcome:
    """Return a new capture with the end that was known of it: only what was captured is new."""
    if known is None:
        return outcome
    before = [one for one in known.findings if not one.code.startswith("capture.")]
    return replace(
        known,
        findings=(*before, *outcome.findings),
        patch=outcome.patch,
        stray=outcome.stray,
        is_whole=outcome.is_whole,
        was_captured=True,
    )


def unbegun(step: Step, how: How) -> StepEnded:
    """Return what came of a step that was never begun."""
    return StepEnded(
        name=step.name,
        kind=step.kind,
        how=how,
        exit_code=None,
        signal=None,
        milliseconds=0,
        survivors=0,
        reason="",
    )


def ended_how(how: str, exit_code: int | None, signal: int | None) -> str:
    """Return in words how a command ended."""
    if how == "exited":
        return f"exited {exit_code}"
    words = {
        "timed_out": "ran longer than it may",
        "idle": "said nothing for longer than it may",
        "over_quota": "took more than it may",
    }
    return f"was ended by signal {signal}" if how == "signalled" else words.get(how, how)


def end_of(step: StepEnded) -> str:
    """Return in words how a step ended, and why, where that is known."""
    if step.how == "not_started":
        return step.reason
    words = ended_how(step.how, step.exit_code, step.signal)
    return f"{words} ({step.reason})" if step.reason else words


def order_from(said: dict[str, Any]) -> WorkOrder:
    """Return the order that `dataclasses.asdict` made `said` of, after a way through JSON."""
    steps = tuple(Step(**{**step, "argv": tuple(step["argv"])}) for step in said["steps"])
    more = {
        "steps": steps,
        "ignore": tuple(said["ignore"]),
        "limits": PatchLimits(**said["limits"]),
        "confinement": confinement_from(said["confinement"]),
        "known": outcome_from(said["known"]) if said["known"] is not None else None,
    }
    return WorkOrder(**{**said, **more})


def outcome_from(said: dict[str, Any]) -> Outcome:
    """Return the outcome that `dataclasses.asdict` made `said` of, after a way through JSON.

    Raises ValueError, TypeError or KeyError for what no supervisor writes: a worker may have.
    """
    more = {
        "steps": tuple(_step_ended(step) for step in said["steps"]),
        "findings": tuple(_finding(one) for one in said["findings"]),
        "logs": tuple(_log(log) for log in said["logs"]),
        "confined": confined_from(said.get("confined")),
    }
    outcome = Outcome(**{**said, **more})
    _refuse_odd_end(outcome)
    if not isinstance(outcome.patch, str | None):
        raise ValueError("its patch has no digest")
    return outcome


def _step_ended(said: dict[str, Any]) -> StepEnded:
    step = StepEnded(**said)
    _refuse_odd_end(step)
    for text in (step.name, step.kind, step.reason):
        text.encode("utf-8", "surrogateescape")
    return step


def _refuse_odd_end(ended: Outcome | StepEnded) -> None:
    numbers = (ended.exit_code, ended.signal, ended.milliseconds)
    if ended.how not in get_args(How) or ended.milliseconds is None:
        raise ValueError(f"nothing ends like {brief(str(ended.how))}")
    if not all(n is None or (type(n) is int and 0 <= n <= _MOST_NUMBER) for n in numbers):
        raise ValueError("an exit code, a signal or a time that is none")


def _log(said: dict[str, Any]) -> Log:
    log = Log(**said)
    named = _LOG_NAME.fullmatch(log.name)
    if not named:
        raise ValueError(f"{brief(log.name)} is no name of a log")
    if log.role != f"{named[1]} {named[2]}" or type(log.truncated) is not bool:
        raise ValueError(f"{brief(log.name)} is not described as a log is")
    return log


def _finding(said: dict[str, str]) -> Finding:
    named = {"code": Code(said["code"]), "severity": Severity(said["severity"])}
    finding = Finding(**{**said, **named})  # type: ignore[arg-type]
    for text in (finding.subject, finding.message, finding.hint):
        text.encode("utf-8", "surrogateescape")
    return finding
