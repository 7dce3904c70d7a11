"""Whether host, repository and configuration are fit: rows, each with a verdict and a remedy."""

from collections.abc import Iterable
from typing import Literal

from tools.codex.factory.domain.answer import Answer
from tools.codex.factory.domain.artifact import Artifact

Group = Literal[
    "host",
    "repository",
    "configuration",
    "runs root",
    "work root",
    "schemas",
    "agent programs",
    "confinement",
    "plan",
]
Mark = Literal["ok", "note", "unfit"]
UNFIT = 20
"""The exit code where a row is unfit: that of an unfit host."""


class Row(Artifact):
    """One thing that was asked by using it: what it is, how it stands, what to do."""

    group: Group
    what: str
    verdict: Mark
    message: str
    remedy: str

    @property
    def is_fit(self) -> bool:
        """Return whether a run can be in spite of what the row says."""
        return self.verdict != "unfit"


class DoctorAnswer(Answer):
    """What `doctor` and `preflight` say with `--json`. `fixed`: what `--fix` did."""

    rows: tuple[Row, ...]
    fixed: tuple[str, ...] = ()


def ok(group: Group, what: str, message: str = "") -> Row:
    """Return a row about a thing that is as it should be."""
    return _row(group, what, "ok", message, "")


def noted(group: Group, what: str, message: str, remedy: str = "") -> Row:
    """Return a row about a thing that the operator should know, and that stops nothing."""
    return _row(group, what, "note", message, remedy)


def unfit(group: Group, what: str, message: str, remedy: str) -> Row:
    """Return a row about a thing without which no run can be."""
    return _row(group, what, "unfit", message, remedy)


def exit_code_of(rows: Iterable[Row]) -> int:
    """Return 20 where a row is unfit, else 0."""
    return 0 if all(row.is_fit for row in rows) else UNFIT


def doctor_answer(
    command: str, rows: tuple[Row, ...], fixed: tuple[str, ...], notes: tuple[str, ...]
) -> DoctorAnswer:
    """Return the answer of `command`."""
    code = exit_code_of(rows)
    return DoctorAnswer(
        command=command,
        status="FAIL" if code else "OK",
        exit_code=code,
        rows=rows,
        fixed=tuple(_text(one) for one in fixed),
        notes=tuple(_text(one) for one in notes),
    )


def _row(group: Group, what: str, verdict: Mark, message: str, remedy: str) -> Row:
    return Row(
        group=group,
        what=_text(what),
        verdict=verdict,
        message=_text(message),
        remedy=_text(remedy),
    )


def _text(text: str) -> str:
    """Return `text` with bytes that are no text, as a path may hold them, shown as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
