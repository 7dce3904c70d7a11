"""A control group bounds what a command takes with all that it starts, and is gone after it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.process.held import PATH, needs, watched_in
from tests.workers import comes, program
from tools.codex.factory.process.cgroup import Bound, Group, grouped, remove_leftovers
from tools.codex.factory.process.hierarchy import mounts, parent_for

MAKES = """
import subprocess, sys, time
from tools.codex.factory.process.cgroup import grouped
group = grouped(processes=9, memory_bytes=0, **({"owner": sys.argv[1]} if sys.argv[1:] else {}))
child = subprocess.Popen(["sleep", "60"])
for folder in group.folders:
    with open(f"{folder}/cgroup.procs", "w") as file:
        file.write(str(child.pid))
sys.stdout.write(f"{child.pid} {group.folders[0]}\\n")
sys.stdout.flush()
time.sleep(60)
"""


@pytest.fixture
def sleeper() -> "Iterator[subprocess.Popen[bytes]]":
    """Return a process that sleeps until it is killed."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def maker() -> "Iterator[subprocess.Popen[bytes]]":
    """Return a process that makes a group, says what is in it and where it is, and sleeps."""
    needs(processes=9)
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", MAKES],
        stdout=subprocess.PIPE,
        env={**PATH, "PYTHONPATH": str(PROJECT)},
    )
    yield process
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    remove_leftovers()


@pytest.fixture
def strange() -> Iterator[list[Path]]:
    """Return groups that some other program, or a factory in another namespace, made."""
    needs(processes=9)
    names = ("factory-0-1-1-1-", "factory-x", "other-1-1-1-")
    made = [Path(parent_for("pids").folder, f"{name}{os.getpid()}") for name in names]
    for folder in made:
        folder.mkdir()
    yield made
    for folder in made:
        if folder.is_dir():
            folder.rmdir()


def put(pid: int, folder: str) -> None:
    Path(folder, "cgroup.procs").write_text(str(pid), "ascii")


def own_groups() -> list[str]:
    parent = parent_for("pids")
    begin = f"factory-0-{os.stat('/proc/self/ns/pid').st_ino}-{os.getpid()}-"
    return [name for name in os.listdir(parent.folder) if name.startswith(begin)]


def test_a_command_is_in_its_group_before_it_runs_anything(tmp_path: Path) -> None:
    needs(processes=50, memory_bytes=1 << 30)

    quota = {"processes": 50, "memory_bytes": 1 << 30}
    said = watched_in(tmp_path, "cat", "/proc/self/cgroup", quota=quota)

    names = {os.path.basename(folder) for folder in said["folders"]}
    shown = (tmp_path / "stdout.log").read_text()
    assert (said["how"], len(names)) == ("exited", 1)
    assert shown.count(names.pop()) == len(said["folders"])


def test_forks_beyond_the_limit_are_refused_also_to_root_and_counted(tmp_path: Path) -> None:
    needs(processes=10)

    forks = program("taker", "x", "forks", "60")
    said = watched_in(tmp_path, *forks, quota={"processes": 10, "memory_bytes": 0})

    assert (tmp_path / "stdout.log").read_text() == "9 Resource temporarily unavailable\n"
    assert said["events"] == {"refused": 1, "killed": 0}
    assert (said["how"], said["exit_code"], said["has_children"]) == ("exited", 0, False)
    assert not any(map(os.path.exists, said["folders"]))


def test_memory_beyond_the_limit_is_the_end_of_who_holds_it_and_counted(tmp_path: Path) -> None:
    needs(memory_bytes=64 << 20)

    shares = program("taker", "x", "shared", "200")
    said = watched_in(tmp_path, *shares, quota={"processes": 0, "memory_bytes": 64 << 20})

    assert (said["how"], said["signal"]) == ("signalled", 9)
    assert said["events"] == {"refused": 0, "killed": 1}
    assert not any(map(os.path.exists, said["folders"]))


def test_a_file_larger_than_the_memory_limit_can_be_written(tmp_path: Path) -> None:
    needs(memory_bytes=64 << 20)

    writes = program("taker", "x", "file", "150")
    said = watched_in(tmp_path, *writes, quota={"processes": 0, "memory_bytes": 64 << 20})

    assert (said["how"], said["exit_code"], said["events"]["killed"]) == ("exited", 0, 0)
    assert (tmp_path / "work" / "large").stat().st_size == 150 << 20


def test_a_group_that_bounds_nothing_says_so() -> None:
    group = grouped(processes=0, memory_bytes=0)

    assert (group.processes, group.memory) == (Bound(), Bound())
    assert (group.folders, group.remove()) == ((), True)
    assert Bound() == Bound("", "no limit is set")


def test_a_group_is_removed_with_what_is_in_it_and_below_it(
    sleeper: "subprocess.Popen[bytes]",
) -> None:
    needs(processes=9)
    group = grouped(processes=9, memory_bytes=0)
    inner = Path(group.folders[0], "inner")
    inner.mkdir()
    put(sleeper.pid, str(inner))

    is_gone = group.remove()

    assert (is_gone, sleeper.wait()) == (True, -9)
    assert own_groups() == []


@pytest.mark.slow
def test_a_group_is_removed_however_deep_others_lie_in_it() -> None:
    needs(processes=9)
    group = grouped(processes=9, memory_bytes=0)
    inner = group.folders[0]
    for _ in range(1200):
        inner += "/x"
        os.mkdir(inner)

    assert group.remove()


@pytest.mark.parametrize("version", [1, 2])
def test_all_that_is_in_a_group_is_killed_by_either_version(
    version: int, sleeper: "subprocess.Popen[bytes]"
) -> None:
    found = [mount.folder for mount in mounts() if mount.version == version]
    if not found or not os.access(found[0], os.W_OK):
        pytest.skip(f"control groups of version {version} cannot be made here")
    folder = f"{found[0]}/factory-of-a-test-{os.getpid()}"
    os.mkdir(folder)
    group = Group({"pids": (version, folder)}, {})
    put(sleeper.pid, folder)

    group.kill()

    assert sleeper.wait() == -9
    assert group.remove()


def test_what_a_killed_process_left_is_ended_and_removed_and_nobody_elses(
    sleeper: "subprocess.Popen[bytes]",
    maker: "subprocess.Popen[bytes]",
    strange: list[Path],
) -> None:
    assert maker.stdout is not None
    pid, left = maker.stdout.readline().decode().split()
    ours = grouped(processes=9, memory_bytes=0)
    put(sleeper.pid, ours.folders[0])
    remove_leftovers()
    stood = Path(left).is_dir()
    maker.kill()
    maker.wait()

    remove_leftovers()

    stay = [folder.is_dir() for folder in [Path(ours.folders[0]), *strange]]
    assert (stood, Path(left).is_dir()) == (True, False)
    assert comes(lambda: not os.path.exists(f"/proc/{pid}") or is_zombie(pid))
    assert (stay, sleeper.poll()) == ([True] * 4, None)
    assert ours.remove()


def is_zombie(pid: str) -> bool:
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
