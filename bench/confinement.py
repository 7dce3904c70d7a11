"""What confinement costs: the start of a program, and three workloads, as ratios to plain ones.

python bench/confinement.py [--runs 9]

Every kind of confinement takes its turn in each round, so that a slow moment meets all of them.
A command runs as a worker does: rules applied by the thread that starts it, a folder to write, the
runs root and the user's keys hidden.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.codex.factory.domain.confinement import TIERS, Confinement, Tier
from tools.codex.factory.process.child import asked
from tools.codex.factory.process.landlock import landlock_version
from tools.codex.factory.sandbox.place import Place
from tools.codex.factory.sandbox.tiers import held

SECONDS = 300.0
GIT = """
git init -q . && mkdir d && n=0
while [ $n -lt 200 ]; do echo $n > d/$n; n=$((n + 1)); done
git add -A && git -c user.name=a -c user.email=a@localhost commit -q -m x
"""
PYTEST = f"""
n=0; while [ $n -lt 50 ]; do
  echo "def test_$n(tmp_path): (tmp_path / 'a').write_text('a')" >> test_it.py; n=$((n + 1))
done
{sys.executable} -m pytest -q -p no:cacheprovider test_it.py > /dev/null
"""
GCC = """
for n in 1 2 3; do
  echo '#include <stdio.h>' > $n.c; echo 'int main(void){puts("a");return 0;}' >> $n.c
  gcc -O1 -o $n $n.c && ./$n > /dev/null
done
"""
WORKLOADS = {
    "start of `true`": (("true",), "true"),
    "git: 200 files added and committed": (("sh", "-c", GIT), "git"),
    "pytest: 50 tests": (("sh", "-c", PYTEST), sys.executable),
    "gcc: 3 programs made and run": (("sh", "-c", GCC), "gcc"),
}


def offered() -> list[Tier]:
    """Return the tiers that this host has."""
    there = {
        "bubblewrap": shutil.which("bwrap") is not None,
        "landlock": landlock_version() > 0,
        "unconfined": True,
    }
    return [tier for tier in TIERS if there[tier]]


def confinement(tier: Tier, folder: Path, hidden: Path, *, is_check: bool) -> Confinement:
    """Return what a worker or a check is held to."""
    return Confinement(
        role="check" if is_check else "worker",
        tier=tier,
        program=shutil.which("bwrap") or "",
        writable=(str(folder),),
        readable=(sys.prefix, sys.base_prefix),
        hidden=(str(hidden),),
        network=not is_check,
        nests=not is_check,
    )


def run(argv: tuple[str, ...], tier: Tier, top: Path, hidden: Path, *, is_check: bool) -> float:
    """Return how long a command takes in a new folder under a tier."""
    with tempfile.TemporaryDirectory(dir=top) as made:
        folder, temporary = Path(made) / "work", Path(made) / "temporary"
        folder.mkdir()
        temporary.mkdir()
        place = Place(
            machine=os.uname().machine,
            is_root=os.geteuid() == 0,
            folder=str(folder),
            temporary=str(temporary),
        )
        begun = time.perf_counter()
        words, rules = held(argv, confinement(tier, folder, hidden, is_check=is_check), place)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": "/tmp" if tier == "bubblewrap" else str(temporary),
        }
        done = asked(words, env=environment, cwd=folder, seconds=SECONDS, rules=rules)
        taken = time.perf_counter() - begun
    if done.exit_code:
        raise SystemExit(f"{tier}: {argv[:2]}: {done.complaint}")
    return taken


def measured(
    argv: tuple[str, ...], kinds: Sequence[tuple[str, Callable[[], float]]], rounds: int
) -> dict[str, float]:
    """Return the median of each kind, all of them in turn."""
    found: dict[str, list[float]] = {name: [] for name, _ in kinds}
    for _ in range(rounds):
        for name, once in kinds:
            found[name].append(once())
    return {name: median(times) for name, times in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9, help="rounds of each workload")
    rounds = parser.parse_args().runs
    tiers = offered()
    print(f"tiers: {', '.join(tiers)}; medians of {rounds} rounds, ratios to unconfined")
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as made:
        top = Path(os.path.realpath(made))
        hidden = top / "hidden"
        hidden.mkdir()
        for name, (argv, program) in WORKLOADS.items():
            if shutil.which(program) is None:
                print(f"{name}: {program} is not here")
                continue
            count = rounds * 5 if argv == ("true",) else rounds
            kinds = [
                (
                    f"{tier}{' (check)' if is_check else ''}",
                    partial(run, argv, tier, top, hidden, is_check=is_check),
                )
                for tier in tiers
                for is_check in ((False, True) if tier != "unconfined" else (False,))
            ]
            times = measured(argv, kinds, count)
            plain = times["unconfined"]
            told = ", ".join(f"{kind} x{took / plain:.2f}" for kind, took in times.items())
            print(f"{name}: {told} (plain {plain * 1000:.1f} ms)")


if __name__ == "__main__":
    main()
