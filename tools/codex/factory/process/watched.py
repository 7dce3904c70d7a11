"""A stranger's command: held to its limits, its output to logs, all that it started gone after."""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from tools.codex.factory.domain.trespass import NOTHING, Seen
from tools.codex.factory.process.absence import why_not_started, why_not_wrapped
from tools.codex.factory.process.cgroup import Group
from tools.codex.factory.process.lifeline import Lifeline
from tools.codex.factory.process.log import CappedLog
from tools.codex.factory.process.observe import Observer
from tools.codex.factory.process.rules import FREE, Rules
from tools.codex.factory.process.spawn import Pipes, Spawned
from tools.codex.factory.process.tree import end_descendants

How = Literal["exited", "signalled", "timed_out", "idle", "over_quota", "stopped", "not_started"]
_CHUNK = 1 << 16
_POLL_SECONDS = 0.05
_MOST_ROUNDS = 64
_SHELL_SIGNALS = 128
"""What shells and wrappers add to the number of a signal that ended a command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a command may run, how long it may be silent (None: for ever), how much it may say.

    `grace_seconds` lie between being asked to end and being killed.
    """

    wall_seconds: float
    idle_seconds: float | None
    grace_seconds: float
    log_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """How a command ended. `survivors` of what it started could not be killed."""

    how: How
    exit_code: int | None
    signal: int | None
    milliseconds: int
    survivors: int
    truncated: tuple[bool, bool]
    """Whether stdout and stderr said more than their logs hold."""
    seen: Seen = NOTHING
    """What it tried to write outside."""
    unobserved: str = ""
    """Why that could not be seen."""
    reason: str
    """Why it was not started, or what it took too much of."""


class Watcher(Protocol):
    """What looks now and then whether a command took more than it may."""

    def due(self) -> float:
        """Return when the next look is due, on the monotonic clock."""

    def exceeded(self) -> str:
        """Look; return what was taken too much, or ""."""


def watched(
    argv: tuple[str, ...],
    *,
    env: Mapping[str, str],
    cwd: Path,
    limits: Limits,
    logs: tuple[Path, Path],
    lifeline: Lifeline,
    heard: Callable[[int], None],
    rules: Rules = FREE,
    group: Group | None = None,
    usage: Watcher | None = None,
) -> Watched:
    """Run `argv` without stdin, in a session of its own, under `rules`; return how it ended.

    `logs` are the files for stdout and stderr; `heard` is told how many bytes it said, each time.
    It runs in `group`; `usage` may end it. However it ends, nothing that it started lives on,
    also what daemonised: whoever calls has adopted orphans, and has no other child.
    """
    begun = time.monotonic()
    stdout, stderr = (CappedLog(path, limits.log_bytes) for path in logs)
    try:
        try:
            pipes = Pipes(subprocess.DEVNULL, subprocess.PIPE, subprocess.PIPE)
            spawned = Spawned(
                argv, rules=rules, env=env, cwd=cwd, pipes=pipes, tied=True, group=group
            )
        except OSError as error:
            return _not_started(why_not_started(argv[0], env, cwd, error))
        watch = _Watch(spawned, limits, lifeline, (stdout, stderr), heard, group, usage)
        how = watch.until_it_ends(begun)
        survivors = watch.end(spared=spawned.child.pid if rules.status else None)
        code = spawned.child.returncode
        if rules.status and how == "exited" and code >= 0:
            code = spawned.wrapped()
        spawned.release()
        if rules.status and code is None:
            return _not_started(why_not_wrapped(rules.wraps, env, logs[1]))
        code = _by_signal(code)
        return Watched(
            how="signalled" if how == "exited" and code is not None and code < 0 else how,
            exit_code=code if code is not None and code >= 0 else None,
            signal=-code if code is not None and code < 0 else None,
            milliseconds=int((time.monotonic() - begun) * 1000),
            survivors=survivors,
            truncated=(stdout.truncated, stderr.truncated),
            seen=spawned.seen(),
            unobserved=spawned.unobserved(),
            reason=watch.over,
        )
    finally:
        stdout.close()
        stderr.close()


