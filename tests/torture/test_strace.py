"""Whole runs in which the kernel fails: every process of ours, git's and the workers' is met.

strace counts the calls of each process by itself: the N-th write is the N-th of whoever gets that
far, so a small N meets many processes at once, and a large one the longest.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Some
from tests.torture.oracle import ONESHOT, Scenario, complaints, two_workers, undisturbed
from tests.torture.scenes import World, is_bug, world

CALLS = (
    "write", "pwrite64", "rename", "renameat", "renameat2", "fsync", "fdatasync", "unlink",
    "unlinkat", "mkdir", "mkdirat", "rmdir", "ftruncate", "link", "linkat", "openat",
)  # fmt: skip
_LINE = re.compile(r"(\w+)\(")
BEARING = frozenset(
    f"worker.{how}"
    for how in ("signalled", "exit_code", "ended_badly", "lost", "stopped", "not_started")
) | {"check.failed", "check.flaky", "check.not_run", "capture.failed", "worker.setup_failed"}
"""What a run is BLOCKED by where a worker or a check was hit, and not the factory."""
ERRORS = ("error=EIO:when={}", "error=ENOSPC:when={}+", "error=EDQUOT:when={}")
ENDINGS = {0, 1, 2, 3, 20, 30, 120, 130}
"""120 is Python's own, where not even its stderr could be written in the end."""
SCENARIO = Scenario("oneshot", two_workers, ONESHOT)


@dataclass(frozen=True, slots=True)
class Met:
    """A call that is met: its name, and which of a process's own it is."""

    call: str
    number: int
    how: str

    def __str__(self) -> str:
        return f"{self.call} {self.number} {self.how}"

    @property
    def words(self) -> tuple[str, ...]:
        # What is filtered by the kernel costs nothing; only, strace sends no signal then.
        quick = () if self.how.startswith("signal") else ("--seccomp-bpf",)
        return (*quick, "-e", f"trace={self.call}", "-e", f"inject={self.call}:{self.how}")


def _why_not() -> str:
    """Return why nothing can be traced here; "" where it can."""
    if shutil.which("strace") is None:
        return "there is no strace here"
    tried = subprocess.run(
        ["strace", "-f", "-qq", "-e", "trace=none", "true"], capture_output=True, check=False
    )
    return "" if tried.returncode == 0 else f"strace may not trace: {tried.stderr.decode()[:80]}"


WHY_NOT = _why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


def traced(here: World, *words: str) -> "subprocess.CompletedProcess[bytes]":
    """Run the whole scenario as processes of their own, under strace."""
    command = [sys.executable, "-m", "tools.codex.factory", *SCENARIO.words]
    return subprocess.run(
        ["strace", "-f", "-qq", *words, *command],
        cwd=here.repo,
        env=here.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
        check=False,
    )


def calls(here: World, folder: Path) -> dict[str, set[int]]:
    """Return which calls an undisturbed run makes, each by the numbers it has in any process.

    Of what is opened only what is made anew is a change of a disk.
    """
    folder.mkdir()
    ended = traced(
        here, "--seccomp-bpf", "-ff", "-o", str(folder / "of"), "-e", f"trace={','.join(CALLS)}"
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, set[int]] = {}
    for path in folder.iterdir():
        seen: dict[str, int] = {}
        for line in path.read_text("utf-8", "replace").splitlines():
            if (name := _LINE.match(line)) is not None:
                seen[name[1]] = number = seen.get(name[1], 0) + 1
                if name[1] != "openat" or "O_CREAT" in line:
                    found.setdefault(name[1], set()).add(number)
    return found


def met_by(found: Mapping[str, set[int]]) -> Iterator[Met]:
    """Yield every call that can be met, killed over and refused; errors take turns."""
    for call in sorted(found):
        for number in sorted(found[call]):
            yield Met(call, number, f"signal=KILL:when={number}")
            # Of another process the same openat may be that of a library: nothing is written then.
            if call != "openat":
                yield Met(call, number, ERRORS[number % len(ERRORS)].format(number))


def test_whichever_process_meets_it_the_next_command_goes_on_and_nothing_is_lost_or_left(
    tmp_path: Path, some: Some, record_property: Callable[[str, object], None]
) -> None:
    wrong: list[str] = []
    with world(tmp_path / "world") as here:
        SCENARIO.make(here)
        here.keep()
        known = undisturbed(here, SCENARIO)
        here.restore()
        found = calls(here, tmp_path / "traces")
        places = list(met_by(found))
        chosen = some(places)
        for name in found:
            record_property(name, len(found[name]))
        record_property("met", len(chosen))
        for met in chosen:
            here.restore()
            ended = traced(here, "-o", os.devnull, *met.words)
            said = ended.stderr.decode("utf-8", "replace")
            # A pipe never answers so: what a write to one comes to is nobody's promise.
            is_odd = is_bug(said) and met.call != "write"
            if is_odd or ended.returncode not in (*ENDINGS, -9, 137):
                wrong.append(f"{met}: exits {ended.returncode}: {said[-400:]}")
            for one in complaints(here, known, bearing=BEARING):
                wrong.append(f"{met}: {one}")
    with suppress(OSError):
        shutil.rmtree(tmp_path / "traces")

    assert not wrong, "\n".join(wrong)
