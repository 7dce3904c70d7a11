"""What a plan comes to on a base tree before anyone works: who may write what, and who meets."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tools.codex.factory.domain.finding import Code, Finding, in_order, note
from tools.codex.factory.domain.meeting import Reach, meetings
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.domain.path import ancestors, quoted
from tools.codex.factory.domain.pattern import patterns, plain_start
from tools.codex.factory.domain.plan import Plan, WorkerEntry
from tools.codex.factory.domain.scope import (
    Lock,
    global_file,
    is_always_denied,
    is_automation,
    lock,
)

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
    found += meetings(plan, locks, reaches)
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
