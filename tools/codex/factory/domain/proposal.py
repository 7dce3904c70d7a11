"""A first plan for a repository: who may write what, and how its tests are run."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tools.codex.factory.domain.division import Share, anchored, division, spelled
from tools.codex.factory.domain.language import is_log_of_changes, is_of_others, languages
from tools.codex.factory.domain.scope import is_always_denied, is_automation
from tools.codex.factory.domain.toolchain import Look, Suggestion, suggestions


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedWorker:
    """A worker and its share."""

    id: str
    share: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What was found in a repository, and what follows for its plan."""

    languages: tuple[tuple[str, int], ...]
    workers: tuple[ProposedWorker, ...]
    left_out: tuple[tuple[str, str], ...]
    shared: tuple[str, ...]
    checks: tuple[Suggestion, ...]


def proposal(
    look: Look, *, others: Collection[str], own: Collection[str], runs_root: str | None
) -> Proposal:
    """Return a plan for what `look` shows.

    `others` are links and submodules of the tree, `own` the files that the factory itself reads.
    """
    files = [path for path in look.files if _is_work(path, own, runs_root)]
    divided = division(files, others)
    return Proposal(
        languages=languages(path for path in files if not _is_below_others(path)),
        workers=tuple(
            ProposedWorker(id=f"{letter}_worker", share=share)
            for letter, share in zip("ABCDEF", divided.shares, strict=False)
        ),
        left_out=divided.left_out,
        shared=_shared(files),
        checks=suggestions(look),
    )


def command_names(checks: Collection[Suggestion]) -> Mapping[str, Suggestion]:
    """Return each check by the name that it has in the plan: one alone is the tests."""
    alone = len(checks) == 1
    return {"tests" if alone else f"{one.name} tests": one for one in checks}


def _is_work(path: str, own: Collection[str], runs_root: str | None) -> bool:
    return not (path in own or is_automation(path) or is_always_denied(path, runs_root))


def _is_below_others(path: str) -> bool:
    return any(is_of_others(part) for part in path.split("/")[:-1])


def _shared(files: Collection[str]) -> tuple[str, ...]:
    top = sorted(path for path in files if "/" not in path and is_log_of_changes(path))
    return tuple(anchored(text) for path in top if (text := spelled(path, top)) is not None)
