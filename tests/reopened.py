"""A run with a bundle that can give way to a new attempt, and what must hold of it whenever."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.work import Work

SETTINGS = {"FACTORY_WORK__GRACE": "1s"}


def counting(count: Path, path: str, then: str = "true") -> list[str]:
    """Return a command that counts its runs outside of the checkout, and writes how often it ran.

    Only its first run says something: a log that a later attempt does not have.
    """
    script = f"echo x >> {count}; n=$(wc -l < {count}); echo run $n > {path}; "
    return ["sh", "-c", f"{script} test $n != 1 || echo hello; {then}"]


def runs_of(count: Path) -> int:
    """Return how often a counting command ran."""
    return len(count.read_text("utf-8").splitlines()) if count.exists() else 0


def files_below(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its bytes, but those of earlier attempts."""
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return {name: found[name] for name in found if not name.startswith("attempts/")}


def above_this_run(report: Path) -> str:
    """Return the part of a report that does not differ from run to run."""
    return report.read_text("utf-8").partition("\nTHIS RUN\n")[0]


@dataclass(frozen=True, slots=True)
class Again:
    """Run r1 of A_worker, which always does the same, and B_worker, whose runs are counted."""

    work: Work
    count: Path

    @property
    def run(self) -> Path:
        return self.work.runs_root / "r1"

    @property
    def bundle(self) -> dict[str, bytes]:
        """Return the bundle of B_worker with its seal, as an earlier attempt has them."""
        seal = (self.run / "seals/B_worker.json").read_bytes()
        return {**files_below(self.run / "B_worker"), "SEAL.json": seal}

    @property
    def earlier(self) -> dict[str, dict[str, bytes]]:
        """Return the earlier attempts of B_worker, by number."""
        folder = self.run / "B_worker" / "attempts"
        return {path.name: files_below(path) for path in folder.glob("*")}

    def killed(self, at: str) -> list[str]:
        """Ask for a new attempt in a process that is killed right after `at`; return its moments.

        It is empty where the process came to its end.
        """
        log = self.work.folder / "moments"
        log.unlink(missing_ok=True)
        words = ("launch", "--only", "B_worker", "--run-id", "r1")
        done = subprocess.run(
            [sys.executable, "-m", "tests.dying", str(log), at, *words],
            cwd=self.work.repo.path,
            env=self.work.factory.environment(SETTINGS),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert done.returncode in (0, -9), done.stderr
        return log.read_text("utf-8").splitlines() if done.returncode else []

    def command(self, *words: str) -> int:
        """Return the exit code of a command about the run."""
        return self.work.factory(*words, "--run-id", "r1", env=SETTINGS).exit_code

    def oneshot(self) -> int:
        """Return the exit code of the command that the run was begun with."""
        return self.command("oneshot", "--plan", self.work.plan())

    def tree(self) -> str:
        """Return what B_worker's file holds in the tree that was merged, empty for no tree."""
        patch = (self.run / "Z_integrator" / "DIFF.patch").read_text("utf-8")
        return patch.partition("+run ")[2].partition("\n")[0]


def again(work: Work) -> Again:
    """Return a run that passed."""
    count = work.folder / "count"
    work.add("A_worker", command=["sh", "-c", "echo a > docs/a.txt"], allow=["docs/**"])
    work.add("B_worker", command=counting(count, "src/b.txt"), allow=["src/**"])
    made = Again(work, count)
    assert made.oneshot() == 0
    return made
