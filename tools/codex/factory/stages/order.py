"""What an executor is told to do for a worker of the plan."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tools.codex.factory.domain.confinement import Confinement
from tools.codex.factory.domain.event import Event
from tools.codex.factory.domain.identity import WorkerId
from tools.codex.factory.domain.order import CHECKOUT, OUTBOX, PROMPT, Step, WorkOrder
from tools.codex.factory.domain.plan import Plan, WorkerEntry, seconds
from tools.codex.factory.domain.rehearsal import PROGRAM
from tools.codex.factory.domain.secret import Secrets
from tools.codex.factory.domain.settings import Work
from tools.codex.factory.executors.local import MARK, Local
from tools.codex.factory.repository.discovery import Base
from tools.codex.factory.repository.objects import Objects
from tools.codex.factory.stages.gather import Source
from tools.codex.factory.storage.attempt import Attempt
from tools.codex.factory.storage.run_directory import RunDirectory


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where workers work: the run's folder in the work root, and what they are given.

    `environment` is what the allow-list lets through; `rehearsing` is the command line of the
    built-in worker, empty where the run is no rehearsal; `shallow` is the content of the user's
    file of that name. `blocks_trespass`: a worker that tried to write outside is BLOCKED.
    """

    folder: Path
    place: Local
    work: Work
    environment: Mapping[str, str]
    rehearsing: tuple[str, ...]
    shallow: str
    confinement: Confinement
    blocks_trespass: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A run whose workers are run: what every step of it needs."""

    run: RunDirectory
    plan: Plan
    sources: Mapping[WorkerId, Source]
    site: Site
    base: Base
    objects: Objects
    secrets: Secrets
    clock: Callable[[], datetime]
    stamp: Callable[[datetime], str]
    record: Callable[[Event], None]
    disturbed: Counter[WorkerId] = field(default_factory=Counter)
    """How often a worker's supervisor was killed, or told to stop by a stranger, since launch."""


def worker_order(
    about: Launch, entry: WorkerEntry, attempt: Attempt, *, is_lost: bool
) -> WorkOrder:
    """Return the order to work in `attempt`; `is_lost` where who worked there before is gone."""
    work, folder = about.site.work, attempt.folder
    words = {
        "{checkout}": str(folder / CHECKOUT),
        "{outbox}": str(folder / OUTBOX),
        "{run_id}": about.run.run,
        "{worker_id}": entry.id,
        "{prompt_file}": str(folder / PROMPT),
    }
    steps = [
        Step(
            name=f"setup-{number}",
            kind="setup",
            argv=_filled(argv, words),
            wall_seconds=seconds(work.setup_timeout),
            idle_seconds=None,
        )
        for number, argv in enumerate(entry.setup, start=1)
    ]
    if entry.command is not None:
        argv = entry.command
        if about.site.rehearsing and argv[0] == PROGRAM:
            argv = (*about.site.rehearsing, *argv[1:])
        steps.append(
            Step(
                name="worker",
                kind="work",
                argv=_filled(argv, words),
                wall_seconds=seconds(entry.timeout or work.timeout),
                idle_seconds=seconds(entry.idle_timeout) if entry.idle_timeout else None,
            )
        )
    return WorkOrder(
        name=entry.id,
        folder=str(folder),
        commit=about.base.commit,
        store=str(about.run.store),
        shallow=about.site.shallow,
        makes=True,
        captures=entry.command is not None,
        steps=tuple(steps),
        environment={
            **about.site.environment,
            MARK: str(folder),
            "FACTORY_OUTBOX": words["{outbox}"],
            "FACTORY_RUN_ID": about.run.run,
            "FACTORY_WORKER_ID": entry.id,
        },
        is_check=False,
        confinement=about.site.confinement,
        grace_seconds=seconds(work.grace),
        log_bytes=work.log_bytes,
        ignore=about.plan.policy.capture_ignore,
        limits=about.plan.policy.limits(),
        is_lost=is_lost,
    )


def _filled(argv: tuple[str, ...], words: Mapping[str, str]) -> tuple[str, ...]:
    """Return `argv` with each placeholder's value; any other brace stays as it is."""

    def fill(word: str) -> str:
        for placeholder, value in words.items():
            word = word.replace(placeholder, value)
        return word

    return tuple(fill(word) for word in argv)