class _Watch:
    """One child, its two pipes, and what may end the wait for it."""

    def __init__(
        self,
        spawned: Spawned,
        limits: Limits,
        lifeline: Lifeline,
        logs: tuple[CappedLog, CappedLog],
        tell: Callable[[int], None],
        group: Group | None,
        usage: Watcher | None,
    ) -> None:
        self.over = ""
        self._group = group
        self._usage = usage
        self._child = child = spawned.child
        self._observer = spawned.observer
        self._limits = limits
        self._lifeline = lifeline
        self._selector = selectors.DefaultSelector()
        self._tell = tell
        self._heard = time.monotonic()
        self._pid_handle = _pid_handle(child.pid)
        assert child.stdout is not None and child.stderr is not None
        self._pipes = (child.stdout, child.stderr)
        for pipe, log in zip(self._pipes, logs, strict=True):
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, log)
        for handle in lifeline.handles:
            self._selector.register(handle, selectors.EVENT_READ)
        if self._observer is not None:
            self._selector.register(self._observer, selectors.EVENT_READ, self._observer)
        if self._pid_handle is not None:
            self._selector.register(self._pid_handle, selectors.EVENT_READ)

    def until_it_ends(self, begun: float) -> How:
        """Return why the wait is over: the child's own end, a limit, or the lifeline."""
        limits, usage = self._limits, self._usage
        until = begun + limits.wall_seconds
        while not self._is_over():
            silent = self._heard + limits.idle_seconds if limits.idle_seconds else until
            look = usage.due() if usage else until
            wait = max(0.0, min(until, silent, look) - time.monotonic())
            self._listen(wait if self._pid_handle is not None else min(wait, _POLL_SECONDS))
            if self._is_over():
                break
            if self._lifeline.is_cut():
                return "stopped"
            now = time.monotonic()
            if now >= until:
                return "timed_out"
            if limits.idle_seconds and now >= self._heard + limits.idle_seconds:
                return "idle"
            if usage and now >= usage.due() and (over := usage.exceeded()):
                self.over = over
                return "over_quota"
        return "exited"

    def end(self, *, spared: int | None) -> int:
        """End all that the child started, and the child; return how many are left.

        `spared` is not asked to end: a wrapper takes all with it, at once.
        """
        if sys.platform != "linux":
            # There is no list of descendants: its group is all that can be named.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
        grace = self._limits.grace_seconds
        left = end_descendants(grace_seconds=grace, reap=self._drain_and_reap, spared=spared)
        if left and self._group is not None:
            # It may be another user's: a group is killed whoever its members belong to.
            self._group.kill()
            left = end_descendants(grace_seconds=0, reap=self._drain_and_reap)
        self._drain_and_reap()
        self._selector.close()
        for pipe in self._pipes:
            pipe.close()
        if self._pid_handle is not None:
            os.close(self._pid_handle)
        return left

    def _is_over(self) -> bool:
        flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, self._child.pid, flags) is not None

    def _listen(self, wait: float) -> None:
        for key, _ in self._selector.select(wait):
            if isinstance(key.data, CappedLog):
                content = os.read(key.fd, _CHUNK)
                key.data.add(content)
                self._heard = time.monotonic()
                if content:
                    self._tell(len(content))
                else:
                    self._selector.unregister(key.fileobj)
            elif isinstance(key.data, Observer):
                self._answer(key.data)

    def _answer(self, observer: Observer) -> None:
        if not observer.answer():
            self._selector.unregister(observer)

    def _drain_and_reap(self) -> bool:
        """Read on, or a child that writes as it ends would wait for us; then collect zombies.

        Returns whether a child is left.
        """
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, Observer):
                # Who waits for an answer ends no sooner than it is given.
                self._answer(key.data)
            # Rounds are counted: a flood has no end.
            for _ in range(_MOST_ROUNDS if isinstance(key.data, CappedLog) else 0):
                with suppress(BlockingIOError):
                    content = os.read(key.fd, _CHUNK)
                    key.data.add(content)
                    if content:
                        self._tell(len(content))
                        continue
                break
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._child.pid:
                    self._child.returncode = os.waitstatus_to_exitcode(ended[1])
        except ChildProcessError:
            return False
        return True


def _by_signal(code: int | None) -> int | None:
    """Return an exit code, or the negative number of the signal that it stands for.

    Shells and wrappers say so of what they started, and have no other word for it: whether there
    is one between us and the command is to make no difference.
    """
    return _SHELL_SIGNALS - code if code is not None and 0 < code - _SHELL_SIGNALS < 65 else code


def _not_started(reason: str) -> Watched:
    return Watched(
        how="not_started",
        exit_code=None,
        signal=None,
        milliseconds=0,
        survivors=0,
        truncated=(False, False),
        reason=reason,
    )


def _pid_handle(pid: int) -> int | None:
    """Return what becomes readable when the child ends; None where the kernel has no such thing."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None
