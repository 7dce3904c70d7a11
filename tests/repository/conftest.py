"""Repositories to look at, and a store of the run's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.repository.checkouts import Ground, Site, a_ground, a_site
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


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """Return one small repository for all who only work in checkouts of it."""
    script = """
        mkdir -p src/deep/er docs
        echo '# A small world' > README.md
        seq 20 > src/app.txt
        echo leaf > src/deep/er/leaf.txt
        printf 'one\\ntwo\\nthree\\n' > docs/guide.txt
        printf '#!/bin/sh\\nexit 0\\n' > run.sh
        chmod +x run.sh
        ln -s docs/guide.txt latest
        git add -A
        git commit -qm before --allow-empty
        git commit -qm base --allow-empty
    """
    return a_ground(tmp_path_factory.mktemp("ground"), script)


@pytest.fixture
def site(ground: Ground, tmp_path: Path) -> Site:
    """Return a fresh checkout of it."""
    return a_site(ground, tmp_path)
