"""A sealed plan and a wish make its next revision, or are refused with what to do."""

from itertools import product
from typing import Any

import pytest

from tests.statuses import SHA, a_plan, an_amendment, an_entry
from tools.codex.factory.domain.amendment import (
    AmendmentRefused,
    Wish,
    amended,
    deeds,
    follows,
)
from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.identity import digest_of
from tools.codex.factory.domain.plan import Plan

WISHES = [
    Wish(reason="why", allow={"A_worker": ("docs/x",)}),
    Wish(reason="why", deny={"B_worker": ("src/y", "!src/z")}),
    Wish(reason="why", shared=("pom.xml",)),
    Wish(reason="why", dropped=("A_worker",)),
    Wish(reason="why", dropped_paths={"A_worker": ("src/a", '"t\\tb"')}),
]


def refusal(plan: Plan, wish: Wish) -> tuple[str, str]:
    """Return why a wish is refused, and what to do."""
    with pytest.raises(AmendmentRefused) as caught:
        amended(plan, wish)
    return str(caught.value), caught.value.hint


def test_every_wish_at_once_makes_one_revision() -> None:
    plan = a_plan(workers=tuple(an_entry(name) for name in ("A", "B", "C")))
    wish = Wish(
        reason="as agreed",
        allow={"B": ("docs/x",), "A": ("docs/y",)},
        deny={"A": ("src/z",)},
        shared=("pom.xml",),
        dropped=("C",),
        dropped_paths={"B": ("src/gone",)},
    )

    found = amended(plan, wish)

    after = (
        an_entry("A", allow=("src/**", "docs/y"), deny=("src/z",), shared=("pom.xml",)),
        an_entry("B", allow=("src/**", "docs/x"), shared=("pom.xml",)),
    )
    record = an_amendment(
        allow={"A": ("docs/y",), "B": ("docs/x",)},
        deny={"A": ("src/z",)},
        shared=("pom.xml",),
        dropped=("C",),
        dropped_paths={"B": ("src/gone",)},
        replaced=plan.workers,
        follows=digest_of(canonical(plan)),
    )
    assert found == plan.model_copy(
        update={"revision": 2, "workers": after, "amendments": (record,)}
    )


def test_a_dropped_path_changes_no_entry() -> None:
    plan = a_plan()

    found = amended(plan, Wish(reason="why", dropped_paths={"A_worker": ("src/a",)}))

    assert (found.workers, found.amendments[0].replaced) == (plan.workers, ())
    assert [found.dropped_paths(one.id) for one in plan.workers] == [{"src/a"}, frozenset()]


def test_the_order_in_which_it_is_asked_makes_no_other_revision() -> None:
    paths = {"A_worker": ("a",), "B_worker": ("b",)}
    turned = dict(reversed(paths.items()))

    one = amended(a_plan(), Wish(reason="why", allow=paths, deny=paths, dropped_paths=paths))
    other = amended(a_plan(), Wish(reason="why", allow=turned, deny=turned, dropped_paths=turned))

    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(("first", "second"), list(product(WISHES, WISHES)))
def test_every_revision_follows_the_one_before_and_no_other(first: Wish, second: Wish) -> None:
    plan = a_plan(workers=tuple(an_entry(name) for name in ("A_worker", "B_worker", "C_worker")))
    later = amended(plan, first)
    try:
        last = amended(later, second)
    except AmendmentRefused:
        last = amended(later, Wish(reason="else", shared=("else",)))

    chain = [plan, later, last]

    found = [[follows(one, other) for other in chain] for one in chain]
    assert found == [[False] * 3, [True, False, False], [False, True, False]]


@pytest.mark.parametrize(
    "forged",
    [
        {"title": "another"},
        {"revision": 3},
        {"checks": ()},
        {"workers": (an_entry("A_worker", allow=("**",)), an_entry("B_worker"))},
        {"workers": (an_entry("A_worker"),)},
        {"amendments": ()},
        {"amendments": (an_amendment(allow={"A_worker": ("docs/x",)}, follows=SHA),)},
        {"amendments": (an_amendment(allow={"X_worker": ("docs/x",)}, follows=SHA),)},
    ],
)
def test_a_revision_that_was_touched_follows_nothing(forged: dict[str, Any]) -> None:
    plan = a_plan()
    later = amended(plan, WISHES[0])

    touched = later.model_copy(update=forged)

    assert (follows(later, plan), follows(touched, plan)) == (True, False)


