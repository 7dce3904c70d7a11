"""What a plan comes to on a base tree before anyone works: who may write what, and who meets."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from tools.codex.factory.domain.finding import Code, Finding, blocking, in_order, note
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.domain.path import ancestors, quoted
from tools.codex.factory.domain.pattern import SAMPLE, patterns, plain_start, samples
from tools.codex.factory.domain.plan import Plan, WorkerEntry
from tools.codex.factory.domain.scope import (
    Lock,
    global_file,
    is_always_denied,
    is_automation,
    lock,
)

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
    reaches = tuple(_reach(entry, locks[entry.id], there, plan) for entry in plan.workers)
    found: list[Finding] = []
    folders = {above for path in there for above in ancestors(path)}
    for entry, reached in zip(plan.workers, reaches, strict=True):
        found += _empty(entry)
        found += _unmatched(entry, there, folders)
        found += _sensitive(entry, locks[entry.id], reached)
    found += _lock_files(reaches)
    found += _meetings(plan, locks, reaches)
    return Forecast(reaches, in_order(found))


def _reach(entry: WorkerEntry, held: Lock, there: Sequence[str], plan: Plan) -> Reach:
    named = [*_candidates((*entry.allow, *entry.shared), there)]
    paths = frozenset(path for path in named if _may_write(held, path, plan))
    return Reach(entry.id, paths, frozenset(path for path in paths if held.shares(path)))


def _may_write(held: Lock, path: str, plan: Plan) -> bool:
    allowed = held.allow.match(path) or held.shared.match(path)
    return allowed and not held.deny.match(path) and not is_always_denied(path, plan.runs_root)


def _candidates(texts: Iterable[str], there: Sequence[str]) -> set[str]:
    """Return the files that any of these patterns could match: each has a start that is plain."""
    found: set[str] = set()
    for start in {plain_start(text) for text in texts if not text.startswith("!")}:
        first = bisect_left(there, start)
        while first < len(there) and there[first].startswith(start):
            found.add(there[first])
            first += 1
    return found


def _empty(entry: WorkerEntry) -> Iterator[Finding]:
    if not entry.allow and not entry.shared:
        yield note(
            Code.PLAN_EMPTY_SCOPE,
            f"{entry.id}: allow",
            "no pattern allows this worker any path",
            "give it `allow`, unless it is to change nothing",
        )


def _unmatched(
    entry: WorkerEntry, there: Sequence[str], folders: Collection[str]
) -> Iterator[Finding]:
    for key in ("allow", "shared", "deny"):
        for text in getattr(entry, key):
            positive = text.removeprefix("!")
            one = patterns((positive,))
            if any(one.match(path) for path in _candidates((positive,), there)):
                continue
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


def _sensitive(entry: WorkerEntry, held: Lock, reached: Reach) -> Iterator[Finding]:
    for path in sorted(reached.paths):
        name = global_file(path)
        if name is None and not is_automation(path):
            continue
        what = f"it is {name}" if name is not None else "automation runs it"
        named = held.allow.name(path) or held.shared.name(path)
        then = "the worker may write it" if named else "writing it would block: no pattern names it"
        yield note(
            Code.PLAN_SENSITIVE_PATH,
            f"{entry.id}: {quoted(path)}",
            f"{what}, and {then}",
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
    """Return a finding for each two workers who may write one path that not both share."""
    met: dict[tuple[str, str], set[str]] = {}
    writers: dict[str, list[Reach]] = {}
    for reached in reaches:
        for path in reached.paths:
            writers.setdefault(path, []).append(reached)
    for path, several in writers.items():
        for one, other in combinations(several, 2):
            if path not in one.shared or path not in other.shared:
                met.setdefault((one.worker, other.worker), set()).add(path)
    found = [_overlap(pair, sorted(paths)) for pair, paths in met.items()]
    for entry in plan.workers:
        for text in (*entry.allow, *entry.shared):
            found += _new_files(entry.id, text, plan, locks, set(met))
    return found


def _overlap(pair: tuple[str, str], paths: Sequence[str], *, new: bool = False) -> Finding:
    named = ", ".join(quoted(path) for path in paths[:_MOST_NAMED])
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    said = f"both may make {named}, which is not there yet" if new else f"both may write {named}"
    return blocking(
        Code.PLAN_SCOPES_OVERLAP,
        ", ".join(pair),
        said + more,
        "narrow `allow` of one, `deny` it there, or let both have it in `shared`",
    )


def _new_files(
    worker: str,
    text: str,
    plan: Plan,
    locks: Mapping[str, Lock],
    known: set[tuple[str, str]],
) -> Iterator[Finding]:
    """Yield where another worker may make a file that this pattern is for, too."""
    for path in samples(text):
        if not _may_write(locks[worker], path, plan):
            continue
        for entry in plan.workers:
            pair = (min(worker, entry.id), max(worker, entry.id))
            both = (locks[worker], locks[entry.id])
            if entry.id == worker or pair in known or not _may_write(both[1], path, plan):
                continue
            if not all(held.shares(path) for held in both):
                known.add(pair)
                yield _overlap(pair, [path.replace(SAMPLE, "*")], new=True)
