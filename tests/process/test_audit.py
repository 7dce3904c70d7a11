"""The hook on this program's own writes: what is told is refused, but in one place."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT

_ALL = 25


def strayed(kept: Path, folder: Path) -> Any:
    """Return what became of every way to write in `folder`, for a process held to `kept`."""
    done = subprocess.run(
        [sys.executable, "-B", "-m", "tests.workers.strayer", str(kept), str(folder)],
        cwd=PROJECT,
        env={"PYTHONPATH": str(PROJECT), "TMPDIR": str(kept)},
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Return a folder that may be written."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("kept\n")
    return tmp_path / "kept"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Return a folder that may not: its name begins as that of the other."""
    folder = tmp_path / "kept-not"
    for one in (folder, folder / "a", folder / "a" / "b", folder / "below", folder / "c"):
        one.mkdir()
    (folder / "d").mkdir()
    (folder / "d" / "file").write_text("deep\n")
    for name in ("file", "other"):
        (folder / name).write_text(f"{name}\n")
    return folder


def seen(folder: Path) -> dict[str, object]:
    """Return all that lies in a folder, with what a write would change."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (about.st_mode, about.st_nlink, about.st_mtime_ns, content)
    return found


def test_inside_everything_is_done(kept: Path) -> None:
    said = strayed(kept, kept)

    assert len(said["said"]) == _ALL
    assert set(said["said"].values()) <= {"done", os.strerror(95)}
    assert said["heard"] == 0


def test_outside_everything_is_refused_and_told(kept: Path, outside: Path) -> None:
    before = seen(outside)

    said = strayed(kept, outside)

    assert {name: word for name, word in said["said"].items() if "refused" not in word} == {}
    assert said["said"]["mkdir at"] == f"refused {outside}/at"
    assert said["said"]["rename"] == f"refused {outside}/file"
    assert len(said["said"]) == _ALL <= said["heard"]
    assert seen(outside) == before


def test_a_link_inside_leads_outside_and_is_no_way_out(kept: Path, outside: Path) -> None:
    before = seen(outside)
    (kept / "way").symlink_to(outside)

    said = strayed(kept, kept / "way")

    assert {name: word for name, word in said["said"].items() if "refused" not in word} == {}
    assert seen(outside) == before


def test_a_link_to_the_folder_itself_is_a_way_in(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(kept)

    said = strayed(kept, tmp_path / "link")

    assert said["heard"] == 0


def test_a_read_asks_nothing_of_the_disk(kept: Path) -> None:
    """Its price for a read is a test of bits: no path is resolved for what writes nothing."""
    program = (
        "import os, sys\n"
        "from tools.codex.factory.process import audit\n"
        "asked = []\n"
        "real = audit.os.path.realpath\n"
        "audit.keep_within(sys.argv[1], asked.append)\n"
        "audit.os.path.realpath = lambda path: asked.append(path) or real(path)\n"
        "for _ in range(100):\n"
        "    open(sys.argv[1] + '/file').close(); os.listdir(sys.argv[1]); os.stat('/')\n"
        "reads = len(asked)\n"
        "open(sys.argv[1] + '/file', 'w').close()\n"
        "print(reads, len(asked))\n"
    )

    done = subprocess.run(
        [sys.executable, "-B", "-c", program, str(kept)],
        cwd=PROJECT,
        capture_output=True,
        check=True,
    )

    assert done.stdout.decode().split() == ["0", "1"]
