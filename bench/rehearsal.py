"""Where the time of a rehearsal goes: four built-in workers on a repository of small files.

python bench/rehearsal.py [--files 200] [--runs 7]

The whole and its phases are read from the clock and from the ledger of real runs; the parts are
then measured one by one in this process, so that what runs side by side can be told apart.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.history import git
from tools.codex.factory.domain.event import EventType, LedgerLine
from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.domain.reader import PatchLimits
from tools.codex.factory.host import Host, take_host
from tools.codex.factory.pipelines.session import session
from tools.codex.factory.repository.capture import capture
from tools.codex.factory.repository.checkout import make_checkout, remove_checkout
from tools.codex.factory.repository.git import git_of
from tools.codex.factory.repository.quarantine import open_store
from tools.codex.factory.repository.subject import Subject
from tools.codex.factory.wiring import own_environment, supervisor_command

FACTORY = str(Path(sys.executable).parent / "factory")
WHO = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
# Each phase ends where the next begins; what lies before the first is start and preparation.
PHASES = (
    ("start to finished workers, captured and sealed", EventType.RUN_START, EventType.LAUNCH_END),
    ("bundles judged", EventType.LAUNCH_END, EventType.INTEGRATE_START),
    ("integrator started, merged, proven", EventType.INTEGRATE_START, EventType.PROVED),
    ("report", EventType.PROVED, EventType.RUN_END),
)


def made(folder: Path, files: int) -> Path:
    """Return a new repository with so many small files."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--template=")
    for number in range(files):
        path = folder / f"d{number % 17}" / f"f{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"line {number}\n" * (number % 50))
    git(folder, "add", "-A")
    git(folder, *WHO, "commit", "--quiet", "-m", "base")
    return folder


def rehearsed(repo: Path, home: Path) -> dict[str, float]:
    """Return what one rehearsal took, as a whole and by phase, in seconds."""
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home)}
    words = (FACTORY, "oneshot", "--base-ref", "HEAD", "--dry-run", "--log-level", "quiet")
    started = time.perf_counter()
    subprocess.run(words, cwd=repo, env=environment, stdout=subprocess.DEVNULL, check=True)
    whole = time.perf_counter() - started
    moments = {EventType(line.event_type): _moment(line) for line in _last_run(repo)}
    found = {name: moments[last] - moments[first] for name, first, last in PHASES}
    return {"whole": whole, "imports and preparation": whole - sum(found.values()), **found}


def parts(repo: Path, scratch: Path) -> dict[str, Callable[[], object]]:
    """Return the parts that can be measured alone, by name."""
    host = Host(dict(os.environ), {})
    tools = git_of(host)
    head = ObjectId(git(repo, "rev-parse", "HEAD").decode().strip())
    store, checkout = scratch / "objects.git", scratch / "checkout"
    open_store(tools, store, repo / ".git" / "objects")

    def check_out() -> None:
        remove_checkout(checkout)
        fresh = make_checkout(tools, checkout, head, store=store, shallow=b"", name="A_worker")
        (checkout / "new.txt").write_text("new\n")
        subject.append(
            Subject(
                name="A_worker",
                checkout=checkout,
                fresh=fresh,
                base=head,
                store=store,
                shallow=b"",
                ignore=("__pycache__/",),
                limits=PatchLimits(),
            )
        )

    subject: list[Subject] = []
    imports = "import tools.codex.factory.pipelines.oneshot"
    environment = own_environment(host.variables)

    def start(*words: str) -> Callable[[], object]:
        return lambda: subprocess.run(
            words, env=environment, stdin=subprocess.DEVNULL, check=True, cwd=scratch
        )

    return {
        "python -c pass": start(sys.executable, "-c", "pass"),
        "imports of the command": start(sys.executable, "-P", "-c", imports),
        "start of one supervisor": start(*supervisor_command()),
        "one checkout, removed and made": check_out,
        "one capture": lambda: capture(tools, subject[-1], scratch=scratch),
    }


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--files", type=int, default=200)
    words.add_argument("--runs", type=int, default=7)
    asked = words.parse_args()
    take_host()
    with _ground(asked.files) as (repo, scratch):
        runs = [rehearsed(repo, scratch) for _ in range(asked.runs)]
        alone = parts(repo, scratch)
        took = {name: [_wall(part) for _ in range(asked.runs)] for name, part in alone.items()}
    print(f"{asked.files} files, median of {asked.runs} runs")
    for name in runs[0]:
        print(f"  {median(run[name] for run in runs) * 1000:7.0f} ms  {name}")
    print("alone, in a row")
    for name, seconds in took.items():
        print(f"  {median(seconds) * 1000:7.0f} ms  {name}")


@contextmanager
def _ground(files: int) -> Iterator[tuple[Path, Path]]:
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        yield made(Path(folder) / "repo", files), scratch


def _last_run(repo: Path) -> list[LedgerLine]:
    ledger = session(Host(dict(os.environ), {}), folder=repo, config_file=None, flags={}).ledger
    found: list[LedgerLine] = []
    for line in ledger.recent():
        found.append(line)
        if line.event_type == EventType.RUN_START:
            break
    return found


def _moment(line: LedgerLine) -> float:
    return datetime.fromisoformat(line.ts_utc).timestamp()


def _wall(part: Callable[[], object]) -> float:
    started = time.perf_counter()
    part()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
