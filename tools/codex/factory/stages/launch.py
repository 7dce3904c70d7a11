"""Workers run here: checkouts out, orders in, a sealed bundle for each that ended."""

import os
from dataclasses import replace
from pathlib import Path

from tools.codex.factory.domain.artifact import WorkerStatus
from tools.codex.factory.domain.document import parse
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.identity import WorkerId, digest_of
from tools.codex.factory.domain.order import PROMPT, Outcome
from tools.codex.factory.domain.plan import WORKED, WorkerEntry
from tools.codex.factory.executors.local import Said, await_free, end_workers
from tools.codex.factory.repository.checkout import remove_checkout
from tools.codex.factory.stages.adopt import sealed_event
from tools.codex.factory.stages.captured import attempt_files
from tools.codex.factory.stages.gather import WorkSource
from tools.codex.factory.stages.order import Launch, worker_order
from tools.codex.factory.storage.attempt import Attempt, attempts_in
from tools.codex.factory.storage.intake import ATTEMPTS, is_sealed, seal
from tools.codex.factory.storage.run_directory import worker_artifact

_MOST_DISTURBED = 1
"""How often a worker is begun again because its supervisor was: it may be the worker's doing."""


def launch(about: Launch, *, collecting: bool) -> dict[WorkerId, Path]:
    """Run every worker that has no sealed bundle yet, and seal what each came to.

    Returns who still waits for a person or a tool outside, and in which checkout; `collecting`
    takes what these left.
    """
    waiting: dict[WorkerId, Path] = {}
    for entry in about.plan.workers:
        worker = WorkerId(entry.id)
        if entry.source not in WORKED:
            continue
        if is_sealed(about.run, worker):
            _clear_all(about, worker)
        else:
            _resume(about, entry, waiting, collecting=collecting)
    entries = {entry.id: entry for entry in about.plan.workers}
    for said in about.site.place.news():
        entry = entries[said.order.name]
        if said.outcome is None:
            about.record(_progress(about, said))
        else:
            if not said.outcome.is_own:
                about.disturbed[WorkerId(entry.id)] += 1
            done = _settle(about, entry, Path(said.order.folder), said.outcome, waiting)
            about.site.place.release(said.order, clear=done)
    return dict(sorted(waiting.items()))


def _resume(
    about: Launch, entry: WorkerEntry, waiting: dict[WorkerId, Path], *, collecting: bool
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
    if number <= _kept(about, entry):
        # It was kept in the run already, and only not removed.
        _begin(about, entry, 1 + _kept(about, entry))
        return
    outcome = attempt.outcome()
    if outcome is None and not attempt.checkout.exists():
        attempt.clear(remove_checkout)
        _begin(about, entry, number)
    elif outcome is None:
        end_workers(attempt)
        lost = worker_order(about, entry, attempt, is_lost=True)
        about.site.place.submit(replace(lost, makes=False, steps=()))
    elif outcome.waits and collecting:
        order = worker_order(about, entry, attempt, is_lost=False)
        about.site.place.submit(replace(order, makes=False, steps=(), captures=True))
    elif _settle(about, entry, attempt.folder, outcome, waiting):
        attempt.clear(remove_checkout)


def _begin(about: Launch, entry: WorkerEntry, number: int) -> None:
    attempt = Attempt(about.site.folder / entry.id / str(number))
    attempt.make()
    source = about.sources[WorkerId(entry.id)]
    assert isinstance(source, WorkSource)
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
    if outcome.waits and not outcome.findings:
        waiting[worker] = attempt.checkout
        about.record(_event(about, worker, EventType.WORKER_WAITING, at=str(attempt.checkout)))
        return False
    files = attempt_files(about, entry, attempt, outcome, number)
    ended = _event(about, worker, EventType.WORKER_ENDED, how=outcome.how, attempt=str(number))
    about.record(replace(ended, rc=outcome.exit_code, duration_ms=outcome.milliseconds))
    failed = not outcome.is_good and not entry.external
    again = not outcome.is_own and about.disturbed[worker] <= _MOST_DISTURBED
    if again or (outcome.is_own and failed and _failures(about, entry) < entry.retries):
        names = {f"{entry.id}/{ATTEMPTS}/{number}/{name}": files[name] for name in files}
        about.run.write_all(names)
        kept = _event(about, worker, EventType.ATTEMPT_KEPT, how=outcome.how, attempt=str(number))
        about.record(replace(kept, hashes={"STATUS.json": digest_of(files["STATUS.json"])}))
        _begin(about, entry, number + 1)
        return outcome.is_whole and not about.site.work.keep
    seal(about.run, worker, files)
    about.record(sealed_event(about.run, worker))
    return outcome.is_whole and not about.site.work.keep


def _failures(about: Launch, entry: WorkerEntry) -> int:
    """Return how many kept attempts failed of themselves: retries are for those."""
    count = 0
    for number in range(1, 1 + _kept(about, entry)):
        name = worker_artifact(WorkerId(entry.id), f"{ATTEMPTS}/{number}/STATUS.json")
        if about.run.has(name):
            status = parse(WorkerStatus, about.run.read(name))
            count += status.ended.how not in ("stopped", "lost")
    return count


def _kept(about: Launch, entry: WorkerEntry) -> int:
    """Return the number of the last attempt that was kept in the run."""
    names = about.run.files_below(f"{entry.id}/{ATTEMPTS}")
    return max((int(name.partition("/")[0]) for name in names), default=0)


def _clear_all(about: Launch, worker: WorkerId) -> None:
    for attempt in attempts_in(about.site.folder / worker).values():
        outcome = attempt.outcome()
        if outcome is not None and outcome.is_whole and not about.site.work.keep:
            attempt.clear(remove_checkout)


def _progress(about: Launch, said: Said) -> Event:
    kind = {
        "checkout": EventType.CHECKOUT_MADE,
        "setup": EventType.SETUP_STARTED,
        "work": EventType.WORKER_STARTED,
    }[said.kind]
    attempt = os.path.basename(said.order.folder)
    return _event(about, WorkerId(said.order.name), kind, attempt=attempt)


def _event(about: Launch, worker: WorkerId, kind: EventType, **details: str) -> Event:
    return Event(run_id=about.run.run, event_type=kind, actor=worker, details=details)
