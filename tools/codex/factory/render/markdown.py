"""FINAL_REPORT.md: the report for the summary page of continuous integration."""

import re

from tools.codex.factory.domain.artifact import FindingRecord
from tools.codex.factory.domain.evidence import IntegratorStatus
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.domain.publication import checks_behind
from tools.codex.factory.render.next_steps import next_steps
from tools.codex.factory.render.text import shown

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~&@])")
_MOST_FINDINGS = 50
_LEVER = re.compile(r"`(factory amend .+? --reason WHY)`")
_BACKTICKS = re.compile(r"`+")
_ADDRESS = re.compile(r"(www)(\.)|(:)(//)", re.IGNORECASE)


def markdown_report(plan: Plan, status: IntegratorStatus) -> str:
    """Return the verdict, what to do, workers, checks and findings as Markdown.

    Text of strangers is escaped: it can make no link, no mention and no markup.
    """
    marks = {"PARTIAL": status.partial, "NOOP": status.noop, "REHEARSAL": status.rehearsal}
    words = " ".join([status.status, *(mark for mark, is_so in marks.items() if is_so)])
    lines = [f"# {words}: {_text(plan.title)}", ""]
    if status.error is not None:
        lines += [_text(status.error), ""]
    lines += ["## What to do next", ""]
    lines += [f"{n}. {_prose(step)}" for n, step in enumerate(next_steps(status), 1)]
    lines += ["", *_workers(status), *_checks(plan, status), *_findings(status.findings)]
    lines += [*_evidence(status)]
    return "\n".join(lines) + "\n"


def _workers(status: IntegratorStatus) -> list[str]:
    if not status.workers:
        return []
    rows = [
        f"| {_text(row.worker_id)} | {row.status} | {'merged' if row.merged else 'left out'} "
        f"| {row.changes} |"
        for row in status.workers
    ]
    head = ["## Workers", "", "| worker | status | | changed paths |", "|---|---|---|---:|"]
    return [*head, *rows, ""]


def _checks(plan: Plan, status: IntegratorStatus) -> list[str]:
    if not plan.checks:
        return []
    said = {row.name: row for row in checks_behind(status)}
    head = ["## Checks", "", "| check | | result | seconds |", "|---|---|---|---:|"]
    for check in plan.checks:
        row = said.get(check.name)
        result = "not run" if row is None else row.result.replace("_", " ")
        seconds = "" if row is None else f"{row.duration_ms / 1000:.1f}"
        need = "required" if check.required else "optional"
        head.append(f"| {_text(check.name)} | {need} | {result} | {seconds} |")
    return [*head, ""]


def _findings(findings: tuple[FindingRecord, ...]) -> list[str]:
    if not findings:
        return []
    lines = ["## Findings", ""]
    for finding in findings[:_MOST_FINDINGS]:
        subject, said = _text(finding.subject), _prose(finding.message)
        lines.append(f"* **{finding.severity}** `{finding.code}` {subject}: {said}")
        lines += [f"  * {_prose(finding.hint)}"] if finding.hint else []
    more = len(findings) - _MOST_FINDINGS
    lines += [f"* and {more} more, in FINAL\\_REPORT.txt"] if more > 0 else []
    return [*lines, ""]


def _evidence(status: IntegratorStatus) -> list[str]:
    rows = [
        ("run", status.run_id),
        ("base commit", status.base_commit),
        ("merged tree", status.tree or "none"),
        ("merged commit", status.commit or "none"),
        ("exit code", str(status.exit_code)),
    ]
    return ["## Evidence", "", "| | |", "|---|---|", *(f"| {n} | `{v}` |" for n, v in rows)]


def _prose(text: str) -> str:
    """Return text in which what stands between backticks is shown as it would be typed."""
    parts = []
    position = 0
    for lever in _LEVER.finditer(text):
        parts += [_with_code(text[position : lever.start()]), _code(lever[1])]
        position = lever.end()
    return "".join([*parts, _with_code(text[position:])])


def _with_code(text: str) -> str:
    if "``" in text or text.count("`") % 2:
        # Backticks that are not ours: Markdown would pair them otherwise than we do.
        return _text(text)
    words = text.split("`")
    return "".join(_code(word) if n % 2 else _text(word) for n, word in enumerate(words) if word)


def _code(text: str) -> str:
    """Return code in a fence that is longer than any run of backticks in it."""
    typed = shown(text)
    fence = "`" * (1 + max(map(len, _BACKTICKS.findall(typed)), default=0))
    pad = " " if typed[:1] == "`" or typed[-1:] == "`" else ""
    return f"{fence}{pad}{typed}{pad}{fence}"


def _text(text: str) -> str:
    escaped = _SPECIAL.sub(r"\\\1", shown(text))
    # An address would become a link; an empty comment in it is seen by nobody.
    return _ADDRESS.sub(lambda found: f"{found[1] or ':'}<!-- -->{found[2] or '//'}", escaped)
