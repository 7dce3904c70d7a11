"""FINDINGS.sarif: findings in the form that code scanning reads (SARIF 2.1.0)."""

from typing import Any
from urllib.parse import quote

from tools.codex.factory.domain.artifact import WORKER_ARTIFACTS, FindingRecord
from tools.codex.factory.domain.evidence import IntegratorStatus
from tools.codex.factory.domain.finding import Code
from tools.codex.factory.domain.identity import digest_of
from tools.codex.factory.domain.meaning import MEANING
from tools.codex.factory.domain.path import path_bytes, repo_path, unquoted
from tools.codex.factory.render.text import shown

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVEL = {"blocks": "error", "note": "note"}
_OF_PATHS = ("scope.", "overlap.", "patch.", "capture.")


def sarif(status: IntegratorStatus) -> dict[str, object]:
    """Return a SARIF log with a rule for each code that is found, and a result for each finding."""
    codes = sorted({finding.code for finding in status.findings})
    driver = {
        "name": "factory",
        "version": status.versions.get("factory", "unknown"),
        "rules": [_rule(code) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "automationDetails": {"id": f"factory/{status.run_id}"},
        "results": [_result(finding, codes.index(finding.code)) for finding in status.findings],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    said = MEANING[Code(code)]
    return {
        "id": code,
        "shortDescription": {"text": said.meaning},
        "help": {"text": said.remedy},
    }


def _result(finding: FindingRecord, rule: int) -> dict[str, Any]:
    hint = f" {shown(finding.hint)}" if finding.hint else ""
    path = _path(finding)
    logical = [{"fullyQualifiedName": shown(finding.subject)}]
    where: dict[str, Any] = {"logicalLocations": logical}
    if path is not None:
        # A URI may hold no byte of a name as it is; what scans reads it back.
        where["physicalLocation"] = {"artifactLocation": {"uri": quote(path_bytes(path))}}
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": _LEVEL[finding.severity],
        "message": {"text": f"{shown(finding.subject)}: {shown(finding.message)}.{hint}"},
        "locations": [where],
        "partialFingerprints": {
            "factoryFinding/v1": digest_of(f"{finding.code} {finding.subject}".encode())
        },
    }


def _path(finding: FindingRecord) -> str | None:
    """Return the repository path that a finding is about, or None where it is about none."""
    text = finding.subject.partition(": ")[2]
    if not finding.code.startswith(_OF_PATHS) or text in ("", *WORKER_ARTIFACTS):
        return None
    try:
        return repo_path(unquoted(text))
    except ValueError:
        return None
