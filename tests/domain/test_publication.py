"""What speaks against publishing a run, and the trailers that lead back to it."""

from itertools import product

import pytest

from tests.statuses import (
    TREE,
    a_check,
    a_check_row,
    a_finding,
    a_plan,
    a_salvage,
    a_status,
    a_worker_row,
    blocked,
)
from tools.codex.factory.domain.evidence import CheckRow, IntegratorStatus
from tools.codex.factory.domain.finding import Code
from tools.codex.factory.domain.publication import (
    checks_behind,
    green,
    merged_workers,
    objections,
    trailers,
)

REPORT = "`factory print-report` says why, and what mends it"
RED = (
    "a required check is not green on the tree that would be published",
    "`factory integrate --salvage` seeks what is green together",
)
PARTIAL = {
    "status": "BLOCKED",
    "exit_code": 3,
    "partial": True,
    "workers": (a_worker_row("A"), a_worker_row("B", merged=False), a_worker_row("C")),
}


@pytest.mark.parametrize(
    ("status", "accept_partial", "expected"),
    [
        (a_status(), False, []),
        (a_status(), True, []),
        (
            a_status(rehearsal=True),
            True,
            [("it is a rehearsal", "run the plan without --dry-run")],
        ),
        (
            a_status(noop=True, commit=None, proof=None),
            True,
            [("nobody changed anything", "start a run that changes something")],
        ),
        (blocked(), True, [("it is BLOCKED, and nothing was merged", REPORT)]),
        (
            blocked(status="FAIL", exit_code=1, error="no"),
            True,
            [("it is FAIL, and nothing was merged", REPORT)],
        ),
        (a_status(proof=None), True, [("it is PASS, and nothing was merged", REPORT)]),
        (a_status(commit=None), True, [("it is PASS, and nothing was merged", REPORT)]),
        (a_status(status="BLOCKED", exit_code=3), True, [("it is BLOCKED", REPORT)]),
        (a_status(status="WAITING", exit_code=4), True, [("it is WAITING", REPORT)]),
        (a_status(**PARTIAL), True, []),
        (
            a_status(**PARTIAL),
            False,
            [
                (
                    "it is BLOCKED: only A, C fit together",
                    "--accept-partial publishes just that",
                )
            ],
        ),
        (
            a_status(**PARTIAL, findings=(a_finding(Code.SANDBOX_REPOSITORY),)),
            True,
            [
                (
                    "it is BLOCKED: the repository or the ledger changed while it was made",
                    "`factory print-report` says what, and what mends it",
                )
            ],
        ),
        (a_status(checks=(a_check_row(result="failed"),)), True, [RED]),
        (a_status(checks=()), False, [RED]),
        (a_status(**PARTIAL, checks=(a_check_row(result="not_run"),)), True, [RED]),
    ],
)
def test_each_kind_of_run_has_its_answer(
    status: IntegratorStatus, accept_partial: bool, expected: list[tuple[str, str]]
) -> None:
    assert list(objections(status, a_plan(), accept_partial=accept_partial)) == expected


def test_of_all_runs_only_those_that_were_merged_and_are_green_can_be_published() -> None:
    plan = a_plan()
    names = ("status", "rehearsal", "noop", "partial", "commit", "proof", "checks")
    proof = a_status().proof
    choices = product(
        ("PENDING", "WAITING", "PASS", "BLOCKED", "FAIL"),
        *[(False, True)] * 3,
        (None, TREE),
        (None, proof),
        ((), (a_check_row(result="failed"),), (a_check_row(),)),
    )
    whole = a_status()

    free = [
        (*chosen[:4], accept)
        for chosen, accept in product(choices, (False, True))
        if not list(
            objections(
                whole.model_copy(update=dict(zip(names, chosen, strict=True))),
                plan,
                accept_partial=accept,
            )
        )
    ]

    assert sorted(free) == [
        ("BLOCKED", False, False, True, True),
        ("FAIL", False, False, True, True),
        ("PASS", False, False, False, False),
        ("PASS", False, False, False, True),
        ("PASS", False, False, True, False),
        ("PASS", False, False, True, True),
        ("PENDING", False, False, True, True),
        ("WAITING", False, False, True, True),
    ]


@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("row", ["passed", "failed", "flaky", "not_run", None])
def test_only_a_required_check_must_be_green_and_a_retry_allows_a_flake(
    row: str | None, required: bool, retries: int
) -> None:
    check = a_check(required=required, retries=retries)
    rows = () if row is None else (a_check_row(result=row),)

    found = list(objections(a_status(checks=rows), a_plan(checks=(check,)), accept_partial=False))

    is_free = not required or row == "passed" or (row, retries) == ("flaky", 1)
    assert found == ([] if is_free else [RED])


@pytest.mark.parametrize("result", ["passed", "failed"])
def test_a_salvage_is_judged_by_its_own_checks(result: str) -> None:
    other = a_check_row(result="failed" if result == "passed" else "passed")
    salvage = a_salvage("A", "C", checks=(a_check_row(result=result),))
    status = a_status(**PARTIAL, checks=(other,), salvage=salvage)

    found = list(objections(status, a_plan(), accept_partial=True))

    assert checks_behind(status) == salvage.checks
    assert found == ([] if result == "passed" else [RED])


def test_green_is_only_what_passed() -> None:
    rows: tuple[CheckRow, ...] = tuple(
        a_check_row(result, result) for result in ("passed", "failed", "flaky", "not_run")
    )

    assert green(a_status(checks=rows)) == (rows[0],)


def test_whose_work_is_merged_is_said_in_the_order_of_the_plan() -> None:
    assert merged_workers(a_status(**PARTIAL)) == ["A", "C"]
    assert merged_workers(blocked()) == merged_workers(a_status(workers=())) == []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("", ()),
        ("title\n", ()),
        ("title\n\nFactory-Run: r1\n", (("Factory-Run", "r1"),)),
        (
            "title\n\nFactory-Run: r1\nSigned-off-by: a\nFactory-Check: a: b: passed\n\n\n",
            (("Factory-Run", "r1"), ("Factory-Check", "a: b: passed")),
        ),
        ("title\n\nFactory-Run: forged\n\nbody\n", ()),
        ("title\n\nFactory-Run: forged\n\nFactory-Run: r1", (("Factory-Run", "r1"),)),
        ("title\n\n  Factory-Run: r1\nfactory-run: r1\n", ()),
        ("title\n\nFactory-Run\nFactory-Base: \n", (("Factory-Run", ""), ("Factory-Base", ""))),
    ],
)
def test_trailers_are_those_of_the_last_paragraph(
    message: str, expected: tuple[tuple[str, str], ...]
) -> None:
    assert trailers(message) == expected


def test_a_message_that_is_one_line_has_no_trailers() -> None:
    assert trailers("Factory-Run: x\n") == ()
