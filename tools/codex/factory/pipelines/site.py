"""Where the workers and checks of a run work: its folder, its supervisors, what they may know."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.codex.factory.domain.identity import digest_of
from tools.codex.factory.errors import ConfigurationError
from tools.codex.factory.executors import rehearsal
from tools.codex.factory.executors.local import Local
from tools.codex.factory.pipelines.record import RecordedRun
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.repository.discovery import shallow_of, work_trees
from tools.codex.factory.stages.order import Site
from tools.codex.factory.storage.run_directory import MANIFEST
from tools.codex.factory.storage.work_root import make_work_root, run_folder, work_root
from tools.codex.factory.wiring import own_environment, supervisor_command


def root_of(ground: Session) -> Path:
    """Return the work root, made; raise ConfigurationError where it may not lie there."""
    root = root_named(ground)
    make_work_root(root)
    return root


def root_named(ground: Session) -> Path:
    """Return where the work root is to be; raise ConfigurationError where it may not."""
    settings = ground.settings
    from_here = settings.provenance["work.root"] == "command line"
    variables = ground.host.variables
    root = work_root(
        settings.config.work.root,
        cache=variables.get("XDG_CACHE_HOME"),
        home=variables.get("HOME"),
        start=ground.folder if from_here else ground.repository.work_tree,
    )
    if ground.runs_root == root or ground.runs_root in root.parents:
        raise ConfigurationError(
            f"work.root = {str(root)!r} lies in the runs root", hint="name a folder of its own"
        )
    return root


@contextmanager
def site(ground: Session, run: RecordedRun) -> Iterator[Site]:
    """Yield where the run's workers work; left, whatever ran there has ended and was captured."""
    root = root_of(ground)
    work = ground.settings.config.work
    place = Local(
        command=supervisor_command(),
        environment=own_environment(ground.host.variables),
        jobs=work.jobs,
    )
    manifest = digest_of(run.directory.read(MANIFEST))
    folder = run_folder(root, ground.repository.git_dir, run.directory.run, manifest)
    built_in = (sys.executable, "-I", "-S", rehearsal.__file__, "{worker_id}", "{outbox}")
    try:
        with place:
            yield Site(
                folder=folder,
                place=place,
                work=work,
                environment=_let_through(ground.host.variables, work.environment),
                rehearsing=built_in if run.manifest.rehearsal else (),
                shallow=shallow_of(ground.git, ground.repository),
            )
    finally:
        # What holds no checkout any more is no use to anyone.
        with suppress(OSError):
            folder.rmdir()
            folder.parent.rmdir()


def check_environment(ground: Session) -> dict[str, str]:
    """Return what a check gets of the operator's environment: no folder of their work trees."""
    found = _let_through(ground.host.variables, ground.settings.config.checks.environment)
    if "PATH" in found:
        tops = work_trees(ground.git, ground.repository)
        kept = [one for one in found["PATH"].split(os.pathsep) if one and not _below(one, tops)]
        found["PATH"] = os.pathsep.join(kept)
    return found


def _let_through(variables: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: variables[name] for name in names if name in variables}


def _below(folder: str, tops: Iterable[str]) -> bool:
    real = os.path.realpath(folder)
    return not os.path.isabs(folder) or any(f"{real}/".startswith(f"{top}/") for top in tops)
