"""The report in other forms: only where asked for, from the one verdict, and nobody's markup."""

import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.conftest import Ended
from tests.work import Work, edit_line, write_file

pytestmark = pytest.mark.slow

ALL = {f"FACTORY_REPORT__{form}": "true" for form in ("MARKDOWN", "JUNIT", "SARIF")}
FILES = {"FINAL_REPORT.md", "CHECKS.junit.xml", "FINDINGS.sarif"}


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


CHECKS: list[dict[str, Any]] = [
    {"name": "green", "command": python("pass")},
    {"name": "red & <b>", "command": python("print('\\x1b[2J<x>'); raise SystemExit(7)")},
    {"name": "optional", "command": python("raise SystemExit(1)"), "required": False},
    {"name": "gone", "command": ["no-such-program"], "required": False},
]


def integrated(work: Work, **env: str) -> Ended:
    work.patch("A", edit_line("src/app.txt", 2, "A"), allow=["src/**"])
    plan = work.plan(checks=CHECKS, title="Ti|tle `x` <script> @you [a](http://b) \u202e")
    return work.factory("oneshot", "--plan", plan, "--json", env=env)


def test_no_other_form_is_written_unless_it_is_asked_for(work: Work) -> None:
    ended = integrated(work)

    names = {path.name for path in (work.run(ended) / "Z_integrator").iterdir()}
    assert names & FILES == set()


def test_each_form_says_what_status_says(work: Work) -> None:
    ended = integrated(work, **ALL)

    folder = work.run(ended) / "Z_integrator"
    status = json.loads((folder / "STATUS.json").read_text())
    assert status["artifacts"].keys() >= FILES
    assert cases(folder) == {
        "verdict": [("failure", "BLOCKED: 1 blocking")],
        "green": [],
        "red & <b>": [("failure", "exited 7")],
        "optional": [("system-out", None)],
        "gone": [("system-out", None)],
    }
    results = json.loads((folder / "FINDINGS.sarif").read_text())["runs"][0]["results"]
    assert [(one["ruleId"], one["level"]) for one in results] == [
        (one["code"], {"blocks": "error", "note": "note"}[one["severity"]])
        for one in status["findings"]
    ]
    assert (folder / "FINAL_REPORT.md").read_text().startswith("# BLOCKED: Ti\\|tle")


def test_text_of_strangers_makes_no_markup_and_steers_no_screen(work: Work) -> None:
    ended = integrated(work, **ALL)

    folder = work.run(ended) / "Z_integrator"
    text = (folder / "FINAL_REPORT.md").read_text()
    assert "\\<script\\> \\@you \\[a\\]\\(http:<!-- -->//b\\) \\\\u202e" in text
    junit = (folder / "CHECKS.junit.xml").read_text()
    assert "\\x1b[2J&lt;x&gt;" in junit
    assert not [c for c in text + junit if c in "\x1b\u202e"]


def test_a_finding_about_a_path_leads_there(work: Work) -> None:
    work.patch("A", write_file("docs/a b#é.txt", "x\n"), allow=["src/**"])

    ended = work.oneshot(env=ALL)

    sarif = json.loads((work.run(ended) / "Z_integrator" / "FINDINGS.sarif").read_text())
    (result,) = sarif["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "docs/a%20b%23%C3%A9.txt"}
    (rule,) = sarif["runs"][0]["tool"]["driver"]["rules"]
    assert (rule["id"], result["ruleIndex"]) == ("scope.outside_lock", 0)
    assert rule["shortDescription"]["text"] and rule["help"]["text"]


def test_a_run_that_fails_has_them_too(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 2, "A"), allow=["src/**"])
    plan = work.plan(checks=CHECKS)
    launched = work.factory("launch", "--plan", plan, "--json")
    (work.run(launched) / "objects.git" / "HEAD").write_text("no head")

    ended = work.factory("integrate", "--json", env=ALL)

    folder = work.run(launched) / "Z_integrator"
    assert ended.answer["status"] == "FAIL"
    assert (folder / "FINAL_REPORT.md").read_text().startswith("# FAIL: A test")
    said = cases(folder)
    assert [tag for tag, _ in said.pop("verdict")] == ["error"]
    assert set(map(tuple, said.values())) == {(("skipped", "nothing was merged"),)}


def test_they_are_sealed_derived_again_and_gone_when_not_asked_for(work: Work) -> None:
    ended = integrated(work, **ALL)
    folder = work.run(ended) / "Z_integrator"

    rebuilt = work.factory("ledger-replay", "--rebuild")
    (folder / "FINAL_REPORT.md").write_text("# PASS\n")
    forged = work.factory("ledger-replay", "--rebuild")
    work.factory("integrate")
    again = work.factory("ledger-replay", "--rebuild")

    assert (rebuilt.exit_code, forged.exit_code, again.exit_code) == (0, 1, 0)
    assert "Z_integrator/FINAL_REPORT.md" in forged.stdout
    assert {path.name for path in folder.iterdir()} & FILES == set()


def cases(folder: Path) -> dict[str, list[tuple[str, str | None]]]:
    """Return what each case of the JUnit document holds."""
    suites = ElementTree.parse(folder / "CHECKS.junit.xml").getroot()
    (suite,) = suites
    assert suite.get("tests") == str(len(suite))
    assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
    return {
        str(case.get("name")): [(said.tag, said.get("message")) for said in case] for case in suite
    }
