"""Workers run here: checkouts out, orders in, a sealed bundle for each that ended."""

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from tools.codex.factory.domain.artifact import FilesChanged, WorkerStatus
from tools.codex.factory.domain.document import parse
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.finding import Code
from tools.codex.factory.domain.identity import WorkerId, digest_of
from tools.codex.factory.domain.order import PROMPT, Outcome
from tools.codex.factory.domain.plan import WORKED, WorkerEntry
from tools.codex.factory.errors import StorageError
from tools.codex.factory.executors.local import Said, await_free, end_workers
from tools.codex.factory.repository.checkout import remove_checkout
from tools.codex.factory.stages.adopt import sealed_event
from tools.codex.factory.stages.captured import attempt_files
from tools.codex.factory.stages.gather import WorkSource
from tools.codex.factory.stages.order import Launch, worker_order
from tools.codex.factory.storage.attempt import Attempt, attempts_in
from tools.codex.factory.storage.earlier import earlier_seals
from tools.codex.factory.storage.run_directory import storing, worker_artifact
from tools.codex.factory.storage.seal import ATTEMPTS, is_sealed, seal

_MARKER = "STATUS.json"
_MOST_DISTURBED = 1
"""How often a worker is begun again because its supervisor was: it may be the worker's doing."""


def launch(
    about: Launch, *, collecting: Collection[WorkerId], only: Collection[WorkerId] | None = None
) -> dict[WorkerId, Path]:
    """Run every worker that has no sealed bundle yet, and seal what each came to.

    Returns who still waits for a person or a tool outside, and in which checkout; what those in
    `collecting` left is taken. Of those that are not in `only`, nobody is run.
    """
    waiting: dict[WorkerId, Path] = {}
    for entry in about.plan.workers:
        worker = WorkerId(entry.id)
        if entry.source not in WORKED:
            continue
        if is_sealed(about.run, worker):
            _clear_all(about, worker)
        elif only is None or worker in only:
            _resume(about, entry, waiting, is_collected=worker in collecting)
        else:
            waiting |= _left_waiting(about, worker)
    _hear(about, waiting)
    return dict(sorted(waiting.items()))


def _hear(about: Launch, waiting: dict[WorkerId, Path]) -> None:
    """Record what is said of every attempt, and settle each that has ended, until none is left."""
    entries = {entry.id: entry for entry in about.plan.workers}
    for said in about.site.place.news():
        entry, folder = entries[said.order.name], Path(said.order.folder)
        if said.outcome is None:
            about.record(_progress(about, said))
            continue
        if not said.outcome.is_own and said.order.known is None:
            about.disturbed[WorkerId(entry.id)] += 1
        done = _settle(about, entry, folder, said.outcome, waiting)
        about.site.place.release(said.order, clear=done)
        if not done and WorkerId(entry.id) not in waiting and folder.is_dir():
            at = str(Attempt(folder).checkout)
            about.record(_event(about, WorkerId(entry.id), EventType.CHECKOUT_KEPT, at=at))


def _resume(
    about: Launch, entry: WorkerEntry, waiting: dict[WorkerId, Path], *, is_collected: bool
) -> None:
    """Go on where an earlier factory left this worker, or begin its first attempt."""
    attempts = attempts_in(about.site.folder / entry.id)
    if not attempts:
        _begin(about, entry, 1 + _kept(about, entry))
        return
    number, attempt = max(attempts.items())
    for _ in await_free(attempt):
        # A supervisor outlives a factory that was killed: it is still taking its worker down.
        pass
    outcome = _told(attempt)
    if number <= _kept(about, entry):
        # It was kept in the run already, and only not removed.
        _begin(about, entry, 1 + _kept(about, entry))
    elif outcome is None and not attempt.checkout.exists():
        attempt.clear(remove_checkout)
        _begin(about, entry, number)
    elif outcome is not None and (_is_empty(attempt, outcome) or _is_open(entry, outcome)):
        if is_collected:
            _capture(about, entry, attempt)
        elif _settle(about, entry, attempt.folder, outcome, waiting):
            attempt.clear(remove_checkout)
    else:
        # What was said of its end was not heard from its supervisor: it is captured once more,
        # so that nobody else can have written what is taken.
        if not entry.external:
            end_workers(attempt)
        # What nobody waited for did not end by waiting: how it ended is not known.
        is_lost = outcome is None or (outcome.how == "waiting" and not entry.external)
        _capture(about, entry, attempt, is_lost=is_lost, known=None if is_lost else outcome)


def _told(attempt: Attempt) -> Outcome | None:
    """Return what an attempt came to; None where nobody wrote it, or no supervisor wrote that."""
    try:
        return attempt.outcome()
    except StorageError:
        return None


def _left_waiting(about: Launch, worker: WorkerId) -> dict[WorkerId, Path]:
    """Return the checkout in which a person or tool works for a worker that is left alone."""
    attempts = attempts_in(about.site.folder / worker)
    attempt = attempts[max(attempts)] if attempts else None
    outcome = _told(attempt) if attempt is not None else None
    is_so = attempt is not None and outcome is not None and outcome.waits
    return {worker: attempt.checkout} if attempt is not None and is_so else {}


def _is_empty(attempt: Attempt, outcome: Outcome) -> bool:
    """Return whether no checkout was ever made: one that is gone held what was captured of it."""
    return outcome.patch is None and not attempt.checkout.exists()


def _is_open(entry: WorkerEntry, outcome: Outcome) -> bool:
    """Return whether a person or tool outside was given this checkout, and may be in it still."""
    return entry.external is True and outcome.how != "not_started"


