"""How long the command takes to start, as a multiple of what Python itself takes.

python bench/startup.py
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.history import git

FLOOR = "python -c pass"
FACTORY = str(Path(sys.executable).parent / "factory")
PLAN = """schema_version = 1
title = "one line"

[[workers]]
id = "A_worker"
allow = ["/a"]
patch = "a.patch"
"""
WHO = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")


def with_a_plan(folder: Path) -> None:
    """Make a repository in `folder` with a plan of one patch of one line."""
    git(folder, "init", "--quiet", "--template=")
    (folder / "a").write_text("one\n")
    git(folder, "add", "a")
    git(folder, *WHO, "commit", "--quiet", "-m", "base")
    (folder / "a").write_text("two\n")
    (folder / "a.patch").write_bytes(git(folder, "diff", "--binary", "--full-index"))
    (folder / "factory.plan.toml").write_text(PLAN)


def with_a_run(folder: Path) -> None:
    """Make such a repository with one finished run."""
    with_a_plan(folder)
    subprocess.run((FACTORY, "oneshot"), cwd=folder, capture_output=True, check=True)


def wall(command: tuple[str, ...], folder: Path) -> float:
    """Return how long `command` takes in `folder`."""
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def main() -> None:
    """Measure each command in turn, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    rounds = parser.parse_args().rounds
    commands = {
        FLOOR: (sys.executable, "-c", "pass"),
        "factory --help": (FACTORY, "--help"),
        "factory print-report": (FACTORY, "print-report"),
    }
    with tempfile.TemporaryDirectory(prefix="startup-") as name:
        folder = Path(name)
        with_a_run(folder)
        took = [
            {n: wall(command, folder) for n, command in commands.items()} for _ in range(rounds)
        ]
    print(f"python {sys.version.split()[0]}, {rounds} rounds, the commands in turn, medians\n")
    floor = median(one[FLOOR] for one in took)
    for name in commands:
        middle = median(one[name] for one in took)
        print(f"{name:24}{middle * 1000:8.1f} ms{middle / floor:8.1f}x")


if __name__ == "__main__":
    main()
