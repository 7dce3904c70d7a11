"""FINAL_REPORT.md: whole pages, and nobody's markup but ours."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.statuses import (
    BASE,
    COMMIT,
    HOSTILE,
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
from tools.codex.factory.domain.finding import Code
from tools.codex.factory.domain.lever import dropping
from tools.codex.factory.render.markdown import markdown_report
from tools.codex.factory.render.text import shown

SPECIAL = set("\\`*_{}[]()<>#+!|~&@")


def bare(text: str) -> str:
    """Return the special characters of Markdown that stand in text without an escape."""
    return "".join(c for c in re.sub(r"\\.", "", text, flags=re.DOTALL) if c in SPECIAL)


def read(markdown: str) -> str:
    """Return the text that a reader of Markdown sees of escaped text."""
    return re.sub(r"\\(.)", r"\1", markdown)


def spans(page: str) -> list[tuple[str, str]]:
    """Return the pieces of every line of a page, as a reader of Markdown has them."""
    blocks = MarkdownIt("commonmark").enable("table").parse(page)
    return [(one.type, one.content) for block in blocks for one in block.children or ()]


def test_a_run_that_passed_is_one_page() -> None:
    assert markdown_report(a_plan(), a_status()) == (
        "# PASS: A title\n"
        "\n"
        "## What to do next\n"
        "\n"
        "1. Read Z\\_integrator/DIFF.patch.\n"
        "2. `factory publish --branch NAME` makes one commit of it on a new branch.\n"
        "\n"
        "## Workers\n"
        "\n"
        "| worker | status | | changed paths |\n"
        "|---|---|---|---:|\n"
        "| A\\_worker | PASS | merged | 2 |\n"
        "| B\\_worker | PASS | merged | 2 |\n"
        "\n"
        "## Checks\n"
        "\n"
        "| check | | result | seconds |\n"
        "|---|---|---|---:|\n"
        "| tests | required | passed | 1.5 |\n"
        "\n"
        "## Evidence\n"
        "\n"
        "| | |\n"
        "|---|---|\n"
        "| run | `run-1` |\n"
        f"| base commit | `{BASE}` |\n"
        f"| merged tree | `{TREE}` |\n"
        f"| merged commit | `{COMMIT}` |\n"
        "| exit code | `0` |\n"
    )


def test_a_run_that_is_blocked_in_part_says_all_that_it_came_to() -> None:
    plan = a_plan(checks=(a_check("a|b", required=False), a_check("gone"), a_check("never")))
    status = a_status(
        status="BLOCKED",
        exit_code=3,
        partial=True,
        rehearsal=True,
        workers=(a_worker_row("A"), a_worker_row("B", status="BLOCKED", merged=False)),
        checks=(a_check_row("never", "failed"),),
        salvage=a_salvage(
            "A", checks=(a_check_row("a|b", "failed"), a_check_row("gone", "not_run"))
        ),
        findings=(
            a_finding(subject="B: a_b", message="no `src/*` of it"),
            a_finding(Code.SCOPE_GRANTED, severity="note", subject="A: x", hint=""),
        ),
        error="half * of it",
    )

    assert markdown_report(plan, status) == (
        "# BLOCKED PARTIAL REHEARSAL: A title\n"
        "\n"
        "half \\* of it\n"
        "\n"
        "## What to do next\n"
        "\n"
        "1. grant it\n"
        "2. Z\\_integrator/DIFF.patch holds what fits together, proven; "
        "`factory publish --accept-partial --branch NAME` publishes just that.\n"
        "\n"
        "## Workers\n"
        "\n"
        "| worker | status | | changed paths |\n"
        "|---|---|---|---:|\n"
        "| A | PASS | merged | 2 |\n"
        "| B | BLOCKED | left out | 2 |\n"
        "\n"
        "## Checks\n"
        "\n"
        "| check | | result | seconds |\n"
        "|---|---|---|---:|\n"
        "| a\\|b | optional | failed | 1.5 |\n"
        "| gone | required | not run | 1.5 |\n"
        "| never | required | not run |  |\n"
        "\n"
        "## Findings\n"
        "\n"
        "* **blocks** `scope.outside_lock` B: a\\_b: no `src/*` of it\n"
        "  * grant it\n"
        "* **note** `scope.granted` A: x: no pattern allows it\n"
        "\n"
        "## Evidence\n"
        "\n"
        "| | |\n"
        "|---|---|\n"
        "| run | `run-1` |\n"
        f"| base commit | `{BASE}` |\n"
        f"| merged tree | `{TREE}` |\n"
        f"| merged commit | `{COMMIT}` |\n"
        "| exit code | `3` |\n"
    )


def test_what_a_run_has_not_is_no_section() -> None:
    page = markdown_report(a_plan(checks=()), blocked(workers=(), noop=True))

    assert [line for line in page.splitlines() if line.startswith("#")] == [
        "# BLOCKED NOOP: A title",
        "## What to do next",
        "## Evidence",
    ]
    assert "| merged tree | `none` |\n| merged commit | `none` |\n" in page


@pytest.mark.parametrize(("count", "more"), [(50, []), (51, [1]), (120, [70])])
def test_of_many_findings_fifty_are_shown_and_the_rest_is_counted(
    count: int, more: list[int]
) -> None:
    findings = tuple(a_finding(subject=f"A: {n}", hint="") for n in range(count))

    lines = markdown_report(a_plan(), blocked(*findings)).splitlines()

    said = [line for line in lines if line.startswith("* ")]
    assert len(said) == 50 + len(more)
    assert said[50:] == [f"* and {n} more, in FINAL\\_REPORT.txt" for n in more]


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_title_is_read_as_it_is_shown(title: str) -> None:
    line = markdown_report(a_plan(title=title), a_status()).split("\n")[0]

    assert read(line.removeprefix("# PASS: ")) == shown(title)
    assert bare(line) == "#"


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="`")))
def test_prose_without_code_is_escaped_as_any_text(text: str) -> None:
    page = markdown_report(a_plan(), blocked(a_finding(subject="s", message=text, hint="")))

    (line,) = [line for line in page.split("\n") if line.startswith("* ")]
    said = line.removeprefix("* **blocks** `scope.outside_lock` s: ")
    assert (bare(said), read(said)) == ("", shown(text))


def test_text_of_strangers_breaks_no_line_and_no_cell_anywhere() -> None:
    hostile = HOSTILE + "|<b>[a](b)"
    plain = markdown_report(a_plan(), blocked(a_finding(), error="x"))

    page = markdown_report(
        a_plan(title=hostile, checks=(a_check(shown(hostile)),)),
        blocked(a_finding(subject=hostile, message=hostile, hint=hostile), error=hostile),
    )

    assert page.count("\n") == plain.count("\n")
    assert shown(page.replace("\n", "")) == page.replace("\n", "")
    assert not re.search(r"(?<!\\)[|<\[]\S*b", page)


@pytest.mark.parametrize("path", ["a_*[b]<c>&@d", "it's", 'a"b', "two  blanks ", "#!x"])
def test_what_is_typed_is_shown_as_it_is_typed(path: str) -> None:
    lever = dropping("A_worker", path)

    page = markdown_report(a_plan(), blocked(a_finding(hint=f"{lever} leaves_it out")))

    assert f"1. {lever} leaves\\_it out\n" in page
    assert f"  * {lever} leaves\\_it out\n" in page
    assert ("code_inline", lever[1:-1]) in spans(page)


@pytest.mark.parametrize("path", ["a|b", "a`b", "a``b"])
def test_any_lever_is_read_as_it_is_typed(path: str) -> None:
    lever = dropping("A_worker", path)

    page = markdown_report(a_plan(), blocked(a_finding(hint=lever)))

    assert ("code_inline", lever[1:-1]) in spans(page)


@pytest.mark.parametrize("markup", ["[a](b)", "<img src=x>", "**x**"])
def test_a_run_of_backticks_lets_no_markup_through(markup: str) -> None:
    status = blocked(a_finding(message=f"```{markup}`", hint=""))

    found = [kind for kind, _ in spans(markdown_report(a_plan(), status))]

    assert found.count("strong_open") == 1
    assert not {"link_open", "image", "html_inline", "em_open"} & set(found)


@pytest.mark.parametrize("address", ["http://evil.example", "www.evil.example"])
def test_an_address_makes_no_link(address: str) -> None:
    page = markdown_report(a_plan(title=f"see {address}"), a_status())

    assert address not in page
