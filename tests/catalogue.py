"""docs/errors.md, made of what the code says; `python -m tests.catalogue` writes it."""

from itertools import groupby
from pathlib import Path

from tests.raised import Raised, objections, raised, severities
from tools.codex.factory.cli.main import _parsed
from tools.codex.factory.domain.finding import Code
from tools.codex.factory.domain.meaning import MEANING
from tools.codex.factory.errors import EXIT_CODES, UsageError

PAGE = Path(__file__).parents[1] / "docs" / "errors.md"
_INTRODUCTION = """\
# Errors and findings

Written by `python -m tests.catalogue` from the code, and held by a test: edit the code, never
this page.

A **finding** is a fact about a bundle, a check or a plan, with a code that never changes. One that
blocks makes the run BLOCKED (exit 3); a note does not. An **error** says why the factory itself
cannot go on: one line on stderr, `->` and what to do below it, and the same two under `error` with
`--json`.

What only a run knows stands in capitals here; what is said only sometimes stands in brackets. `W`
is the id of a worker. `factory amend` always takes `--reason WHY`, and `factory bundle-validate`
and `factory integrate` go on after it.
"""
_FAMILIES = {
    "bundle": "the bundle itself: its files, its claims",
    "patch": "DIFF.patch against the base commit",
    "source": "work that was made elsewhere",
    "worker": "how a worker ended",
    "sandbox": "what it tried outside",
    "capture": "what lay in its checkout",
    "scope": "paths against the scope lock",
    "overlap": "bundles against each other",
    "merge": "the proof of the merged tree",
    "check": "checks on the merged tree",
    "plan": "what `factory plan` foresees",
    "secret": "keys, tokens and passwords",
    "policy": "the integrator's own writes",
}
_TYPED = (["amend"], ["ledger", "--limit", "0"], ["oneshot", "--plan"])
"""Command lines that argparse refuses, for the words that it says; they are the same in all."""


def page() -> str:
    """Return docs/errors.md."""
    return "\n".join([_INTRODUCTION, *_exit_codes(), *_findings(), *_errors()])


def _exit_codes() -> list[str]:
    rows = [f"| {code} | {said} |" for code, said in sorted(EXIT_CODES.items())]
    return ["## Exit codes", "", "| code | meaning |", "|---|---|", *rows, ""]


def _findings() -> list[str]:
    lines = ["## Findings", ""]
    made = severities()
    for family, said in _FAMILIES.items():
        lines += [f"### `{family}.*`: {said}", ""]
        lines += ["| code | severity | what is so | what to do |", "|---|---|---|---|"]
        for code in Code:
            if code.value.partition(".")[0] == family:
                severity = " or ".join(sorted(made[code.name]))
                known = MEANING[code]
                lines.append(f"| `{code}` | {severity} | {known.meaning} | {known.remedy} |")
        lines.append("")
    return lines


def _errors() -> list[str]:
    lines = ["## Errors", ""]
    for code, of_code in groupby(raised(), key=lambda one: one.exit_code):
        lines += [f"### Exit {code}: {EXIT_CODES[code]}", ""]
        for room, of_room in groupby(of_code, key=lambda one: one.room):
            lines += [f"**`{room}`**", "", *(_row(one) for one in of_room), ""]
        lines += _argparse() if code == 2 else _unpublished() if code == 3 else []
    return lines


def _row(one: Raised) -> str:
    return f"* {_text(one.message)} ({one.kind})\n  -> {_text(one.hint)}"


def _argparse() -> list[str]:
    """Return what argparse says of words that no command takes."""
    lines = ["**argparse**, with what the command takes as the hint, for example", ""]
    for words in _TYPED:
        try:
            _parsed(words)
        except UsageError as error:
            lines.append(f"* {_text(str(error))} (UsageError)\n  -> usage: factory {words[0]} ...")
    return [*lines, ""]


def _unpublished() -> list[str]:
    rows = [f"* {_text(said)}\n  -> {_text(hint)}" for said, hint in objections()]
    return ["**OBJECTION**, why a run is not published", "", *rows, ""]


def _text(said: str) -> str:
    """Return words as Markdown shows them, but for what stands in backticks already."""
    parts = said.split("`")
    parts[::2] = [
        part.replace("*", "\\*").replace("_", "\\_").replace("<", "\\<") for part in parts[::2]
    ]
    return "`".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
