"""Bundles against each other: where two of them meet, found without comparing pairs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tools.codex.factory.domain.body import TextBody
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.edit import Edit, clashes, edits
from tools.codex.factory.domain.finding import Code, Finding, Severity
from tools.codex.factory.domain.identity import RepoPath, WorkerId
from tools.codex.factory.domain.lever import dropping, either, sharing
from tools.codex.factory.domain.patch import GITLINK, SYMLINK
from tools.codex.factory.domain.path import ancestors, quoted
from tools.codex.factory.domain.scope import Lock, global_file
from tools.codex.factory.domain.shape import emptied
from tools.codex.factory.domain.spelling import ChangesOf, Collision, collisions
from tools.codex.factory.domain.tree import BaseTree


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One place where bundles meet. `lines` are base lines, from 1, last included.

    `sides` are the workers that meet: those of one side get along with each other here.
    """

    path: str
    code: Code
    sides: tuple[tuple[WorkerId, ...], ...]
    lines: tuple[int, int] | None
    message: str
    hint: str
    blocks: bool

    @property
    def workers(self) -> tuple[WorkerId, ...]:
        """Return everyone who is in this row, sorted."""
        return tuple(sorted({worker for side in self.sides for worker in side}))


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Every row, and the shared files whose edits fit together, with their writers."""

    rows: tuple[Row, ...]
    shared: Mapping[RepoPath, tuple[WorkerId, ...]]

    def findings(self) -> list[Finding]:
        """Return one finding for each row, whose subject names every worker."""
        return [
            Finding(
                code=row.code,
                severity=Severity.BLOCKS if row.blocks else Severity.NOTE,
                subject=f"{', '.join(row.workers)}: {row.path}",
                message=row.message,
                hint=row.hint,
            )
            for row in self.rows
        ]


def overlaps(
    changes_of: ChangesOf,
    locks: Mapping[WorkerId, Lock],
    base: BaseTree,
    *,
    allow_identical: bool,
) -> Overlaps:
    """Return where the bundles meet. The cost grows with the paths, not with pairs of workers."""
    writers: dict[RepoPath, list[tuple[WorkerId, Change]]] = {}
    for worker in sorted(changes_of):
        for change in changes_of[worker]:
            writers.setdefault(change.path, []).append((worker, change))
    rows: list[Row] = []
    shared: dict[RepoPath, tuple[WorkerId, ...]] = {}
    for path, several in writers.items():
        if len(several) > 1:
            met = _same_path(path, several, locks, allow_identical)
            rows += met
            if not any(row.blocks for row in met):
                shared[path] = tuple(worker for worker, _ in several)
    rows += _file_directory(writers)
    rows += [_name_row(collision) for collision in collisions(changes_of, base)]
    rows += _global_files(writers)
    rows += _emptied_directories(changes_of, base)
    return Overlaps(tuple(sorted(set(rows), key=_row_order)), dict(sorted(shared.items())))


def _row_order(row: Row) -> tuple[str, str, tuple[WorkerId, ...], tuple[int, int]]:
    return row.path, row.code, row.workers, row.lines or (0, 0)


def _same_path(
    path: RepoPath,
    several: list[tuple[WorkerId, Change]],
    locks: Mapping[WorkerId, Lock],
    allow_identical: bool,
) -> list[Row]:
    sides = tuple((worker,) for worker, _ in several)
    not_sharing = [worker for worker, _ in several if not locks[worker].shares(path)]
    if not_sharing:
        said, hint = _unshared(path, several, not_sharing, locks)
        return [_row(Code.OVERLAP_SAME_PATH, path, sides, said, hint)]
    if allow_identical and len({change.new for _, change in several}) == 1:
        return []
    bodies = {worker: _text_edits(change) for worker, change in several}
    texts: dict[str, tuple[Edit, ...]] = {w: own for w, own in bodies.items() if own is not None}
    modes = [c.new.mode for _, c in several if c.new and c.old and c.new.mode != c.old.mode]
    if len(texts) < len(bodies) or len(set(modes) if allow_identical else modes) > 1:
        message = f"{_deeds(several)}; a shared file takes text edits, and one change of its mode"
        hint = either(*_alone(path, bodies, locks))
        return [_row(Code.OVERLAP_SAME_PATH, path, sides, message, hint)]
    return [
        Row(
            path=quoted(path),
            code=Code.OVERLAP_HUNKS,
            sides=tuple((WorkerId(owner),) for owner in clash.owners),
            lines=_lines(clash.start, clash.end),
            message=_hunk_message(clash.start, clash.end),
            hint=either(*_alone(path, clash.owners, locks))
            + "; in another run, leave an untouched line between the edits",
            blocks=True,
        )
        for clash in clashes(texts, allow_identical=allow_identical)
    ]


def _unshared(
    path: RepoPath,
    several: list[tuple[WorkerId, Change]],
    not_sharing: list[WorkerId],
    locks: Mapping[WorkerId, Lock],
) -> tuple[str, str]:
    alone = _alone(path, (worker for worker, _ in several), locks)
    message = f"{_deeds(several)}; not shared by {', '.join(not_sharing)}"
    if all(_text_edits(change) is not None for _, change in several):
        return message, either((sharing(path), "unites their edits"), *alone)
    return message, either(*alone)


def _alone(
    path: RepoPath, workers: Iterable[str], locks: Mapping[WorkerId, Lock]
) -> list[tuple[str, str]]:
    """Return how a path is left to one of those who write it: the first who may."""
    several = list(workers)
    first = next((one for one in several if locks[WorkerId(one)].allows(path)), several[0])
    return [(dropping(one, path), f"leaves it to {first}") for one in several if one != first]


def _deeds(several: list[tuple[WorkerId, Change]]) -> str:
    return ", ".join(f"{change.change_type} by {worker}" for worker, change in several)


def _lines(start: int, end: int) -> tuple[int, int]:
    """Return base lines from 1; where lines are only added, the one that they follow."""
    return (start + 1, end) if end > start else (max(start, 1), max(start, 1))


def _hunk_message(start: int, end: int) -> str:
    if end > start:
        where = f"line {end}" if end == start + 1 else f"lines {start + 1} to {end}"
        return f"edits touch at {where} of the base"
    return f"lines are added at one place, {f'after line {start}' if start else 'at the top'}"


def _text_edits(change: Change) -> tuple[Edit, ...] | None:
    """Return the edits of a plain file, none where only its mode changes; None for all else."""
    if change.old is None or change.new is None:
        return None
    if {change.old.mode, change.new.mode} & {GITLINK, SYMLINK}:
        return None
    if change.body is None:
        return () if change.old.id == change.new.id else None
    return edits(change.body) if isinstance(change.body, TextBody) else None


def _file_directory(writers: Mapping[RepoPath, list[tuple[WorkerId, Change]]]) -> Iterable[Row]:
    """Yield a row for each path that one bundle keeps below a file of another, or the like."""
    for path, several in writers.items():
        for above in ancestors(path):
            others = writers.get(RepoPath(above))
            if others is None:
                continue
            here = {worker for worker, change in several if change.new is not None}
            there = {worker for worker, change in others if change.new is not None}
            if here and there and here != there:
                yield _row(
                    Code.OVERLAP_FILE_DIRECTORY,
                    path,
                    (here, there),
                    f"{', '.join(sorted(there))} makes {quoted(above)!r} a file, link or submodule",
                    either(
                        *((dropping(worker, path), "leaves it out") for worker in sorted(here)),
                        *(
                            (dropping(w, above), f"leaves {quoted(above)} out")
                            for w in sorted(there)
                        ),
                    ),
                )


def _name_row(collision: Collision) -> Row:
    return _row(
        Code.OVERLAP_NAME,
        collision.name,
        collision.sides,
        f"{quoted(collision.other)!r} is the same name where case or Unicode form is ignored",
        either((dropping(collision.sides[-1][-1]), "leaves the work of one out")),
    )


def _global_files(writers: Mapping[RepoPath, list[tuple[WorkerId, Change]]]) -> Iterable[Row]:
    owners: dict[str, dict[WorkerId, RepoPath]] = {}
    for path, several in writers.items():
        name = global_file(path)
        if name is not None:
            for worker, _ in several:
                owners.setdefault(name, {}).setdefault(worker, path)
    for name, path_of in owners.items():
        if len(path_of) > 1:
            yield _row(
                Code.OVERLAP_GLOBAL_FILE,
                min(path_of.values()),
                [[worker] for worker in sorted(path_of)],
                f"{name} files act on other paths, so one worker alone may write them",
                either(
                    *((dropping(w, path), "leaves it out") for w, path in sorted(path_of.items()))
                ),
            )


def _emptied_directories(changes_of: ChangesOf, base: BaseTree) -> Iterable[Row]:
    """Yield a note where one bundle adds below a directory that another takes away or renames."""
    emptier: dict[str, WorkerId] = {}
    for worker in sorted(changes_of):
        by_path = {change.path: change for change in changes_of[worker]}
        gone = {d for c in changes_of[worker] if c.new is None for d in ancestors(c.path)}
        for directory in sorted(gone):
            if directory not in emptier and emptied(directory, by_path, base):
                emptier[directory] = worker
    if not emptier:
        return
    for worker, changes in changes_of.items():
        for change in changes:
            above = next((d for d in ancestors(change.path) if d in emptier), None)
            if above is None or change.old is not None or emptier[above] == worker:
                continue
            yield Row(
                path=quoted(change.path),
                code=Code.OVERLAP_EMPTIED,
                sides=((worker,), (emptier[above],)),
                lines=None,
                message=f"{emptier[above]} takes away all that was in {quoted(above)!r}",
                hint="look whether the new file belongs where the others went",
                blocks=False,
            )


def _row(code: Code, path: str, sides: Iterable[Iterable[WorkerId]], said: str, hint: str) -> Row:
    return Row(
        path=quoted(path),
        code=code,
        sides=tuple(tuple(sorted(side)) for side in sides),
        lines=None,
        message=said,
        hint=hint,
        blocks=True,
    )


def matrix(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Return, worker by worker, in how many rows they meet."""
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        side_of = {worker: side for side in row.sides for worker in side}
        for one in side_of:
            for other in side_of:
                if side_of[one] != side_of[other]:
                    line = found.setdefault(one, {})
                    line[other] = line.get(other, 0) + 1
    return found
