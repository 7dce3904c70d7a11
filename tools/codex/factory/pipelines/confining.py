"""What workers, checks and the integrator of a run may write, read and reach, and what keeps it."""

import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from tools.codex.factory.config import Settings
from tools.codex.factory.domain.confinement import Confinement, Role, is_within
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.identity import RunId
from tools.codex.factory.errors import ConfigurationError
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.process.virtual_environment import virtual_environment
from tools.codex.factory.repository.discovery import work_trees
from tools.codex.factory.repository.loan import lenders
from tools.codex.factory.stages.tier import Shortfall, proven
from tools.codex.factory.storage.run_directory import RunDirectory
from tools.codex.factory.wiring import HOUSE

_NAMES_OF_HOSTS = "/etc/resolv.conf"
"""Often a link into /run, which a command has for itself."""


Proven = tuple[Confinement, tuple[Shortfall, ...]]
"""A confinement with its tier, and the stronger ones that fell short."""


def worker_confinement(ground: Session, run: RunDirectory, work_root: Path) -> Confinement:
    """Return how the workers of a run are confined: the repository is there to be read."""
    return _proven(ground, _of_worker(ground, run, work_root))[0]


def check_confinement(ground: Session, run: RunDirectory, work_root: Path) -> Confinement:
    """Return how the checks of a run are confined: nothing of the user's own files is there."""
    return _proven(ground, _of_check(ground, run, work_root))[0]


def integrator_confinement(
    ground: Session, run: RunDirectory, workers: Iterable[str]
) -> Confinement:
    """Return how the integrator is confined: to its run, of which the bundles are only read."""
    return _proven(ground, _of_integrator(ground, run, workers))[0]


def role_confinements(ground: Session, work_root: Path) -> tuple[Proven, ...]:
    """Return how workers, checks and the integrator of a run would be confined, without one.

    A folder for throw-away files stands for what the run would have.
    """
    with tempfile.TemporaryDirectory(prefix="factory-run-") as folder:
        run = RunDirectory(Path(os.path.realpath(folder)), RunId("run"))
        run.folder.mkdir()
        wanted = (
            _of_worker(ground, run, work_root),
            _of_check(ground, run, work_root),
            _of_integrator(ground, run, ()),
        )
        return tuple(_proven(ground, one) for one in wanted)


def groundless_confinements(settings: Settings, variables: Mapping[str, str]) -> tuple[Proven, ...]:
    """Return how each role would be confined, as far as that is known without a repository."""
    sandbox = settings.config.sandbox
    roles: tuple[Role, ...] = ("worker", "check", "integrator")
    networks = {"worker": sandbox.network == "on", "check": sandbox.check_network == "on"}
    return tuple(
        proven(
            _wanted(
                settings,
                variables,
                role,
                shown=_tools(variables),
                hidden=(),
                writable=(),
                network=networks.get(role, False),
            ),
            demand=sandbox.demand(role),
            least=sandbox.least,
            variables=variables,
            outside=None,
            needed=None,
        )
        for role in roles
    )


def _of_worker(ground: Session, run: RunDirectory, work_root: Path) -> Confinement:
    settings = ground.settings.config.sandbox
    trees = work_trees(ground.git, ground.repository)
    return _wanted(
        ground.settings,
        ground.host.variables,
        "worker",
        shown=(*trees, str(run.store), *_lent(ground), *_tools(ground.host.variables)),
        hidden=(str(ground.runs_root), str(work_root)),
        writable=_writable(ground, (str(ground.runs_root), str(work_root), *trees)),
        network=settings.network == "on",
    )


def _of_check(ground: Session, run: RunDirectory, work_root: Path) -> Confinement:
    trees = work_trees(ground.git, ground.repository)
    tools = _tools(ground.host.variables)
    tools = tuple(path for path in tools if not is_within(os.path.realpath(path), trees))
    return _wanted(
        ground.settings,
        ground.host.variables,
        "check",
        shown=(str(run.store), *_lent(ground), *tools),
        hidden=(str(ground.runs_root), str(work_root), *trees),
        writable=(),
        network=ground.settings.config.sandbox.check_network == "on",
    )


