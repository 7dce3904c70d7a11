"""What a command stands on: host, settings, git, the repository, the ledger, the runs root."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.config import Settings, load
from tools.codex.factory.domain.secret import Secrets
from tools.codex.factory.errors import ConfigurationError
from tools.codex.factory.host import Host
from tools.codex.factory.pipelines.secrets import secrets_of
from tools.codex.factory.repository.discovery import UserRepository, git_version, repository_at
from tools.codex.factory.repository.git import Git, git_of
from tools.codex.factory.storage.ledger import Ledger
from tools.codex.factory.wiring import clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command's ground. `folder` is where the operator stands."""

    host: Host
    git: Git
    git_version: str
    repository: UserRepository
    settings: Settings
    folder: Path
    runs_root: Path

    @property
    def ledger(self) -> Ledger:
        """Return the ledger of the runs root."""
        return Ledger(self.runs_root, clock)

    @property
    def secrets(self) -> Secrets:
        """Return what is secret; raise ConfigurationError where a value is too short to find."""
        return secrets_of(self.settings, self.host)

    @property
    def runs_root_in_repository(self) -> str | None:
        """Return the runs root as a path in the repository, or None where it lies elsewhere."""
        try:
            inside = self.runs_root.relative_to(self.repository.work_tree.resolve())
        except ValueError:
            return None
        return inside.as_posix() if inside.parts else None


def session(
    host: Host, *, folder: Path, config_file: Path | None, flags: Mapping[str, object]
) -> Session:
    """Return the ground that a command in `folder` stands on."""
    git = git_of(host)
    version = git_version(git, folder if folder.is_dir() else Path("/"))
    repository = repository_at(git, folder)
    settings = load(
        work_tree=repository.work_tree,
        explicit=config_file,
        environment=host.variables,
        flags=flags,
    )
    runs_root = runs_root_of(settings, repository, folder=folder)
    return Session(
        host=host,
        git=git,
        git_version=version,
        repository=repository,
        settings=settings,
        folder=folder,
        runs_root=runs_root,
    )


def runs_root_of(settings: Settings, repository: UserRepository, *, folder: Path) -> Path:
    """Return where the runs of a repository lie; raise ConfigurationError where they may not."""
    # A root given on the command line is meant from where the operator stands.
    from_here = settings.provenance["runs.root"] == "command line"
    start = folder if from_here else repository.work_tree
    return _runs_root(start / settings.config.runs.root, repository)


def _runs_root(root: Path, repository: UserRepository) -> Path:
    """Return the runs root; raise ConfigurationError where runs would lie over the user's files."""
    if "\0" in str(root):
        raise ConfigurationError(
            f"runs.root = {str(root)!r} holds a NUL byte", hint="name a folder"
        )
    root = Path(os.path.realpath(root))
    held = (repository.work_tree.resolve(), repository.git_dir.resolve(), repository.objects)
    if any(place == root or root in place.parents for place in held):
        raise ConfigurationError(
            f"runs.root = {str(root)!r} holds the repository itself",
            hint="name a folder of its own, like tools/codex/runs",
        )
    if any(place in root.parents for place in held[1:]):
        raise ConfigurationError(
            f"runs.root = {str(root)!r} lies inside git's own folder",
            hint="name a folder of its own, like tools/codex/runs",
        )
    return root
