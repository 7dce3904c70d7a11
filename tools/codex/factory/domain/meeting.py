"""Where workers could meet by their scopes: in files of the base, and in files not there yet."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from tools.codex.factory.domain.finding import Code, Finding, blocking
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.pattern import SAMPLE, is_anywhere, plain_start, samples
from tools.codex.factory.domain.plan import Plan, WorkerEntry
from tools.codex.factory.domain.scope import (
    Lock,
    is_always_denied,
)
from tools.codex.factory.domain.wording import few

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Reach:
    """What one worker may write of the base: paths, and those of them that it shares."""

    worker: str
    paths: frozenset[str]
    shared: frozenset[str]


def _may_write(held: Lock, path: str, plan: Plan) -> bool:
    return held.allows(path) and not is_always_denied(path, plan.runs_root)


def meetings(plan: Plan, locks: Mapping[str, Lock], reaches: Iterable[Reach]) -> list[Finding]:
    """Return a finding for each two workers who may write one path that not both share.

    Workers who may write the very same are one side: of each other, and of everybody else.
    """
    sides: dict[tuple[frozenset[str], frozenset[str]], list[str]] = {}
    for reached in reaches:
        sides.setdefault((reached.paths, reached.shared), []).append(reached.worker)
    found = []
    met: set[tuple[str, str]] = set()
    for (paths, shared), workers in sides.items():
        if len(workers) > 1 and paths - shared:
            found.append(_overlap(", ".join(sorted(workers)), sorted(paths - shared)))
            met |= set(combinations(sorted(workers), 2))
    for (one, ones), (other, others) in combinations(sides.items(), 2):
        both = (one[0] & other[0]) - (one[1] & other[1])
        if both:
            found.append(_overlap(_sides(ones, others), sorted(both)))
            met |= {(min(a, b), max(a, b)) for a in ones for b in others}
    return [*found, *_new_files(plan, locks, met)]


def _sides(ones: Sequence[str], others: Sequence[str]) -> str:
    """Return who meets whom; those of one side may well get along."""
    if len(ones) == len(others) == 1:
        return ", ".join(sorted((*ones, *others)))
    return " and ".join(sorted((", ".join(sorted(ones)), ", ".join(sorted(others)))))


def _overlap(workers: str, paths: Sequence[str], *, new: bool = False) -> Finding:
    named = few([quoted(path) for path in paths], _MOST_NAMED)
    who = "both" if workers.count(",") == 1 and " and " not in workers else "they"
    said = f"{who} may make {named}, which is not there yet" if new else f"{who} may write {named}"
    return blocking(
        Code.PLAN_SCOPES_OVERLAP,
        workers,
        said,
        "narrow `allow` of one, `deny` it there, or let each have it in `shared`",
    )


@dataclass(frozen=True, slots=True)
class _New:
    """What a worker could make: paths, names that may lie anywhere, folders that are its own."""

    paths: tuple[str, ...]
    names: tuple[str, ...]
    folders: tuple[str, ...]
    starts: tuple[str, ...]


def _new_files(
    plan: Plan, locks: Mapping[str, Lock], met: set[tuple[str, str]]
) -> Iterator[Finding]:
    """Yield where workers, who meet nowhere else, may make one file that is not there yet."""
    new = {entry.id: _new(entry) for entry in plan.workers}
    found: dict[str, set[str]] = {}
    for one, other in combinations([entry.id for entry in plan.workers], 2):
        if (one, other) in met:
            continue
        path = _made_by_both(new[one], new[other], (locks[one], locks[other]), plan)
        if path is not None:
            found.setdefault(path, set()).update((one, other))
    for path, workers in found.items():
        yield _overlap(", ".join(sorted(workers)), [path.replace(SAMPLE, "*")], new=True)


def _new(entry: WorkerEntry) -> _New:
    texts = (*entry.allow, *entry.shared)
    wide = [text for text in texts if text.endswith(("/", "/*", "/**"))]
    return _New(
        paths=tuple(dict.fromkeys(path for text in texts for path in samples(text))),
        names=tuple(path for text in texts if is_anywhere(text) for path in samples(text)[:1]),
        folders=tuple(path.rpartition("/")[0] for text in wide for path in samples(text)[:1]),
        starts=tuple(plain_start(text) for text in texts),
    )


def _made_by_both(one: _New, other: _New, held: tuple[Lock, Lock], plan: Plan) -> str | None:
    """Return a path that both may make and not both share, or None where none was found."""
    crossed = [f"{folder}/{name}" for folder in one.folders for name in other.names]
    crossed += [f"{folder}/{name}" for folder in other.folders for name in one.names]
    for path in (*one.paths, *other.paths, *crossed):
        # Most pairs have nothing in common, and asking a pattern costs more than this.
        if not path.startswith(one.starts) or not path.startswith(other.starts):
            continue
        may = all(_may_write(each, path, plan) for each in held)
        if may and not all(each.shares(path) for each in held):
            return path
    return None
