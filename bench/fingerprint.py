"""What a fingerprint of a repository costs, as a multiple of `git status` in the same run.

python bench/fingerprint.py [--files 250000]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.history import git
from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.host import Host
from tools.codex.factory.repository.discovery import repository_at
from tools.codex.factory.repository.fingerprint import fingerprint
from tools.codex.factory.repository.git import git_of

WHO = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
IN_A_FOLDER = 50


def made(folder: Path, files: int, dirty: int) -> None:
    """Make a repository of so many files, of which some are dirty and as many untracked."""
    git(folder, "init", "--quiet", "--template=")
    for number in range(files):
        place = folder / f"{number // 5000:03}" / f"{number // IN_A_FOLDER:05}"
        if number % IN_A_FOLDER == 0:
            place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:06}.txt").write_text(f"{number}\n")
    git(folder, "add", "-A")
    git(folder, *WHO, "commit", "--quiet", "-m", "base")
    for number in range(dirty):
        place = folder / "000" / "00000"
        (place / f"{number % IN_A_FOLDER:06}.txt").write_text("dirty\n")
        (place / f"new-{number}.txt").write_text("new\n")
    git(folder, "status")


def took(deed: Callable[[], object]) -> float:
    started = time.perf_counter()
    deed()
    return time.perf_counter() - started


def main() -> None:
    """Measure both in turn, and print medians and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=250_000)
    parser.add_argument("--dirty", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    said = parser.parse_args()
    host = Host({"PATH": os.environ["PATH"], "HOME": os.devnull}, {})
    with tempfile.TemporaryDirectory(prefix="fingerprint-") as name:
        folder = Path(name).resolve()
        made(folder, said.files, said.dirty)
        ours = git_of(host)
        repository = repository_at(ours, folder)
        head = ObjectId(git(folder, "rev-parse", "HEAD").decode().strip())
        rounds = [
            (
                took(lambda: subprocess.run(
                    ("git", "status"), cwd=folder, stdout=subprocess.DEVNULL, check=True
                )),
                took(lambda: fingerprint(ours, repository, near=head)),
            )
            for _ in range(said.rounds)
        ]  # fmt: skip
    status, mark = (median(column) for column in zip(*rounds, strict=True))
    print(f"{said.files:,} files, {said.dirty} dirty, as many untracked, {said.rounds} rounds")
    print(f"{'git status':20}{status * 1000:9.1f} ms    1.00x")
    print(f"{'fingerprint':20}{mark * 1000:9.1f} ms{mark / status:8.2f}x")


if __name__ == "__main__":
    main()
