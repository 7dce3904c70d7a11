"""What a plan comes to, as lines for people."""

import io

import pytest
from rich.console import Console

from tests.statuses import HOSTILE, a_cost, a_finding, a_plan_answer
from tools.codex.factory.domain.desk_answer import PlannedWorker
from tools.codex.factory.domain.finding import Code
from tools.codex.factory.render.forecast import (
    duration,
    finding_lines,
    forecast_lines,
    worker_table,
)
from tools.codex.factory.render.plain import Plain
from tools.codex.factory.render.text import shown

DISK = "disk     2 checkouts at a time: 3.0 MiB in 1,200 files"
OVERLAP = a_finding(Code.PLAN_SCOPES_OVERLAP, subject="A, B", message="both", hint="narrow it")
NOTE = a_finding(
    Code.PLAN_MATCHES_NOTHING, severity="note", subject="A: x", message="nothing", hint=""
)


def test_a_forecast_says_disk_time_and_verdict() -> None:
    assert list(forecast_lines(a_plan_answer())) == [
        DISK,
        "time     at most 1 h 1 min, 2 at a time (2 h of workers)",
        "PASS  A title: no overlap of scopes was found",
    ]


def test_what_no_command_does_costs_no_time() -> None:
    cost = a_cost(checkouts=1, bytes=1 << 30, files=1, processes=0, worker_seconds=0)

    assert list(forecast_lines(a_plan_answer(cost=cost))) == [
        "disk     1 checkout at a time: 1.0 GiB in 1 file",
        "time     no command is run here: it is all adopted, or done by people and tools",
        "PASS  A title: no overlap of scopes was found",
    ]


def test_checks_alone_are_said_as_such() -> None:
    cost = a_cost(worker_seconds=0, wall_seconds=90)

    assert list(forecast_lines(a_plan_answer(cost=cost)))[1] == (
        "time     at most 1 min 30 s for the checks"
    )


@pytest.mark.parametrize(("count", "said"), [(1, "1 overlap"), (2, "2 overlaps")])
def test_overlaps_are_counted_and_notes_are_not(count: int, said: str) -> None:
    answer = a_plan_answer(status="BLOCKED", findings=(*[OVERLAP] * count, NOTE), title=HOSTILE)

    assert list(forecast_lines(answer))[-1] == f"BLOCKED  {shown(HOSTILE)}: {said} of scopes"


def test_what_blocks_is_said_before_notes() -> None:
    hostile = NOTE.model_copy(update={"subject": HOSTILE, "message": HOSTILE, "hint": HOSTILE})
    answer = a_plan_answer(findings=(NOTE, hostile, OVERLAP))

    assert list(finding_lines(answer)) == [
        "overlap  A, B: both",
        "         -> narrow it",
        "note     A: x: nothing",
        f"note     {shown(HOSTILE)}: {shown(HOSTILE)}",
        f"         -> {shown(HOSTILE)}",
    ]


def test_who_may_write_how_much_is_a_table() -> None:
    rows = (
        PlannedWorker(worker_id="A_worker", source="agent", files=7, shared=0),
        PlannedWorker(worker_id="B", source="patch", files=10, shared=2),
    )
    said = io.StringIO()

    Console(file=said, width=20).print(
        Plain(worker_table(a_plan_answer(workers=rows))), crop=False, end=""
    )

    assert said.getvalue() == (
        "WORKER    SOURCE  MAY WRITE       SHARES\n"
        "A_worker  agent   7 of 10 files   -\n"
        "B         patch   10 of 10 files  2\n"
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (1, "1 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h"),
        (3605, "1 h 5 s"),
        (90061, "1 d 1 h"),
        (86400 * 400, "400 d"),
    ],
)
def test_a_time_is_said_in_its_two_largest_units(seconds: int, said: str) -> None:
    assert duration(seconds) == said
