"""A real child whose calls are observed, as a supervisor has it: started by a thread of its own."""

import os
import platform
import queue
import selectors
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.codex.factory.domain.confinement import Confinement
from tools.codex.factory.domain.trespass import Seen, bounds
from tools.codex.factory.process.listener import listening, why_not_listening
from tools.codex.factory.process.observe import Observer
from tools.codex.factory.sandbox.observing import observing

MOST_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Observed:
    """What came of a child: how it ended, what it said, what it tried outside."""

    code: int
    said: bytes
    seen: Seen
    unobserved: str

    @property
    def found(self) -> set[tuple[str, str]]:
        """Return what was tried where."""
        return {(one.operation, one.path) for one in self.seen.trespasses}


def observed(
    argv: Sequence[str],
    confinement: Confinement,
    *,
    cwd: Path | None = None,
    wrapper: tuple[int, int] | None = None,
    during: Callable[["subprocess.Popen[bytes]", Observer], None] = lambda child, observer: None,
    files: Sequence[int] = (),
) -> Observed:
    """Run `argv` to its end with every call answered; `during` is called after each answer."""
    known = observing(platform.machine())
    assert known is not None
    heard: queue.Queue[int] = queue.Queue()
    children: queue.Queue[subprocess.Popen[bytes]] = queue.Queue()
    may_end = threading.Event()

    def start() -> None:
        told = listening(known.program)
        assert told.handle is not None, told.reason
        heard.put(told.handle)
        children.put(
            subprocess.Popen(
                argv,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=files,
            )
        )
        may_end.wait()

    thread = threading.Thread(target=start)
    thread.start()
    observer = Observer(heard.get(), calls=known.calls, bounds=bounds(confinement), wrapper=wrapper)
    said = b""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(observer, selectors.EVENT_READ)
            while children.empty():
                selector.select(0.05)
                observer.answer()
            child = children.get()
            assert child.stdout is not None
            os.set_blocking(child.stdout.fileno(), False)
            selector.register(child.stdout, selectors.EVENT_READ)
            until = time.monotonic() + MOST_SECONDS
            while child.poll() is None:
                assert time.monotonic() < until, "it hangs"
                selector.select(0.05)
                observer.answer()
                said += child.stdout.read() or b""
                during(child, observer)
            said += child.stdout.read() or b""
            child.stdout.close()
    finally:
        may_end.set()
        thread.join()
    done = Observed(child.returncode, said, observer.seen(), observer.unobserved())
    observer.close()
    return done


needs_observing = pytest.mark.skipif(
    why_not_listening() != "", reason=f"nothing is observed here: {why_not_listening()}"
)
