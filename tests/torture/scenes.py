"""A small world that is put back as it was between faults, and what may be found in it."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.builders import Repo
from tests.conftest import PROJECT, Factory
from tests.work import Work
from tests.workers import left_of

RUN = "r1"
LONG_AGO = 1_600_000_000
Words = tuple[str, ...]
_PARTS = ("repo", "home", "tmp", "incoming")


@dataclass(frozen=True, slots=True)
class Broken:
    """What came of a command in a world that may break."""

    code: int
    out: str
    err: str
    seen: tuple[str, ...]
    """Every change of a disk that it made, in order; empty where it was killed."""

    @property
    def answer(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document


@dataclass(frozen=True, slots=True)
class World:
    """A repository, a home, a place for throw-away files, and what workers hand in."""

    top: Path
    faulty: "subprocess.Popen[bytes]"

    @property
    def repo(self) -> Path:
        return self.top / "repo"

    @property
    def runs(self) -> Path:
        return self.repo / "tools" / "codex" / "runs"

    @property
    def run(self) -> Path:
        return self.runs / RUN

    @property
    def marks(self) -> Path:
        return self.top / "incoming" / "marks"

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.top / "home"),
            "TMPDIR": str(self.top / "tmp"),
            "PYTHONPATH": str(PROJECT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "FACTORY_WORK__GRACE": "1s",
            "GIT_AUTHOR_NAME": "tester",
            "GIT_AUTHOR_EMAIL": "tester@localhost",
            "GIT_COMMITTER_NAME": "tester",
            "GIT_COMMITTER_EMAIL": "tester@localhost",
        }

    def keep(self) -> None:
        """Keep everything as it is now, for `restore`."""
        self.settle()
        shutil.rmtree(self.top / "kept", ignore_errors=True)
        for part in _PARTS:
            shutil.copytree(self.top / part, self.top / "kept" / part, symlinks=True)

    def restore(self) -> None:
        """Put everything back as it was kept, in its own place: stores borrow by absolute paths."""
        self.settle()
        for part in _PARTS:
            shutil.rmtree(self.top / part)
            shutil.copytree(self.top / "kept" / part, self.top / part, symlinks=True)

    def settle(self) -> list[int]:
        """Wait until nothing works in this world any more; return what had to be ended."""
        return left_of(str(self.top))

    def __call__(self, *words: str, at: int = 0, how: str = "") -> Broken:
        """Run `factory words`, which meets the fault `how` at its `at`-th change of a disk."""
        order = {
            "words": words,
            "cwd": str(self.repo),
            "env": self.environment(),
            "fault": {"at": at, "how": how},
        }
        hear, speak = self.faulty.stdout, self.faulty.stdin
        assert hear is not None and speak is not None
        speak.write(json.dumps(order).encode() + b"\n")
        speak.flush()
        said = json.loads(hear.readline())
        return Broken(said["code"], said["out"], said["err"], tuple(said["seen"]))

    def age(self) -> None:
        """Let everything be old: nobody can be at work on it any more."""
        for place in (self.runs, self.top / "home", self.top / "tmp"):
            for here, folders, files in os.walk(place):
                for name in (*folders, *files, "."):
                    with suppress(FileNotFoundError):
                        os.utime(f"{here}/{name}", (LONG_AGO, LONG_AGO), follow_symlinks=False)


@contextmanager
def world(top: Path) -> Iterator[World]:
    """Yield a world with one small repository, and the program that runs commands in it."""
    for part in _PARTS:
        (top / part).mkdir(parents=True)
    made = Repo.make(top / "repo")
    shutil.rmtree(made.path / ".git" / "hooks", ignore_errors=True)
    made.write("README.md", "# A small world\n")
    made.write("src/app.txt", "".join(f"line {n}\n" for n in range(1, 21)))
    made.write("docs/guide.txt", "one\ntwo\nthree\n")
    made.commit()
    (top / "incoming" / "marks").mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.torture.faulty"],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as faulty:
        try:
            yield World(top, faulty)
        finally:
            _close(faulty.stdin)
            faulty.wait()
            left_of(str(top))


def _close(pipe: "IO[bytes] | None") -> None:
    with suppress(BrokenPipeError):
        if pipe is not None:
            pipe.close()


def work_in(world: World) -> Work:
    """Return an empty plan on the world's repository."""
    factory = Factory(world.repo, world.top / "home")
    return Work(Repo(world.repo), factory, world.top / "incoming")


def counting(world: World, worker: str, path: str) -> list[str]:
    """Return a worker that writes one file, and counts how often it was run."""
    return ["sh", "-c", f"echo x >> {world.marks}/{worker}; echo {worker} > {path}"]


def times_run(world: World, worker: str) -> int:
    """Return how often a worker was run."""
    try:
        return len((world.marks / worker).read_text().splitlines())
    except FileNotFoundError:
        return 0


