"""FINDINGS.sarif: whole documents."""

import json
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.statuses import HOSTILE, a_finding, blocked
from tools.codex.factory.domain.artifact import WORKER_ARTIFACTS, FindingRecord
from tools.codex.factory.domain.finding import Code
from tools.codex.factory.domain.identity import digest_of
from tools.codex.factory.domain.meaning import MEANING
from tools.codex.factory.domain.path import path_bytes, quoted, repo_path
from tools.codex.factory.render.sarif import sarif
from tools.codex.factory.render.text import shown


def is_path(text: str) -> bool:
    """Return whether text is a repository path."""
    try:
        repo_path(text)
    except ValueError:
        return False
    return True


PATHS = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("a/ %#?:\udc80\udcff")),
    min_size=1,
).filter(is_path)


def uri(finding: FindingRecord) -> str | None:
    """Return where a finding leads, or None where it leads nowhere."""
    said = json.loads(json.dumps(sarif(blocked(finding))))
    (where,) = said["runs"][0]["results"][0]["locations"]
    place = where.get("physicalLocation")
    found: str | None = None if place is None else place["artifactLocation"]["uri"]
    return found


def test_every_finding_is_a_result_and_every_code_a_rule() -> None:
    denied, outside = Code.SCOPE_DENIED, Code.SCOPE_OUTSIDE_LOCK
    findings = (
        a_finding(outside),
        a_finding(Code.CHECK_FAILED, subject="tests", message="exited 7", hint=""),
        a_finding(denied, subject="A: b", severity="note"),
        a_finding(outside, subject="B: a b"),
    )

    found = sarif(blocked(*findings))

    rules = (Code.CHECK_FAILED, denied, outside)
    assert found == {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "factory",
                        "version": "1.2.3",
                        "rules": [
                            {
                                "id": code.value,
                                "shortDescription": {"text": MEANING[code].meaning},
                                "help": {"text": MEANING[code].remedy},
                            }
                            for code in rules
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "automationDetails": {"id": "factory/run-1"},
                "results": [
                    {
                        "ruleId": code,
                        "ruleIndex": rule,
                        "level": level,
                        "message": {"text": text},
                        "locations": [
                            {"logicalLocations": [{"fullyQualifiedName": subject}], **place}
                        ],
                        "partialFingerprints": {
                            "factoryFinding/v1": digest_of(f"{code} {subject}".encode())
                        },
                    }
                    for code, rule, level, subject, text, place in (
                        (
                            "scope.outside_lock",
                            2,
                            "error",
                            "A_worker: docs/guide.txt",
                            "A_worker: docs/guide.txt: no pattern allows it. grant it",
                            {"physicalLocation": {"artifactLocation": {"uri": "docs/guide.txt"}}},
                        ),
                        ("check.failed", 0, "error", "tests", "tests: exited 7.", {}),
                        (
                            "scope.denied",
                            1,
                            "note",
                            "A: b",
                            "A: b: no pattern allows it. grant it",
                            {"physicalLocation": {"artifactLocation": {"uri": "b"}}},
                        ),
                        (
                            "scope.outside_lock",
                            2,
                            "error",
                            "B: a b",
                            "B: a b: no pattern allows it. grant it",
                            {"physicalLocation": {"artifactLocation": {"uri": "a%20b"}}},
                        ),
                    )
                ],
            }
        ],
    }


def test_a_run_without_findings_has_no_rules_and_no_results() -> None:
    (run,) = json.loads(json.dumps(sarif(blocked(versions={}))))["runs"]

    assert run["results"] == []
    assert run["tool"]["driver"] == {"name": "factory", "version": "unknown", "rules": []}


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_its_rule(code: Code) -> None:
    (run,) = json.loads(json.dumps(sarif(blocked(a_finding(code)))))["runs"]

    (rule,), (result,) = run["tool"]["driver"]["rules"], run["results"]
    assert (rule["id"], result["ruleId"], result["ruleIndex"]) == (code, code, 0)


@settings(deadline=None)
@given(PATHS)
def test_every_path_is_read_back_from_its_address(path: str) -> None:
    found = uri(a_finding(subject=f"A_worker: {quoted(path)}".encode(errors="replace").decode()))

    assert found is not None
    assert found.isascii() and not set(found) & set(' \\?#:<>"')
    assert unquote_to_bytes(found) == path_bytes(path)


@pytest.mark.parametrize(
    ("code", "subject"),
    [
        *((Code.SCOPE_LOCK_DIFFERS, f"A_worker: {name}") for name in WORKER_ARTIFACTS),
        (Code.SCOPE_LOCK_DIFFERS, "A_worker"),
        (Code.SCOPE_LOCK_DIFFERS, "A_worker: "),
        (Code.CHECK_FAILED, "tests: src/x"),
        (Code.WORKER_EXIT_CODE, "A_worker: src/x"),
        (Code.CAPTURE_PATH_REFUSED, "A_worker: ../x"),
        (Code.CAPTURE_PATH_REFUSED, "A_worker: .git/config"),
        (Code.CAPTURE_PATH_REFUSED, 'A_worker: "torn'),
    ],
)
def test_what_is_about_no_path_of_the_repository_leads_nowhere(code: Code, subject: str) -> None:
    assert uri(a_finding(code, subject=subject)) is None


def test_text_of_strangers_is_shown_and_never_sent() -> None:
    said = a_finding(Code.CHECK_FAILED, subject=HOSTILE, message=HOSTILE, hint=HOSTILE)

    (run,) = json.loads(json.dumps(sarif(blocked(said))))["runs"]

    (result,), text = run["results"], shown(HOSTILE)
    assert result["message"] == {"text": f"{text}: {text}. {text}"}
    assert result["locations"] == [{"logicalLocations": [{"fullyQualifiedName": text}]}]