def _of_integrator(ground: Session, run: RunDirectory, workers: Iterable[str]) -> Confinement:
    bundles = [str(run.folder / worker) for worker in workers]
    return _wanted(
        ground.settings,
        ground.host.variables,
        "integrator",
        # The runs root too: it may lie in a folder that a command has for itself, like /tmp.
        shown=(
            *_lent(ground),
            *_tools(ground.host.variables),
            str(ground.runs_root),
            *bundles,
        ),
        hidden=(),
        writable=(os.path.realpath(run.folder),),
        network=False,
    )


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
    settings: Settings,
    variables: Mapping[str, str],
    role: Role,
    *,
    shown: Iterable[str],
    hidden: Iterable[str],
    writable: Iterable[str],
    network: bool,
) -> Confinement:
    sandbox = settings.config.sandbox
    secret = _existing(_expanded(sandbox.hidden, variables))
    # Nothing can be put over a folder that is not there, and nothing needs to.
    there = (path for path in (*_existing(hidden), *secret) if os.path.isdir(path))
    folders = sorted({*there} - {"/"})
    demand = sandbox.demand(role)
    return Confinement(
        role=role,
        tier="unconfined",
        writable=tuple(sorted(set(writable) - {"/"})),
        readable=tuple(sorted({*_existing(shown)} - set(folders) - {"/"})),
        hidden=tuple(folders),
        hidden_files=tuple(path for path in secret if not os.path.isdir(path)),
        network=network,
        setup_network=sandbox.network == "on",
        nests=role == "worker",
        has_home=role == "check" or demand != "off",
        # The integrator's own code tells itself what it tries.
        observes=role != "integrator",
        quota=sandbox.quota(),
    )


def _proven(ground: Session, wanted: Confinement) -> Proven:
    settings = ground.settings.config.sandbox
    return proven(
        wanted,
        demand=settings.demand(wanted.role),
        least=settings.least,
        variables=ground.host.variables,
        outside=ground.runs_root if ground.runs_root.is_dir() else None,
        needed=ground.repository.objects,
    )


def _lent(ground: Session) -> tuple[str, ...]:
    """Return the stores that checkouts borrow objects from."""
    objects = str(ground.repository.objects)
    return (objects, *lenders(ground.git, ground.repository.git_dir))


def _tools(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return where the programs lie that commands are made of, our own among them."""
    path = variables.get("PATH", os.defpath)
    folders = [folder for folder in path.split(os.pathsep) if os.path.isabs(folder)]
    programs = [virtual_environment(folder) for folder in folders]
    return (*programs, str(HOUSE), sys.prefix, sys.base_prefix, _NAMES_OF_HOSTS)


def _writable(ground: Session, held: Iterable[str]) -> tuple[str, ...]:
    """Return what workers may write beside their own; raise ConfigurationError for what holds it.

    Landlock takes no right back within a folder.
    """
    writable = ground.settings.config.sandbox.writable
    found = _existing(_expanded(writable, ground.host.variables))
    for folder in found:
        for place in map(os.path.realpath, held):
            if is_within(place, [folder]):
                raise ConfigurationError(
                    f"sandbox.writable names {folder!r}, which holds {place!r}",
                    hint="name the folders in it that workers need",
                )
    return found


def _expanded(paths: Iterable[str], variables: Mapping[str, str]) -> list[str]:
    home = variables.get("HOME", "")
    named = [home + path[1:] if path.startswith("~/") else path for path in paths]
    return [path for path in named if os.path.isabs(path)]


def _existing(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the real paths of what is there."""
    return tuple(sorted({os.path.realpath(path) for path in paths if os.path.exists(path)}))