# -- what is there ---------------------------------------------------------------------------------


Stamps = dict[str, tuple[str, int, str]]


def untouched(world: World) -> Stamps:
    """Return all of the user's repository but the runs root: mode, time and content of each."""
    found: Stamps = {}
    for here, folders, files in os.walk(world.repo):
        folders[:] = [one for one in folders if f"{here}/{one}" != f"{world.repo}/tools"]
        for name in (*files, *folders):
            path = Path(here, name)
            seen = path.lstat()
            content = ""
            if stat.S_ISREG(seen.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path.relative_to(world.repo))] = (
                oct(seen.st_mode),
                seen.st_mtime_ns,
                content,
            )
    return found


def differing(before: Stamps, after: Stamps) -> list[str]:
    """Return the names of what is not as it was."""
    return sorted(
        name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
    )


def strays(world: World, runs: Sequence[str] = (RUN,)) -> set[str]:
    """Return everything of ours on disk that belongs to no run of `runs`.

    What lies in a run's folders does, and what an attempt in them says it made for itself.
    """
    own_places = {
        os.path.relpath(path.read_text(), world.top)
        for run in runs
        for path in world.top.glob(f"home/.cache/factory/*/{run}.*/*/*/temporary")
    }
    found = _all_but(world, runs)
    return {one for one in found if not any(one.startswith(place) for place in own_places)}


def _all_but(world: World, runs: Sequence[str]) -> set[str]:
    found = set()
    for place in (world.runs, world.top / "home", world.top / "tmp"):
        for here, folders, files in os.walk(place):
            own = [one for one in folders if _is_of(one, runs)]
            folders[:] = [one for one in folders if one not in own]
            if not own and not folders and not files and Path(here) != place:
                found.add(str(Path(here).relative_to(world.top)))
            found |= {str(Path(here, name).relative_to(world.top)) for name in files}
    return found


def _is_of(name: str, runs: Sequence[str]) -> bool:
    return any(name == run or name.startswith(f"{run}.") for run in runs)


def sealed(world: World) -> dict[str, bytes]:
    """Return every byte of every bundle that is sealed, by name."""
    found = {}
    for seal in sorted((world.run / "seals").glob("[!.]*.json")):
        if seal.stem == "Z_integrator":
            continue
        for path in (seal, *sorted((world.run / seal.stem).rglob("*"))):
            if path.is_file() and not path.name.startswith("."):
                found[str(path.relative_to(world.run))] = path.read_bytes()
    return found


@dataclass(frozen=True, slots=True)
class Caught:
    """What lay captured in the work root: whose, how its worker ended, and the patch."""

    worker: str
    how: str
    patch: bytes


def captured(world: World) -> list[Caught]:
    """Return what every attempt in the work root came to, where one came to an end."""
    found = []
    for path in sorted((world.top / "home").glob(f".cache/factory/*/{RUN}.*/*/*/outcome.json")):
        patch = path.with_name("DIFF.patch")
        said = json.loads(path.read_bytes())
        if said["patch"] is not None and path.parts[-3] != "Z_integrator" and patch.exists():
            found.append(Caught(path.parts[-3], said["how"], patch.read_bytes()))
    return found


def patches(world: World, worker: str) -> list[bytes]:
    """Return every patch that the run keeps of a worker: its own, and of earlier attempts."""
    return [path.read_bytes() for path in (world.run / worker).rglob("DIFF.patch")]


@dataclass(frozen=True, slots=True)
class Reached:
    """What a run came to, as far as it must be the same however often it was interrupted."""

    status: str
    tree: str | None
    commit: str | None
    above: str
    published: dict[str, bytes] = field(default_factory=dict)


def reached(world: World) -> Reached | None:
    """Return what the run came to; None where it has no report."""
    folder = world.run / "Z_integrator"
    try:
        status = json.loads((folder / "STATUS.json").read_bytes())
        text = (folder / "FINAL_REPORT.txt").read_text("utf-8")
    except FileNotFoundError:
        return None
    names = ("DIFF.patch", "FILES_CHANGED.json", "MERGE_PLAN.md", "OVERLAP.json")
    files = {name: (folder / name).read_bytes() for name in names}
    above = text.partition("\nTHIS RUN\n")[0]
    return Reached(status["status"], status["tree"], status["commit"], above, files)


def blocking_codes(world: World) -> set[str]:
    """Return the code of each finding that blocks the run."""
    try:
        status = json.loads((world.run / "Z_integrator" / "STATUS.json").read_bytes())
    except FileNotFoundError:
        return set()
    return {one["code"] for one in status["findings"] if one["severity"] == "blocks"}


def is_bug(said: str) -> bool:
    """Return whether a command ended by a bug."""
    return "a bug" in said
