"""What runs left behind, as rows: each with what becomes of it, and what the operator can do."""

from collections.abc import Iterator
from pathlib import Path

from tools.codex.factory.domain.event import PRUNED, RunView
from tools.codex.factory.domain.fitness import Row, noted, ok
from tools.codex.factory.domain.identity import RunId
from tools.codex.factory.domain.wording import few
from tools.codex.factory.errors import FactoryError, LedgerDamaged
from tools.codex.factory.pipelines.chain import Chain, LedgerOnce
from tools.codex.factory.pipelines.cut_ledger import cut_at, saw_it
from tools.codex.factory.pipelines.record import integrator_status
from tools.codex.factory.pipelines.stale import Left, State, left_in
from tools.codex.factory.pipelines.standing import Standing
from tools.codex.factory.pipelines.stored import temporary_folder
from tools.codex.factory.repository.discovery import UserRepository
from tools.codex.factory.stages.preflight import refused
from tools.codex.factory.storage.attempt import ownerless
from tools.codex.factory.storage.cut_off import (
    IN_RUNS_ROOT,
    IN_TEMPORARY,
    IN_WORK_ROOT,
    cut_off_in,
)
from tools.codex.factory.storage.half_begun import foreign_folders, half_begun
from tools.codex.factory.storage.ledger import LEDGER
from tools.codex.factory.storage.lock import holder_of
from tools.codex.factory.storage.removal import set_aside_in
from tools.codex.factory.storage.room import nearest
from tools.codex.factory.storage.run_directory import RunDirectory
from tools.codex.factory.storage.runs_root import begun_in
from tools.codex.factory.storage.work_root import repository_folder

_MOST_NAMED = 10
_FIX = "factory doctor --fix removes it"
_LATER = "factory doctor --fix removes it, an hour after it was last written"
_SAID: dict[State, tuple[str, str]] = {
    "busy": ("a factory holds its run", ""),
    "held": ("a supervisor or another process still works in it", "wait until it ends, or end it"),
    "waits": ("it waits for who works outside", "factory collect --run-id {run}"),
    "open": ("its work is in no bundle yet", "the command that began it, with --run-id {run}"),
    "partial": ("it was not captured whole: something is there alone", "look, then remove it"),
    "broken": (
        "captured whole, and its sealed bundle is not what was sealed: this may be the only copy",
        "factory ledger-replay --run-id {run}",
    ),
    "unknown": (
        "its run is not in this runs root",
        "see whether another runs root has it; then look, and remove it",
    ),
    "kept": ("captured whole and sealed; work.keep keeps it", "remove it, or unset work.keep"),
    "done": ("captured whole and sealed; nobody needs it", _FIX),
    "check": ("a check that was cut off worked in it; nobody needs it", _FIX),
    "half": ("its removal was cut off", _FIX),
}


def left_rows(standing: Standing) -> tuple[Row, ...]:
    """Return rows about what lies in the work root and in TMPDIR."""
    rows = [
        noted("work root", f"{one.run} {one.worker}", f"{_at(one)}: {said}", hint.format(run=run))
        for one in left(standing)
        for (said, hint), run in ((_SAID[one.state], one.run),)
    ]
    top = temporary_folder(standing)
    names = [path.name for path in ownerless(top)]
    said = f"of attempts that are gone, in {top}: {_few(names)}"
    rows += [noted("work root", "throw-away files", said, _FIX)] if names else []
    rows += [
        noted("work root", "throw-away files", f"of a command that was cut off: {path}", _LATER)
        for path in cut_off(standing)
    ]
    return tuple(rows) or (ok("work root", "stale work", "none"),)


def cut_off(standing: Standing) -> tuple[Path, ...]:
    """Return what commands that were killed were about to throw away themselves."""
    places: dict[Path, tuple[str, ...]] = {temporary_folder(standing): IN_TEMPORARY}
    work, runs = standing.work_root, standing.runs_root
    if isinstance(work, Path):
        places[nearest(work)] = (*places.get(nearest(work), ()), *IN_WORK_ROOT)
    if isinstance(runs, Path):
        places[runs] = (*places.get(runs, ()), *IN_RUNS_ROOT)
    return tuple(path for top, prefixes in places.items() for path in cut_off_in(top, prefixes))


