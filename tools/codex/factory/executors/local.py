"""Orders carried out on this host, so many at a time; outcomes as they end."""

import json
import math
import os
import selectors
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Literal

from tools.codex.factory.domain.finding import Code, Finding, blocking
from tools.codex.factory.domain.identity import Digest
from tools.codex.factory.domain.lever import retrying
from tools.codex.factory.domain.order import CLEAR, Outcome, WorkOrder, with_end
from tools.codex.factory.errors import NoRoom, StorageError, UnfitHost, is_reason, raise_spent
from tools.codex.factory.executors.quota import owner_of
from tools.codex.factory.process.attended import Attended
from tools.codex.factory.process.cgroup import remove_leftovers
from tools.codex.factory.process.tree import (
    Process,
    adopt_orphans,
    children,
    descendants_of,
    end_others,
    reap,
    workers_of,
)
from tools.codex.factory.storage.attempt import Attempt
from tools.codex.factory.storage.room import nearest, room_at

MARK = "FACTORY_ATTEMPT"
_STEPS = ("checkout", "setup", "work")
_LEAST_BYTES = 1 << 20
_LEAST_FILES = 16
_WAIT_SECONDS = 0.1
_MOST_SAID = 1 << 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """News of an order: its checkout made, a step of it begun or saying something, its outcome.

    `bytes` is how much its steps have said, where that is the news.
    """

    order: WorkOrder
    kind: Literal["checkout", "setup", "work", "active", "outcome"]
    step: str = ""
    bytes: int = 0
    outcome: Outcome | None = None


@dataclass(slots=True)
class _Running:
    order: WorkOrder
    child: Attended
    settled: bool = False
    """Whether its outcome was heard: it waits to be told what becomes of the attempt."""
    no_room: str = ""
    """Why it could not keep what came of it, where it said so."""
    active: float = -math.inf
    """When it was last told that its steps say something."""


class Local:
    """A place to work: `jobs` supervisors at a time, each a process of its own.

    Left by whatever way, every supervisor has ended what it ran, and captured it.
    """

    def __init__(
        self, *, command: tuple[str, ...], environment: Mapping[str, str], jobs: int
    ) -> None:
        self._command = command
        self._environment = environment
        self._jobs = jobs
        self._waiting: deque[WorkOrder] = deque()
        self._running: dict[int, _Running] = {}
        self._selector = selectors.DefaultSelector()
        self._strangers: set[int] = set()

    def __enter__(self) -> "Local":
        # What a killed supervisor leaves behind comes to us; what was ours before is not that.
        adopt_orphans()
        self._strangers = set(children())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for running in self._running.values():
            running.child.let_go()
        for running in self._running.values():
            running.child.ended()
        self._running.clear()
        self._selector.close()
        adopt_orphans(adopting=False)

    def submit(self, order: WorkOrder) -> None:
        """Let `order` be carried out when a job is free."""
        self._waiting.append(order)

    def release(self, order: WorkOrder, *, clear: bool) -> None:
        """Let go of an order whose outcome was heard; `clear`: its folder is removed meanwhile."""
        for running in self._running.values():
            if running.order is order and clear:
                running.child.tell(CLEAR)

    def news(self) -> Iterator[Said]:
        """Yield what happens, until nothing is submitted or running any more.

        Whoever hears an outcome may release its order; else the order's folder stays.
        """
        while self._waiting or self._running:
            while self._waiting and self._busy() < self._jobs:
                yield from self._begin(self._waiting.popleft())
            yield from self._heard()

    def _busy(self) -> int:
        return sum(not running.settled for running in self._running.values())

    def _begin(self, order: WorkOrder) -> Iterator[Said]:
        attempt = Attempt(Path(order.folder))
        try:
            errors = attempt.complaints()
        except StorageError:
            yield Said(order=order, kind="outcome", outcome=_lost(order))
            return
        handle = attempt.held()
        if handle is None:
            os.close(errors)
            raise StorageError(
                f"another process works in {order.folder!r}", hint="wait until it ends"
            )
        try:
            child = Attended(
                self._command,
                env=self._environment,
                cwd=attempt.folder,
                errors=errors,
                inherited=(handle,),
            )
        except OSError as error:
            raise_spent(error, "no supervisor can be started")
            raise UnfitHost(
                f"no supervisor can be started: {error.strerror}",
                hint="look at the limits on processes and memory",
            ) from error
        finally:
            os.close(handle)
            os.close(errors)
        self._running[child.fileno()] = _Running(order, child)
        self._selector.register(child.fileno(), selectors.EVENT_READ)
        child.tell(json.dumps(asdict(order)).encode("ascii"))

    def _heard(self) -> Iterator[Said]:
        for key, _ in self._selector.select() if self._running else ():
            running = self._running[key.fd]
            lines, more = running.child.heard()
            for line in lines:
                yield from self._said(running, line)
            if not more:
                yield from self._over(key.fd)

    def _said(self, running: _Running, line: bytes) -> Iterator[Said]:
        """Yield what a line means. One that means nothing is not the supervisor's."""
        try:
            said = json.loads(line)
            kind, step, digest = said["said"], said.get("step", ""), said.get("sha256", "")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return
        if kind == "outcome":
            yield from self._outcome(running, Digest(str(digest)))
        elif kind in _STEPS:
            yield Said(order=running.order, kind=kind, step=str(step))
        elif kind == "no_room":
            running.no_room = str(said.get("reason"))
        elif kind == "active" and isinstance(count := said.get("bytes"), int):
            # A supervisor says it seldom; whoever else can write to its pipe gets no further.
            now = time.monotonic()
            if now - running.active >= running.order.active_seconds / 2:
                running.active = now
                yield Said(
                    order=running.order, kind="active", bytes=int(max(0, min(count, _MOST_SAID)))
                )

    def _outcome(self, running: _Running, digest: Digest) -> Iterator[Said]:
        try:
            outcome = Attempt(Path(running.order.folder)).outcome(digest)
        except StorageError:
            outcome = None
        if outcome is not None and not running.settled:
            running.settled = True
            yield Said(order=running.order, kind="outcome", outcome=outcome)
            running.child.let_go()

    def _over(self, handle: int) -> Iterator[Said]:
        """Go on after the end of a supervisor; what one left that was killed is captured anew."""
        running = self._running.pop(handle)
        self._selector.unregister(handle)
        running.child.ended()
        order = running.order
        if running.settled:
            return
        _refuse_full_disk(order, running.no_room)
        if order.steps:
            # Else it only captured, and who stands in the folder may be a person.
            self._end_orphans(order)
        if order.captures and order.steps and Path(order.folder).is_dir():
            self._waiting.append(replace(order, makes=False, steps=(), is_lost=True))
        else:
            yield Said(order=order, kind="outcome", outcome=_lost(order))

    def _end_orphans(self, order: WorkOrder) -> None:
        """End what a killed supervisor left: our new children, and all that bears its mark."""
        known = self._strangers | {running.child.pid for running in self._running.values()}

        def left() -> list[Process]:
            ours = descendants_of(set(children()) - known)
            return [*ours, *workers_of(_mark(order.folder), Path(order.folder))]

        end_others(left, reap=lambda: reap(set(children()) - known))
        remove_leftovers(owner_of(order.folder))


