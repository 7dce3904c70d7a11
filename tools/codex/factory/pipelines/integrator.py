"""The integrator as a process of its own: what is said over its pipe, from both ends."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, Literal

from tools.codex.factory.config import Host
from tools.codex.factory.domain.artifact import Artifact
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.evidence import IntegratorStatus, LedgerHead
from tools.codex.factory.domain.path import quoted, unquoted
from tools.codex.factory.errors import FactoryError, IntegratorFailed, raised_again
from tools.codex.factory.pipelines.record import RecordedRun, integrator_status, recorded_in
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.process import Completed, Conversation, conversation, die_with_parent
from tools.codex.factory.repository.git import Git, built_environment
from tools.codex.factory.repository.objects import objects_of
from tools.codex.factory.repository.quarantine import open_store
from tools.codex.factory.stages.integrate import Tools, integrate
from tools.codex.factory.stages.report import (
    ThisRun,
    cleared,
    report_event,
    with_findings,
    write_report,
)
from tools.codex.factory.storage.run_directory import STORE
from tools.codex.factory.wiring import clock, own_command, own_environment, stamp, versions

WORD = "_integrator"


class Order(Artifact):
    """What the integrator is told first: which run, and whose objects it may read.

    Paths stand in git's quotes where they need them, so that any byte survives.
    """

    runs_root: str
    run_id: str
    borrowed: str
    git_version: str
    parent: int
    """The process that holds the run's lock; without it nothing may be written."""


class Ledgered(Artifact):
    """What the integrator is told once it has merged: where the ledger stands, so report."""

    ledger: LedgerHead


class EventSaid(Artifact):
    """An event on its way to the ledger."""

    run_id: str
    event_type: str
    actor: str
    rc: int | None
    duration_ms: int
    parent_event_id: str
    file_counts: dict[str, int]
    hashes: dict[str, str]
    details: dict[str, str]


class Said(Artifact):
    """One line from the integrator: an event, `merged`, `reported`, or why it cannot go on."""

    kind: Literal["event", "merged", "reported", "error"]
    event: EventSaid | None = None
    message: str = ""
    hint: str = ""
    exit_code: int = 0


def integrated(
    ground: Session, run: RecordedRun, record: Callable[[Event], None]
) -> IntegratorStatus:
    """Start the integrator on `run`, record its events, and return its STATUS.json.

    Raises the integrator's error, or IntegratorFailed where it ended without a word.
    """
    order = Order(
        runs_root=quoted(str(ground.runs_root)),
        run_id=run.directory.run,
        borrowed=quoted(str(ground.repository.objects)),
        git_version=ground.git_version,
        parent=os.getpid(),
    )
    environment = own_environment(ground.host.variables)
    with (
        tempfile.TemporaryFile() as stderr,
        conversation(
            own_command(WORD), env=environment, cwd=run.directory.folder, stderr=stderr
        ) as talk,
    ):
        talk.say(order.model_dump_json().encode())
        _listen(talk, run.directory.run, record, until="merged")
        talk.say(Ledgered(ledger=ground.ledger.head()).model_dump_json().encode())
        _listen(talk, run.directory.run, record, until="reported")
        talk.ended()
    return integrator_status(run.directory)


def serve(host: Host, hear: BinaryIO, speak: BinaryIO) -> int:
    """Be the integrator: merge what the order names, then report; return the exit code."""

    def say(said: Said) -> None:
        speak.write(said.model_dump_json().encode() + b"\n")
        speak.flush()

    die_with_parent()
    try:
        order = Order.model_validate_json(hear.readline())
        for said in _work(host, order, hear):
            say(said)
    except FactoryError as error:
        say(Said(kind="error", message=str(error), hint=error.hint, exit_code=error.exit_code))
        return error.exit_code
    return 0


def _work(host: Host, order: Order, hear: BinaryIO) -> Iterator[Said]:
    started = clock()
    run = recorded_in(Path(unquoted(order.runs_root)), order.run_id)
    directory, plan, manifest = run.directory, run.plan, run.manifest
    events: list[Event] = []
    outside = cleared(directory)
    git = Git(built_environment(host))
    borrowed = Path(unquoted(order.borrowed))
    open_store(git, directory.store, borrowed)
    with (
        directory.scratch() as scratch,
        objects_of(git, directory.folder / STORE) as objects,
    ):
        tools = Tools(
            git=git,
            store=directory.store,
            objects=objects,
            scratch=Path(scratch),
        )
        integration = integrate(directory, plan, manifest, tools=tools, record=events.append)
        yield from (_event_said(event) for event in events)
        yield Said(kind="merged")
    answer = hear.readline()
    if not answer or os.getppid() != order.parent:
        # Whoever asked is gone, and the lock with it: another factory may hold the run now.
        return
    ledgered = Ledgered.model_validate_json(answer)
    outside += cleared(directory)
    about = ThisRun(
        started=started,
        ended=clock(),
        versions=versions(order.git_version),
        ledger=ledgered.ledger,
        stamp=stamp,
    )
    status = write_report(directory, plan, manifest, with_findings(integration, outside), about)
    yield _event_said(report_event(status))
    yield Said(kind="reported")


def _listen(talk: Conversation, run: str, record: Callable[[Event], None], *, until: str) -> None:
    for line in talk.heard():
        said = Said.model_validate_json(line)
        if said.kind == "error":
            raise raised_again(said.message, hint=said.hint, exit_code=said.exit_code)
        if said.kind == until:
            return
        if said.event is not None:
            record(_event(said.event))
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


def _event_said(event: Event) -> Said:
    return Said(kind="event", event=EventSaid.model_validate(asdict(event)))


def _event(said: EventSaid) -> Event:
    return Event(
        run_id=said.run_id,
        event_type=EventType(said.event_type),
        actor=said.actor,
        rc=said.rc,
        duration_ms=said.duration_ms,
        parent_event_id=said.parent_event_id,
        file_counts=said.file_counts,
        hashes=said.hashes,
        details=said.details,
    )
