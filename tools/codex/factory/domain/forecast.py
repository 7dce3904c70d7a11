"""What a plan comes to on a base tree before anyone works: who may write what, and who meets."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from tools.codex.factory.domain.finding import Code, Finding, blocking, in_order, note
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.domain.path import ancestors, quoted
from tools.codex.factory.domain.pattern import SAMPLE, is_anywhere, patterns, plain_start, samples
from tools.codex.factory.domain.plan import Plan, WorkerEntry
from tools.codex.factory.domain.scope import (
    Lock,
    global_file,
    is_always_denied,
    is_automation,
    lock,
)
from tools.codex.factory.domain.wording import few

_MOST_NAMED = 3
_MOST_FOLDERS = 5000
_GENERATED = frozenset(
    {
        "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock",
        "cargo.lock", "go.sum", "poetry.lock", "uv.lock", "pipfile.lock", "pdm.lock",
        "gemfile.lock", "composer.lock", "mix.lock", "pubspec.lock", "packages.lock.json",
        "podfile.lock", "gradle.lockfile", "flake.lock", "package.resolved",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reach:
    """What one worker may write of the base: paths, and those of them that it shares."""

    worker: str
    paths: frozenset[str]
    shared: frozenset[str]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What each worker may write, and what the operator should know before it is launched."""

    reaches: tuple[Reach, ...]
    findings: tuple[Finding, ...]


def forecast(plan: Plan, files: Collection[str]) -> Forecast:
    """Return what `plan` comes to on a base that has these files."""
    there = sorted(files)
    locks = {entry.id: lock(entry.allow, entry.deny, entry.shared) for entry in plan.workers}
    matched = _Matched(there)
    denied = frozenset(path for path in there if is_always_denied(path, plan.runs_root))
    reaches = tuple(_reach(entry, matched, denied) for entry in plan.workers)
    found: list[Finding] = []
    folders = {above for path in there for above in ancestors(path)}
    sensitive = _sensitive_of(there)
    for entry, reached in zip(plan.workers, reaches, strict=True):
        found += _empty(entry)
        found += _unmatched(entry, matched, folders)
        found += _sensitive(entry, locks[entry.id], reached, sensitive)
    found += _lock_files(reaches)
    found += _meetings(plan, locks, reaches)
    return Forecast(reaches, in_order(found))


class _Matched:
    """Which files of the base a list of patterns matches; each list is asked about once."""

    def __init__(self, there: Sequence[str]) -> None:
        self._there = there
        self._known: dict[tuple[str, ...], frozenset[str]] = {}

    def by(self, texts: tuple[str, ...]) -> frozenset[str]:
        """Return the files that these patterns match."""
        if texts not in self._known:
            self._known[texts] = self._found(texts)
        return self._known[texts]

    def _found(self, texts: tuple[str, ...]) -> frozenset[str]:
        # Where no pattern takes back, each says for itself what it matches.
        if len(texts) > 1 and not any(text.startswith("!") for text in texts):
            return frozenset().union(*(self.by((text,)) for text in texts))
        held = patterns(texts)
        return frozenset(path for path in self._candidates(texts) if held.match(path))

    def _candidates(self, texts: Iterable[str]) -> set[str]:
        """Return the files that could match: a pattern says how those of its begin."""
        found: set[str] = set()
        for start in {plain_start(text) for text in texts if not text.startswith("!")}:
            first = bisect_left(self._there, start)
            while first < len(self._there) and self._there[first].startswith(start):
                found.add(self._there[first])
                first += 1
        return found


def _reach(entry: WorkerEntry, matched: _Matched, denied: frozenset[str]) -> Reach:
    shared = matched.by(entry.shared) - matched.by(entry.deny)
    paths = (matched.by(entry.allow) - matched.by(entry.deny)) | shared
    return Reach(entry.id, paths - denied, shared - denied)


def _may_write(held: Lock, path: str, plan: Plan) -> bool:
    return held.allows(path) and not is_always_denied(path, plan.runs_root)


def _empty(entry: WorkerEntry) -> Iterator[Finding]:
    if not entry.allow and not entry.shared:
        yield note(
            Code.PLAN_EMPTY_SCOPE,
            f"{entry.id}: allow",
            "no pattern allows this worker any path",
            "give it `allow`, unless it is to change nothing",
        )


def _unmatched(
    entry: WorkerEntry, matched: _Matched, folders: Collection[str]
) -> Iterator[Finding]:
    for key in ("allow", "shared", "deny"):
        for text in getattr(entry, key):
            positive = text.removeprefix("!")
            if not matched.by((positive,)):
                yield note(
                    Code.PLAN_MATCHES_NOTHING,
                    f"{entry.id}: {key} {text!r}",
                    "it matches no file of the base commit",
                    _meant(positive, folders),
                )


def _meant(text: str, folders: Collection[str]) -> str:
    """Return what may be wrong with a pattern that matches nothing."""
    start = plain_start(text).rpartition("/")[0]
    if start and start not in folders and len(folders) <= _MOST_FOLDERS:
        near = did_you_mean(start, folders)
        if near.startswith("did you mean"):
            return near
    return "right where the worker is to make it, else a mistake"


def _sensitive_of(there: Iterable[str]) -> dict[str, str]:
    """Return the files that only a pattern of their own allows, each with what it is."""
    found = {}
    for path in there:
        name = global_file(path)
        if name is not None:
            found[path] = f"it is {name}"
        elif is_automation(path):
            found[path] = "automation runs it"
    return found


def _sensitive(
    entry: WorkerEntry, held: Lock, reached: Reach, sensitive: Mapping[str, str]
) -> Iterator[Finding]:
    for path in sorted(reached.paths & sensitive.keys()):
        named = held.allow.name(path) or held.shared.name(path)
        then = "the worker may write it" if named else "writing it would block: no pattern names it"
        yield note(
            Code.PLAN_SENSITIVE_PATH,
            f"{entry.id}: {quoted(path)}",
            f"{sensitive[path]}, and {then}",
            "" if named else "name the path itself in `allow`, if that is meant",
        )


def _lock_files(reaches: Iterable[Reach]) -> Iterator[Finding]:
    shared = {path for reached in reaches for path in reached.shared}
    for path in sorted(shared):
        if path.rpartition("/")[2].lower() in _GENERATED:
            yield note(
                Code.PLAN_SHARED_LOCK_FILE,
                quoted(path),
                "a lock file that a program writes is shared: edits united line by line may be "
                "no lock that it would write",
                "let one worker own it, and write it anew after the merge",
            )


def _meetings(plan: Plan, locks: Mapping[str, Lock], reaches: Iterable[Reach]) -> list[Finding]:
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
