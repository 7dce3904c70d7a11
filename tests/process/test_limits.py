"""What a process limits itself to holds whatever it becomes, and can only shrink."""

import os
import resource
import shutil
from pathlib import Path

import pytest

from tests.process.held import watched_in
from tests.workers import program
from tools.codex.factory.process.limits import tasks_of

RESERVES = (
    "new WebAssembly.Memory({initial: 1});new (require('worker_threads').Worker)('1', {eval: true})"
)


def test_a_file_grows_to_its_limit_and_no_further(tmp_path: Path) -> None:
    writes = ("sh", "-c", "exec head -c 3000000 /dev/zero > large")

    said = watched_in(tmp_path, *writes, rlimits=[(resource.RLIMIT_FSIZE, 1 << 20)])

    assert (said["how"], said["signal"]) == ("signalled", 25)
    assert (tmp_path / "work" / "large").stat().st_size == 1 << 20


def test_a_process_gets_no_more_memory_than_its_limit(tmp_path: Path) -> None:
    takes = program("taker", "x", "data", "200")

    said = watched_in(tmp_path, *takes, rlimits=[(resource.RLIMIT_DATA, 100 << 20)])

    assert (said["how"], said["exit_code"]) == ("exited", 1)
    assert (tmp_path / "stderr.log").read_text().endswith("MemoryError\n")


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
def test_node_works_within_a_limit_that_is_far_less_than_it_reserves(tmp_path: Path) -> None:
    limits = [(resource.RLIMIT_DATA, 256 << 20)]

    said = watched_in(tmp_path, "node", "-e", RESERVES, rlimits=limits)

    assert (said["exit_code"], (tmp_path / "stderr.log").read_text()) == (0, "")


def test_a_limit_that_stands_already_only_shrinks(tmp_path: Path) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limits = [(resource.RLIMIT_NOFILE, 100), (resource.RLIMIT_NOFILE, hard + 1)]

    said = watched_in(tmp_path, "sh", "-c", "ulimit -Hn; ulimit -Sn", rlimits=limits)

    assert said["how"] == "exited"
    assert (tmp_path / "stdout.log").read_text() == "100\n100\n"


def test_processes_and_threads_of_a_user_are_counted() -> None:
    mine, nobodys = tasks_of(os.getuid()), tasks_of((1 << 31) - 7)

    assert mine >= len(os.listdir("/proc/self/task"))
    assert nobodys == 0
