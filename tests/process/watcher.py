"""Watches one command as a supervisor does, and says how it ended and what is left of it."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from tools.codex.factory.process.lifeline import Lifeline
from tools.codex.factory.process.tree import adopt_orphans
from tools.codex.factory.process.watched import Limits, watched


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def main() -> None:
    asked = json.loads(sys.argv[1])
    folder = Path(asked["folder"])
    adopt_orphans()
    done = watched(
        tuple(asked["argv"]),
        env=asked["env"],
        cwd=Path(asked["cwd"]),
        limits=Limits(**asked["limits"]),
        logs=(folder / "stdout.log", folder / "stderr.log"),
        lifeline=Lifeline(0),
        heard=lambda count: None,
    )
    handles = len(os.listdir("/proc/self/fd"))
    said = {**asdict(done), "has_children": _has_children(), "handles": handles}
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