def test_what_an_amendment_changes_is_said_a_line_for_each() -> None:
    amendment = an_amendment(
        allow={"A": ("docs/x", "it's")},
        deny={"A": ("src/y", "!src/z")},
        shared=("pom.xml",),
        dropped=("C",),
        dropped_paths={"B": ("src/a", '"t\\tb"')},
    )

    assert deeds(amendment) == (
        "A may write 'docs/x'",
        'A may write "it\'s"',
        "A is denied 'src/y'",
        "A is denied 'src/z' no longer",
        "every worker shares 'pom.xml'",
        "C is left out",
        "B: src/a is left out",
        'B: "t\\tb" is left out',
    )
    assert deeds(an_amendment()) == ()


@pytest.mark.parametrize(
    ("asked", "message", "hint"),
    [
        (
            {},
            "nothing is asked to be amended",
            "name what with --allow, --deny, --share, --drop, --drop-path or --accept-secret",
        ),
        *(
            (asked, "the plan has no worker 'A_workr'", "did you mean 'A_worker'?")
            for asked in (
                {"allow": {"A_workr": ("x",)}},
                {"deny": {"A_workr": ("x",)}},
                {"dropped": ("A_workr",)},
                {"dropped_paths": {"A_workr": ("x",)}},
            )
        ),
        ({"dropped": ("?",)}, "the plan has no worker '?'", "known: A_worker, B_worker"),
        *(
            (
                {"dropped": ("A_worker",), what: {"A_worker": ("x",)}},
                "'A_worker' is dropped, and something of it is amended too",
                "ask for one",
            )
            for what in ("allow", "deny", "dropped_paths")
        ),
        (
            {"allow": {"A_worker": ("new", "src/**")}},
            "A_worker allows 'src/**' already",
            "name something else",
        ),
        (
            {"deny": {"A_worker": ("src/no",)}},
            "A_worker denies 'src/no' already",
            "name something else",
        ),
        (
            {"dropped_paths": {"A_worker": ("src/gone",)}},
            "A_worker leaves out 'src/gone' already",
            "name something else",
        ),
        ({"shared": ("lock",)}, "every worker shares 'lock' already", "name something else"),
        (
            {"dropped": ("A_worker", "B_worker")},
            "with every worker dropped, nothing is left to merge",
            "start another run",
        ),
        *(
            (
                asked,
                f"the amendment is wrong: {where}",
                "patterns are git's own, as in the plan; paths are as the report shows them",
            )
            for asked, where in (
                (
                    {"allow": {"A_worker": ("#x",)}},
                    "allow.A_worker.0: '#x' is a comment in git's pattern rules (write '\\#x')",
                ),
                (
                    {"deny": {"A_worker": ("a//b",)}},
                    "deny.A_worker.0: 'a//b' matches nothing: no path in git has such a part",
                ),
                ({"shared": ("!",)}, "shared.0: '!' names no path"),
                (
                    {"dropped_paths": {"A_worker": ("../x",)}},
                    "dropped_paths.A_worker.0: '../x' is not a repository path "
                    "(relative, like 'src/app.py')",
                ),
                (
                    {"shared": ("x",), "reason": "\n"},
                    "reason: '\\n' is empty or holds control characters",
                ),
            )
        ),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(
    asked: dict[str, Any], message: str, hint: str
) -> None:
    more = {"deny": ("src/no",), "shared": ("lock",)}
    before = an_amendment(dropped_paths={"A_worker": ("src/gone",)})
    plan = a_plan(
        revision=2,
        workers=(an_entry("A_worker", **more), an_entry("B_worker", **more)),
        amendments=(before,),
    )

    assert refusal(plan, Wish(**{"reason": "why", **asked})) == (message, hint)


def test_what_one_worker_has_others_may_still_be_given() -> None:
    plan = a_plan(workers=(an_entry("A_worker", shared=("lock",)), an_entry("B_worker")))

    found = amended(plan, Wish(reason="why", shared=("lock",)))

    assert "lock" in found.workers[1].shared


def test_a_denial_that_was_taken_back_can_be_made_again() -> None:
    plan = a_plan(workers=(an_entry("A_worker", deny=("x", "!x")),))

    found = amended(plan, Wish(reason="why", deny={"A_worker": ("x",)}))

    assert found.workers[0].deny == ("x", "!x", "x")
