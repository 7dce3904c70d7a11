"""A bundle against its scope lock: may this worker write these paths?"""

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.finding import Code, Finding, blocking, note
from tools.codex.factory.domain.identity import RepoPath, WorkerId
from tools.codex.factory.domain.lever import allowing, dropping, either, permitting
from tools.codex.factory.domain.patch import GITLINK, SYMLINK
from tools.codex.factory.domain.path import opens_git, plain_name, quoted
from tools.codex.factory.domain.pattern import Patterns, patterns
from tools.codex.factory.domain.wording import brief

_MOST_REASON = 1000
GLOBAL_FILES = frozenset({".gitattributes", ".gitmodules", ".lfsconfig"})
# What NTFS makes of the long names; the second form is for when the first four are taken.
_SHORT_OF = {
    "gitatt": ".gitattributes",
    "gi7d29": ".gitattributes",
    "gitmod": ".gitmodules",
    "gi7eba": ".gitmodules",
}
_NTFS_SHORT = re.compile(rf"({'|'.join(_SHORT_OF)})~[0-9]+")
_AUTOMATION = patterns(
    (
        ".github/workflows/", ".github/actions/", "/.gitlab-ci.yml", "/.gitlab/ci/", ".circleci/",
        "/azure-pipelines.yml", "/.azure-pipelines/", "Jenkinsfile", "/.travis.yml", "/.drone.yml",
        "/.woodpecker.yml", "/.woodpecker/", "/bitbucket-pipelines.yml", "/.buildkite/",
        "/appveyor.yml", "/.appveyor.yml", "/.ci/", "/.githooks/", "/.husky/", "/lefthook.yml",
        "/.pre-commit-config.yaml", "/.pre-commit-hooks.yaml", "/factory.plan.toml",
        "/factory.plan.json", "/tools/codex/factory/factory.config.json",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lock:
    """A scope lock ready to answer. Nothing is allowed that no pattern names."""

    allow: Patterns
    deny: Patterns
    shared: Patterns

    def allows(self, path: str) -> bool:
        """Return whether the worker may write `path`, alone or beside others."""
        return (self.allow.match(path) or self.shared.match(path)) and not self.deny.match(path)

    def shares(self, path: str) -> bool:
        """Return whether the worker may write `path` beside others."""
        return self.shared.match(path) and not self.deny.match(path)


def lock(allow: tuple[str, ...], deny: tuple[str, ...], shared: tuple[str, ...]) -> Lock:
    """Return the lock that these patterns make."""
    return Lock(patterns(allow), patterns(deny), patterns(shared))


def scope_findings(
    worker: WorkerId,
    changes: Iterable[Change],
    held: Lock,
    *,
    runs_root: str | None,
    requests: Mapping[str, str],
    granted: frozenset[str],
) -> list[Finding]:
    """Return a finding for each written path that the lock does not allow, or that is sensitive.

    `requests` gives the reason of each path that the worker asked for, `granted` the paths that
    policy gives away although the lock does not.
    """
    found: list[Finding] = []
    for change in changes:
        found += _path_findings(worker, change, held, runs_root, requests, granted)
        was = change.old.mode if change.old is not None else None
        if change.new is not None and change.new.mode == "100755" and was != "100755":
            found.append(
                note(
                    Code.SCOPE_EXECUTABLE,
                    _subject(worker, change.path),
                    "the file gains the executable bit",
                )
            )
    return found


def sensitive(change: Change) -> str | None:
    """Return why a path is sensitive: a pattern must name it itself, or it is not allowed."""
    for entry in (change.old, change.new):
        if entry is not None and entry.mode == GITLINK:
            return "a submodule"
    name = global_file(change.path)
    if name is not None:
        return f"{name}, which changes how git treats other paths"
    if _AUTOMATION.match(change.path) or _AUTOMATION.match(change.path.lower()):
        return "a definition that automation runs"
    if change.new is not None and change.new.mode == SYMLINK and change.content is not None:
        target = change.content.decode("utf-8", "surrogateescape")
        if _leaves_the_tree(change.path, target):
            return f"a symbolic link that leaves the tree (to {quoted(target)!r})"
    return None


@functools.lru_cache(maxsize=65536)
def is_always_denied(path: str, runs_root: str | None) -> bool:
    """Return whether no worker may write `path`, whatever its lock says."""
    return _in_runs_root(path, runs_root) or any(opens_git(part) for part in path.split("/"))


def _in_runs_root(path: str, runs_root: str | None) -> bool:
    return runs_root is not None and (path == runs_root or path.startswith(runs_root + "/"))


def is_automation(path: str) -> bool:
    """Return whether `path` defines what runs on its own: CI, hooks."""
    return _AUTOMATION.match(path)


def global_file(path: str) -> str | None:
    """Return which of git's global files `path` is on some file system, or None."""
    name = plain_name(path.rpartition("/")[2])
    if name in GLOBAL_FILES:
        return name
    short = _NTFS_SHORT.fullmatch(name)
    return _SHORT_OF[short[1]] if short else None


def _path_findings(
    worker: WorkerId,
    change: Change,
    held: Lock,
    runs_root: str | None,
    requests: Mapping[str, str],
    granted: frozenset[str],
) -> list[Finding]:
    path, subject = change.path, _subject(worker, change.path)
    if _in_runs_root(path, runs_root):
        return [
            blocking(
                Code.SCOPE_ALWAYS_DENIED,
                subject,
                "the path lies in the runs root, which no worker may write",
                either((dropping(worker, path), "leaves it out")),
            )
        ]
    if held.deny.match(path):
        return [
            blocking(
                Code.SCOPE_DENIED,
                subject,
                f"{quoted(path)!r} is denied by SCOPE_LOCK.json",
                _mended(worker, path, permitting(worker, path), "takes the denial back"),
            )
        ]
    found: list[Finding] = []
    if not held.allow.match(path) and not held.shared.match(path):
        found.append(_outside(worker, path, requests, granted))
        if found[0].blocks:
            return found
    why = sensitive(change)
    if why is None:
        return found
    if held.allow.name(path) or held.shared.name(path):
        return [note(Code.SCOPE_SENSITIVE_ALLOWED, subject, f"it is {why}; the lock names it")]
    return [
        *found,
        blocking(
            Code.SCOPE_SENSITIVE,
            subject,
            f"it is {why}; only a pattern that names this very path allows it",
            _mended(worker, path, allowing(worker, path), "names it"),
        ),
    ]


def _outside(
    worker: WorkerId, path: RepoPath, requests: Mapping[str, str], granted: frozenset[str]
) -> Finding:
    subject = _subject(worker, path)
    reason = requests.get(quoted(path))
    if path in granted:
        return note(
            Code.SCOPE_GRANTED,
            subject,
            f"asked for ({brief(reason, _MOST_REASON)}) and granted: nobody else writes it",
        )
    if reason is not None:
        return blocking(
            Code.SCOPE_REQUESTED,
            subject,
            f"{quoted(path)!r} is not allowed by SCOPE_LOCK.json; "
            f"the worker asks: {brief(reason, _MOST_REASON)}",
            _mended(worker, path, allowing(worker, path), "grants it"),
        )
    return blocking(
        Code.SCOPE_OUTSIDE_LOCK,
        subject,
        f"{quoted(path)!r} is not allowed by SCOPE_LOCK.json",
        _mended(worker, path, allowing(worker, path), "grants it"),
    )


def _mended(worker: WorkerId, path: RepoPath, lever: str, what: str) -> str:
    return either((lever, what), (dropping(worker, path), "leaves it out"))


def _leaves_the_tree(path: str, target: str) -> bool:
    """True unless the target is a path inside the tree, whatever other links there are.

    `..` is trusted only at the front: after a name that may itself be a link it leads anywhere.
    """
    parts = target.split("/")
    up = next((n for n, part in enumerate(parts) if part != ".."), len(parts))
    if not target or target.startswith("/") or "\\" in target or target[1:2] == ":":
        return True
    return up > path.count("/") or ".." in parts[up:] or any(opens_git(part) for part in parts)


def _subject(worker: WorkerId, path: RepoPath) -> str:
    return f"{worker}: {quoted(path)}"
