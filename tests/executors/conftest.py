"""An order on a real repository, and a place that carries it out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.workers import program
from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.domain.order import Step, WorkOrder
from tools.codex.factory.domain.reader import PatchLimits
from tools.codex.factory.repository.discovery import repository_at
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.quarantine import open_store
from tools.codex.factory.storage.attempt import Attempt

Order = Callable[..., WorkOrder]


@pytest.fixture
def order(git: Git, repo: Repo, tmp_path: Path) -> Order:
    """Return what makes an order in an attempt of its own; a keyword changes one thing."""
    store = tmp_path / "objects.git"
    open_store(git, store, repository_at(git, repo.path).objects)
    commit = ObjectId(repo.git("rev-parse", "HEAD").decode().strip())

    def make(*argv: str, number: int = 1, **changed: object) -> WorkOrder:
        attempt = Attempt(tmp_path / "work" / "A" / str(number))
        attempt.make()
        plain = WorkOrder(
            name="A",
            folder=str(attempt.folder),
            commit=commit,
            store=str(store),
            shallow="",
            makes=True,
            captures=True,
            steps=(a_step(*(argv or program("honest", "src/new.txt"))),),
            environment={
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "FACTORY_ATTEMPT": str(attempt.folder),
                "FACTORY_OUTBOX": str(attempt.outbox),
            },
            is_check=False,
            grace_seconds=0.2,
            log_bytes=4096,
            ignore=(),
            limits=PatchLimits(),
        )
        return replace(plain, **changed)  # type: ignore[arg-type]

    return make


def a_step(*argv: str, name: str = "worker", kind: str = "work", seconds: float = 20) -> Step:
    """Return a step that runs `argv`."""
    return Step(
        name=name,
        kind=kind,  # type: ignore[arg-type]
        argv=argv,
        wall_seconds=seconds,
        idle_seconds=None,
    )


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """Return a repository with one commit."""
    made = Repo.make(tmp_path / "repo")
    made.write("src/app.txt", "line\n")
    made.commit()
    return made
