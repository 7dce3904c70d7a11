"""The integrator as a process of its own: what is said over its pipe, from both ends."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from tools.codex.factory.domain.artifact import finding_of
from tools.codex.factory.domain.confined import confined_by
from tools.codex.factory.domain.confinement import Confinement, refusal
from tools.codex.factory.domain.confinement_row import confinement_record, confinement_row
from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.event import Event
from tools.codex.factory.domain.evidence import ConfinementRow, IntegratorStatus
from tools.codex.factory.domain.finding import Code, Finding, blocking, capped
from tools.codex.factory.domain.identity import INTEGRATOR, WorkerId, digest_of
from tools.codex.factory.domain.path import quoted, unquoted
from tools.codex.factory.domain.result import Integration, records, with_checks
from tools.codex.factory.errors import FactoryError, IntegratorFailed, raised_again
from tools.codex.factory.executors.place import place_in
from tools.codex.factory.host import Host
from tools.codex.factory.pipelines.confining import integrator_confinement, weaker_event
from tools.codex.factory.pipelines.pipe import (
    Asked,
    Examine,
    MergedSaid,
    Order,
    Said,
    event_heard,
    event_said,
    merge_heard,
)
from tools.codex.factory.pipelines.record import RecordedRun, integrator_status, recorded_in
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.process.audit import WriteRefused, keep_within
from tools.codex.factory.process.child import Completed, Conversation, conversation
from tools.codex.factory.process.lifeline import is_over
from tools.codex.factory.process.tree import die_with_parent
from tools.codex.factory.repository.git import Git, built_environment
from tools.codex.factory.repository.objects import objects_of
from tools.codex.factory.repository.quarantine import open_store
from tools.codex.factory.sandbox.tiers import held
from tools.codex.factory.stages.clear import cleared
from tools.codex.factory.stages.integrate import Tools, integrate, part_of
from tools.codex.factory.stages.redact import redaction_note
from tools.codex.factory.stages.report import ThisRun, report_event, with_findings, write_report
from tools.codex.factory.storage.run_directory import STORE, plan_name
from tools.codex.factory.wiring import clock, own_command, own_environment, stamp, versions

WORD = "_integrator"
_REPORT_IT = "keep the run folder and report this: the integrator has nothing to write there"


def integrated(
    ground: Session, run: RecordedRun, record: Callable[[Event], None], examine: Examine
) -> IntegratorStatus:
    """Start the integrator on `run`, record its events, and return its STATUS.json.

    Between its merge and its report, `examine` runs the checks: it is never the integrator that
    runs a command of the plan.

    Raises the integrator's error, or IntegratorFailed where it ended without a word.
    """
    order = Order(
        runs_root=quoted(str(ground.runs_root)),
        run_id=run.directory.run,
        borrowed=quoted(str(ground.repository.objects)),
        git_version=ground.git_version,
        plans={plan_name(one.revision): digest_of(canonical(one)) for one in run.plans[1:]},
        forms=ground.settings.config.report.forms(),
    )
    environment = own_environment(ground.host.variables)
    confinement = integrator_confinement(ground, run.directory, run.manifest.workers)
    findings = refusal(confinement, INTEGRATOR)
    if confinement.weaker:
        record(weaker_event(run.directory.run, confinement))
    command, rules = held(
        own_command(WORD), confinement, place_in(os.path.realpath(run.directory.folder))
    )
    with (
        tempfile.TemporaryFile() as stderr,
        conversation(
            command, env=environment, cwd=run.directory.folder, stderr=stderr, rules=rules
        ) as talk,
    ):
        talk.say(order.model_dump_json().encode())
        merged = merge_heard(_listen(talk, run.directory.run, record, until="merged"))

        def ask(workers: tuple[WorkerId, ...]) -> MergedSaid:
            talk.say(Asked(kind="merge", workers=workers).model_dump_json().encode())
            return merge_heard(_listen(talk, run.directory.run, record, until="merged"))

        found = examine(merged, ask)
        asked = Asked(
            kind="report",
            ledger=ground.ledger.head(),
            checks=found.checks,
            attribution=found.attribution,
            salvage=found.salvage,
            salvage_search=found.salvage_search,
            logs=found.logs,
            confinement=(*found.confinement, _row(confinement)),
            findings=(*records(findings), *found.findings),
            changed_meanwhile=found.changed_meanwhile,
        )
        talk.say(asked.model_dump_json().encode())
        _listen(talk, run.directory.run, record, until="reported")
        talk.ended()
    return integrator_status(run.directory)


def serve(host: Host, hear: BinaryIO, speak: BinaryIO) -> int:
    """Be the integrator: merge what the order names, then report; return the exit code."""

    def say(said: Said) -> None:
        speak.write(said.model_dump_json().encode() + b"\n")
        speak.flush()

    die_with_parent()
    # What is compiled on the way is not kept: it would lie outside the run.
    sys.dont_write_bytecode = True
    trespasses: list[WriteRefused] = []
    try:
        order = Order.model_validate_json(hear.readline())
        keep_within(str(Path(unquoted(order.runs_root), order.run_id)), trespasses.append)
        for said in _work(host, order, hear, trespasses):
            say(said)
    except WriteRefused as error:
        message = f"the integrator tried to write {error.filename!r}, outside its run folder"
        say(Said(kind="error", message=message, hint=_REPORT_IT, exit_code=FactoryError.exit_code))
        return FactoryError.exit_code
    except FactoryError as error:
        say(Said(kind="error", message=str(error), hint=error.hint, exit_code=error.exit_code))
        return error.exit_code
    return 0


def _work(
    host: Host, order: Order, hear: BinaryIO, trespasses: Sequence[WriteRefused]
) -> Iterator[Said]:
    started = clock()
    run = recorded_in(Path(unquoted(order.runs_root)), order.run_id, order.plans)
    directory, plan, manifest = run.directory, run.plan, run.manifest
    events: list[Event] = []
    outside = cleared(directory)
    with ExitStack() as stack:
        scratch = stack.enter_context(directory.scratch())
        git = Git(built_environment(_throwing_away_in(scratch, host)))
        open_store(git, directory.store, Path(unquoted(order.borrowed)))
        objects = stack.enter_context(objects_of(git, directory.folder / STORE))
        tools = Tools(git=git, store=directory.store, objects=objects, scratch=Path(scratch))
        integration = integrate(directory, plan, manifest, tools=tools, record=events.append)
        yield from (event_said(event) for event in events)
        yield _merged_said(integration)
        while (asked := _asked(hear)) is not None and asked.kind == "merge":
            yield _merged_said(part_of(integration, asked.workers, plan, manifest, tools=tools))
        if asked is None:
            # Whoever asked is gone, and the lock with it: another factory may hold the run now.
            return
        if asked.salvage is not None:
            workers = asked.salvage.workers
            integration = part_of(integration, workers, plan, manifest, tools=tools)
    integration = with_checks(
        integration,
        plan,
        checks=asked.checks,
        attribution=asked.attribution,
        salvage=asked.salvage,
        salvage_search=asked.salvage_search,
    )
    outside += cleared(directory)
    about = ThisRun(
        started=started,
        ended=clock(),
        versions=versions(order.git_version),
        ledger=asked.ledger,
        forms=order.forms,
        confinement=asked.confinement,
        stamp=stamp,
        changed_meanwhile=asked.changed_meanwhile,
    )
    redacted = tuple(
        redaction_note(INTEGRATOR, log.path, log.redacted) for log in asked.logs if log.redacted
    )
    known = len(trespasses)
    tried = _tried(trespasses)
    told = tuple(finding_of(said) for said in asked.findings)
    reached = with_findings(integration, (*outside, *tried, *told, *redacted))
    status = write_report(directory, plan, manifest, reached, about, asked.logs)
    if len(trespasses) > known:
        # The report that would say so is written already.
        raise trespasses[-1]
    yield event_said(report_event(status))
    yield Said(kind="reported")


def _throwing_away_in(folder: str, host: Host) -> Host:
    """Return the host with a folder of the run for what git throws away."""
    return replace(host, variables={**host.variables, "TMPDIR": folder})


def _tried(trespasses: Sequence[WriteRefused]) -> list[Finding]:
    """Return a finding for each write outside the run that our own code tried."""
    subject = f"{INTEGRATOR}: its own code"
    tried = dict.fromkeys((one.filename, one.strerror) for one in trespasses)
    found = [
        blocking(Code.POLICY_WRITE_OUTSIDE, subject, f"{path!r}: {what}; refused", _REPORT_IT)
        for path, what in tried
    ]
    return capped(found, subject)


def _asked(hear: BinaryIO) -> Asked | None:
    """Return what is wanted next, or None where nobody who may ask is there any more."""
    line = hear.readline()
    return Asked.model_validate_json(line) if line and not is_over(hear.fileno()) else None


def _row(confinement: Confinement) -> ConfinementRow:
    return confinement_row(INTEGRATOR, confinement_record(confined_by(confinement)))


def _merged_said(integration: Integration) -> Said:
    merged, proof = integration.merged, integration.proof
    if merged is None or proof is None:
        return Said(kind="merged")
    return Said(
        kind="merged", tree=merged.tree, commit=merged.commit, workers=tuple(merged.workers)
    )


def _listen(talk: Conversation, run: str, record: Callable[[Event], None], *, until: str) -> Said:
    for line in talk.heard():
        said = Said.model_validate_json(line)
        if said.kind == "error":
            raise raised_again(said.message, hint=said.hint, exit_code=said.exit_code)
        if said.kind == until:
            return said
        if said.event is not None:
            record(event_heard(said.event))
    ended = talk.ended()
    raise IntegratorFailed(
        f"the integrator ended without an answer: {_ending(ended)}",
        hint=f"`factory integrate --run-id {run}` tries again",
        log=ended.stderr.decode("utf-8", "replace"),
    )


def _ending(ended: Completed) -> str:
    if ended.exit_code < 0:
        return f"signal {signal.Signals(-ended.exit_code).name} ended it"
    return ended.complaint
