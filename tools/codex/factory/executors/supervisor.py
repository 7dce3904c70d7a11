"""One order carried out in a process of its own, which outlives whoever asked for it."""

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from tools.codex.factory.domain.confined import Confined, confined_by
from tools.codex.factory.domain.confinement import refusal
from tools.codex.factory.domain.finding import Code, Finding, blocking
from tools.codex.factory.domain.identity import digest_of
from tools.codex.factory.domain.order import (
    CHECKOUT,
    CLEAR,
    Log,
    Outcome,
    Step,
    StepEnded,
    WorkOrder,
    order_from,
    unbegun,
    with_end,
)
from tools.codex.factory.domain.trespass import together
from tools.codex.factory.domain.wording import few
from tools.codex.factory.errors import FactoryError, NoRoom
from tools.codex.factory.executors.step import Activity, StepRun, run_step
from tools.codex.factory.host import Host, take_host
from tools.codex.factory.process.lifeline import Lifeline, first_line
from tools.codex.factory.process.tree import adopt_orphans, keep_to_itself
from tools.codex.factory.repository.capture import Captured, capture, dirt
from tools.codex.factory.repository.checkout import (
    Fresh,
    make_checkout,
    remove_checkout,
)
from tools.codex.factory.repository.git import Git, built_environment
from tools.codex.factory.repository.subject import Subject
from tools.codex.factory.storage.attempt import Attempt
from tools.codex.factory.storage.run_directory import storing

_NOTHING = Captured(None, (), b"", False)


def serve() -> int:
    """Be a supervisor: read an order from stdin, carry it out, keep and say what came of it."""
    line = first_line(0)
    if not line:
        return 0
    keep_to_itself()
    adopt_orphans()
    lifeline = Lifeline(0)
    order = order_from(json.loads(line))
    attempt = Attempt(Path(order.folder))
    run = _Run(order, attempt, lifeline, take_host())
    try:
        with storing(order.folder):
            outcome, captured = run.carried_out()
            digest = attempt.keep(outcome, patch=captured.patch, stray=captured.stray)
    except NoRoom as refused:
        _say("no_room", reason=refused.reason)
        run.keep_end()
        _complain(refused)
        return refused.exit_code
    _say("outcome", sha256=digest)
    if lifeline.word() == CLEAR + b"\n" or order.is_check:
        attempt.clear(remove_checkout)
    return 0


