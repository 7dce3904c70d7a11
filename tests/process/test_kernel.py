"""What the kernel says that it offers."""

from pathlib import Path

import pytest

from tools.codex.factory.process.kernel import kernel_setting, seccomp_mode
from tools.codex.factory.process.landlock import landlock_is_switched_off, landlock_version

SWITCHED_ON = Path("/sys/kernel/security/lsm")


@pytest.mark.skipif(not SWITCHED_ON.is_file(), reason="the kernel does not show its modules")
def test_landlock_is_there_where_the_kernel_lists_it() -> None:
    is_listed = "landlock" in SWITCHED_ON.read_text().split(",")

    assert (landlock_version() > 0) == is_listed
    assert not (landlock_version() and landlock_is_switched_off())


def test_asking_restricts_nothing(tmp_path: Path) -> None:
    landlock_version()

    (tmp_path / "file").write_text("x")
    assert seccomp_mode() in (None, 0, 1, 2)


def test_a_setting_of_the_kernel_is_a_number_or_none() -> None:
    pids = Path("/proc/sys/kernel/pid_max")

    assert kernel_setting("kernel.pid_max") == (int(pids.read_text()) if pids.exists() else None)
    assert kernel_setting("kernel.no_such_thing") is None
    assert kernel_setting("kernel.ostype") is None
