"""A child started under rules, by a thread that is held to them and lives as long as it does."""

import json
import os
import queue
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.trespass import NOTHING, Seen
from tools.codex.factory.process.cgroup import Group
from tools.codex.factory.process.confine import confine_thread
from tools.codex.factory.process.limits import set_limits
from tools.codex.factory.process.listener import Listening, listening
from tools.codex.factory.process.observe import Observer
from tools.codex.factory.process.rules import Rules
from tools.codex.factory.process.tree import die_with_parent

_MOST_STATUS = 1 << 16
_WAIT_SECONDS = 0.005
_Answer = subprocess.Popen[bytes] | Listening | BaseException


@dataclass(frozen=True, slots=True)
class Pipes:
    """What stands for the three standard files of a child: a number, or one of subprocess's."""

    stdin: int
    stdout: int
    stderr: int


class Spawned:
    """A child, and the thread that started it.

    Landlock, seccomp and capabilities are a thread's own, and a child takes those of the one that
    starts it; this process stays free. The kernel kills a child whose parent's thread ends, where
    it was told to: so the thread waits until `release`.
    """

    def __init__(
        self,
        argv: tuple[str, ...],
        *,
        rules: Rules,
        env: Mapping[str, str],
        cwd: Path,
        pipes: Pipes,
        tied: bool,
        group: Group | None = None,
    ) -> None:
        """Start `argv` in `group`, `tied` to our own end.

        Raises OSError where it, or a rule, cannot be had.
        """
        self._released = threading.Event()
        self._status: int | None = None
        self._listening = Listening(None, "it was not asked for")
        self.observer: Observer | None = None
        answer: queue.SimpleQueue[_Answer] = queue.SimpleQueue()

        def begin() -> None:
            try:
                with self._given(argv, rules) as (words, handles):
                    confine_thread(rules)
                    if rules.observing is not None:
                        answer.put(listening(rules.observing.program))
                    before = _before_it_begins(rules, group) if tied or rules.limits else None
                    answer.put(_begun(words, handles, env, cwd, pipes, before))
            except BaseException as error:
                answer.put(error)
                return
            self._released.wait()

        threading.Thread(target=begin, daemon=True).start()
        try:
            started = self._started(answer, rules)
        except BaseException:
            # Told to stop just now: what was about to start has no one who would end it.
            self._abandon(self._started(answer, rules))
            raise
        if isinstance(started, BaseException):
            self.release()
            raise started
        self.child = started

    def __enter__(self) -> "Spawned":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let the thread end, and hear no more: the child is reaped, with all that it started."""
        self._released.set()
        self._close_status()
        if self.observer is not None:
            self.observer.close()

    def seen(self) -> Seen:
        """Return what was tried outside, as far as it was seen."""
        return self.observer.seen() if self.observer is not None else NOTHING

    def unobserved(self) -> str:
        """Return why that could not be seen; "" where it could."""
        return self.observer.unobserved() if self.observer is not None else self._listening.reason

    def _started(
        self, answer: "queue.SimpleQueue[_Answer]", rules: Rules
    ) -> "subprocess.Popen[bytes] | BaseException":
        """Return the child, or why there is none; answer meanwhile: its thread is observed too."""
        while True:
            with suppress(queue.Empty):
                said = answer.get(timeout=_WAIT_SECONDS)
                if not isinstance(said, Listening):
                    return said
                self._listening = said
                self._observe(said, rules)
            if self.observer is not None:
                self.observer.answer()

    def _observe(self, heard: Listening, rules: Rules) -> None:
        if heard.handle is not None and rules.observing is not None:
            wrapper = os.stat(rules.wrapper) if rules.wrapper else None
            self.observer = Observer(
                heard.handle,
                calls=rules.observing.calls,
                bounds=rules.bounds,
                wrapper=(wrapper.st_dev, wrapper.st_ino) if wrapper else None,
            )

    def _abandon(self, started: "subprocess.Popen[bytes] | BaseException") -> None:
        if not isinstance(started, BaseException):
            started.kill()
            started.wait()
        self.release()

    def wrapped(self) -> int | None:
        """Return the exit code of what the child wrapped; None where that never began."""
        assert self._status is not None
        said = b""
        with suppress(BlockingIOError):
            while len(said) < _MOST_STATUS and (more := os.read(self._status, _MOST_STATUS)):
                said += more
        for line in said.splitlines():
            with suppress(ValueError, KeyError, TypeError):
                return int(json.loads(line)["exit-code"])
        return None

    @contextmanager
    def _given(self, argv: tuple[str, ...], rules: Rules) -> Iterator[tuple[list[str], list[int]]]:
        """Yield the command line with the numbers of the files that it is given, and these."""
        numbers: dict[str, int] = {}
        try:
            for word, content in rules.fed.items():
                numbers[word] = _fed(content)
            if rules.status:
                self._status, numbers[rules.status] = os.pipe()
                os.set_blocking(self._status, False)
            words = [str(numbers.get(word, word)) for word in argv]
            yield words, list(numbers.values())
        finally:
            for handle in numbers.values():
                os.close(handle)

    def _close_status(self) -> None:
        if self._status is not None:
            os.close(self._status)
            self._status = None


def _begun(
    words: list[str],
    handles: list[int],
    env: Mapping[str, str],
    cwd: Path,
    pipes: Pipes,
    before: Callable[[], None] | None,
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        words,
        stdin=pipes.stdin,
        stdout=pipes.stdout,
        stderr=pipes.stderr,
        env=env,
        cwd=cwd,
        pass_fds=handles,
        start_new_session=True,
        preexec_fn=before,
    )


def _before_it_begins(rules: Rules, group: Group | None) -> Callable[[], None]:
    """Return what the forked child does before it becomes the command.

    Limits are a process's own, so no thread can have them in the child's place; and whoever sets
    them from outside comes too late for what the child forks at once. The fork is safe: the only
    other thread that runs Python waits for this one.
    """

    def begin() -> None:
        die_with_parent()
        if group is not None:
            group.enter()
        set_limits(rules.limits)

    return begin


def _fed(content: bytes) -> int:
    """Return an open file that holds `content`, at its begin."""
    handle = os.memfd_create("factory")
    os.write(handle, content)
    os.lseek(handle, 0, os.SEEK_SET)
    return handle