class _Run:
    """One order under way."""

    def __init__(self, order: WorkOrder, attempt: Attempt, lifeline: Lifeline, host: Host) -> None:
        self._order = order
        self._attempt = attempt
        self._lifeline = lifeline
        self._git = Git(built_environment(host))
        self._begun = time.monotonic()
        self._fresh: Fresh | None = None
        self._ended: list[StepEnded] = []
        self._logs: list[Log] = []
        self._findings: list[Finding] = []
        self._ran: list[StepRun] = []
        self._was_captured = False
        self._activity = Activity(order.active_seconds, lambda count: _say("active", bytes=count))

    def carried_out(self) -> tuple[Outcome, Captured]:
        """Make the checkout, run the steps, capture."""
        order = self._order
        if order.steps and order.confinement.is_refused:
            # Nothing is begun which what is required cannot keep.
            self._findings += refusal(order.confinement, order.name)
            return self._outcome(_NOTHING), _NOTHING
        if order.makes and not self._made():
            return self._outcome(_NOTHING), _NOTHING
        if order.steps:
            self._run_steps()
        captured = _NOTHING
        if order.captures:
            self._was_captured = True
            captured = capture(self._git, self._subject(), scratch=self._attempt.folder)
        return self._outcome(captured), captured

    def keep_end(self) -> None:
        """Keep how the work ended, where there was no room for what it left.

        What ended badly is begun again: it may have lacked the room itself.
        """
        last = self._ended[-1] if self._order.captures and self._ended else None
        if last is not None and last.kind == "work" and last.is_good:
            self._attempt.keep_end(self._outcome(_NOTHING))

    def _made(self) -> bool:
        order = self._order
        try:
            self._fresh = make_checkout(
                self._git,
                self._attempt.checkout,
                order.commit,
                store=Path(order.store),
                shallow=order.shallow.encode("ascii"),
                name=order.name,
            )
        except NoRoom:
            raise
        except (FactoryError, OSError) as error:
            _complain(error)
            message = "the checkout cannot be made"
            hint = "its LOGS say why; look at the work root"
            self._add(Code.WORKER_NOT_STARTED, "checkout", message, hint)
            return False
        _say("checkout")
        return True

    def _run_steps(self) -> None:
        temporary = self._attempt.temporary()
        try:
            for step in self._order.steps:
                if self._lifeline.is_cut():
                    self._ended.append(unbegun(step, "stopped"))
                    return
                _say(step.kind, step=step.name)
                ended = self._run_step(step, temporary)
                if not self._goes_on(step, ended):
                    return
        finally:
            self._attempt.drop_temporary(remove_checkout)

    def _run_step(self, step: Step, temporary: Path) -> StepEnded:
        ran = run_step(
            self._order,
            step,
            attempt=self._attempt,
            temporary=temporary,
            lifeline=self._lifeline,
            heard=self._activity.heard,
        )
        self._ran.append(ran)
        self._ended.append(ran.ended)
        self._logs += ran.logs
        self._findings += ran.findings
        if ran.ended.survivors:
            message = f"{ran.ended.survivors} processes that it started could not be ended"
            hint = "they belong to another user, or sleep in the kernel; look for them"
            self._add(Code.WORKER_PROCESSES_LEFT, step.name, message, hint)
        return ran.ended

    def _goes_on(self, step: Step, ended: StepEnded) -> bool:
        """Return whether the next step may begin."""
        if step.kind == "setup" and not ended.is_good:
            return False
        setups = [one for one in self._order.steps if one.kind == "setup"]
        if not setups or step is not setups[-1]:
            return True
        try:
            changed = dirt(self._git, self._subject(), scratch=self._attempt.folder)
        except NoRoom:
            raise
        except (FactoryError, OSError) as error:
            _complain(error)
            changed = ("what cannot be read any more",)
        if changed:
            message = f"setup changed {few(changed)}"
            hint = "let setup write ignored paths only (.gitignore, capture.ignore)"
            self._add(Code.WORKER_SETUP_DIRTY, "setup", message, hint)
        return not changed

    def _subject(self) -> Subject:
        order = self._order
        return Subject(
            name=order.name,
            checkout=self._attempt.folder / CHECKOUT,
            fresh=self._fresh,
            base=order.commit,
            store=Path(order.store),
            shallow=order.shallow.encode("ascii"),
            ignore=order.ignore,
            limits=order.limits,
        )

    def _outcome(self, captured: Captured) -> Outcome:
        last = self._deciding()
        outcome = Outcome(
            how=last.how,
            exit_code=last.exit_code,
            signal=last.signal,
            milliseconds=int((time.monotonic() - self._begun) * 1000),
            steps=tuple(self._ended),
            findings=(*self._findings, *captured.findings),
            logs=tuple(self._logs),
            patch=digest_of(captured.patch) if captured.patch is not None else None,
            stray=bool(captured.stray),
            is_whole=captured.is_whole,
            was_captured=self._was_captured,
            confined=self._confined() if self._order.steps else None,
        )
        return with_end(outcome, self._order.known)

    def _confined(self) -> Confined:
        """Return what kept the steps, and what they tried."""
        reasons = [ran.unobserved for ran in self._ran] or ["nothing was run"]
        seen = together(ran.seen for ran in self._ran)
        return confined_by(self._order.confinement, seen, next(filter(None, reasons), ""))

    def _deciding(self) -> StepEnded:
        """Return the end that says how the whole order ended."""
        nothing = Step(name="", kind="work", argv=(), wall_seconds=0, idle_seconds=None)
        if self._order.is_lost:
            return unbegun(nothing, "lost")
        if self._ended and self._ended[-1].kind == "work":
            return self._ended[-1]
        if self._ended and self._ended[-1].how == "stopped":
            return self._ended[-1]
        if self._findings or (self._ended and not self._ended[-1].is_good):
            return unbegun(nothing, "not_started")
        return unbegun(nothing, "waiting")

    def _add(self, code: Code, what: str, message: str, hint: str) -> None:
        self._findings.append(blocking(code, f"{self._order.name}: {what}", message, hint))


def _complain(error: Exception) -> None:
    # Its log lies on the disk that may be full.
    with suppress(OSError):
        sys.stderr.write(f"{error}\n")


def _say(said: str, **details: object) -> None:
    try:
        sys.stdout.write(json.dumps({"said": said, **details}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody hears us any more; what came of the order is kept all the same.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
