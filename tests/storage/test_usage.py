"""What lies below folders is counted as the disk does it, whatever a stranger made of them."""

import os
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.disks import Disks, disks_of_its_own
from tools.codex.factory.storage.usage import UsageWatch, complaint_of_floor, usage_of

DEEP = 1500
"""Folders in each other, whose path is longer than the kernel takes at once."""


class Clock:
    """A clock that is told how long each look at it takes."""

    def __init__(self) -> None:
        self.time = 100.0
        self.step = 0.0

    def __call__(self) -> float:
        self.time += self.step
        return self.time


def du(folder: Path) -> int:
    said = subprocess.run(["du", "-s", "-B1", str(folder)], capture_output=True, check=True)
    return int(said.stdout.split()[0]) - folder.stat().st_blocks * 512


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "a" / "b").mkdir(parents=True)
    for number in range(20):
        (top / "a" / f"{number}").write_bytes(os.urandom(number * 1000))
    (top / "a" / "b" / os.fsdecode(b"odd \xff\nname")).write_bytes(b"x")
    with (top / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    return top


@pytest.fixture
def disks() -> Iterator[Disks]:
    with disks_of_its_own() as found:
        yield found


def test_what_is_counted_is_what_the_disk_holds(tree: Path) -> None:
    used = usage_of((tree,))

    assert (used.bytes, used.files, used.is_whole) == (du(tree), 24, True)
    assert used.bytes < 1 << 20


def test_a_file_with_two_names_counts_once(tree: Path) -> None:
    before = usage_of((tree,))

    os.link(tree / "a" / "19", tree / "again")

    assert usage_of((tree,)) == before


def test_links_are_not_followed(tree: Path) -> None:
    before = usage_of((tree,)).files
    (tree / "loop").symlink_to(tree)
    (tree / "far").symlink_to("/usr")

    used = usage_of((tree,))

    assert (used.files, used.is_whole) == (before + 2, True)


def test_a_folder_that_is_a_link_or_gone_holds_nothing(tree: Path) -> None:
    (tree / "far").symlink_to("/usr")

    used = usage_of((tree / "far", tree / "gone"))

    assert (used.bytes, used.files, used.is_whole) == (0, 0, True)


def test_what_lies_deeper_than_a_path_can_say_is_counted(tmp_path: Path) -> None:
    top = tmp_path / "deep"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(DEEP):
        os.mkdir("folder", dir_fd=here)
        below = os.open("folder", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    handle = os.open("hidden", os.O_CREAT | os.O_WRONLY, dir_fd=here)
    os.write(handle, os.urandom(1 << 20))
    os.close(handle)
    os.close(here)
    handles = len(os.listdir("/proc/self/fd"))

    used = usage_of((top,))

    subprocess.run(["rm", "-rf", str(top)], check=True)
    assert (used.files, used.is_whole) == (DEEP + 1, True)
    assert used.bytes >= 1 << 20
    assert len(os.listdir("/proc/self/fd")) == handles


def test_what_there_is_no_time_for_is_said_to_be_missing(tree: Path) -> None:
    clock = Clock()
    clock.step = 1

    used = usage_of((tree,), seconds=5, clock=clock)

    assert (used.files, used.is_whole) == (5, False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read what nobody may")
def test_what_may_not_be_read_is_said_to_be_missing(tree: Path) -> None:
    (tree / "a").chmod(0)

    used = usage_of((tree,))

    (tree / "a").chmod(0o700)
    assert (used.files, used.is_whole) == (2, False)


def test_a_watch_says_how_much_is_too_much_and_which_setting_allows_it(tree: Path) -> None:
    watch = UsageWatch((tree,), 100_000)

    found = watch.exceeded()

    assert found == (
        f"{du(tree) / 1024:.1f} KiB lie in its checkout and its own folders, and 97.7 KiB may "
        "(sandbox.checkout_bytes)"
    )
    assert UsageWatch((tree,), du(tree)).exceeded() == ""
    assert UsageWatch((tree,), 0).exceeded() == ""


def test_looks_take_at_most_a_twentieth_of_the_time(tree: Path) -> None:
    clock = Clock()
    watch = UsageWatch((tree,), 1 << 30, clock=clock)
    first = watch.due() - clock.time
    watch.exceeded()
    quick = watch.due() - clock.time
    clock.step = 0.25
    begun = clock.time
    watch.exceeded()
    ended = clock.time

    slow = watch.due() - ended

    assert (first, quick) == (2, 2)
    assert slow >= 20 * (ended - begun - clock.step)


def test_the_last_of_a_disk_is_for_others(disks: Disks, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    disks.mount(disk, size=100 << 20, files=1000)
    seen = disks.seen(disk)
    roomy = complaint_of_floor(seen)
    with (seen / "filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, (99 << 20) + 4096)
    full = complaint_of_floor(seen)
    (seen / "filler").unlink()
    for number in while_free(seen):
        (seen / str(number)).touch()

    crowded = complaint_of_floor(seen)

    assert roomy == ""
    assert full == "only 1020.0 KiB are left on the disk of its checkout"
    assert crowded == "only 9 files can be made on the disk of its checkout"
    assert UsageWatch((seen,), 0).exceeded() == crowded


def while_free(folder: Path) -> Iterator[int]:
    for number in count():
        if os.statvfs(folder).f_favail < 10:
            return
        yield number
