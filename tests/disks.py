"""Small disks of a test's own, in a place where no mount outlives the test."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Ended, Factory

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
    for program in ("unshare", "nsenter", "mount"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} here, which gives a test a disk of its own")
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
