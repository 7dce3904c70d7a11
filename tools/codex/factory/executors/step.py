"""One command of an order: run under its confinement, to its limits; its logs, and how it ended."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tools.codex.factory.domain.confinement import Confinement, is_within
from tools.codex.factory.domain.finding import Code, Finding, note
from tools.codex.factory.domain.order import PROMPT, Log, Step, StepEnded, WorkOrder, unbegun
from tools.codex.factory.domain.trespass import NOTHING, Seen
from tools.codex.factory.executors.place import place_in
from tools.codex.factory.executors.quota import bounded
from tools.codex.factory.process.lifeline import Lifeline
from tools.codex.factory.process.virtual_environment import virtual_environment
from tools.codex.factory.process.watched import Limits, watched
from tools.codex.factory.repository.checkout import is_checkout_folder
from tools.codex.factory.sandbox.tiers import held
from tools.codex.factory.storage.attempt import HOME, Attempt

_HOMES = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")
"""Where programs look beside HOME; with a home of its own, they are to look there."""
_CACHE = ".cache"


@dataclass(frozen=True, slots=True)
class StepRun:
    """How a step ended, what it said, and what is to be known of it.

    `seen` is what it tried outside, `unobserved` why that could not be seen.
    """

    ended: StepEnded
    seen: Seen = NOTHING
    unobserved: str = ""
    logs: tuple[Log, ...] = ()
    findings: tuple[Finding, ...] = ()


def run_step(
    order: WorkOrder,
    step: Step,
    *,
    attempt: Attempt,
    temporary: Path,
    lifeline: Lifeline,
    heard: Callable[[int], None],
) -> StepRun:
    """Run one step in the checkout of `attempt`; `temporary` is its own for throw-away files."""
    checkout = attempt.checkout
    if not is_checkout_folder(checkout):
        # A setup can put a link there; what is behind it is none of ours.
        reason = "the checkout is gone, or is a link"
        return StepRun(replace(unbegun(step, "not_started"), reason=reason))
    names = (f"{step.name}.stdout.log", f"{step.name}.stderr.log")
    folder = attempt.log_folder()
    confinement = _of_step(order, step, attempt)
    place = place_in(str(_real(attempt) / checkout.name), temporary=os.path.realpath(temporary))
    argv, rules = held(step.argv, confinement, place)
    with bounded(order, (attempt.folder, temporary.parent)) as quota:
        done = watched(
            argv,
            env=_environment(order, attempt, temporary),
            cwd=checkout,
            limits=Limits(
                wall_seconds=step.wall_seconds,
                idle_seconds=step.idle_seconds,
                grace_seconds=order.grace_seconds,
                log_bytes=order.log_bytes,
            ),
            logs=(folder / names[0], folder / names[1]),
            lifeline=lifeline,
            heard=heard,
            rules=replace(rules, limits=quota.limits),
            group=quota.group,
            usage=quota.usage,
        )
        ended, found = quota.came_of(step, done)
    logs = tuple(
        Log(name=name, role=f"{step.name} {role}", truncated=truncated)
        for name, role, truncated in zip(names, ("stdout", "stderr"), done.truncated, strict=True)
    )
    return StepRun(ended, done.seen, done.unobserved, logs, (*found, *_cut(order, logs)))


class Activity:
    """That the steps of an order say something, told at most once in so many seconds."""

    def __init__(self, seconds: float, tell: Callable[[int], None]) -> None:
        self._seconds = seconds
        self._tell = tell
        self._told = time.monotonic()
        self._bytes = 0

    def heard(self, count: int) -> None:
        """Count what was said; say so where it is time."""
        self._bytes += count
        if time.monotonic() - self._told >= self._seconds:
            self._told = time.monotonic()
            self._tell(self._bytes)


def _cut(order: WorkOrder, logs: tuple[Log, ...]) -> Iterator[Finding]:
    """Yield a note for each log whose middle is left out."""
    message = f"it said more than {order.log_bytes} bytes; the middle is left out"
    for log in logs:
        if log.truncated:
            yield note(Code.WORKER_LOG_TRUNCATED, f"{order.name}: LOGS/{log.name}", message)


def _of_step(order: WorkOrder, step: Step, attempt: Attempt) -> Confinement:
    """Return the confinement of the order with what lies in its own folder."""
    confinement = order.confinement
    folder = _real(attempt)
    own = [attempt.checkout, attempt.outbox, attempt.folder / HOME]
    # One that was replaced by a link would lead the right to write elsewhere.
    writable = tuple(str(folder / path.name) for path in own if is_checkout_folder(path))
    prompt = str(folder / PROMPT)
    named = [prompt, *(virtual_environment(word) for word in step.argv if os.path.isabs(word))]
    shown = tuple(
        path
        for path in map(os.path.realpath, named)
        if os.path.exists(path) and not is_within(path, writable) and path != "/"
    )
    return replace(
        confinement,
        writable=(*confinement.writable, *writable),
        readable=(*confinement.readable, *shown),
        network=confinement.setup_network if step.kind == "setup" else confinement.network,
    )


def _real(attempt: Attempt) -> Path:
    return Path(os.path.realpath(attempt.folder))


def _environment(order: WorkOrder, attempt: Attempt, temporary: Path) -> dict[str, str]:
    inside = "/tmp" if order.confinement.tier == "bubblewrap" else str(temporary)
    found = {**order.environment, "TMPDIR": inside}
    if not order.confinement.has_home:
        return found
    home = attempt.folder / HOME
    kept = {name: value for name, value in found.items() if name not in _HOMES}
    return {**kept, "HOME": str(home), "XDG_CACHE_HOME": str(home / _CACHE)}
