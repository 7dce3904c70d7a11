"""Small disks of a test's own, in a place where no mount outlives the test."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.conftest import Ended, Factory
from tests.workers import program

_IN_FOLDER = 'cd "$1" && shift && exec "$@"'
_READY = b"ready\n"


@dataclass(frozen=True, slots=True)
class Disks:
    """A mount namespace of its own: what is mounted in it is gone with its last process."""

    pid: int

    def words(self, *argv: str, cwd: Path) -> list[str]:
        """Return the command line that runs `argv` where the disks are mounted."""
        enter = ["nsenter", f"--target={self.pid}", "--user", "--mount", "--preserve-credentials"]
        return [*enter, "--", "sh", "-c", _IN_FOLDER, "sh", str(cwd), *argv]

    def run(self, *argv: str, cwd: Path = Path("/"), env: Mapping[str, str] | None = None) -> Ended:
        """Run `argv` to its end where the disks are mounted."""
        done = subprocess.run(
            self.words(*argv, cwd=cwd),
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )
        out, err = (s.decode("utf-8", "surrogateescape") for s in (done.stdout, done.stderr))
        return Ended(done.returncode, out, err)

    def factory(self, factory: Factory, *words: str, env: Mapping[str, str]) -> Ended:
        """Run `factory words` as a process of its own, where the disks are mounted."""
        return self.run(*factory.argv(*words), cwd=factory.folder, env=factory.environment(env))

    def mount(self, folder: Path, *, size: int = 256 << 20, files: int = 0) -> None:
        """Mount a disk of `size` bytes and `files` files (0: as many as go) on `folder`."""
        self._must("mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes={files}", "tmpfs", folder)

    def freeze(self, folder: Path) -> None:
        """Let nothing be opened for writing below the disk `folder` any more; what is open is."""
        self._must("mount", "--bind", folder, folder)
        self._must("mount", "-o", "remount,bind,ro", folder)

    def thaw(self, folder: Path) -> None:
        """Undo `freeze`."""
        self._must("umount", "--lazy", folder)

    def seen(self, path: Path) -> Path:
        """Return where `path` can be read from outside."""
        return Path(f"/proc/{self.pid}/root{path}")

    def _must(self, *words: str | Path) -> None:
        ended = self.run(*map(str, words))
        assert ended.exit_code == 0, ended.stderr


@contextmanager
def disks_of_its_own() -> Iterator[Disks]:
    """Yield a place for disks; skip the test where this host allows none."""
    for name in ("unshare", "nsenter", "mount"):
        if shutil.which(name) is None:
            pytest.skip(f"no {name} here, which gives a test a disk of its own")
    keeper = subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", "echo ready; exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert keeper.stdin is not None and keeper.stdout is not None and keeper.stderr is not None
    try:
        if keeper.stdout.readline() != _READY:
            reason = keeper.stderr.read().decode("utf-8", "replace").strip()
            pytest.skip(f"this host allows no mount of a test's own: {reason}")
        yield Disks(keeper.pid)
    finally:
        os.killpg(keeper.pid, signal.SIGKILL)
        keeper.communicate()


@dataclass(frozen=True, slots=True)
class Scene:
    """A run of three workers with one root on a small disk; B, the second, can fill that disk."""

    disks: Disks
    factory: Factory
    top: Path
    variables: Mapping[str, str]

    @property
    def disk(self) -> Path:
        """Return where the small disk is."""
        return self.top / "disk"

    def plan(self, kind: str = "none", left: int = 0) -> str:
        """Write the plan: B leaves `left` bytes or files (`kind`) of the disk."""
        said = {
            "schema_version": 1,
            "title": "A full disk",
            "workers": [
                self._worker("A", "src/a", 10, 8192, "none", 0),
                self._worker("B", "src/b", 20, 8192, kind, left),
                self._worker("C", "docs", 5, 4096, "none", 0),
            ],
            "checks": [{"name": "all", "command": ["test", "-e", "src/b/19.bin"]}],
        }
        path = self.top / "plan.json"
        path.write_text(json.dumps(said), "utf-8")
        return str(path)

    def __call__(self, *words: str) -> Ended:
        """Run `factory words` there."""
        return self.disks.factory(self.factory, *words, env=self.variables)

    def filled(self, left: int, kind: str = "bytes") -> None:
        """Fill the disk up to `left` bytes or files."""
        words = program("filler", str(self.disk / "out"), "0", "0", str(self.disk))
        mark = self.top / f"filled-{len(list(self.top.iterdir()))}"
        ended = self.disks.run(*words, kind, str(left), str(mark))
        assert ended.exit_code == 0, ended.stderr

    def given_room(self) -> None:
        """Take away what fills the disk."""
        self.disks.run("rm", "-rf", str(self.disk / "filler"))

    def runs_of(self, worker: str) -> int:
        """Return how often a worker was begun."""
        mark = self.top / "marks" / f"{worker}.runs"
        return len(mark.read_text("ascii")) if mark.exists() else 0

    def sealed(self) -> list[str]:
        """Return the workers whose bundle is sealed, sorted."""
        root = self.disks.seen(Path(self.variables["FACTORY_RUNS__ROOT"]))
        return sorted(path.stem for path in root.glob("r1/seals/?.json"))

    def _worker(
        self, name: str, out: str, count: int, size: int, kind: str, left: int
    ) -> dict[str, object]:
        mark = str(self.top / "marks" / name)
        words = (out, str(count), str(size), str(self.disk), kind, str(left), mark)
        return {"id": name, "allow": [f"{out}/**"], "command": program("filler", *words)}


ROOTS = {"runs": "FACTORY_RUNS__ROOT", "work": "FACTORY_WORK__ROOT", "tmp": "TMPDIR"}


@contextmanager
def scene(top: Path, place: str, *, files: int = 0, size: int = 256 << 20) -> Iterator[Scene]:
    """Yield a scene below `top` where the root that `place` names lies on a disk of its own."""
    made = Repo.make(top / "repo")
    made.write("README.md", "# A small world\n")
    made.write("docs/guide.txt", "one\n")
    made.commit()
    for name in ("home", "marks", "runs", "work", "tmp", "disk"):
        (top / name).mkdir()
    variables = {name: str(top / one) for one, name in ROOTS.items()}
    with disks_of_its_own() as disks:
        disks.mount(top / "disk", files=files, size=size)
        if place in ROOTS:
            variables[ROOTS[place]] = str(top / "disk" / place)
            disks.run("mkdir", variables[ROOTS[place]])
        variables["FACTORY_WORK__JOBS"] = "1"
        yield Scene(disks, Factory(made.path, top / "home"), top, variables)


def state_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return mode and content of everything below `folder`, by name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        is_file = path.is_file() and not path.is_symlink()
        found[str(path.relative_to(folder))] = (mode, path.read_bytes() if is_file else b"")
    return found
