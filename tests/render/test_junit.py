"""CHECKS.junit.xml: whole documents."""

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.statuses import (
    HOSTILE,
    a_check,
    a_check_row,
    a_plan,
    a_salvage,
    a_status,
    blocked,
)
from tools.codex.factory.domain.artifact import Ending
from tools.codex.factory.domain.evidence import CheckRow
from tools.codex.factory.render.junit import junit
from tools.codex.factory.render.text import shown

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def case(row: CheckRow | None, *, required: bool = True, retries: int = 0) -> ElementTree.Element:
    """Return the one case of a document about one check."""
    plan = a_plan(checks=(a_check(required=required, retries=retries),))
    status = a_status(checks=() if row is None else (row,))
    found = ElementTree.fromstring(junit(plan, status)).find(
        "testsuite/testcase[@classname='factory.checks']"
    )
    assert found is not None
    return found


def test_every_check_of_the_plan_is_a_case() -> None:
    names = ("green", "red & <b>", "optional", "flaky", "gone", "unsaid")
    plan = a_plan(
        title='"A" title',
        checks=tuple(a_check(name, required=name != "optional") for name in names),
    )
    status = a_status(
        checks=(
            a_check_row("green"),
            a_check_row("red & <b>", "failed", tail=("one", "\x1b[2J]]>"), duration_ms=10),
            a_check_row("optional", "failed"),
            a_check_row("flaky", "flaky"),
            a_check_row("gone", "not_run", reason="no such program", duration_ms=0),
        )
    )

    assert junit(plan, status).decode() == (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<testsuites tests="7" failures="2" skipped="2" errors="0" time="4.510">\n'
        '  <testsuite name="&quot;A&quot; title" tests="7" failures="2" skipped="2" errors="0" '
        'time="4.510">\n'
        '    <testcase classname="factory.run" name="verdict" time="0.000" />\n'
        '    <testcase classname="factory.checks" name="green" time="1.500" />\n'
        '    <testcase classname="factory.checks" name="red &amp; &lt;b&gt;" time="0.010">\n'
        '      <failure message="exited 7" type="failed">one\n'
        "\\x1b[2J]]&gt;</failure>\n"
        "    </testcase>\n"
        '    <testcase classname="factory.checks" name="optional" time="1.500">\n'
        "      <system-out>failed: exited 7</system-out>\n"
        "    </testcase>\n"
        '    <testcase classname="factory.checks" name="flaky" time="1.500">\n'
        '      <failure message="exited 7" type="flaky" />\n'
        "    </testcase>\n"
        '    <testcase classname="factory.checks" name="gone">\n'
        '      <skipped message="no such program" />\n'
        "    </testcase>\n"
        '    <testcase classname="factory.checks" name="unsaid">\n'
        '      <skipped message="nothing was merged" />\n'
        "    </testcase>\n"
        "  </testsuite>\n"
        "</testsuites>\n"
    )


def test_a_run_that_is_blocked_is_red_though_no_check_was_run() -> None:
    assert junit(a_plan(checks=()), blocked()).decode() == (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<testsuites tests="1" failures="1" skipped="0" errors="0" time="0.000">\n'
        '  <testsuite name="A title" tests="1" failures="1" skipped="0" errors="0" '
        'time="0.000">\n'
        '    <testcase classname="factory.run" name="verdict" time="0.000">\n'
        '      <failure message="BLOCKED: 0 blocking" type="BLOCKED" />\n'
        "    </testcase>\n"
        "  </testsuite>\n"
        "</testsuites>\n"
    )


@pytest.mark.parametrize(
    ("result", "required", "retries", "expected"),
    [
        ("passed", True, 0, []),
        ("passed", False, 0, []),
        ("failed", True, 0, ["failure"]),
        ("failed", True, 1, ["failure"]),
        ("failed", False, 0, ["system-out"]),
        ("flaky", True, 0, ["failure"]),
        ("flaky", True, 1, ["system-out"]),
        ("flaky", False, 0, ["system-out"]),
        ("not_run", True, 0, ["skipped"]),
        ("not_run", False, 1, ["skipped"]),
    ],
)
def test_only_what_a_plan_forbids_is_a_failure(
    result: str, required: bool, retries: int, expected: list[str]
) -> None:
    found = case(a_check_row(result=result), required=required, retries=retries)

    assert [said.tag for said in found] == expected


@pytest.mark.parametrize(
    ("how", "exit_code", "signal", "said"),
    [
        ("exited", 7, None, "exited 7"),
        ("signalled", None, 9, "was ended by signal 9"),
        ("timed_out", None, 9, "ran longer than it may"),
        ("idle", None, 9, "said nothing for longer than it may"),
        ("stopped", None, None, "stopped"),
    ],
)
def test_a_failure_says_how_it_ended(
    how: str, exit_code: int | None, signal: int | None, said: str
) -> None:
    ended = Ending.model_validate({"how": how, "exit_code": exit_code, "signal": signal})

    failure = case(a_check_row(result="failed", ended=ended)).find("failure")

    assert failure is not None
    assert failure.attrib == {"message": said, "type": "failed"}


def test_a_red_check_of_which_no_end_is_known_is_a_failure() -> None:
    failure = case(a_check_row(result="failed", ended=None)).find("failure")

    assert failure is not None
    assert failure.attrib == {"message": "failed", "type": "failed"}


def test_the_checks_of_a_salvage_are_its_own() -> None:
    salvage = a_salvage("A_worker", checks=(a_check_row(duration_ms=250),))

    found = junit(a_plan(), a_status(checks=(a_check_row(result="failed"),), salvage=salvage))

    assert b'failures="0" skipped="0" errors="0" time="0.250"' in found


@settings(deadline=None)
@given(TEXT, TEXT, st.lists(TEXT, max_size=3))
def test_any_text_comes_back_from_the_document_as_it_is_shown(
    title: str, reason: str, tail: list[str]
) -> None:
    plan = a_plan(title=title, checks=(a_check("red"), a_check("gone")))
    rows = (
        a_check_row("red", "failed", tail=tuple(tail)),
        a_check_row("gone", "not_run", reason=reason),
    )

    root = ElementTree.fromstring(junit(plan, a_status(checks=rows)))

    suite, failure, skipped = (
        root.find(path) for path in ("testsuite", ".//failure", ".//skipped")
    )
    assert suite is not None and failure is not None and skipped is not None
    assert suite.get("name") == shown(title)
    assert skipped.get("message") == shown(reason)
    assert (failure.text or "").strip() == "\n".join(map(shown, tail)).strip()


def test_text_of_strangers_stands_as_it_is_shown() -> None:
    found = junit(a_plan(title=HOSTILE), a_status()).decode()

    assert f'name="{shown(HOSTILE)}"' in found
