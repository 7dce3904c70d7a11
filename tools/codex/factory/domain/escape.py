"""What changed where nobody of a run may write: as an event, as a finding, as a line."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from tools.codex.factory.domain.event import Event, EventType, LedgerLine
from tools.codex.factory.domain.finding import Code, Finding, blocking
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.wording import counted, few

During = Literal["workers", "checks"]
_MOST_NAMES = 20
_LONGEST_NAME = 200
_MOST_LINES = 20


class Part(StrEnum):
    """Which part of a repository changed."""

    REF = "ref"
    STASH = "stash"
    CONFIG = "config"
    HOOK = "hook"
    INFO = "info"
    ALTERNATES = "alternates"
    STATE = "state"
    INDEX = "index"
    WORK_TREE = "work tree"


HELD = frozenset(
    {Part.REF, Part.STASH, Part.CONFIG, Part.HOOK, Part.INFO, Part.ALTERNATES},
)
"""What people change seldom, and what acts on them later; the other parts change as they type."""


@dataclass(frozen=True, slots=True, order=True)
class Changed:
    """One thing of the repository that is not as it was. A name may hold any byte."""

    part: Part
    name: str

    def __str__(self) -> str:
        name = quoted(self.name)
        return f"{self.part} {name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME]}"


def changed_event(
    run: str,
    during: During,
    changes: Sequence[Changed],
    ledger: Sequence[str],
    *,
    is_kept: bool,
) -> Event:
    """Return the event that the repository, or the ledger, changed while something ran.

    `is_kept`: the kernel kept all that ran from writing there.
    """
    held = [str(one) for one in changes if one.part in HELD]
    others = [str(one) for one in changes if one.part not in HELD]
    counts = Counter(one.part.value for one in changes)
    details = {"during": during, "kept": "yes" if is_kept else "no"}
    for name, said in (("held", held), ("others", others), ("ledger", ledger)):
        if said:
            details[name] = json.dumps(said[:_MOST_NAMES], ensure_ascii=True)
    more = {"held": len(held), "others": len(others), "ledger": len(ledger)}
    return Event(
        run_id=run,
        event_type=EventType.REPOSITORY_CHANGED,
        actor="factory",
        file_counts={**counts, **{f"{name}_total": count for name, count in more.items()}},
        details=details,
    )


def escape_findings(lines: Iterable[LedgerLine], *, blocks: bool) -> tuple[Finding, ...]:
    """Return what blocks a run whose ledger holds these lines, all of its spans together.

    `blocks`: a change of what is held counts against it (sandbox.on_change).
    """
    changed = [line for line in lines if line.event_type == EventType.REPOSITORY_CHANGED]
    found = []
    held = _named([line for line in changed if not _was_kept(line)], "held")
    if held and blocks:
        found.append(
            blocking(
                Code.SANDBOX_REPOSITORY,
                "the repository",
                f"while something ran that nothing confined, these changed: {held}",
                "look at what changed there; where that was you, integrate again with "
                "`FACTORY_SANDBOX__ON_CHANGE=note`",
            )
        )
    ledger = _named(changed, "ledger")
    if ledger:
        found.append(
            blocking(
                Code.SANDBOX_LEDGER,
                "the ledger",
                f"while the run was under way: {ledger}",
                "`factory ledger-replay` shows what of it still holds; start a new run: nothing "
                "that the ledger says of this one can be relied on",
            )
        )
    return tuple(found)


def changed_meanwhile(lines: Iterable[LedgerLine], *, blocks: bool) -> tuple[str, ...]:
    """Return a line for each time that something changed and is no finding, the oldest first."""
    said: dict[str, None] = {}
    for line in lines:
        if line.event_type != EventType.REPOSITORY_CHANGED:
            continue
        names = ["others"] if blocks and not _was_kept(line) else ["held", "others"]
        parts = [text for name in names if (text := _named([line], name))]
        if parts:
            said[f"while {line.details.get('during', '')} ran: {', '.join(parts)}"] = None
    told = list(said)
    beyond = len(told) - _MOST_LINES
    return (*told[:_MOST_LINES], *([counted(beyond, "more change")] if beyond > 0 else []))


def _was_kept(line: LedgerLine) -> bool:
    return line.details.get("kept") == "yes"


def _named(lines: Sequence[LedgerLine], which: str) -> str:
    """Return the first names that lines hold, and whether there were more."""
    names: dict[str, None] = {}
    unsaid = 0
    for line in lines:
        here = _list(line.details.get(which, "[]"))
        names |= dict.fromkeys(here)
        unsaid = max(unsaid, line.file_counts.get(f"{which}_total", 0) - len(here))
    text = few(sorted(names), _MOST_NAMES)
    return f"{text}, and {unsaid} more" if unsaid else text


def _list(said: str) -> list[str]:
    """Return the names in a text; the text itself where it is no list: it may be forged."""
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        found = None
    return [str(one) for one in found] if isinstance(found, list) else [said[:_LONGEST_NAME]]
