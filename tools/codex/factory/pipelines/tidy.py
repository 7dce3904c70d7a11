"""What `doctor --fix` does: what is safe, and nothing else."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.identity import RunId
from tools.codex.factory.errors import FactoryError, RunUnavailable
from tools.codex.factory.executors.local import is_worked_in
from tools.codex.factory.executors.quota import root_mark
from tools.codex.factory.pipelines.chain import LedgerOnce
from tools.codex.factory.pipelines.leftover import cut_off, left_places
from tools.codex.factory.pipelines.pipeline import locked
from tools.codex.factory.pipelines.stale import clear_done
from tools.codex.factory.pipelines.standing import Standing
from tools.codex.factory.pipelines.stored import ledger_rows, temporary_folder
from tools.codex.factory.process.cgroup import remove_leftovers
from tools.codex.factory.repository.checkout import remove_checkout
from tools.codex.factory.storage.attempt import Attempt, ownerless
from tools.codex.factory.storage.cut_off import is_settled
from tools.codex.factory.storage.half_begun import age_seconds, half_begun, remove_leftover
from tools.codex.factory.storage.run_directory import RunDirectory
from tools.codex.factory.storage.runs_root import IGNORE, make_runs_root
from tools.codex.factory.storage.work_root import make_work_root
from tools.codex.factory.wiring import clock

_SETTLED_SECONDS = 60.0
"""How long a folder without a manifest lies untouched before nobody can be beginning in it."""

Fix = Callable[[Standing], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Tidied:
    """What was done, and what could not be, in words."""

    done: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()


def tidied(standing: Standing) -> Tidied:
    """Do what is safe; what fails stays, and keeps nothing else from being done."""
    done: list[str] = []
    troubles: list[str] = []
    for fix in FIXES:
        try:
            for one in fix(standing):
                done.append(one)
        except FactoryError as error:
            troubles.append(f"not fixed: {error}")
        except OSError as error:
            troubles.append(f"not fixed: {error.filename}: {error.strerror}")
    return Tidied(tuple(done), tuple(troubles))


def _runs_root_made(standing: Standing) -> Iterator[str]:
    root = standing.runs_root
    if isinstance(root, Path) and not (root / IGNORE).exists():
        make_runs_root(root)
        yield f"made {root} with its {IGNORE}"


def _work_root_made(standing: Standing) -> Iterator[str]:
    root = standing.work_root
    if isinstance(root, Path) and not root.is_dir():
        make_work_root(root)
        yield f"made {root}"


def _ledger_repaired(standing: Standing) -> Iterator[str]:
    root = standing.runs_root
    if not isinstance(root, Path):
        return
    once = LedgerOnce(root)
    ledger = once.ledger
    torn = ledger.torn_bytes() if once.is_plain() else 0
    if torn and all(row.is_fit for row in ledger_rows(once)):
        ledger.append([])
        yield f"set aside the torn last line of {ledger.file} ({torn} bytes)"


def _throw_away_removed(standing: Standing) -> Iterator[str]:
    for path in ownerless(temporary_folder(standing)):
        if not is_worked_in(Attempt(path)):
            remove_checkout(path)
            yield f"removed {path}: the attempt that made it is gone"
    for path in cut_off(standing):
        if is_settled(path, clock().timestamp()):
            remove_checkout(path)
            yield f"removed {path}: the command that made it was cut off"


def _attempts_removed(standing: Standing) -> Iterator[str]:
    places = left_places(standing)
    if places is not None:
        keep = standing.settings.config.work.keep
        yield from clear_done(*places, keep=keep, remove=remove_checkout)


def _groups_removed(standing: Standing) -> Iterator[str]:
    root = standing.work_root
    for folder in remove_leftovers(root_mark(root)) if isinstance(root, Path) else ():
        yield f"removed {folder}: the supervisor that made it is gone"


def _half_begun_removed(standing: Standing) -> Iterator[str]:
    root = standing.runs_root
    for name in half_begun(root) if isinstance(root, Path) else ():
        directory = RunDirectory(Path(str(root)), RunId(name))
        if age_seconds(directory.folder, clock().timestamp()) < _SETTLED_SECONDS:
            continue
        with suppress(RunUnavailable), locked(directory):
            if remove_leftover(directory.folder):
                yield f"removed {os.fspath(directory.folder)}: a run that was never begun"


FIXES: tuple[Fix, ...] = (
    _runs_root_made,
    _work_root_made,
    _ledger_repaired,
    _attempts_removed,
    _throw_away_removed,
    _groups_removed,
    _half_begun_removed,
)
