"""CHECKS.junit.xml: the checks in the form that continuous integration reads."""

from xml.etree import ElementTree

from tools.codex.factory.domain.evidence import CheckRow, IntegratorStatus
from tools.codex.factory.domain.order import ended_how
from tools.codex.factory.domain.plan import Check, Plan
from tools.codex.factory.domain.publication import checks_behind
from tools.codex.factory.render.text import shown


def junit(plan: Plan, status: IntegratorStatus) -> bytes:
    """Return a JUnit document: a case for the verdict and one for each check; times in seconds.

    A required check that is red or flaky is a failure; one that was not run is skipped.
    """
    rows = {row.name: row for row in checks_behind(status)}
    cases = [_verdict(status), *(_case(check, rows.get(check.name)) for check in plan.checks)]
    counts: dict[str, str] = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
        "time": _seconds(sum(row.duration_ms for row in rows.values())),
    }
    suite = ElementTree.Element("testsuite", {"name": shown(plan.title), **counts})
    suite.extend(cases)
    suites = ElementTree.Element("testsuites", counts)
    suites.append(suite)
    ElementTree.indent(suites)
    document: bytes = ElementTree.tostring(suites, encoding="UTF-8", xml_declaration=True)
    return document + b"\n"


def _verdict(status: IntegratorStatus) -> ElementTree.Element:
    """Return the case that is red where the run is no PASS, whatever its checks said."""
    case = ElementTree.Element("testcase", classname="factory.run", name="verdict")
    case.set("time", _seconds(status.duration_ms))
    if status.status == "PASS":
        return case
    blocking = [one for one in status.findings if one.severity == "blocks"]
    said = f"{status.status}: {status.error or f'{len(blocking)} blocking'}"
    kind = "error" if status.status == "FAIL" else "failure"
    red = ElementTree.SubElement(case, kind, message=shown(said), type=status.status)
    red.text = "\n".join(
        f"{one.code} {shown(one.subject)}: {shown(one.message)}" for one in blocking
    )
    return case


def _case(check: Check, row: CheckRow | None) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname="factory.checks", name=shown(check.name))
    if row is None or row.result == "not_run":
        reason = row.reason if row is not None else "nothing was merged"
        ElementTree.SubElement(case, "skipped", message=shown(reason))
        return case
    case.set("time", _seconds(row.duration_ms))
    if row.result == "passed":
        return case
    # One that may be red, or that the plan lets try again, fails nothing.
    fails = check.required and not (row.result == "flaky" and check.retries)
    said = row.result if row.ended is None else _how(row)
    if fails:
        failure = ElementTree.SubElement(case, "failure", message=said, type=row.result)
        failure.text = "\n".join(shown(line) for line in row.tail)
    else:
        ElementTree.SubElement(case, "system-out").text = f"{row.result}: {said}"
    return case


def _how(row: CheckRow) -> str:
    assert row.ended is not None
    return shown(ended_how(row.ended.how, row.ended.exit_code, row.ended.signal))


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}"
