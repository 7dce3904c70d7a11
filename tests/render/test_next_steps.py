"""What the operator does after a report."""

from typing import Any

import pytest

from tests.statuses import a_finding, a_status, blocked
from tools.codex.factory.render.next_steps import next_steps

AMEND = "`factory amend --drop A --reason WHY` leaves its work out"
AFTER = (
    "After an amendment: `factory bundle-validate`, then `factory integrate`; where this is not "
    "the newest run, each with its `--run-id`."
)
PARTIAL = (
    "Z_integrator/DIFF.patch holds what fits together, proven; `factory publish --accept-partial "
    "--branch NAME` publishes just that."
)
AGAIN = "`factory integrate` tries again."


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            {},
            [
                "Read Z_integrator/DIFF.patch.",
                "`factory publish --branch NAME` makes one commit of it on a new branch.",
            ],
        ),
        ({"noop": True}, ["Nothing: there is nothing to take over."]),
        ({"noop": True, "rehearsal": True}, ["Nothing: there is nothing to take over."]),
        ({"rehearsal": True}, ["Run it without --dry-run: a rehearsal is thrown away."]),
        ({"status": "FAIL", "error": "no"}, [AGAIN]),
        ({"status": "FAIL", "rehearsal": True, "error": "no"}, [AGAIN]),
        ({"status": "BLOCKED", "partial": True}, [PARTIAL]),
    ],
)
def test_each_end_has_its_next_steps(more: dict[str, Any], expected: list[str]) -> None:
    assert next_steps(a_status(**more)) == expected


def test_what_blocks_is_mended_first_then_judged_again_then_published_in_part() -> None:
    status = blocked(
        a_finding(hint="first"),
        a_finding(hint="a note's", severity="note"),
        a_finding(hint=AMEND),
        a_finding(hint=""),
        a_finding(hint="first"),
        partial=True,
    )

    assert next_steps(status) == ["first", AMEND, AFTER, PARTIAL]


def test_a_new_attempt_is_to_be_integrated() -> None:
    lever = "`factory launch --only A` makes a new attempt"
    after = (
        "After a new attempt: `factory integrate`; where this is not the newest run, each with its "
        "`--run-id`."
    )

    assert next_steps(blocked(a_finding(hint=lever))) == [lever, after]


def test_without_an_amendment_nothing_is_to_be_judged_again() -> None:
    assert next_steps(blocked(a_finding(hint="only"))) == ["only"]


def test_notes_alone_say_nothing_to_do() -> None:
    assert next_steps(blocked(a_finding(severity="note"))) == [AGAIN]


def test_of_many_steps_the_first_twelve_are_said() -> None:
    hints = [f"step {number}" for number in range(20)]

    found = next_steps(blocked(*(a_finding(hint=hint) for hint in hints)))

    assert found == hints[:12]
