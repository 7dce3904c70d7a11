"""What is said of a step follows from how it ended and what its quota refused it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.executors.conftest import Order, a_step
from tools.codex.factory.domain.confinement import FREE, Quota
from tools.codex.factory.domain.finding import Code
from tools.codex.factory.domain.order import end_of
from tools.codex.factory.executors.quota import StepQuota
from tools.codex.factory.process.cgroup import Group
from tools.codex.factory.process.watched import Watched
from tools.codex.factory.storage.usage import UsageWatch

QUOTA = Quota(memory_bytes=1 << 30, file_bytes=1 << 20, checkout_bytes=1 << 16, processes=7)
DONE = Watched(
    how="exited",
    exit_code=0,
    signal=None,
    milliseconds=5,
    survivors=0,
    truncated=(False, False),
    reason="",
)
KILLED = "the kernel killed 2 of its processes, which together held more than 1.0 GiB of memory"
LARGE = "it was to write a file of more than 1.0 MiB"
FORKS = "it wanted more than 7 processes and threads at a time"

LIES = (
    "136.0 KiB lie in its checkout and its own folders, and 64.0 KiB may (sandbox.checkout_bytes)"
)

Said = tuple[str, list[tuple[str, str]]]
Asked = Callable[..., Said]


@pytest.fixture
def asked(order: Order, tmp_path: Path) -> Asked:
    """Return what says of an end, and of what the kernel counted, what came of it."""
    folder = tmp_path / "counts"
    folder.mkdir()
    plain = order(confinement=replace(FREE, quota=QUOTA))

    def ask(*, forks: int = 0, kills: int = 0, lies: int = 0, **changed: object) -> Said:
        (folder / "pids.events").write_text(f"max {forks}\n")
        (folder / "memory.oom_control").write_text(f"under_oom 0\noom_kill {kills}\n")
        (folder / "filler").write_bytes(bytes(lies))
        place = (1, str(folder))
        group = Group({"pids": place, "memory": place}, {})
        held = StepQuota(plain, group, UsageWatch((folder,), QUOTA.checkout_bytes))
        done = replace(DONE, **changed)  # type: ignore[arg-type]
        ended, found = held.came_of(a_step("true"), done)
        assert {one.code for one in found} <= {Code.WORKER_OVER_QUOTA}
        assert {one.subject for one in found} <= {"A: worker"}
        return end_of(ended), [(one.severity.value, one.message) for one in found]

    return ask


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, ("exited 0", [])),
        ({"exit_code": 3, "kills": 2}, ("exited 3", [("note", KILLED)])),
        ({"forks": 3}, ("exited 0", [("note", FORKS)])),
        ({"lies": 1 << 17}, (f"took more than it may ({LIES})", [("note", LIES)])),
        (
            {"how": "signalled", "exit_code": None, "signal": 9, "kills": 2, "lies": 1 << 17},
            (f"was ended by signal 9 ({KILLED})", [("blocks", KILLED)]),
        ),
        (
            {"how": "timed_out", "exit_code": None, "signal": 9, "kills": 2},
            ("ran longer than it may", [("note", KILLED)]),
        ),
        ({"how": "signalled", "signal": 9}, ("was ended by signal 9", [])),
        (
            {"how": "signalled", "exit_code": None, "signal": 25},
            (f"was ended by signal 25 ({LARGE})", [("blocks", LARGE)]),
        ),
        (
            {"how": "over_quota", "reason": "too much"},
            ("took more than it may (too much)", [("note", "too much")]),
        ),
    ],
)
def test_what_was_too_much_is_named_with_the_end_that_came_of_it(
    asked: Asked, changed: dict[str, object], expected: Said
) -> None:
    assert asked(**changed) == expected
