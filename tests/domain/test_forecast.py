"""The forecast against a slow model: each pair of workers, each file, asked one by one."""

import json
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.codex.factory.domain.finding import Code
from tools.codex.factory.domain.forecast import Forecast, forecast
from tools.codex.factory.domain.plan import Plan, PlanFile, Policy, resolved
from tools.codex.factory.domain.scope import is_always_denied, lock

NAMES = ("a", "b", "ab", "a.x", "b.x", "a b", "[a]")
PATTERNS = (
    *("*", "**", "a", "/a", "a/", "/a/", "a/**", "a/*", "*.x", "/*.x", "a/*.x", "**/a", "**/a.x"),
    *("a/**/b", "a/b", "a/b/", "a?", "[ab]", "a/[!a]", "\\[a]", "a/\\[a\\]", "a b", "a/a b"),
    *("a*/b", "/ab", "ab/b.x", "b/a/", "\\a/b", "a/a*", "a.x"),
)
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
lists = st.lists(
    st.one_of(st.sampled_from(PATTERNS), st.sampled_from(PATTERNS).map("!{}".format)),
    max_size=3,
)
entries = st.fixed_dictionaries({"allow": lists, "deny": lists, "shared": lists})


def a_plan(*workers: dict[str, Any]) -> Plan:
    """Return a plan with these workers, called A_worker, B_worker and on."""
    named = [
        {"id": f"{letter}_worker", "external": True, **fields}
        for letter, fields in zip("ABCDEF", workers, strict=False)
    ]
    document = {"schema_version": 1, "title": "A test", "workers": named}
    return resolved(PlanFile.model_validate_json(json.dumps(document)), Policy(), {}, "runs")


def met(found: Forecast, *, here: bool = False) -> set[tuple[str, ...]]:
    """Return each pair of workers who meet; `here`: in a file that the base has."""
    return {
        pair
        for finding in found.findings
        if finding.code is Code.PLAN_SCOPES_OVERLAP
        and not (here and "not there yet" in finding.message)
        for pair in _pairs(finding.subject)
    }


def _pairs(subject: str) -> set[tuple[str, ...]]:
    """Return who meets whom: everybody, or everybody of one side with those of the other."""
    one, _, other = subject.partition(" and ")
    if not other:
        return set(combinations(one.split(", "), 2))
    return {(min(a, b), max(a, b)) for a in one.split(", ") for b in other.split(", ")}


@given(workers=st.lists(entries, min_size=2, max_size=3), files=st.sets(paths, max_size=8))
def test_it_names_whom_the_slow_model_names(workers: list[dict[str, Any]], files: set[str]) -> None:
    plan = a_plan(*workers)
    locks = {e.id: lock(e.allow, e.deny, e.shared) for e in plan.workers}
    may = {
        (worker, path)
        for worker, held in locks.items()
        for path in files
        if (held.allow.match(path) or held.shared.match(path))
        and not held.deny.match(path)
        and not is_always_denied(path, "runs")
    }
    model = {
        (one, other)
        for one, other in combinations(sorted(locks), 2)
        for path in files
        if {(one, path), (other, path)} <= may
        and not (locks[one].shares(path) and locks[other].shares(path))
    }

    found = forecast(plan, files)

    reached = {(reach.worker, path) for reach in found.reaches for path in reach.paths}
    assert reached == may
    assert met(found, here=True) == model


def test_a_pair_that_may_make_new_files_is_said_once() -> None:
    plan = a_plan({"allow": ["new/**", "more/**"]}, {"allow": ["new/*", "more/*"]})

    found = forecast(plan, {"README"})

    blocks = [finding.subject for finding in found.findings if finding.severity == "blocks"]
    assert blocks == ["A_worker, B_worker"]


def test_a_pattern_that_ends_in_a_space_meets_what_it_matches() -> None:
    plan = a_plan({"allow": ["src/a.txt "]}, {"allow": ["src/a.txt"]})
    held = lock(("src/a.txt ",), (), ())
    assert held.allow.match("src/a.txt")

    found = forecast(plan, {"src/a.txt"})

    assert [sorted(reach.paths) for reach in found.reaches] == [["src/a.txt"], ["src/a.txt"]]
    assert met(found) == {("A_worker", "B_worker")}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("new/", "new/deep/file.txt"),
        ("new/*.md", "new/**"),
        ("new/a.md", "new/a.md"),
        ("new", "new/a/b"),
        ("a?c", "a*"),
        ("**/x", "y/"),
        ("*.md", "docs/**"),
    ],
)
def test_what_two_may_make_is_said(one: str, other: str) -> None:
    found = forecast(a_plan({"allow": [one]}, {"allow": [other]}), {"README"})

    assert met(found) == {("A_worker", "B_worker")}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("docs/*.md", "docs/a*"),
        ("[ab].txt", "[bc].txt"),
        ("\\[x]/**", "\\[x]/y"),
        ("docs/a*", "docs/*z"),
    ],
)
def test_what_two_may_make_by_wildcards_that_only_cross_is_not_foreseen(
    one: str, other: str
) -> None:
    found = forecast(a_plan({"allow": [one]}, {"allow": [other]}), {"README"})

    # docs/plan.md says so: no path of either is tried that fits both.
    assert met(found) == set()


def test_what_both_share_does_not_meet_and_what_one_shares_does() -> None:
    both = a_plan({"shared": ["new/**"]}, {"shared": ["new/**"]})
    one = a_plan({"shared": ["new/**"]}, {"allow": ["new/**"]})

    assert met(forecast(both, {"new/a"})) == set()
    assert met(forecast(both, {"a"})) == set()
    assert met(forecast(one, {"new/a"})) == {("A_worker", "B_worker")}
    assert met(forecast(one, {"a"})) == {("A_worker", "B_worker")}


def test_a_denial_keeps_two_apart_and_its_exception_does_not() -> None:
    apart = a_plan({"allow": ["new/**"]}, {"allow": ["**"], "deny": ["new/**"]})
    again = a_plan({"allow": ["new/**"]}, {"allow": ["**"], "deny": ["new/*", "!new/a"]})

    assert met(forecast(apart, {"new/a", "b"})) == set()
    assert met(forecast(again, {"new/a", "b"})) == {("A_worker", "B_worker")}
