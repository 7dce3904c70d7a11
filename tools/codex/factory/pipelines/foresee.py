"""A plan held against its base before a token is spent: who meets whom, and what it costs."""

from dataclasses import dataclass

from tools.codex.factory.domain.desk_answer import Cost, PlannedWorker
from tools.codex.factory.domain.forecast import Forecast, forecast
from tools.codex.factory.domain.plan import Plan, WorkerEntry, seconds
from tools.codex.factory.domain.settings import Config
from tools.codex.factory.pipelines.prepare import Request, checkouts_at_once, plan_file, planned
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.repository.discovery import Base, base_of
from tools.codex.factory.repository.weight import Weight, weight
from tools.codex.factory.storage.work_root import on_disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """A plan on its base, what it comes to there, and what it costs."""

    plan: Plan
    base: Base
    files: int
    forecast: Forecast
    cost: Cost
    notes: tuple[str, ...]


def foresee(ground: Session, request: Request) -> Foreseen:
    """Return what a plan comes to; nothing is written, and nobody is started."""
    folder, file = plan_file(ground, request)
    base = base_of(ground.git, ground.repository, request.base_ref)
    prepared = planned(ground, request, base, folder, file)
    heavy = weight(ground.git, ground.repository.git_dir, base.commit, on_disk)
    return Foreseen(
        plan=prepared.plan,
        base=base,
        files=len(heavy.paths),
        forecast=forecast(prepared.plan, heavy.paths),
        cost=_cost(prepared.plan, heavy, ground.settings.config),
        notes=prepared.notes,
    )


def planned_workers(plan: Plan, found: Forecast) -> tuple[PlannedWorker, ...]:
    """Return a row for each worker of the plan."""
    return tuple(
        PlannedWorker(
            worker_id=entry.id,
            source=entry.source,
            files=len(reached.paths),
            shared=len(reached.shared),
        )
        for entry, reached in zip(plan.workers, found.reaches, strict=True)
    )


def _cost(plan: Plan, heavy: Weight, config: Config) -> Cost:
    work, jobs = config.work, config.work.jobs
    times = [_worker_seconds(entry, config) for entry in plan.workers if entry.command]
    checks = [
        (1 + check.retries) * seconds(check.timeout or config.checks.timeout)
        + len(plan.integration.setup) * seconds(work.setup_timeout)
        for check in plan.checks
    ]
    count = checkouts_at_once(plan, work)
    return Cost(
        checkouts=count,
        bytes=count * heavy.size,
        files=count * heavy.files,
        processes=min(jobs, max(len(times), len(checks))),
        worker_seconds=sum(times),
        wall_seconds=_at_most(times, jobs) + _at_most(checks, jobs),
    )


def _worker_seconds(entry: WorkerEntry, config: Config) -> int:
    setup = len(entry.setup) * seconds(config.work.setup_timeout)
    return (1 + entry.retries) * (setup + seconds(entry.timeout or config.work.timeout))


def _at_most(times: list[int], jobs: int) -> int:
    """Return how long these take at most, so many at a time, in whatever order (Graham's bound)."""
    if len(times) <= jobs:
        return max(times, default=0)
    return max(times) + (sum(times) - max(times)) // jobs
