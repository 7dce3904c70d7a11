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
_COMMAND = re.compile(r"`(?:factory|git|--?[a-z-]+|[A-Za-z_.]+)\b[^`]*`")
_CODE = re.compile(r"`[^`]*`")


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
    if text.count("`") != 2 * len(_COMMAND.findall(text)):
        # A name that holds a backtick would end the span, and what is copied be another command.
        return _text(text)
    parts = []
    position = 0
    for code in _CODE.finditer(text):
        typed = shown(code[0]).replace("|", "\\|")
        parts += [_text(text[position : code.start()]), typed]
        position = code.end()
    return "".join([*parts, _text(text[position:])])


def _text(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", shown(text))
