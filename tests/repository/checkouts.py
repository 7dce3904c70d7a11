"""Checkouts that a worker left in some state, what is captured of them, and what git would say."""

import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.builders import Repo, environment
from tests.conftest import git_for
from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.domain.reader import PatchLimits
from tools.codex.factory.repository.capture import Captured, capture, dirt
from tools.codex.factory.repository.checkout import Fresh, make_checkout
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.quarantine import open_store
from tools.codex.factory.repository.subject import Subject

WORKER = "A_worker"
IGNORE = ("__pycache__/",)
NO_LIMITS = PatchLimits()
State = tuple[str, str, bytes]
"""What lies at one place: kind and mode, time of change, content."""


@dataclass(frozen=True, slots=True)
class Ground:
    """The user's repository and its base, and the store that borrows from it."""

    git: Git
    user: Repo
    base: ObjectId
    store: Path
    shallow: bytes


@dataclass(frozen=True, slots=True)
class Site:
    """One checkout of the base, as it was made."""

    ground: Ground
    folder: Path
    scratch: Path
    fresh: Fresh

    @property
    def beside(self) -> Path:
        """Return the folder around the checkout."""
        return self.folder.parent

    @property
    def ran(self) -> Path:
        """Return where a program that must not run would leave a file."""
        return self.beside / "ran"

    def worker(self, script: str) -> bytes:
        """Run a worker's shell script in the checkout and return what it prints."""
        said = {**environment(self.folder), "RAN": str(self.ran)}
        ended = subprocess.run(
            ("sh", "-ec", script), cwd=self.folder, env=said, capture_output=True, check=False
        )
        assert ended.returncode == 0, ended.stderr.decode("utf-8", "replace")
        return ended.stdout

    def write(self, path: str, content: bytes) -> None:
        """Write a file of the checkout."""
        (self.folder / path).write_bytes(content)

    def subject(self, fresh: Fresh | None, limits: PatchLimits, ignore: tuple[str, ...]) -> Subject:
        """Return what is captured."""
        return Subject(
            name=WORKER,
            checkout=self.folder,
            fresh=fresh,
            base=self.ground.base,
            store=self.ground.store,
            shallow=self.ground.shallow,
            ignore=ignore,
            limits=limits,
        )

    def once(
        self, *, limits: PatchLimits = NO_LIMITS, ignore: tuple[str, ...] = IGNORE
    ) -> Captured:
        """Capture the checkout."""
        return capture(
            self.ground.git, self.subject(self.fresh, limits, ignore), scratch=self.scratch
        )

    def captured(
        self, *, limits: PatchLimits = NO_LIMITS, ignore: tuple[str, ...] = IGNORE
    ) -> Captured:
        """Capture the checkout twice: the second time how it was made is not known any more."""
        first = self.once(limits=limits, ignore=ignore)
        later = capture(self.ground.git, self.subject(None, limits, ignore), scratch=self.scratch)
        assert later == first
        assert list(self.scratch.iterdir()) == []
        return first

    def dirt(self) -> tuple[str, ...]:
        """Return the paths that differ from the base."""
        subject = self.subject(self.fresh, NO_LIMITS, IGNORE)
        return dirt(self.ground.git, subject, scratch=self.scratch)

    def tree(self, captured: Captured) -> str:
        """Return the tree that plain git makes of the base and the captured diff."""
        assert captured.patch is not None
        variables = {"GIT_INDEX_FILE": str(self.beside / "applied-index")}
        plain = _Plain(self.ground.user.path, variables)
        plain("read-tree", self.ground.base)
        if captured.patch:
            plain("apply", "--cached", "--binary", "--whitespace=nowarn", feed=captured.patch)
        return plain("write-tree").decode().strip()

    def added_tree(self) -> str:
        """Return the tree of everything that the worker's own git would add; it changes `.git`."""
        return self.worker("git add -A && git write-tree").decode().strip()

    def changes(self, captured: Captured) -> dict[str, tuple[str, bytes] | None]:
        """Return mode and content of each path that differs from the base; None: not there."""
        said = self.ground.user.git(
            "diff-tree", "-r", "-z", "--no-renames", self.ground.base, self.tree(captured)
        ).split(b"\0")[:-1]
        found: dict[str, tuple[str, bytes] | None] = {}
        for meta, path in zip(said[::2], said[1::2], strict=True):
            _, mode, _, oid, _ = meta.decode("ascii").split()
            name = path.decode("utf-8", "surrogateescape")
            if mode == "000000":
                found[name] = None
            elif mode == "160000":
                found[name] = (mode, oid.encode())
            else:
                found[name] = (mode, self.ground.user.git("cat-file", "blob", oid))
        return found