def _capture(
    about: Launch,
    entry: WorkerEntry,
    attempt: Attempt,
    *,
    is_lost: bool = False,
    known: Outcome | None = None,
) -> None:
    order = worker_order(about, entry, attempt, is_lost=is_lost)
    about.site.place.submit(replace(order, makes=False, steps=(), captures=True, known=known))


def _begin(about: Launch, entry: WorkerEntry, number: int) -> None:
    attempt = Attempt(about.site.folder / entry.id / str(number))
    attempt.make()
    source = about.sources[WorkerId(entry.id)]
    assert isinstance(source, WorkSource)
    with storing(str(attempt.folder / PROMPT)):
        (attempt.folder / PROMPT).write_bytes(source.prompt)
    about.site.place.submit(worker_order(about, entry, attempt, is_lost=False))


def _settle(
    about: Launch, entry: WorkerEntry, folder: Path, outcome: Outcome, waiting: dict[WorkerId, Path]
) -> bool:
    """Seal what an attempt came to; or keep it as an attempt that failed, and begin the next.

    Returns whether its folder may go: what was not captured whole stays.
    """
    worker, attempt = WorkerId(entry.id), Attempt(folder)
    number = int(attempt.folder.name)
    if _still_waits(entry, outcome):
        waiting[worker] = attempt.checkout
        why = next((f.message for f in outcome.findings if f.blocks), "")
        at = str(attempt.checkout)
        about.record(_event(about, worker, EventType.WORKER_WAITING, at=at, why=why))
        return False
    taken = attempt_files(about, entry, attempt, outcome, number)
    files = taken.files
    ended = _event(about, worker, EventType.WORKER_ENDED, how=outcome.how, attempt=str(number))
    counts = {"changes": len(parse(FilesChanged, files["FILES_CHANGED.json"]).changes)}
    ended = replace(ended, file_counts=counts, duration_ms=outcome.milliseconds)
    about.record(replace(ended, rc=outcome.exit_code))
    failed = not outcome.is_good and not entry.external
    again = not outcome.is_own and about.disturbed[worker] <= _MOST_DISTURBED
    if again or (outcome.is_own and failed and _failures(about, entry) < entry.retries):
        _keep(about, worker, number, files)
        _begin(about, entry, number + 1)
        return outcome.is_whole and not about.site.work.keep
    seal(about.run, worker, files, taken.findings)
    about.record(sealed_event(about.run, worker))
    return outcome.is_whole and not about.site.work.keep


def _still_waits(entry: WorkerEntry, outcome: Outcome) -> bool:
    """Return whether a worker outside is not done: nothing was taken, or not all could be."""
    is_gone = any(one.code is Code.CAPTURE_CHECKOUT_GONE for one in outcome.findings)
    if not entry.external or outcome.how == "not_started" or is_gone:
        return False
    return outcome.waits or not outcome.is_own or not outcome.is_whole


def _keep(about: Launch, worker: WorkerId, number: int, files: Mapping[str, bytes]) -> None:
    """Keep a failed attempt in the run; its STATUS.json last, which says that it is all there."""
    folder = worker_artifact(worker, f"{ATTEMPTS}/{number}")
    rest = {f"{folder}/{name}": files[name] for name in files if name != _MARKER}
    about.run.write_all(rest)
    about.run.write(f"{folder}/{_MARKER}", files[_MARKER])
    kept = _event(about, worker, EventType.ATTEMPT_KEPT, attempt=str(number))
    about.record(replace(kept, hashes={_MARKER: digest_of(files[_MARKER])}))


def _failures(about: Launch, entry: WorkerEntry) -> int:
    """Return how many kept attempts failed of themselves: retries are for those.

    A new attempt that the operator wanted has its own.
    """
    worker = WorkerId(entry.id)
    sealed_before = max(earlier_seals(about.run, worker), default=0)
    ended = [
        parse(WorkerStatus, about.run.read(worker_artifact(worker, name))).ended.how
        for name in _markers(about, entry)
        if int(name.split("/")[1]) > sealed_before
    ]
    return sum(how not in ("stopped", "lost") for how in ended)


def _kept(about: Launch, entry: WorkerEntry) -> int:
    """Return the number of the last attempt that was kept in the run, whole."""
    return max((int(name.split("/")[1]) for name in _markers(about, entry)), default=0)


def _markers(about: Launch, entry: WorkerEntry) -> list[str]:
    names = about.run.files_below(f"{entry.id}/{ATTEMPTS}")
    return [f"{ATTEMPTS}/{name}" for name in names if name.partition("/")[2] == _MARKER]


def _clear_all(about: Launch, worker: WorkerId) -> None:
    for attempt in attempts_in(about.site.folder / worker).values():
        outcome = _told(attempt)
        if outcome is not None and outcome.is_whole and not about.site.work.keep:
            attempt.clear(remove_checkout)


def _progress(about: Launch, said: Said) -> Event:
    kind = {
        "checkout": EventType.CHECKOUT_MADE,
        "setup": EventType.SETUP_STARTED,
        "work": EventType.WORKER_STARTED,
        "active": EventType.WORKER_ACTIVE,
    }[said.kind]
    attempt = os.path.basename(said.order.folder)
    event = _event(about, WorkerId(said.order.name), kind, attempt=attempt)
    return replace(event, file_counts={"log_bytes": said.bytes}) if said.bytes else event


def _event(about: Launch, worker: WorkerId, kind: EventType, **details: str) -> Event:
    return Event(run_id=about.run.run, event_type=kind, actor=worker, details=details)
