"""Watches one command as a supervisor does, and says how it ended and what is left of it."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from tools.codex.factory.process.cgroup import grouped
from tools.codex.factory.process.lifeline import Lifeline
from tools.codex.factory.process.rules import Rules
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
    group = grouped(**asked.get("quota", {"processes": 0, "memory_bytes": 0}))
    done = watched(
        tuple(asked["argv"]),
        env=asked["env"],
        cwd=Path(asked["cwd"]),
        limits=Limits(**asked["limits"]),
        logs=(folder / "stdout.log", folder / "stderr.log"),
        lifeline=Lifeline(0),
        heard=lambda count: None,
        rules=Rules(limits=tuple(map(tuple, asked.get("rlimits", [])))),
        group=group,
    )
    events = asdict(group.events())
    group.remove()
    handles = len(os.listdir("/proc/self/fd"))
    said = {**asdict(done), "has_children": _has_children(), "handles": handles}
    said |= {"events": events, "folders": group.folders}
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
