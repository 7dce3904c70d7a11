"""What workers, checks and the integrator of a run may write, read and reach, and what keeps it."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from tools.codex.factory.domain.confinement import Confinement, Role, is_within
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.identity import RunId
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.repository.discovery import work_trees
from tools.codex.factory.repository.loan import lenders
from tools.codex.factory.stages.tier import with_tier
from tools.codex.factory.storage.run_directory import RunDirectory
from tools.codex.factory.wiring import HOUSE

_NAMES_OF_HOSTS = "/etc/resolv.conf"
"""Often a link into /run, which a command has for itself."""


def worker_confinement(ground: Session, run: RunDirectory, work_root: Path) -> Confinement:
    """Return how the workers of a run are confined: the repository is there to be read."""
    settings = ground.settings.config.sandbox
    trees = work_trees(ground.git, ground.repository)
    wanted = _wanted(
        ground,
        "worker",
        shown=(*trees, str(run.store), *_lent(ground), *_tools(ground)),
        hidden=(str(ground.runs_root), str(work_root)),
        writable=_existing(_expanded(settings.writable, ground.host.variables)),
        network=settings.network == "on",
    )
    return _proven(ground, wanted)


def check_confinement(ground: Session, run: RunDirectory, work_root: Path) -> Confinement:
    """Return how the checks of a run are confined: nothing of the user's own files is there."""
    settings = ground.settings.config.sandbox
    trees = work_trees(ground.git, ground.repository)
    tools = [path for path in _tools(ground) if not is_within(os.path.realpath(path), trees)]
    wanted = _wanted(
        ground,
        "check",
        shown=(str(run.store), *_lent(ground), *tools),
        hidden=(str(ground.runs_root), str(work_root), *trees),
        writable=(),
        network=settings.check_network == "on",
    )
    return _proven(ground, wanted)


def integrator_confinement(
    ground: Session, run: RunDirectory, workers: Iterable[str]
) -> Confinement:
    """Return how the integrator is confined: to its run, of which the bundles are only read."""
    bundles = [str(run.folder / worker) for worker in workers]
    wanted = _wanted(
        ground,
        "integrator",
        # The runs root too: it may lie in a folder that a command has for itself, like /tmp.
        shown=(*_lent(ground), *_tools(ground), str(ground.runs_root), *bundles),
        hidden=(),
        writable=(os.path.realpath(run.folder),),
        network=False,
    )
    return _proven(ground, wanted)


def weaker_event(run: RunId, confinement: Confinement) -> Event:
    """Return the event that something is confined by less than the strongest tier."""
    details = {
        "of": confinement.role,
        "tier": confinement.tier,
        "demand": confinement.demand,
        "why": confinement.weaker,
    }
    return Event(run_id=run, event_type=EventType.SANDBOX_WEAKER, actor="factory", details=details)


def _wanted(
    ground: Session,
    role: Role,
    *,
    shown: Iterable[str],
    hidden: Iterable[str],
    writable: Iterable[str],
    network: bool,
) -> Confinement:
    settings = ground.settings.config.sandbox
    secret = _existing(_expanded(settings.hidden, ground.host.variables))
    folders = sorted({*hidden, *(path for path in secret if os.path.isdir(path))} - {"/"})
    demand = settings.demand(role)
    return Confinement(
        role=role,
        tier="unconfined",
        writable=tuple(sorted(set(writable) - {"/"})),
        readable=tuple(sorted({*_existing(shown)} - set(folders) - {"/"})),
        hidden=tuple(folders),
        hidden_files=tuple(path for path in secret if not os.path.isdir(path)),
        network=network,
        setup_network=settings.network == "on",
        nests=role == "worker",
        has_home=role == "check" or demand != "off",
        quota=settings.quota(),
    )


def _proven(ground: Session, wanted: Confinement) -> Confinement:
    settings = ground.settings.config.sandbox
    return with_tier(
        wanted,
        demand=settings.demand(wanted.role),
        least=settings.least,
        variables=ground.host.variables,
        outside=ground.runs_root,
        needed=ground.repository.objects,
    )


def _lent(ground: Session) -> tuple[str, ...]:
    """Return the stores that checkouts borrow objects from."""
    objects = str(ground.repository.objects)
    return (objects, *lenders(ground.git, ground.repository.git_dir))


def _tools(ground: Session) -> tuple[str, ...]:
    """Return where the programs lie that commands are made of, our own among them."""
    path = ground.host.variables.get("PATH", os.defpath)
    programs = [folder for folder in path.split(os.pathsep) if os.path.isabs(folder)]
    return (*programs, str(HOUSE), sys.prefix, sys.base_prefix, _NAMES_OF_HOSTS)


def _expanded(paths: Iterable[str], variables: Mapping[str, str]) -> list[str]:
    home = variables.get("HOME", "")
    named = [home + path[1:] if path.startswith("~/") else path for path in paths]
    return [path for path in named if os.path.isabs(path)]


def _existing(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the real paths of what is there."""
    return tuple(sorted({os.path.realpath(path) for path in paths if os.path.exists(path)}))
