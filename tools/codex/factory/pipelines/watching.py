"""A run watched: what the ledger says of it as it grows, until the run ends."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tools.codex.factory.domain.event import LedgerLine
from tools.codex.factory.domain.progress import Ending, Progress, ending, followed
from tools.codex.factory.errors import EXIT_CODE_OF_STATUS, RunUnavailable
from tools.codex.factory.pipelines.history import unknown_run
from tools.codex.factory.pipelines.record import run_named
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.storage.follow import followed_run
from tools.codex.factory.storage.lock import is_held

_MOST_UNHELD = 3
"""So often nobody holds a run, and nothing is new, until it is said to have no factory."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen of a run at one moment: all of it, and which events are new since the last."""

    progress: Progress
    fresh: tuple[LedgerLine, ...]
    ending: Ending | None

    @property
    def exit_code(self) -> int:
        """Return what a command ends with that saw the run until now."""
        if self.ending is None:
            return 0
        rc = self.ending.rc
        return rc if rc is not None else EXIT_CODE_OF_STATUS[self.ending.status]


def sights(ground: Session, name: str | None, *, pause: Callable[[], None]) -> Iterator[Sight]:
    """Yield what is seen of the run called `name`, or the newest; last how it ended.

    Raises RunUnavailable where the ledger knows none. Nothing is written, and no lock is taken.
    """
    wanted = run_named(name) if name is not None else None
    with followed_run(ground.ledger.file, wanted) as run:
        if run is None or not run.begun:
            raise _none(ground, wanted)
        progress, unheld = Progress(run_id=run.run), 0
        fresh = tuple(run.begun)
        while True:
            # In this order: an end is in the ledger before its lock is let go.
            is_seen = is_held(ground.runs_root / run.run)
            fresh += tuple(run.more())
            progress = followed(progress, fresh)
            unheld = 0 if is_seen or fresh else unheld + 1
            end = ending(progress, is_held=unheld < _MOST_UNHELD)
            yield Sight(progress, fresh, end)
            if end is not None:
                return
            pause()
            fresh = ()


def _none(ground: Session, wanted: str | None) -> RunUnavailable:
    if wanted is not None:
        return unknown_run(ground, wanted)
    return RunUnavailable(
        f"there is no run in {str(ground.runs_root)!r}",
        hint="`factory oneshot --plan FILE` makes one",
    )
