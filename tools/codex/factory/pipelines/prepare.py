"""What a run would be: the plan read, the base and the sources pinned; nothing is written."""

import os
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.identity import WorkerId
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.domain.plan import WORKED, Plan, PlanFile, resolved
from tools.codex.factory.domain.plan_file import PlanRefused, parsed
from tools.codex.factory.domain.rehearsal import built_in_plan, rehearsed
from tools.codex.factory.domain.settings import Work
from tools.codex.factory.errors import ConfigurationError, StorageError, UsageError
from tools.codex.factory.pipelines.secrets import refuse_in_plan, unset_notes
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.pipelines.site import root_of
from tools.codex.factory.repository.discovery import Base, base_of, commit_named
from tools.codex.factory.repository.weight import weight
from tools.codex.factory.repository.work_tree import left_out
from tools.codex.factory.stages.gather import Source, gather, pins
from tools.codex.factory.storage.regular import read_regular
from tools.codex.factory.storage.run_directory import MANIFEST
from tools.codex.factory.storage.runs_root import check_records
from tools.codex.factory.storage.work_root import check_room, on_disk

DEFAULT_PLAN = "factory.plan.toml"


MAX_PLAN_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the operator asked for. `workers` limits the plan to these ids."""

    base_ref: str
    plan_file: str | None
    run_id: str | None
    workers: tuple[str, ...]
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request that was found fit: nothing is written yet."""

    base: Base
    plan: Plan
    sources: dict[WorkerId, Source]
    notes: tuple[str, ...]
    rehearsal: bool


def prepare(ground: Session, request: Request) -> Prepared:
    """Return the plan, the base and the sources; raise what speaks against starting."""
    folder, file = plan_file(ground, request)
    base = base_of(ground.git, ground.repository, request.base_ref)
    if not _goes_on(ground, request):
        check_records(ground.runs_root)
    if request.dry_run or file.checks or any(e.source in WORKED for e in file.workers):
        file = _roomy(ground, request, file, base)
    return planned(ground, request, base, folder, file)


def planned(
    ground: Session, request: Request, base: Base, folder: Path, file: PlanFile
) -> Prepared:
    """Return the plan resolved on a base, its sources pinned; whether there is room is not asked.

    `folder` is where the plan lies. Raises ConfigurationError for a source that is not there.
    """
    policy = ground.settings.config.policy()
    sources = gather(
        file,
        folder=folder,
        git=ground.git,
        repository=ground.repository,
        policy=policy,
    )
    plan = resolved(file, policy, pins(sources), ground.runs_root_in_repository)
    refuse_in_plan(plan, ground.secrets)
    notes = [*ground.settings.notes, *unset_notes(ground.settings, ground.host)]
    head = commit_named(ground.git, ground.repository, "HEAD") or base.commit
    dirty = left_out(ground.git, ground.repository, head)
    if dirty:
        notes.append(f"{dirty} changed or untracked paths of the work tree are in no run")
    return Prepared(
        base=base, plan=plan, sources=sources, notes=tuple(notes), rehearsal=request.dry_run
    )


def _roomy(ground: Session, request: Request, file: PlanFile, base: Base) -> PlanFile:
    """Return the plan, rehearsed where that was asked; raise where its checkouts do not fit."""
    root = root_of(ground)
    heavy = weight(ground.git, ground.repository.git_dir, base.commit, on_disk)
    if request.dry_run:
        file = rehearsed(file, heavy.paths, runs_root=ground.runs_root_in_repository)
    count = checkouts_at_once(file, ground.settings.config.work)
    if _goes_on(ground, request):
        # It goes on: what it needs is there already, or not.
        return file
    check_room(root, size=count * heavy.size, files=count * heavy.files)
    return file


def _goes_on(ground: Session, request: Request) -> bool:
    """Return whether the run that is asked for has begun."""
    name = request.run_id
    return name is not None and (ground.runs_root / name / MANIFEST).exists()


def checkouts_at_once(file: PlanFile | Plan, work: Work) -> int:
    """Return how many checkouts of a plan are there at a time, at most."""
    kept = sum(entry.source == "external" for entry in file.workers)
    running = sum(entry.source == "command" for entry in file.workers)
    count = kept + (running if work.keep else min(running, work.jobs))
    return max(count, min(len(file.checks), work.jobs))


def plan_file(ground: Session, request: Request) -> tuple[Path, PlanFile]:
    """Return the folder that the plan lies in, and the plan; raise where it is wrong."""
    named = request.plan_file
    if request.dry_run and not named and not (ground.repository.work_tree / DEFAULT_PLAN).exists():
        return ground.folder, _limited(built_in_plan(), request.workers)
    path = ground.folder / named if named else ground.repository.work_tree / DEFAULT_PLAN
    try:
        file = parsed(read_regular(os.path.realpath(path), limit=MAX_PLAN_BYTES), path.name)
        return path.parent, _limited(file, request.workers)
    except PlanRefused as refused:
        raise ConfigurationError(str(refused), hint=refused.hint) from refused
    except FileNotFoundError:
        shown = named or DEFAULT_PLAN
        raise ConfigurationError(
            f"plan {shown!r} is not there",
            hint="`factory init` writes one, or name one with --plan",
        ) from None
    except StorageError as error:
        raise ConfigurationError(f"plan {error}", hint=error.hint) from error


def _limited(file: PlanFile, workers: tuple[str, ...]) -> PlanFile:
    known = [entry.id for entry in file.workers]
    for worker in workers:
        if worker not in known:
            raise UsageError(f"the plan has no worker {worker!r}", hint=did_you_mean(worker, known))
    kept = tuple(entry for entry in file.workers if not workers or entry.id in workers)
    return file.model_copy(update={"workers": kept})