def await_free(attempt: Attempt) -> Iterator[None]:
    """Yield while another process holds `attempt`; one that removes it lets it go, too."""
    try:
        while (handle := attempt.held()) is None:
            yield
            time.sleep(_WAIT_SECONDS)
        os.close(handle)
    except StorageError:
        if attempt.folder.exists():
            raise


def end_workers(attempt: Attempt) -> None:
    """End what still works in an attempt whose supervisor is gone."""
    folder = attempt.folder
    end_others(lambda: workers_of(_mark(str(folder)), folder), reap=lambda: None)
    remove_leftovers(owner_of(str(folder)))


def is_worked_in(attempt: Attempt) -> bool:
    """Return whether a process bears the mark of an attempt, or stands in its folder."""
    folder = attempt.folder
    return any(not process.is_over for process in workers_of(_mark(str(folder)), folder))


def _mark(folder: str) -> bytes:
    return os.fsencode(f"{MARK}={folder}")


def _refuse_full_disk(order: WorkOrder, said: str) -> None:
    """Raise NoRoom where a supervisor ended because there was none for what it captured.

    It `said` so, or could not even say that.
    """
    room = room_at(nearest(Path(order.folder)))
    full = room.free_bytes < _LEAST_BYTES or (room.files is not None and room.files < _LEAST_FILES)
    reason = said if is_reason(said) else "the disk is full" if full else ""
    if reason:
        what = f"no room in {order.folder!r} or in TMPDIR to go on with {order.name!r}"
        raise NoRoom(what, reason)


def _lost(order: WorkOrder) -> Outcome:
    finding: Finding = blocking(
        Code.WORKER_LOST,
        f"{order.name}: supervisor",
        "its supervisor ended without an answer",
        f"its LOGS may say why; {retrying(order.name)} makes a new attempt",
    )
    outcome = Outcome(
        how="lost",
        exit_code=None,
        signal=None,
        milliseconds=0,
        steps=(),
        findings=(finding,),
        logs=(),
        patch=None,
        stray=False,
        is_whole=False,
        was_captured=True,
    )
    return with_end(outcome, order.known)
