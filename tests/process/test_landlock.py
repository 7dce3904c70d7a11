"""Landlock for real: rights by folder, paths that are hidden, single files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.codex.factory.process.landlock import landlock_version
from tools.codex.factory.process.rules import FileRules, Rules
from tools.codex.factory.process.spawn import Pipes, Spawned

pytestmark = pytest.mark.skipif(not landlock_version(), reason="the kernel has no Landlock")
READS = 1 << 0 | 1 << 2 | 1 << 3
WRITES = 1 << 1 | sum(1 << bit for bit in range(4, 14)) | 1 << 14
ALL = READS | WRITES
NULL = ("/dev/null", 1 << 1)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with two in it, a file in each."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(f"{name}\n")
    return tmp_path


def does(script: str, folder: Path, *allowed: tuple[str, int], hidden: tuple[str, ...] = ()) -> str:
    """Return what a shell says that may write only what is `allowed`; its complaints left out."""
    files = FileRules(handled=WRITES, allowed=(NULL, *allowed), hidden=hidden)
    pipes = Pipes(subprocess.DEVNULL, subprocess.PIPE, subprocess.DEVNULL)
    env = {"PATH": os.environ.get("PATH", os.defpath)}
    argv = ("sh", "-c", script)
    rules = Rules(files=files)
    with (
        Spawned(argv, rules=rules, env=env, cwd=folder, pipes=pipes, tied=True) as spawned,
        spawned.child as child,
    ):
        return child.communicate(timeout=30)[0].decode()


@pytest.mark.parametrize(
    "script",
    [
        "echo a > FOLDER/new",
        "echo a >> FOLDER/file",
        ": > FOLDER/file",
        "mkdir FOLDER/new",
        "ln -s file FOLDER/new",
        "ln FOLDER/file FOLDER/new",
        "mkfifo FOLDER/new",
        "mv FOLDER/file FOLDER/other",
        "rm FOLDER/file",
    ],
)
def test_what_is_done_in_a_folder_of_ones_own_is_refused_elsewhere(
    place: Path, script: str
) -> None:
    said = {
        name: does(
            f"({script.replace('FOLDER', name)}) && echo done", place, (str(place / "in"), ALL)
        )
        for name in ("in", "out")
    }

    assert said == {"in": "done\n", "out": ""}
    assert (place / "out" / "file").read_text() == "out\n"
    assert [one.name for one in (place / "out").iterdir()] == ["file"]


def test_a_link_inside_that_leads_outside_is_no_way_out(place: Path) -> None:
    (place / "in" / "way").symlink_to(place / "out")

    does("echo a > in/way/new; echo a > in/way/file", place, (str(place / "in"), ALL))

    assert (place / "out" / "file").read_text() == "out\n"
    assert not (place / "out" / "new").exists()


def test_a_link_that_is_granted_itself_grants_nothing(place: Path) -> None:
    (place / "link").symlink_to(place / "out")

    said = does("echo a > out/new && echo done", place, (str(place / "link"), ALL))

    assert said == ""


@pytest.mark.skipif(landlock_version() < 3, reason="Landlock knows no truncate yet")
def test_a_file_can_be_granted_alone(place: Path) -> None:
    script = "echo a > in/file && echo one; echo a > in/other && echo two; rm in/file && echo no"

    said = does(script, place, (str(place / "in" / "file"), ALL))

    assert said == "one\n"


def test_what_is_granted_and_not_there_is_left_out(place: Path) -> None:
    said = does("cat in/file", place, (str(place / "none"), ALL), (str(place / "none/x"), ALL))

    assert said == "in\n"


def test_a_hidden_folder_is_closed_and_what_lies_beside_it_open(place: Path) -> None:
    script = "cat out/file; ls out; cat in/file; cat /etc/passwd > /dev/null && echo yes"

    said = does(script, place, hidden=(str(place / "out"),))

    assert said == "in\nyes\n"


def test_a_hidden_file_is_closed_alone(place: Path) -> None:
    (place / "out" / "open").write_text("open\n")

    said = does("cat out/file; cat out/open; cat in/file", place, hidden=(f"{place}/out/file",))

    assert said == "open\nin\n"


def test_what_is_granted_inside_what_is_hidden_is_open(place: Path) -> None:
    deep = place / "out" / "deep"
    deep.mkdir()
    (deep / "file").write_text("deep\n")

    said = does(
        "cat out/deep/file; cat out/file", place, (str(deep), READS), hidden=(f"{place}/out",)
    )

    assert said == "deep\n"


def test_hiding_the_root_hides_everything_but_what_is_granted(place: Path) -> None:
    pipes = Pipes(subprocess.DEVNULL, subprocess.DEVNULL, subprocess.DEVNULL)
    rules = Rules(files=FileRules(handled=WRITES, allowed=(), hidden=("/",)))

    with pytest.raises(PermissionError):
        Spawned((sys.executable, "-V"), rules=rules, env={}, cwd=place, pipes=pipes, tied=False)
