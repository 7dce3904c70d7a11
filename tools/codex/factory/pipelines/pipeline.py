"""Steps under one lock; on an error the FAIL report, which only this room writes."""

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.evidence import IntegratorStatus
from tools.codex.factory.domain.identity import INTEGRATOR, digest_of
from tools.codex.factory.errors import (
    Bug,
    FactoryError,
    FailedRun,
    Interrupted,
    NoRoom,
    StorageError,
    is_spent,
)
from tools.codex.factory.pipelines.record import RecordedRun, report_file
from tools.codex.factory.pipelines.secrets import hide
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.stages.clear import cleared
from tools.codex.factory.stages.report import TRACEBACK, ThisRun, write_failure
from tools.codex.factory.storage.lock import held
from tools.codex.factory.storage.run_directory import RunDirectory
from tools.codex.factory.wiring import clock, stamp, versions

# A refusal writes nothing into a run: what the operator asked for was wrong, not the run.
_REFUSALS = (2, 10, 40)


@contextmanager
def locked(run: RunDirectory) -> Iterator[None]:
    """Hold the run; raise RunUnavailable naming the holder where another factory has it."""
    holder: dict[str, object] = {
        "pid": os.getpid(),
        "command": " ".join(["factory", *sys.argv[1:]])[:200],
        "since": stamp(clock()),
    }
    with held(run.folder, holder=holder):
        yield


@contextmanager
def ending(
    ground: Session, run: RecordedRun, tell: Callable[[Event], None]
) -> Iterator["Recorder"]:
    """Yield the run's recorder, which also tells the operator.

    An error that leaves the block is written down as FAIL first.
    """
    started, secrets = clock(), ground.secrets
    try:
        yield Recorder(ground, tell)
    except FactoryError as error:
        hide(error, secrets)
        if error.exit_code not in _REFUSALS:
            _fail(ground, run, error, started)
        raise
    except KeyboardInterrupt as stop:
        name = run.directory.run
        hint = f"the same command with --run-id {name} continues the run"
        interrupted = Interrupted("interrupted", hint=hint)
        _fail(ground, run, interrupted, started)
        raise interrupted from stop
    except Exception as bug:
        named: FactoryError = Bug(
            f"a bug: {type(bug).__name__}: {bug}",
            hint=f"the traceback is in {run.directory.folder}/{INTEGRATOR}/{TRACEBACK}",
            log=traceback.format_exc(),
        )
        if isinstance(bug, OSError) and is_spent(bug):
            named = NoRoom(f"cannot go on in {str(run.directory.folder)!r}", str(bug.strerror))
        hide(named, secrets)
        _fail(ground, run, named, started)
        raise named from bug


class Recorder:
    """Appends events to the ledger and tells the operator of each, without secrets.

    `written` are the digests of the lines that it appended: no other line of a run that is held
    may come while it is held. `begun` are those of which it was stopped before it knew.
    """

    def __init__(self, ground: Session, tell: Callable[[Event], None]) -> None:
        self._ledger, self._secrets, self._tell = ground.ledger, ground.secrets, tell
        self.written: list[str] = []
        self.begun: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Append and tell one event."""
        details = {key: self._secrets.text(value) for key, value in event.details.items()}
        event = replace(event, details=details)
        self._ledger.append([event], announce=self.begun.update)
        # A stop between these lines leaves it in both, or in `begun` alone.
        self.written += self.begun
        self.begun = set()
        self._tell(event)


def end_event(status: IntegratorStatus) -> Event:
    """Return the event that ends a run: its status, exit code and the digest of STATUS.json."""
    return Event(
        run_id=status.run_id,
        event_type=EventType.RUN_END,
        actor="factory",
        rc=status.exit_code,
        duration_ms=status.duration_ms,
        hashes={"STATUS.json": digest_of(canonical(status))},
        details={"status": status.status},
    )


def _fail(
    ground: Session,
    run: RecordedRun,
    error: FactoryError,
    started: datetime,
) -> None:
    about = ThisRun(
        started=started,
        ended=clock(),
        versions=versions(ground.git_version),
        ledger=None,
        forms=ground.settings.config.report.forms(),
        stamp=stamp,
    )
    try:
        cleared(run.directory)
        status = write_failure(run.directory, run.plan, run.manifest, error, about)
        ground.ledger.append([end_event(status)])
        error.failed = FailedRun(
            status.run_id, status.base_commit, str(report_file(ground, status.run_id))
        )
    except (StorageError, NoRoom) as second:
        # Nothing more can be written; the first error still tells the operator what happened.
        error.add_note(f"the FAIL report could not be written: {second}")
