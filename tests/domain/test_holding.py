"""Whether a run may be removed, and why, or why not."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from tests.statuses import a_held_run
from tools.codex.factory.domain.holding import UNREADABLE, gone_because, kept_because

START = datetime(2026, 11, 21, 3, 45, tzinfo=UTC)
FORTNIGHT = timedelta(days=14)
LATE = START + timedelta(days=15)
CROWD = tuple(f"W{number}" for number in range(7))
LEFT = "holds work that was not captured whole: look, then remove it"


def kept(
    *,
    now: datetime = LATE,
    age: timedelta = FORTNIGHT,
    is_named: bool = False,
    **more: Any,
) -> str | None:
    """Return why a run stays; long over, unless told otherwise."""
    return kept_because(a_held_run(**more), now=now, age=age, is_named=is_named)


@pytest.mark.parametrize(
    ("more", "swept", "named"),
    [
        ({}, None, None),
        (
            {"status": UNREADABLE, "title": "no manifest"},
            "it cannot be read: no manifest",
            "it cannot be read: no manifest",
        ),
        (
            {"uncaptured": ("A", "B")},
            f"A, B {LEFT}",
            f"A, B {LEFT}",
        ),
        (
            {"uncaptured": CROWD},
            f"W0, W1, W2, W3, W4 and 2 more {LEFT}",
            f"W0, W1, W2, W3, W4 and 2 more {LEFT}",
        ),
        (
            {"uncaptured": ("A",), "status": "PENDING", "ended": None},
            "A holds work that was not captured whole: go on with the run, or look, then remove it",
            "A holds work that was not captured whole: go on with the run, or look, then remove it",
        ),
        ({"status": "PENDING", "ended": None}, "it is PENDING", None),
        ({"status": "WAITING", "ended": 4}, "it is WAITING", None),
        (
            {"unpublished": ("A",)},
            "work of A is not published; --run-id removes it all the same",
            None,
        ),
        (
            {"unpublished": CROWD[:5]},
            "work of W0, W1, W2, W3, W4 is not published; --run-id removes it all the same",
            None,
        ),
        ({"unpublished": ("A",), "rehearsal": True}, None, None),
        ({"published": {"topic": "1"}}, None, None),
    ],
)
def test_a_run_stays_for_what_it_holds(
    more: dict[str, Any], swept: str | None, named: str | None
) -> None:
    assert (kept(**more), kept(**more, is_named=True)) == (swept, named)


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(days=14), "14 d"),
        (timedelta(days=1), "1 d"),
        (timedelta(hours=36), "36 h"),
        (timedelta(hours=1), "1 h"),
    ],
)
def test_a_run_stays_until_it_has_its_age(age: timedelta, said: str) -> None:
    instants = [START, START + age - timedelta(microseconds=1), START + age]

    found = [kept(now=now, age=age) for now in instants]

    assert found == [f"it is younger than {said}"] * 2 + [None]
    assert kept(now=START, age=age, is_named=True) is None


@pytest.mark.parametrize("zone", ["2026-11-21T03:45:00Z", "2026-11-21T05:45:00+02:00"])
def test_an_age_is_told_from_any_zone(zone: str) -> None:
    instants = [START + FORTNIGHT - timedelta(seconds=1), START + FORTNIGHT]

    found = [kept(started=zone, now=now) for now in instants]

    assert found == ["it is younger than 14 d", None]


@pytest.mark.parametrize(
    ("more", "swept", "named"),
    [
        ({}, "it holds no work", "it holds no work"),
        ({"published": {"topic": "1"}}, "published", "published"),
        ({"rehearsal": True, "unpublished": ("A",)}, "a rehearsal", "a rehearsal"),
        (
            {"unpublished": CROWD, "published": {"topic": "1"}},
            "published",
            "named; the unpublished work of W0, W1, W2, W3, W4 and 2 more goes with it",
        ),
    ],
)
def test_a_run_goes_for_what_it_does_not_hold(more: dict[str, Any], swept: str, named: str) -> None:
    run = a_held_run(**more)

    found = (gone_because(run, is_named=False), gone_because(run, is_named=True))

    assert found == (swept, named)


def test_no_run_that_holds_work_of_its_own_is_swept_away() -> None:
    whole = a_held_run()
    worlds = product(
        [("PASS", 0), ("BLOCKED", 3), ("FAIL", 1), ("WAITING", 4), ("PENDING", None)],
        [(), ("A",)],
        [(), ("A",)],
        [False, True],
        [{}, {"topic": "1"}],
    )
    names = ("unpublished", "uncaptured", "rehearsal", "published")

    swept = [
        (state[0], rest)
        for state, *rest in worlds
        if kept_because(
            whole.model_copy(
                update={
                    "status": state[0],
                    "ended": state[1],
                    **dict(zip(names, rest, strict=True)),
                }
            ),
            now=LATE,
            age=FORTNIGHT,
            is_named=False,
        )
        is None
    ]

    assert {state for state, _ in swept} == {"PASS", "BLOCKED", "FAIL"}
    assert [rest for _, rest in swept if rest[1] or (rest[0] and not rest[2])] == []
    assert len(swept) == 3 * 3 * 2
