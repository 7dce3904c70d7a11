"""One command that a supervisor's own watch holds, in a process that has no other child."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT
from tools.codex.factory.process.cgroup import grouped

LIMITS = {"wall_seconds": 20, "idle_seconds": None, "grace_seconds": 0.2, "log_bytes": 4096}
PATH = {"PATH": os.environ.get("PATH", os.defpath)}


def watched_in(folder: Path, *argv: str, **asked: object) -> dict[str, Any]:
    """Return what came of `argv`, which ran in `folder` / work; stdout.log is beside it."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    plain = {
        "argv": argv,
        "env": PATH,
        "cwd": str(work),
        "limits": LIMITS,
        "folder": str(folder),
    }
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tests.process.watcher", json.dumps({**plain, **asked})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**PATH, "PYTHONPATH": str(PROJECT)},
    )
    assert process.stdin is not None and process.stdout is not None
    with process.stdin, process.stdout:
        said: dict[str, Any] = json.loads(process.stdout.read())
        process.wait()
    return said


def needs(*, processes: int = 0, memory_bytes: int = 0) -> None:
    """Skip a test where this host has no control group that bounds these."""
    group = grouped(processes=processes, memory_bytes=memory_bytes)
    bounds = [group.processes if processes else None, group.memory if memory_bytes else None]
    group.remove()
    for bound in bounds:
        if bound is not None and not bound.by:
            pytest.skip(bound.why_not)
