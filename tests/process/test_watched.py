"""A stranger's command is held to its limits, and nothing that it started is left."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT
from tests.workers import comes, left_of, living, program

ENV = {"PATH": os.environ.get("PATH", os.defpath)}
LIMITS = {"wall_seconds": 10, "idle_seconds": None, "grace_seconds": 0.2, "log_bytes": 4096}

Watching = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    """Return what starts a process that watches a command; its stdin is the lifeline."""
    started: list[subprocess.Popen[bytes]] = []
    work = tmp_path / "work"
    work.mkdir()

    def start(
        *argv: str, cwd: Path = work, env: dict[str, str] = ENV, **limits: object
    ) -> "subprocess.Popen[bytes]":
        asked = {
            "argv": argv,
            "env": {**env, "MARKER": str(tmp_path)},
            "cwd": str(cwd),
            "limits": {**LIMITS, **limits},
            "folder": str(tmp_path),
        }
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.process.watcher", json.dumps(asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**ENV, "PYTHONPATH": str(PROJECT)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
    left_of(str(tmp_path))


def came_of(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    """Return what a watching process says, once it has ended of itself."""
    assert process.stdout is not None
    said: dict[str, Any] = json.loads(process.stdout.read())
    assert process.wait() == 0
    return said


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["true"], ("exited", 0, None)),
        (["sh", "-c", "exit 255"], ("exited", 255, None)),
        (["sh", "-c", "kill -SEGV $$"], ("signalled", None, 11)),
        (["sh", "-c", "kill -STOP $$"], ("timed_out", None, 9)),
    ],
)
def test_how_a_command_ended_is_told(
    watching: Watching, argv: list[str], expected: tuple[str, int | None, int | None]
) -> None:
    said = came_of(watching(*argv, wall_seconds=0.5))

    assert (said["how"], said["exit_code"], said["signal"]) == expected
    assert (said["survivors"], said["has_children"]) == (0, False)


def test_a_command_that_closes_its_ends_and_works_on_is_waited_for(
    watching: Watching, tmp_path: Path
) -> None:
    said = came_of(watching("sh", "-c", "exec >&- 2>&-; sleep 0.3; echo x > done"))

    assert (said["how"], said["exit_code"]) == ("exited", 0)
    assert (tmp_path / "work" / "done").exists()


def test_a_child_that_talks_keeps_a_silent_command_from_being_idle(watching: Watching) -> None:
    talks = "(while :; do echo x; sleep 0.1; done) & sleep 1.2"

    said = came_of(watching("sh", "-c", talks, idle_seconds=0.5))

    assert (said["how"], said["exit_code"]) == ("exited", 0)


def test_a_silent_command_is_ended(watching: Watching, tmp_path: Path) -> None:
    said = came_of(watching("sh", "-c", "echo begun; sleep 60", idle_seconds=0.3))

    assert (said["how"], said["exit_code"], said["signal"]) == ("idle", None, 15)
    assert (tmp_path / "stdout.log").read_text() == "begun\n"


def test_a_command_that_is_deaf_to_term_is_killed_after_its_grace(watching: Watching) -> None:
    deaf = "trap '' TERM; while :; do sleep 1; done"

    said = came_of(watching("sh", "-c", deaf, wall_seconds=0.3))

    assert (said["how"], said["signal"], said["has_children"]) == ("timed_out", 9, False)


def test_what_a_command_says_while_it_ends_is_kept(watching: Watching, tmp_path: Path) -> None:
    says = "trap 'head -c 3000000 /dev/zero; echo bye; exit 3' TERM; echo hi; sleep 60 & wait"

    said = came_of(watching("bash", "-c", says, wall_seconds=0.3, grace_seconds=5))

    assert (said["how"], said["exit_code"], said["truncated"]) == ("timed_out", 3, [True, False])
    assert (tmp_path / "stdout.log").read_bytes().endswith(b"bye\n")


@pytest.mark.parametrize("words", [("escapee", "x", "leave"), ("forker", "x", "50")])
def test_what_a_command_leaves_behind_is_ended_and_reaped(
    watching: Watching, tmp_path: Path, words: tuple[str, ...]
) -> None:
    said = came_of(watching(*program(*words)))

    assert (said["how"], said["exit_code"]) == ("exited", 0)
    assert (said["survivors"], said["has_children"]) == (0, False)
    assert left_of(str(tmp_path)) == []


@pytest.mark.parametrize("number", range(5))
def test_a_process_that_forks_on_and_on_is_ended(watching: Watching, number: int) -> None:
    said = came_of(watching(*program("hopper", f"{number}")))

    assert (said["survivors"], said["has_children"]) == (0, False)


@pytest.mark.skipif(os.uname().machine not in ("x86_64", "aarch64"), reason="no number known")
def test_a_process_without_its_first_thread_is_ended(watching: Watching) -> None:
    said = came_of(watching(*program("headless", "x", os.uname().machine), wall_seconds=0.5))

    assert (said["how"], said["survivors"], said["has_children"]) == ("timed_out", 0, False)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, None])
def test_a_command_is_ended_when_its_watcher_is_told_to_stop(
    watching: Watching, tmp_path: Path, stop: signal.Signals | None
) -> None:
    process = watching(*program("escapee", "x", "stay"))
    assert comes((tmp_path / "work" / "x").exists)
    assert process.stdin is not None

    if stop is None:
        process.stdin.close()
    else:
        process.send_signal(stop)

    said = came_of(process)
    assert (said["how"], said["signal"], said["has_children"]) == ("stopped", 15, False)
    assert living(str(tmp_path)) == []


def test_a_command_dies_with_its_watcher(watching: Watching, tmp_path: Path) -> None:
    process = watching(*program("silent", "x"))
    assert comes((tmp_path / "work" / "x").exists)

    process.kill()

    assert left_of(str(tmp_path)) == []


def test_what_is_said_on_the_lifeline_stops_nobody(watching: Watching, tmp_path: Path) -> None:
    process = watching("sh", "-c", "touch begun; sleep 0.3")
    assert comes((tmp_path / "work" / "begun").exists)
    assert process.stdin is not None

    process.stdin.write(b"words\n")
    process.stdin.flush()

    assert came_of(process)["how"] == "exited"


@pytest.mark.parametrize(
    ("program_name", "reason"),
    [
        ("no-such-program", "program 'no-such-program' is not on PATH"),
        ("./none", "program './none' is not there, or what its first line names is not"),
        ("./broken", "program './broken' is not there, or what its first line names is not"),
        ("./plain", "program './plain' cannot be started: Permission denied"),
        ("./noformat", "program './noformat' cannot be started: Exec format error"),
        ("./", "program './' cannot be started: Permission denied"),
    ],
)
def test_a_program_that_cannot_be_started_is_named(
    watching: Watching, tmp_path: Path, program_name: str, reason: str
) -> None:
    for name, mode in (("broken", 0o755), ("plain", 0o644)):
        (tmp_path / "work" / name).write_text("#!/no/such/interpreter\n")
        (tmp_path / "work" / name).chmod(mode)
    (tmp_path / "work" / "noformat").write_bytes(b"\x7fnothing\n")
    (tmp_path / "work" / "noformat").chmod(0o755)

    said = came_of(watching(program_name))

    assert (said["how"], said["reason"], said["has_children"]) == ("not_started", reason, False)


def test_a_script_on_path_without_its_interpreter_is_not_said_to_be_missing(
    watching: Watching, tmp_path: Path
) -> None:
    (tmp_path / "work" / "tool").write_text("#!/no/such/interpreter\n")
    (tmp_path / "work" / "tool").chmod(0o755)

    said = came_of(watching("tool", env={"PATH": f"{tmp_path}/work:{ENV['PATH']}"}))

    assert said["how"] == "not_started"
    assert "is not on PATH" not in said["reason"]


def test_a_folder_that_is_gone_is_said(watching: Watching, tmp_path: Path) -> None:
    said = came_of(watching("true", cwd=tmp_path / "gone"))

    assert (said["how"], said["reason"]) == ("not_started", "the checkout is gone")


def test_a_command_has_no_terminal_no_input_and_no_file_of_ours(
    watching: Watching, tmp_path: Path
) -> None:
    asks = "ls /proc/self/fd | wc -l; cat; : 2>/dev/null < /dev/tty && echo terminal; ps -o sid= $$"

    said = came_of(watching("sh", "-c", asks))

    lines = (tmp_path / "stdout.log").read_text().split()
    assert (said["how"], lines[0], "terminal" in lines) == ("exited", "4", False)


def test_a_watcher_holds_no_more_files_after_than_before(watching: Watching) -> None:
    one = came_of(watching("true"))["handles"]

    assert one <= 8


def test_logs_that_are_there_already_are_not_written_over(
    watching: Watching, tmp_path: Path
) -> None:
    (tmp_path / "precious").write_text("gold")
    (tmp_path / "stdout.log").symlink_to(tmp_path / "precious")

    process = watching("echo", "mud")

    assert process.stdout is not None
    process.stdout.read()
    process.wait()
    assert (tmp_path / "precious").read_text() == "gold"
