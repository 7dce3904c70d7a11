"""A step held to its quota: what bounds it, and what is said of one that wanted more."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tools.codex.factory.domain.confinement import Quota
from tools.codex.factory.domain.finding import Code, Finding, blocking, note
from tools.codex.factory.domain.identity import digest_of
from tools.codex.factory.domain.order import Step, StepEnded, WorkOrder
from tools.codex.factory.domain.wording import sized
from tools.codex.factory.process.cgroup import Group, grouped
from tools.codex.factory.process.limits import tasks_of
from tools.codex.factory.process.watched import Watched
from tools.codex.factory.sandbox.limits import rlimits
from tools.codex.factory.storage.usage import UsageWatch

_LEFT = "what was left of its work is in its DIFF.patch"


@dataclass(frozen=True, slots=True)
class StepQuota:
    """What holds one step to the quota of its order."""

    order: WorkOrder
    group: Group
    usage: UsageWatch

    @property
    def limits(self) -> tuple[tuple[int, int], ...]:
        """Return the limits on each process."""
        return process_limits(self.order.confinement.quota, self.group)

    def came_of(self, step: Step, done: Watched) -> tuple[StepEnded, list[Finding]]:
        """Return how the step ended, and what is to be said of what it wanted too much of."""
        if done.how == "exited" and (reason := self.usage.overfull()):
            # It was faster than the next look: what it left is no less for that.
            done = replace(done, how="over_quota", reason=reason)
        found = list(self._found(f"{self.order.name}: {step.name}", done))
        reasons = [done.reason, *(finding.message for finding in found if finding.blocks)]
        ended = StepEnded(
            name=step.name,
            kind=step.kind,
            how=done.how,
            exit_code=done.exit_code,
            signal=done.signal,
            milliseconds=done.milliseconds,
            survivors=done.survivors,
            reason=next(filter(None, reasons), ""),
        )
        return ended, found

    def _found(self, subject: str, done: Watched) -> Iterator[Finding]:
        quota, events = self.order.confinement.quota, self.group.events()
        if done.how == "over_quota":
            hint = f"raise what the message names, or make room; {_LEFT}"
            yield note(Code.WORKER_OVER_QUOTA, subject, done.reason, hint)
        if events.refused:
            message = f"it wanted more than {quota.processes:,} processes and threads at a time"
            hint = "raise sandbox.processes, or let it start fewer"
            yield note(Code.WORKER_OVER_QUOTA, subject, message, hint)
        if events.killed:
            say = blocking if done.signal == signal.SIGKILL and done.how == "signalled" else note
            message = (
                f"the kernel killed {events.killed:,} of its processes, which together held more "
                f"than {sized(quota.memory_bytes)} of memory"
            )
            hint = f"raise sandbox.memory_bytes, or let it hold less; {_LEFT}"
            yield say(Code.WORKER_OVER_QUOTA, subject, message, hint)
        if quota.file_bytes and done.signal == signal.SIGXFSZ:
            message = f"it was to write a file of more than {sized(quota.file_bytes)}"
            hint = f"raise sandbox.file_bytes, or let it write smaller ones; {_LEFT}"
            yield blocking(Code.WORKER_OVER_QUOTA, subject, message, hint)


@contextmanager
def bounded(order: WorkOrder, folders: tuple[Path, ...]) -> Iterator[StepQuota]:
    """Yield what holds a step of `order`; left, its group is gone with all that was in it."""
    quota = order.confinement.quota
    group = grouped(
        processes=quota.processes, memory_bytes=quota.memory_bytes, owner=owner_of(order.folder)
    )
    try:
        yield StepQuota(order, group, UsageWatch(folders, quota.checkout_bytes))
    finally:
        group.remove()


def owner_of(attempt: str) -> str:
    """Return how groups are marked that belong to attempts of one work root."""
    # <root>/<repository>/<run>/<worker>/<n>
    return root_mark(Path(attempt).parents[3])


def root_mark(root: Path) -> str:
    """Return how groups are marked of those who work in `root`."""
    return digest_of(os.fsencode(os.path.realpath(root)))[:12]


def process_limits(quota: Quota, group: Group) -> tuple[tuple[int, int], ...]:
    """Return the limits on each process beside what a group bounds.

    The kernel's own limit on the processes of a user counts all that the user runs, not only the
    step: it is set where nothing better is to be had.
    """
    is_root = os.geteuid() == 0
    if group.processes.by or is_root:
        return rlimits(replace(quota, processes=0), is_root=is_root)
    return rlimits(quota, is_root=False, running=tasks_of(os.getuid()))
