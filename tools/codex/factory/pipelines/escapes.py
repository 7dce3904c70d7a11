"""Whether the repository, the ledger or a sealed bundle changed while something ran here."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from tools.codex.factory.domain.artifact import record as as_record
from tools.codex.factory.domain.escape import (
    During,
    changed_event,
    changed_meanwhile,
    escape_findings,
)
from tools.codex.factory.domain.event import EventType
from tools.codex.factory.domain.identity import ObjectId, WorkerId
from tools.codex.factory.domain.plan import WORKED
from tools.codex.factory.errors import FactoryError
from tools.codex.factory.pipelines.pipe import Examined
from tools.codex.factory.pipelines.pipeline import Recorder
from tools.codex.factory.pipelines.record import (
    RecordedRun,
    lines_of,
    refuse_exchanged,
    view_of,
)
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.repository.fingerprint import Fingerprint, difference, fingerprint
from tools.codex.factory.storage.seal import is_sealed
from tools.codex.factory.storage.stand import Stand, stand_of, touched


@contextmanager
def escapes(
    ground: Session,
    run: RecordedRun,
    record: Recorder,
    during: During,
    *,
    runs: bool,
    is_kept: bool,
) -> Iterator[None]:
    """Hold what nobody of a run may write against what it was, before and after the block.

    `runs`: commands of strangers run in it, and the repository is looked at; the ledger and the
    seals always are. `is_kept`: the kernel keeps all of them from writing there. What changed is
    recorded; it counts when the run is integrated. Raises RunUnavailable for a bundle that was
    exchanged together with its seal.
    """
    before = _fingerprint(ground, run) if runs else None
    stood, known = stand_of(ground.ledger.file), len(record.written)
    try:
        yield
    except BaseException:
        # The first error is the one to tell; a ledger that is no more cannot say the other.
        with suppress(FactoryError):
            _compare(ground, run, record, during, before, stood, known, is_kept=is_kept)
        raise
    _compare(ground, run, record, during, before, stood, known, is_kept=is_kept)
    refuse_exchanged(run, view_of(ground, run.directory.run))


def strangers_run(run: RecordedRun, only: Collection[WorkerId] | None) -> bool:
    """Return whether a launch of `run` starts commands of the plan here: a rehearsal has none."""
    return not run.manifest.rehearsal and any(
        entry.source == "command" or (entry.source in WORKED and entry.setup)
        for entry in run.plan.workers
        if not is_sealed(run.directory, WorkerId(entry.id))
        and (only is None or WorkerId(entry.id) in only)
    )


def with_escapes(ground: Session, run: RecordedRun, found: Examined) -> Examined:
    """Return what checks said, with what the ledger holds of changes in all of the run.

    What blocks is decided by the settings of now.
    """
    lines = [
        line
        for line in lines_of(ground, run.directory.run)
        if line.event_type == EventType.REPOSITORY_CHANGED
    ][::-1]
    blocks = ground.settings.config.sandbox.on_change == "block"
    findings = escape_findings(lines, blocks=blocks)
    return replace(
        found,
        findings=(*found.findings, *(as_record(one) for one in findings)),
        changed_meanwhile=changed_meanwhile(lines, blocks=blocks),
    )


def _compare(
    ground: Session,
    run: RecordedRun,
    record: Recorder,
    during: During,
    before: Fingerprint | None,
    stood: Stand | None,
    known: int,
    *,
    is_kept: bool,
) -> None:
    """Record what is not as it was."""
    name = run.directory.run
    changes = difference(before, _fingerprint(ground, run)) if before is not None else ()
    wrong: list[str] = []
    if stood is not None:
        own = record.written[known:]
        wrong = touched(ground.ledger.file, stood, name, own, record.begun)
    if changes or wrong:
        record(changed_event(name, during, changes, wrong, is_kept=is_kept))


def _fingerprint(ground: Session, run: RecordedRun) -> Fingerprint:
    return fingerprint(
        ground.git,
        ground.repository,
        near=ObjectId(run.manifest.base_commit),
        beside=ground.runs_root_in_repository,
    )