def left(standing: Standing) -> tuple[Left, ...]:
    """Return every attempt of this repository that lies in the work root."""
    places = left_places(standing)
    keep = standing.settings.config.work.keep
    return left_in(*places, keep=keep) if places is not None else ()


def left_places(standing: Standing) -> tuple[Path, Path] | None:
    """Return where the attempts of this repository lie, and its runs; None where none can."""
    root, repository, runs = standing.work_root, standing.repository, standing.runs_root
    if isinstance(root, Path) and isinstance(repository, UserRepository) and isinstance(runs, Path):
        return repository_folder(root, repository.git_dir), runs
    return None


def run_rows(root: Path, once: LedgerOnce) -> tuple[Row, ...]:
    """Return rows about the runs in the runs root: held, open, unknown, gone, half begun."""
    if not root.is_dir():
        return ()
    views = _views(once)
    names = list(begun_in(root))
    rows = [
        *_cut_rows(root, once, names),
        *_held_rows(root, names),
        *_named(
            "runs that have no end",
            _open(root, views or {}, names),
            "factory integrate --run-id ID, or the command that began one with its --run-id",
        ),
        *_named(
            "runs that the ledger does not know",
            [name for name in names if views is not None and name not in views],
            "`factory ledger-replay` verifies each by its seals",
        ),
        *_named(
            "runs that the ledger knows, and that are gone",
            _gone(root, views or {}, names),
            "put their folders back; the ledger stays as it is",
        ),
        *_named("runs whose removal was cut off", set_aside_in(root), "factory runs prune ends it"),
        *_named("folders that are no run", foreign_folders(root), "look, then move them elsewhere"),
    ]
    rows += [
        noted("runs root", f"half begun: {name}", "no manifest was written in it", _FIX)
        for name in half_begun(root)
        if not holder_of(root / name)
    ]
    return tuple(rows)


def _gone(root: Path, views: dict[str, RunView], names: list[str]) -> list[str]:
    """Return the runs that are away, and that nobody removed or is removing."""
    aside = set_aside_in(root)
    away = [name for name, view in views.items() if view.status != PRUNED and name not in names]
    return [name for name in away if name not in aside]


def _held_rows(root: Path, names: list[str]) -> Iterator[Row]:
    for name in names:
        said = holder_of(root / name)
        if said:
            yield noted("runs root", f"held: {name}", said, "wait until it ends")


def _cut_rows(root: Path, once: LedgerOnce, names: list[str]) -> Iterator[Row]:
    """Yield that lines were cut off the ledger, as the first run says that names one."""
    chain = _chain(once)
    for name in names if chain is not None else ():
        try:
            status = integrator_status(RunDirectory(root, RunId(name)))
        except (FactoryError, ValueError):
            continue
        head = status.ledger
        if chain is None or head is None or not saw_it(chain.views.get(name), status):
            continue
        # What a run recorded since the chain was read is looked for where it lies now.
        there = chain.digest_of_line(head.count) or once.ledger.digest_of_line(head.count)
        if head.count > 0 and there != head.sha256:
            error = LedgerDamaged(LEDGER, cut_at(name, head))
            yield refused("runs root", "ledger", error)
            return


def _chain(once: LedgerOnce) -> Chain | None:
    """Return the verified ledger; None where it is damaged, which has its own row."""
    try:
        return once.chain()
    except FactoryError:
        return None


def _views(once: LedgerOnce) -> dict[str, RunView] | None:
    """Return what the ledger knows of each run; None where it is damaged."""
    chain = _chain(once)
    return chain.views if chain is not None else None


def _open(root: Path, views: dict[str, RunView], names: list[str]) -> list[str]:
    return [
        name
        for name in names
        if name in views and views[name].ended is None and not holder_of(root / name)
    ]


def _named(what: str, names: list[str] | tuple[str, ...], remedy: str) -> Iterator[Row]:
    if names:
        yield noted("runs root", what, _few(names), remedy)


def _few(names: list[str] | tuple[str, ...]) -> str:
    return f"{len(names)}: {few(names, _MOST_NAMED)}"


def _at(one: Left) -> str:
    return str(one.attempt.folder)
