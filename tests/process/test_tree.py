"""Every process that was started is found by its descent or by its mark, and ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.workers import comes
from tools.codex.factory.process.tree import (
    Process,
    descendants,
    end_others,
    processes,
    workers_of,
)

ALONE = """\
import os
from tools.codex.factory.process.tree import end_descendants
def reap():
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True
print(end_descendants(grace_seconds=60, reap=reap))
"""
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Return what starts a process that is gone after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def one(*argv: str, env: dict[str, str] | None = None) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, start_new_session=True)
        started.append(process)
        return process

    yield one
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def pids(found: list[Process]) -> set[int]:
    return {process.pid for process in found}


def test_this_process_is_seen_and_is_no_descendant_of_itself() -> None:
    seen = {process.pid: process for process in processes()}

    assert seen[os.getpid()].parent == os.getppid()
    assert os.getpid() not in pids(descendants())


def test_children_and_their_children_are_descendants(start: Start) -> None:
    child = start("sh", "-c", "sleep 60 & echo $!; wait")
    assert child.stdout is not None

    grandchild = int(child.stdout.readline())

    assert {child.pid, grandchild} <= pids(descendants())


def test_a_process_of_an_odd_name_is_seen(start: Start, tmp_path: Path) -> None:
    odd = tmp_path / ") S 1 (x\n"
    odd.symlink_to("/bin/sleep")

    child = start(str(odd), "60")

    assert comes(lambda: b") S 1 (x" in Path(f"/proc/{child.pid}/stat").read_bytes())
    assert [p.parent for p in processes() if p.pid == child.pid] == [os.getpid()]


def test_a_mark_is_a_whole_line_of_the_environment(start: Start, tmp_path: Path) -> None:
    ours = start("sleep", "60", env={"MARK": "/a/b"})
    start("sleep", "60", env={"MARK": "/a/bc"})
    start("sleep", "60", env={"OTHER": "MARK=/a/b"})
    assert comes(lambda: pids(workers_of(b"MARK=/a/b", tmp_path)))

    assert pids(workers_of(b"MARK=/a/b", tmp_path)) == {ours.pid}


def test_who_stands_in_a_folder_works_there_and_not_in_one_that_begins_like_it(
    start: Start, tmp_path: Path
) -> None:
    for name in ("1", "12"):
        (tmp_path / name / "checkout").mkdir(parents=True)
    ours = start("sh", "-c", f"cd {tmp_path}/1/checkout; exec sleep 60")
    start("sh", "-c", f"cd {tmp_path}/12/checkout; exec sleep 60")

    assert comes(lambda: pids(workers_of(b"none", tmp_path / "1")) == {ours.pid})


def test_all_that_is_named_is_ended(start: Start, tmp_path: Path) -> None:
    stubborn = start("sleep", "60", env={"MARK": "x"})
    stubborn.send_signal(signal.SIGSTOP)
    meek = start("sleep", "60", env={"MARK": "x"})
    assert comes(lambda: pids(workers_of(b"MARK=x", tmp_path)) == {stubborn.pid, meek.pid})

    end_others(lambda: workers_of(b"MARK=x", tmp_path), reap=lambda: None)

    assert (stubborn.wait(), meek.wait()) == (-signal.SIGKILL, -signal.SIGKILL)


def test_a_later_process_of_the_same_number_is_spared(start: Start) -> None:
    child = start("sleep", "60")
    (seen,) = [process for process in processes() if process.pid == child.pid]
    stale = Process(seen.pid, seen.parent, seen.started - 1, False)
    asked = iter([[stale], []])

    end_others(lambda: next(asked, []), reap=lambda: None)

    assert child.poll() is None


def test_a_process_without_children_has_none_to_end() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ALONE], capture_output=True, text=True, check=True, cwd=PROJECT
    )

    assert ended.stdout == "0\n"
