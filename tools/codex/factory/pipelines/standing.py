"""What a command would stand on, found step by step: where a step fails, the others still stand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tools.codex.factory.config import Settings, load, resolve
from tools.codex.factory.errors import FactoryError, UnfitHost
from tools.codex.factory.host import Host
from tools.codex.factory.pipelines.session import Session, runs_root_of
from tools.codex.factory.pipelines.site import root_named
from tools.codex.factory.repository.discovery import UserRepository, git_version, repository_at
from tools.codex.factory.repository.git import Git, git_of

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Each thing that a command stands on, or why it cannot be had.

    Settings that are wrong are named, and the rest is asked with the defaults. There is no
    `runs_root` to ask for without a repository.
    """

    host: Host
    folder: Path
    git: Git | FactoryError
    repository: UserRepository | FactoryError
    settings: Settings
    wrong_settings: FactoryError | None
    runs_root: Path | FactoryError | None
    work_root: Path | FactoryError

    def ground(self) -> Session | None:
        """Return the ground of a command; None where any part of it cannot be had."""
        if (
            isinstance(self.git, FactoryError)
            or isinstance(self.repository, FactoryError)
            or not isinstance(self.runs_root, Path)
            or self.wrong_settings is not None
        ):
            return None
        git = self.git
        version = _tried(lambda: git_version(git, Path("/")))
        if isinstance(version, FactoryError):
            return None
        return Session(
            host=self.host,
            git=self.git,
            git_version=version,
            repository=self.repository,
            settings=self.settings,
            folder=self.folder,
            runs_root=self.runs_root,
        )


def standing(
    host: Host, *, folder: Path, config_file: Path | None, flags: Mapping[str, object]
) -> Standing:
    """Return what a command in `folder` would stand on."""
    git = _tried(lambda: git_of(host))
    repository = _repository(git, folder)
    work_tree = folder if isinstance(repository, FactoryError) else repository.work_tree
    found = _tried(
        lambda: load(
            work_tree=work_tree, explicit=config_file, environment=host.variables, flags=flags
        )
    )
    settings = resolve([]) if isinstance(found, FactoryError) else found
    runs_root = (
        None
        if isinstance(repository, FactoryError)
        else _tried(lambda: runs_root_of(settings, repository, folder=folder))
    )
    work_root = _tried(
        lambda: root_named(
            settings,
            host.variables,
            folder=folder,
            work_tree=work_tree,
            runs_root=runs_root if isinstance(runs_root, Path) else None,
        )
    )
    return Standing(
        host=host,
        folder=folder,
        git=git,
        repository=repository,
        settings=settings,
        wrong_settings=found if isinstance(found, FactoryError) else None,
        runs_root=runs_root,
        work_root=work_root,
    )


def _repository(git: Git | FactoryError, folder: Path) -> UserRepository | FactoryError:
    if isinstance(git, FactoryError):
        return UnfitHost("not asked: git cannot be called", hint="install git")
    return _tried(lambda: repository_at(git, folder))


def _tried(ask: Callable[[], Found]) -> Found | FactoryError:
    """Return what `ask` finds, or why it could not."""
    try:
        return ask()
    except FactoryError as error:
        return error
