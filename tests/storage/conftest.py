"""A run folder, and a place beside it where nothing may land."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tools.codex.factory.domain.identity import run_id
from tools.codex.factory.storage.run_directory import RunDirectory
from tools.codex.factory.storage.runs_root import claim, make_runs_root

Listing = dict[str, tuple[str, bytes]]


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Return the folder of a new run."""
    root = tmp_path / "runs"
    make_runs_root(root)
    assert claim(root, run_id("r1"))
    return RunDirectory(root, run_id("r1"))


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Return a folder outside the runs root that holds one file."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "treasure").write_bytes(b"gold\n")
    return folder


@pytest.fixture
def untouched(outside: Path) -> Callable[[], bool]:
    """Return a question: does the outside folder still hold its one file and no more?"""
    return lambda: (
        [(path.name, path.read_bytes()) for path in outside.iterdir()] == [("treasure", b"gold\n")]
    )
