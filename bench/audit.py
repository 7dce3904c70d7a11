"""What the hook on the integrator's own writes costs: each call without and with it, in ratios.

python bench/audit.py [--rounds 7]
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tools.codex.factory.process.audit import keep_within

_CALLS = 2000


def _microseconds(act: Callable[[], object], rounds: int) -> float:
    """Return the least time that one call took, of some rounds."""
    found = []
    for _ in range(rounds):
        begun = time.perf_counter()
        for _ in range(_CALLS):
            act()
        found.append((time.perf_counter() - begun) / _CALLS * 1e6)
    return min(found)


def main() -> None:
    """Print a line for each kind of call."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="of which the fastest counts (7)")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a", "b", "c", "file")
        file.parent.mkdir(parents=True)
        acts: dict[str, Callable[[], object]] = {
            "write": lambda: file.open("w").close(),
            "read": lambda: file.open().close(),
            "rename": lambda: os.rename(file, file),
            "stat": file.stat,
        }
        before = {name: _microseconds(act, rounds) for name, act in acts.items()}
        keep_within(folder, lambda _: None)
        for name, act in acts.items():
            after = _microseconds(act, rounds)
            ratio = after / before[name]
            sys.stdout.write(f"{name:8} {before[name]:7.2f} us {after:7.2f} us  x{ratio:.2f}\n")


if __name__ == "__main__":
    main()
