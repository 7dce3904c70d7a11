"""What follows from what checks said, and which parts of the bundles are tried."""

from itertools import product
from typing import Literal

import pytest

from tests.builders import worker
from tools.codex.factory.domain.artifact import Ending
from tools.codex.factory.domain.check import check_findings, culprits, is_green, red, subsets
from tools.codex.factory.domain.evidence import AttributionRow, CheckRow
from tools.codex.factory.domain.plan import Check, Integration, Plan, Policy

Result = Literal["passed", "failed", "flaky", "not_run"]
Tried = Literal["base", "alone", "without"]
RESULTS: tuple[Result, ...] = ("passed", "failed", "flaky", "not_run")
NAMES = [worker(name) for name in "ABCDE"]


def a_plan(*checks: Check) -> Plan:
    return Plan(
        schema_version=1,
        revision=1,
        title="A test",
        workers=(),
        pins={},
        integration=Integration(),
        checks=checks,
        policy=Policy(),
        runs_root=None,
    )


def a_check(name: str = "a", *, required: bool = True, retries: int = 0) -> Check:
    return Check(name=name, command=("true",), required=required, retries=retries)


def a_row(
    name: str = "a",
    result: Result = "failed",
    on: Literal["merged", "base"] = "merged",
    flakes: int = 0,
) -> CheckRow:
    ended = Ending(how="exited", exit_code=7, signal=None)
    return CheckRow(
        name=name,
        required=True,
        on=on,
        result=result,
        ended=None if result == "not_run" else ended,
        reason="setup failed" if result == "not_run" else "",
        runs=1,
        duration_ms=1,
        reused=None,
        flakes=flakes,
        tail=(),
    )


def rows(*tried: tuple[Tried, str, Result]) -> list[AttributionRow]:
    return [
        AttributionRow(check="a", tried=how, worker_id=name or None, result=result)
        for how, name, result in tried
    ]


@pytest.mark.parametrize(
    ("result", "required", "retries"), [*product(RESULTS, (True, False), (0, 1))]
)
def test_only_what_is_plainly_green_or_not_required_lets_a_run_pass(
    result: Result, required: bool, retries: int
) -> None:
    plan = a_plan(a_check(required=required, retries=retries))

    found = check_findings(plan, [a_row(result=result)], ())

    blocks = required and result != "passed" and not (result == "flaky" and retries)
    assert [finding.blocks for finding in found] == ([] if result == "passed" else [blocks])
    assert is_green(plan, [a_row(result=result)]) == (not blocks)


def test_a_check_of_which_nothing_is_known_blocks() -> None:
    plan = a_plan(a_check())

    found = check_findings(plan, [], ())

    assert [(finding.code, finding.blocks) for finding in found] == [("check.not_run", True)]


def test_only_required_checks_that_failed_are_attributed() -> None:
    plan = a_plan(a_check("a"), a_check("b", required=False), a_check("c"), a_check("d"))
    said = [a_row("a"), a_row("b"), a_row("c", "flaky"), a_row("d", "passed")]

    assert [check.name for check in red(plan, said)] == ["a"]


def test_what_was_red_on_the_base_says_so() -> None:
    plan = a_plan(a_check())

    (found,) = check_findings(plan, [a_row(on="base")], ())

    assert (found.code, found.message) == (
        "check.red_on_base",
        "exited 7 on the base commit, before any work",
    )


CULPRITS: dict[str, tuple[list[AttributionRow], str]] = {
    "base": (
        rows(("base", "", "failed"), ("alone", "A", "failed"), ("alone", "B", "failed")),
        "it is red on the base commit too",
    ),
    "one": (
        rows(
            ("base", "", "passed"), ("alone", "A", "failed"), ("alone", "B", "passed"),
            ("without", "A", "passed"), ("without", "B", "failed"),
        ),
        "red with A alone; green without A",
    ),
    "together": (
        rows(
            ("base", "", "passed"), ("alone", "A", "passed"), ("alone", "B", "passed"),
            ("alone", "C", "passed"), ("without", "A", "passed"), ("without", "B", "passed"),
            ("without", "C", "failed"),
        ),
        "green with each bundle alone, red only together; green without A, B",
    ),
    "nothing tried": ([], ""),
    "nothing known": (rows(("base", "", "not_run"), ("alone", "A", "not_run")), ""),
}  # fmt: skip


@pytest.mark.parametrize("what", CULPRITS)
def test_trials_are_said_in_words(what: str) -> None:
    tried, said = CULPRITS[what]

    assert culprits(tried, "a") == said


def test_a_bundle_that_was_not_tried_alone_is_not_said_to_be_green_alone() -> None:
    tried = rows(("base", "", "passed"), ("alone", "A", "passed"), ("alone", "B", "not_run"))

    assert "each bundle alone" not in culprits(tried, "a")


def test_the_trials_of_another_check_say_nothing() -> None:
    assert culprits(rows(("base", "", "failed")), "b") == ""


@pytest.mark.parametrize("count", range(6))
def test_every_part_is_tried_once_and_neither_all_nor_nothing(count: int) -> None:
    names = NAMES[:count]

    parts = list(subsets(names, names[1:]))

    assert len(parts) == len(set(parts)) == max(0, 2**count - 2)
    assert all(0 < len(part) < count and list(part) == sorted(part) for part in parts)


def test_large_parts_are_tried_first() -> None:
    sizes = [len(part) for part in subsets(NAMES, NAMES)]

    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("count", range(1, 5))
def test_what_is_green_alone_is_tried_together_before_other_parts_of_its_size(count: int) -> None:
    green = NAMES[-count:]

    assert next(part for part in subsets(NAMES, green) if len(part) == count) == tuple(green)


def test_a_check_that_was_flaky_before_on_the_same_tree_passes_with_a_note() -> None:
    found = check_findings(a_plan(a_check()), [a_row(result="passed", flakes=2)], ())

    assert [(one.code, one.blocks) for one in found] == [("check.flaky", False)]
    assert "flaky on this very tree 2 times before" in found[0].message
