"""What most tests start from: a small real repository, and the real command."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pytest
from hypothesis import settings

from tests.builders import Repo
from tests.properties.depth import ORDINARY
from tools.codex.factory.cli.main import main
from tools.codex.factory.host import Host
from tools.codex.factory.process.cgroup import remove_leftovers
from tools.codex.factory.process.hierarchy import folders_named
from tools.codex.factory.repository.git import Git, git_of

if TYPE_CHECKING:
    from tests.work import Work

PROJECT = Path(__file__).parents[1]
sandbox_of_most = {"mode": "off"}
"""What most tests ask for; `--sandbox auto` runs them all as an operator would."""

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
T = TypeVar("T")
Golden = Callable[[str, str], None]


class Some(Protocol):
    """What takes some of many places."""

    def __call__(self, places: Sequence[T]) -> list[T]:
        """Return them."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a factory command."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def answer(self) -> dict[str, Any]:
        """Return the one JSON document on stdout."""
        document = json.loads(self.stdout)
        assert isinstance(document, dict)
        return document


@dataclass(frozen=True, slots=True)
class Factory:
    """The real command, run in a folder."""

    folder: Path
    home: Path

    def __call__(
        self, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Ended:
        """Run `factory words` to its end, from its front door on, in this process.

        A start of the interpreter for each of many hundred commands would be most of the time.
        """
        out, err = _stream(), _stream()
        with (
            in_place(cwd or self.folder, self.environment(env)),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                code = main(list(words))
            except SystemExit as end:
                code = int(end.code or 0)
        return Ended(code, _written(out), _written(err))

    def real(
        self, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Ended:
        """Run `factory words` to its end as a process of its own."""
        done = subprocess.run(
            self.argv(*words),
            cwd=cwd or self.folder,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Ended(done.returncode, _text(done.stdout), _text(done.stderr))

    def start(self, *words: str, cwd: Path | None = None) -> "subprocess.Popen[bytes]":
        """Start `factory words` and return the process; whoever asked waits for it."""
        return subprocess.Popen(
            self.argv(*words),
            cwd=cwd or self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def argv(self, *words: str) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-m", "tools.codex.factory", *words]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment: the project, a home of the test's own, and what is asked."""
        own = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "PYTHONPATH": str(PROJECT),
            "PYTHONDONTWRITEBYTECODE": "1",
            # What a host offers to confine with is no matter of most tests; tests/confined/ are
            # about nothing else.
            "FACTORY_SANDBOX__MODE": sandbox_of_most["mode"],
        }
        return {**own, **(more or {})}


@contextmanager
def in_place(folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Stand in `folder` with just this environment, and leave both as they were."""
    before, here = dict(os.environ), Path.cwd()
    stops = {stop: signal.getsignal(stop) for stop in STOPS}
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)
        for stop, what in stops.items():
            signal.signal(stop, what)


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict", write_through=True)


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return _text(bytes(stream.buffer.read()))


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what writes the golden files anew, and what says how far a search goes."""
    parser.addoption("--regold", action="store_true", help="write tests/golden/ anew")
    parser.addoption("--torture", action="store_true", help="run tests/torture/ as well")
    parser.addoption(
        "--sandbox", default="off", metavar="MODE", help="sandbox.mode of most tests (off)"
    )
    parser.addoption(
        "--bound", type=int, default=None, metavar="N", help="of each search only N places"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave tests/torture/ alone until it is asked for: it takes long."""
    is_torture = collection_path == PROJECT / "tests" / "torture"
    return True if is_torture and not config.getoption("--torture") else None


@pytest.fixture(scope="session")
def some(request: pytest.FixtureRequest) -> "Some":
    """Return what takes `--bound` of many places, evenly spread; all of them without."""
    bound: int | None = request.config.getoption("--bound")

    def chosen(places: Sequence[T]) -> list[T]:
        if bound is None or len(places) <= bound:
            return list(places)
        return [places[number * len(places) // bound] for number in range(bound)]

    return chosen


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Return what compares a whole text with a file in tests/golden/."""

    def same(name: str, text: str) -> None:
        path = PROJECT / "tests" / "golden" / name
        if request.config.getoption("--regold"):
            path.write_text(text, "utf-8")
        assert text == path.read_text("utf-8")

    return same


def pytest_configure(config: pytest.Config) -> None:
    """Take every GIT_* of whoever runs the tests out of sight; leave no property to luck."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        del os.environ[name]
    sandbox_of_most["mode"] = config.getoption("--sandbox")
    settings.register_profile("ordinary", ORDINARY)
    settings.load_profile("ordinary")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the control groups of supervisors that tests killed, with no run that goes on."""
    if not hasattr(session.config, "workerinput"):
        names = [os.path.basename(folder) for _, folder in folders_named("factory-")]
        for owner in {name.split("-")[1] for name in names}:
            remove_leftovers(owner)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """Return a repository with one commit: two folders, a script and a link."""
    made = Repo.make(tmp_path / "repo")
    made.write("README.md", "# A small world\n")
    made.write("src/app.txt", "".join(f"line {n}\n" for n in range(1, 21)))
    made.write("src/deep/er/leaf.txt", "leaf\n")
    made.write("docs/guide.txt", "one\ntwo\nthree\n")
    made.write("run.sh", "#!/bin/sh\nexit 0\n", executable=True)
    made.link("latest", "docs/guide.txt")
    made.commit()
    return made


@pytest.fixture
def factory(repo: Repo, tmp_path: Path) -> Factory:
    """Return the real command, run in the repository."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    return Factory(repo.path, home)


@pytest.fixture
def work(repo: Repo, factory: Factory, tmp_path: Path) -> "Work":
    """Return an empty plan on the repository, with a folder for what workers hand in."""
    from tests.work import Work

    folder = tmp_path / "incoming"
    folder.mkdir()
    return Work(repo, factory, folder)


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Return git as the factory calls it, for a user without any configuration."""
    return git_for(tmp_path)


def git_for(home: Path, **git_variables: str) -> Git:
    """Return git as the factory calls it for a user who lives in `home`."""
    variables = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home)}
    return git_of(Host(variables, git_variables))


Run = Callable[..., Ended]