@dataclass(frozen=True, slots=True)
class _Plain:
    folder: Path
    variables: dict[str, str]

    def __call__(self, *words: str, feed: bytes = b"") -> bytes:
        ended = subprocess.run(
            ("git", *words),
            cwd=self.folder,
            env={**environment(self.folder), **self.variables},
            input=feed,
            capture_output=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr.decode("utf-8", "replace")
        return ended.stdout


def a_ground(top: Path, script: str) -> Ground:
    """Return a repository below `top` that a shell script commits to, and a store beside it."""
    user = Repo.make(top / "repo")
    said = environment(user.path)
    subprocess.run(("sh", "-ec", script), cwd=user.path, env=said, check=True, capture_output=True)
    return ground_of(user, top)


def ground_of(user: Repo, top: Path, *, shallow: bytes = b"") -> Ground:
    """Return `user` with a store below `top` that borrows from it."""
    git, store = git_for(top), top / "objects.git"
    open_store(git, store, user.path / ".git" / "objects")
    base = ObjectId(user.git("rev-parse", "HEAD").decode().strip())
    return Ground(git, user, base, store, shallow)


def a_site(ground: Ground, top: Path) -> Site:
    """Return a checkout of the base below `top`."""
    scratch, folder = top / "scratch", top / "checkout"
    scratch.mkdir(parents=True)
    fresh = make_checkout(
        ground.git, folder, ground.base, store=ground.store, shallow=ground.shallow, name=WORKER
    )
    return Site(ground, folder, scratch, fresh)


def codes(captured: Captured) -> list[str]:
    """Return code and subject of each finding, the worker's name left out."""
    return [f"{one.code} {one.subject.removeprefix(WORKER + ': ')}" for one in captured.findings]


def blocks(captured: Captured) -> list[str]:
    """Return code and subject of each finding that blocks."""
    said = zip(codes(captured), captured.findings, strict=True)
    return [code for code, finding in said if finding.blocks]


def modes_bind() -> bool:
    """Return whether the modes of files are held against whoever runs the tests."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).chmod(0)
        return not os.access(file.name, os.R_OK)


NEEDS_MODES = pytest.mark.skipif(not modes_bind(), reason="modes do not bind who runs the tests")


def everything_in(top: Path) -> dict[str, State]:
    """Return all that lies below `top`, with the times of change."""
    found = {}
    for place in sorted(top.rglob("*")):
        state = place.lstat()
        content = place.read_bytes() if place.is_file() and not place.is_symlink() else b""
        found[str(place)] = (oct(state.st_mode), str(state.st_mtime_ns), content)
    return found


@contextmanager
def watched_pipe(place: Path) -> Iterator[list[str]]:
    """Yield whoever opens the pipe at `place` for reading; each is let go at once."""
    os.mkfifo(place)
    readers: list[str] = []
    ended = threading.Event()

    def let_go() -> None:
        while not ended.wait(0.01):
            try:
                os.close(os.open(place, os.O_WRONLY | os.O_NONBLOCK))
            except OSError:
                continue
            readers.append(place.name)

    thread = threading.Thread(target=let_go)
    thread.start()
    try:
        yield readers
    finally:
        ended.set()
        thread.join()
