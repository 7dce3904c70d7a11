"""Where the workers and checks of a run work: its folder, its supervisors, what they may know."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.codex.factory.config import Settings
from tools.codex.factory.domain.confinement import Confinement
from tools.codex.factory.domain.event import Event
from tools.codex.factory.domain.identity import digest_of
from tools.codex.factory.errors import ConfigurationError
from tools.codex.factory.executors import rehearsal
from tools.codex.factory.executors.local import Local
from tools.codex.factory.pipelines.confining import weaker_event
from tools.codex.factory.pipelines.record import RecordedRun
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.repository.discovery import shallow_of, work_trees
from tools.codex.factory.stages.order import Site
from tools.codex.factory.storage.run_directory import MANIFEST, RunDirectory
from tools.codex.factory.storage.work_root import make_work_root, run_folder, work_root
from tools.codex.factory.wiring import own_environment, supervisor_command


def root_of(ground: Session) -> Path:
    """Return the work root, made; raise ConfigurationError where it may not lie there."""
    root = work_root_of(ground)
    make_work_root(root)
    return root


def work_root_of(ground: Session) -> Path:
    """Return the work root, made or not; raise ConfigurationError where it may not lie there."""
    return root_named(
        ground.settings,
        ground.host.variables,
        folder=ground.folder,
        work_tree=ground.repository.work_tree,
        runs_root=ground.runs_root,
    )


def root_named(
    settings: Settings,
    variables: Mapping[str, str],
    *,
    folder: Path,
    work_tree: Path,
    runs_root: Path | None,
) -> Path:
    """Return where the work root is to be; raise ConfigurationError where it may not lie there."""
    from_here = settings.provenance["work.root"] == "command line"
    root = work_root(
        settings.config.work.root,
        cache=variables.get("XDG_CACHE_HOME"),
        home=variables.get("HOME"),
        start=folder if from_here else work_tree,
    )
    if runs_root is not None and (runs_root == root or runs_root in root.parents):
        raise ConfigurationError(
            f"work.root = {str(root)!r} lies in the runs root", hint="name a folder of its own"
        )
    return root


def work_folder(ground: Session, root: Path, run: RunDirectory) -> Path:
    """Return where the checkouts of a run lie below the work root."""
    manifest = digest_of(run.read(MANIFEST))
    return run_folder(root, ground.repository.git_dir, run.run, manifest)


@contextmanager
def site(
    ground: Session, run: RecordedRun, confinement: Confinement, record: Callable[[Event], None]
) -> Iterator[Site]:
    """Yield where the run's workers or checks work, confined as `confinement` says.

    Left, whatever ran there has ended and was captured.
    """
    root = root_of(ground)
    work = ground.settings.config.work
    place = Local(
        command=supervisor_command(),
        environment=own_environment(ground.host.variables),
        jobs=work.jobs,
    )
    folder = work_folder(ground, root, run.directory)
    if confinement.weaker:
        record(weaker_event(run.directory.run, confinement))
    built_in = (sys.executable, "-I", "-S", rehearsal.__file__, "{worker_id}", "{outbox}")
    try:
        with place:
            yield Site(
                folder=folder,
                place=place,
                work=work,
                environment=let_through(ground.host.variables, work.environment),
                rehearsing=built_in if run.manifest.rehearsal else (),
                shallow=shallow_of(ground.git, ground.repository),
                confinement=confinement,
                blocks_trespass=ground.settings.config.sandbox.on_attempt == "block",
            )
    finally:
        # What holds no checkout any more is no use to anyone.
        with suppress(OSError):
            folder.rmdir()
            folder.parent.rmdir()


def check_environment(ground: Session) -> dict[str, str]:
    """Return what a check gets of the operator's environment: no folder of their work trees."""
    found = let_through(ground.host.variables, ground.settings.config.checks.environment)
    if "PATH" in found:
        tops = work_trees(ground.git, ground.repository)
        kept = [one for one in found["PATH"].split(os.pathsep) if one and not _below(one, tops)]
        found["PATH"] = os.pathsep.join(kept)
    return found


def let_through(variables: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """Return those of the operator's variables that an allow-list names."""
    return {name: variables[name] for name in names if name in variables}


def _below(folder: str, tops: Iterable[str]) -> bool:
    real = os.path.realpath(folder)
    return not os.path.isabs(folder) or any(f"{real}/".startswith(f"{top}/") for top in tops)
