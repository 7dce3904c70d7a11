"""Repositories to look at, and a store of the run's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import Repo
from tools.codex.factory.repository.discovery import Base, UserRepository, base_of, repository_at
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.objects import Objects, objects_of
from tools.codex.factory.repository.quarantine import open_store


@pytest.fixture
def user(git: Git, repo: Repo) -> UserRepository:
    """Return the repository as the factory finds it."""
    return repository_at(git, repo.path)


@pytest.fixture
def base(git: Git, user: UserRepository) -> Base:
    """Return its HEAD as a base."""
    return base_of(git, user, "HEAD")


@pytest.fixture
def store(git: Git, user: UserRepository, tmp_path: Path) -> Path:
    """Return a store that borrows the repository's objects."""
    made = tmp_path / "objects.git"
    open_store(git, made, user.objects)
    return made


@pytest.fixture
def objects(git: Git, store: Path) -> Iterator[Objects]:
    """Return a reader of the store."""
    with objects_of(git, store) as reader:
        yield reader
