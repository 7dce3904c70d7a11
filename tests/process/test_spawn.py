"""A child started under rules: tied to our end, given no more than it is given; we stay free."""

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.confined.tiers import EVERY, KEPT, under
from tests.conftest import PROJECT
from tests.workers import comes, living
from tools.codex.factory.domain.confinement import Tier
from tools.codex.factory.process.rules import FREE, FileRules, Rules
from tools.codex.factory.process.spawn import Pipes, Spawned

ENV = {"PATH": os.environ.get("PATH", os.defpath)}
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines")


def said(
    argv: tuple[str, ...],
    rules: Rules,
    folder: Path,
    *,
    tied: bool = True,
    env: Mapping[str, str] = ENV,
) -> tuple[int, str]:
    """Return exit code and output of a command started under rules."""
    pipes = Pipes(subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT)
    with (
        Spawned(argv, rules=rules, env=env, cwd=folder, pipes=pipes, tied=tied) as spawned,
        spawned.child as child,
    ):
        out, _ = child.communicate(timeout=30)
        return child.returncode, out.decode()


def handles() -> list[str]:
    """Return what the open files of this process lead to."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue
    return sorted(found)


def capabilities() -> str:
    status = Path("/proc/thread-self/status").read_text().splitlines()
    return next(line for line in status if line.startswith("CapEff"))


@pytest.mark.parametrize("tier", EVERY)
def test_a_child_dies_with_us_however_we_end(tmp_path: Path, tier: Tier) -> None:
    spawner = subprocess.Popen(
        [sys.executable, "-m", "tests.process.spawner", tier, str(tmp_path)],
        cwd=PROJECT,
        env={**ENV, "PYTHONPATH": str(PROJECT)},
    )
    assert comes(lambda: (tmp_path / "begun").exists())
    assert living(str(tmp_path))

    spawner.send_signal(signal.SIGKILL)
    spawner.wait()

    assert comes(lambda: not living(str(tmp_path)))


@pytest.mark.parametrize("tier", EVERY)
def test_a_child_has_no_open_file_but_what_it_is_given(tmp_path: Path, tier: Tier) -> None:
    with (tmp_path / "ours").open("w") as ours:
        os.set_inheritable(ours.fileno(), True)
        argv, rules = under(tier, "sh", "-c", "ls -l /proc/self/fd", folder=tmp_path)

        code, listed = said(argv, rules, tmp_path)

    leads_to = [line.rpartition(" -> ")[2] for line in listed.splitlines() if " -> " in line]
    assert code == 0
    assert [one for one in leads_to if not one.startswith(("/dev/null", "pipe:", "/proc/"))] == []
    assert len(leads_to) == 4


@pytest.mark.parametrize("tier", KEPT)
def test_we_stay_free_and_keep_our_rights(tmp_path: Path, tier: Tier) -> None:
    own = tmp_path / "own"
    own.mkdir()
    before = capabilities()
    argv, rules = under(tier, "sh", "-c", f"echo a > {tmp_path}/outside", folder=own)

    said(argv, rules, own)

    # In a folder of its own for throw-away files it may seem to be written.
    assert not (tmp_path / "outside").exists()
    (tmp_path / "outside").write_text("ours")
    assert capabilities() == before
    assert "NoNewPrivs:\t0" in Path("/proc/self/status").read_text()


@pytest.mark.parametrize("tier", KEPT)
def test_a_child_has_no_right_of_root_and_gains_none(tmp_path: Path, tier: Tier) -> None:
    argv, rules = under(
        tier, "sh", "-c", "grep -E '^(Cap|NoNewPrivs)' /proc/self/status", folder=tmp_path
    )

    code, status = said(argv, rules, tmp_path)

    found = dict(line.split(":\t") for line in status.splitlines())
    assert code == 0
    assert {found[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {""}
    assert found["NoNewPrivs"] == "1"


@pytest.mark.parametrize("tier", EVERY)
def test_limits_hold_in_every_tier_and_not_for_us(tmp_path: Path, tier: Tier) -> None:
    argv, rules = under(tier, "sh", "-c", "ulimit -f; ulimit -n", folder=tmp_path)
    limited = replace(
        rules, limits=((resource.RLIMIT_FSIZE, 1 << 20), (resource.RLIMIT_NOFILE, 64))
    )
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    code, told = said(argv, limited, tmp_path)

    # dash counts the size of a file in blocks of 512 bytes, bash in 1024.
    assert code == 0
    assert told.split()[0] in ("2048", "1024")
    assert told.split()[1] == "64"
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


def test_a_limit_above_what_we_have_is_what_we_have(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    beyond = Rules(limits=((resource.RLIMIT_NOFILE, hard + 1),))

    assert said(("sh", "-c", "ulimit -n"), beyond, tmp_path) == (0, f"{hard}\n")


@pytest.mark.parametrize(
    ("argv", "rules", "error"),
    [
        (("no-such-program",), FREE, FileNotFoundError),
        (("/",), FREE, PermissionError),
        (("true",), Rules(filters=(b"",)), OSError),
        (("true",), Rules(filters=(b"\xff" * 8,)), OSError),
        (("true",), Rules(fed={"{x}": b""}, files=FileRules(handled=1 << 60, allowed=())), OSError),
    ],
)
def test_what_the_system_says_reaches_whoever_asked_and_leaves_nothing(
    tmp_path: Path, argv: tuple[str, ...], rules: Rules, error: type[OSError]
) -> None:
    before, threads = handles(), set(threading.enumerate())

    with pytest.raises(error):
        said(argv, rules, tmp_path)

    assert comes(lambda: set(threading.enumerate()) <= threads)
    assert handles() == before


@pytest.mark.slow
@pytest.mark.parametrize("tier", EVERY)
def test_after_fifty_nothing_is_left(tmp_path: Path, tier: Tier) -> None:
    argv, rules = under(tier, "true", folder=tmp_path)
    before, threads = handles(), set(threading.enumerate())

    for _ in range(50):
        assert said(argv, rules, tmp_path)[0] == 0

    assert comes(lambda: set(threading.enumerate()) <= threads)
    assert handles() == before


def test_the_thread_lives_until_it_is_released(tmp_path: Path) -> None:
    pipes = Pipes(subprocess.DEVNULL, subprocess.DEVNULL, subprocess.DEVNULL)
    before = set(threading.enumerate())

    spawned = Spawned(
        ("true",),
        rules=Rules(drops_capabilities=True),
        env=ENV,
        cwd=tmp_path,
        pipes=pipes,
        tied=True,
    )
    spawned.child.wait()
    alive = set(threading.enumerate()) - before
    spawned.release()

    assert len(alive) == 1
    assert comes(lambda: not alive & set(threading.enumerate()))


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("sh -c 'kill -SEGV $$'", 128 + 11)]
)
def test_a_wrapper_says_how_what_it_wrapped_ended(tmp_path: Path, script: str, code: int) -> None:
    wrapper = Rules(status="{status}", wraps="sh")
    argv = (
        "sh",
        "-c",
        f'({script}); echo "{{\\"exit-code\\": $?}}" > /proc/self/fd/$1',
        "sh",
        "{status}",
    )
    pipes = Pipes(subprocess.DEVNULL, subprocess.DEVNULL, subprocess.DEVNULL)

    with Spawned(argv, rules=wrapper, env=ENV, cwd=tmp_path, pipes=pipes, tied=True) as spawned:
        spawned.child.wait()

        assert spawned.wrapped() == code


def test_a_wrapper_that_says_nothing_never_began(tmp_path: Path) -> None:
    wrapper = Rules(status="{status}", wraps="true")
    pipes = Pipes(subprocess.DEVNULL, subprocess.DEVNULL, subprocess.DEVNULL)

    with Spawned(
        ("true",), rules=wrapper, env=ENV, cwd=tmp_path, pipes=pipes, tied=True
    ) as spawned:
        spawned.child.wait()

        assert spawned.wrapped() is None


def test_what_is_fed_is_read_from_the_number_in_the_command_line(tmp_path: Path) -> None:
    content = os.urandom(1 << 17)
    rules = Rules(fed={"{content}": content})

    code, size = said(("sh", "-c", "wc -c < /proc/self/fd/$1", "sh", "{content}"), rules, tmp_path)

    assert (code, size.strip()) == (0, str(len(content)))
