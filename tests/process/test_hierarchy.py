"""Where a control group can be made follows from what the kernel says of this process."""

from pathlib import Path

import pytest

from tools.codex.factory.process.hierarchy import Mount, Parent, mounts_in, parent_in

LEGACY = (
    "25 24 0:22 / /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup cgroup rw,pids\n"
    "26 24 0:23 / /sys/fs/cgroup/cpu\\040and\\040more rw - cgroup cgroup rw,cpu,cpuacct\n"
    "27 24 0:24 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
    "28 24 0:25 / /home rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "torn\n"
)


def delegated(top: Path, *, scope: str = "pids memory", own: str = "") -> list[Mount]:
    """Return the mount of a tree in which a scope has handed `scope` on to its leaf `main`."""
    for name, handed in (("run.scope", scope), ("run.scope/main", own), ("run.scope/x.scope", "")):
        (top / name).mkdir()
        (top / name / "cgroup.subtree_control").write_text(handed)
        (top / name / "cgroup.type").write_text("domain\n")
    return [Mount(2, frozenset(), "/", str(top))]


def test_hierarchies_are_read_from_the_list_of_mounts() -> None:
    assert mounts_in(LEGACY) == [
        Mount(1, frozenset({"rw", "pids"}), "/", "/sys/fs/cgroup/pids"),
        Mount(1, frozenset({"rw", "cpu", "cpuacct"}), "/", "/sys/fs/cgroup/cpu and more"),
        Mount(2, frozenset(), "/", "/sys/fs/cgroup/unified"),
    ]


@pytest.mark.parametrize(
    ("said", "top", "folder"),
    [
        ("8:pids:/\n0::/\n", "/", "/cg"),
        ("8:pids:/user.slice\n", "/", "/cg/user.slice"),
        ("8:net_cls,pids:/a/b:c\n", "/", "/cg/a/b:c"),
        ("8:pids:/docker/1\n", "/docker/1", "/cg"),
        ("8:pids:/docker/1/x\n", "/docker/1", "/cg/x"),
    ],
)
def test_in_version_1_it_is_made_in_our_own(said: str, top: str, folder: str) -> None:
    mounted = [Mount(1, frozenset({"pids"}), top, "/cg")]

    assert parent_in("pids", said, mounted) == Parent(1, folder)


@pytest.mark.parametrize("said", ["8:pids:/docker/11\n", "8:pids:/../x\n", "4:memory:/\n", ""])
def test_what_is_not_mounted_is_no_place(said: str) -> None:
    mounted = [Mount(1, frozenset({"pids"}), "/docker/1", "/cg")]

    assert parent_in("pids", said, mounted).why_not


def test_a_leaf_of_a_delegated_group_makes_its_own_beside_itself(tmp_path: Path) -> None:
    mounted = delegated(tmp_path)

    parent = parent_in("pids", "0::/run.scope/main\n", mounted)

    assert parent == Parent(2, str(tmp_path / "run.scope"))


def test_a_controller_that_is_not_handed_on_is_not_switched_on(tmp_path: Path) -> None:
    mounted = delegated(tmp_path, scope="pids")

    parent = parent_in("memory", "0::/run.scope/main\n", mounted)

    assert parent.why_not == (
        "its control group hands on no `memory`: it is no delegated group with a leaf of its own"
    )
    assert (tmp_path / "run.scope" / "cgroup.subtree_control").read_text() == "pids"


@pytest.mark.parametrize("said", ["0::/run.scope\n", "0::/run.scope/x.scope\n"])
def test_what_systemd_manages_is_left_to_it(tmp_path: Path, said: str) -> None:
    mounted = delegated(tmp_path)
    (tmp_path / "cgroup.subtree_control").write_text("pids memory")
    (tmp_path / "run.scope" / "cgroup.type").write_text("domain threaded\n")

    assert parent_in("pids", said, mounted).why_not


def test_a_group_that_hands_on_in_spite_of_us_takes_another(tmp_path: Path) -> None:
    mounted = delegated(tmp_path, scope="", own="pids")

    assert parent_in("pids", "0::/run.scope/main\n", mounted) == Parent(
        2, str(tmp_path / "run.scope" / "main")
    )
