"""Orders carried out on this host, so many at a time; outcomes as they end."""

import json
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
from tools.codex.factory.domain.order import Outcome, WorkOrder
from tools.codex.factory.errors import FactoryError, StorageError, UnfitHost
from tools.codex.factory.process.attended import Attended
from tools.codex.factory.process.tree import end_all, marked
from tools.codex.factory.storage.attempt import Attempt

MARK = "FACTORY_ATTEMPT"
_ERRORS = "supervisor.log"
_WAIT_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """News of an order: its checkout made, a step of it begun, or its outcome."""

    order: WorkOrder
    kind: Literal["checkout", "setup", "work", "outcome"]
    step: str = ""
    outcome: Outcome | None = None


@dataclass(slots=True)
class _Running:
    order: WorkOrder
    child: Attended
    digest: Digest | None = None


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

    def __enter__(self) -> "Local":
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

    def submit(self, order: WorkOrder) -> None:
        """Let `order` be carried out when a job is free."""
        self._waiting.append(order)

    def news(self) -> Iterator[Said]:
        """Yield what happens, until nothing is submitted or running any more."""
        while self._waiting or self._running:
            while self._waiting and len(self._running) < self._jobs:
                self._begin(self._waiting.popleft())
            yield from self._heard()

    def _begin(self, order: WorkOrder) -> None:
        attempt = Attempt(Path(order.folder))
        handle = attempt.held()
        if handle is None:
            raise StorageError(
                f"another process works in {order.folder!r}", hint="wait until it ends"
            )
        try:
            child = Attended(
                self._command,
                env=self._environment,
                cwd=attempt.folder,
                errors=attempt.folder / _ERRORS,
                inherited=(handle,),
            )
        except OSError as error:
            raise UnfitHost(
                f"no supervisor can be started: {error.strerror}",
                hint="look at the limits on processes and memory",
            ) from error
        finally:
            os.close(handle)
        self._running[child.fileno()] = _Running(order, child)
        self._selector.register(child.fileno(), selectors.EVENT_READ)
        child.tell(json.dumps(asdict(order)).encode("ascii"))

    def _heard(self) -> Iterator[Said]:
        for key, _ in self._selector.select():
            running = self._running[key.fd]
            lines, more = running.child.heard()
            for line in lines:
                said = json.loads(line)
                if said["said"] == "outcome":
                    running.digest = Digest(said["sha256"])
                else:
                    step = said.get("step", "")
                    yield Said(order=running.order, kind=said["said"], step=step)
            if not more:
                yield from self._over(key.fd)

    def _over(self, handle: int) -> Iterator[Said]:
        """Take what came of an order whose supervisor has ended, or let it be captured again."""
        running = self._running.pop(handle)
        self._selector.unregister(handle)
        code = running.child.ended()
        order = running.order
        try:
            outcome = Attempt(Path(order.folder)).outcome(running.digest)
        except StorageError:
            outcome = None
        if outcome is not None and running.digest is not None:
            yield Said(order=order, kind="outcome", outcome=outcome)
            return
        end_all(
            lambda: marked(f"{MARK}={order.folder}".encode()), grace_seconds=0, reap=lambda: None
        )
        if order.is_lost or not order.captures:
            yield Said(order=order, kind="outcome", outcome=_lost(order, code))
        else:
            self._waiting.append(replace(order, makes=False, steps=(), is_lost=True))


def await_free(attempt: Attempt) -> Iterator[None]:
    """Yield while another process holds `attempt`."""
    while (handle := attempt.held()) is None:
        yield
        time.sleep(_WAIT_SECONDS)
    os.close(handle)


def _lost(order: WorkOrder, code: int) -> Outcome:
    said = ""
    try:
        content = (Path(order.folder) / _ERRORS).read_text("utf-8", "replace").strip()
        said = content.splitlines()[-1] if content else ""
    except (OSError, FactoryError):
        pass
    ended = f"signal {-code}" if code < 0 else f"exit code {code}"
    finding: Finding = blocking(
        Code.WORKER_LOST,
        f"{order.name}: supervisor",
        f"its supervisor ended without an answer ({ended}){': ' + said if said else ''}",
        f"the attempt is kept in {order.folder}",
    )
    return Outcome(
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
        is_dirty=False,
    )
