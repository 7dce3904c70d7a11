"""How commands were confined, and what they tried outside, as a run tells it, tier by tier."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.confined.tiers import HAD, KEPT
from tests.conftest import Ended
from tests.process.observing import needs_observing
from tests.reopened import above_this_run
from tests.work import Work, blocking

pytestmark = pytest.mark.slow
PROGRAMS = ("git", "sh", "touch", "cat", "chmod", "cp", "echo", "sleep")


@pytest.fixture
def without(tmp_path: Path) -> str:
    """Return a PATH on which there is no bwrap."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in PROGRAMS:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return str(folder)


def asked(tier: str, without: str, **more: str) -> dict[str, str]:
    mode = "off" if tier == "unconfined" else "auto"
    path = {} if tier == "bubblewrap" else {"PATH": without}
    return {"FACTORY_SANDBOX__MODE": mode, **path, **more}


def planned(work: Work, *, tries: str = "true", checks: str = "true") -> str:
    line = f"echo new > src/new.txt; {tries}; true"
    work.add("A", allow=["src/**"], command=["sh", "-c", line])
    work.add("B", allow=["docs/**"], command=["sh", "-c", "echo new > docs/new.md"])
    return work.plan(checks=[{"name": "there", "command": ["sh", "-c", f"{checks}; true"]}])


def oneshot(work: Work, env: dict[str, str], plan: str, run: str = "r1") -> Ended:
    return work.factory("oneshot", "--plan", plan, "--run-id", run, "--json", env=env)


def status(work: Work, who: str, run: str = "r1") -> dict[str, Any]:
    said = json.loads((work.runs_root / run / who / "STATUS.json").read_text())
    assert isinstance(said, dict)
    return said


def tried(record: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["operation"], one["path"]) for one in record["trespasses"]}


@needs_observing
@pytest.mark.parametrize("tier", KEPT)
def test_what_was_tried_outside_is_in_status_and_this_run_and_nowhere_above(
    work: Work, without: str, tier: str
) -> None:
    top = work.repo.path
    outside = [top / "README.md", work.runs_root / "factory_ledger.jsonl", top / ".git" / "evil"]
    tries = "; ".join(f"echo evil >> '{path}'" for path in outside)
    plan = planned(work, tries=tries, checks=f"echo evil > '{top}/planted'")

    ended = oneshot(work, asked(tier, without), plan)

    report = work.runs_root / "r1" / "Z_integrator" / "FINAL_REPORT.txt"
    below = report.read_text().partition("\nTHIS RUN\n")[2]
    record = status(work, "A")["confinement"]
    rows = {row["who"]: row for row in status(work, "Z_integrator")["confinement"]}
    assert (ended.exit_code, ended.answer["findings"]) == (0, [])
    assert (record["tier"], record["observed"]) == (tier, True)
    assert tried(record) == {("write", str(path)) for path in outside}
    assert tried(rows["A"]) == tried(record)
    assert ("write", f"{top}/planted") in tried(rows["checks"])
    assert list(rows) == ["A", "B", "checks", "Z_integrator"]
    assert {row["tier"] for row in rows.values()} == {tier}
    assert all(str(path) in below for path in outside)
    assert "evil" not in above_this_run(report)
    assert "evil" not in "".join(p.read_text() for p in outside if p.exists())
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0


@needs_observing
@pytest.mark.parametrize("tier", KEPT)
def test_policy_makes_a_stopped_attempt_block(work: Work, without: str, tier: str) -> None:
    plan = planned(work, tries=f"touch '{work.repo.path}/evil'")
    env = asked(tier, without, FACTORY_SANDBOX__ON_ATTEMPT="block")

    ended = oneshot(work, env, plan)

    assert (ended.exit_code, blocking(ended)) == (3, [("sandbox.trespass", "A: STATUS.json")])
    assert not (work.repo.path / "evil").exists()
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_the_report_above_this_run_is_the_same_in_every_tier(work: Work, without: str) -> None:
    plan = planned(work, tries=f"touch '{work.repo.path}/.git/no-such/evil'")

    codes = [oneshot(work, asked(tier, without), plan, run=f"r-{tier}").exit_code for tier in HAD]

    reports = {
        above_this_run(work.runs_root / f"r-{tier}" / "Z_integrator" / "FINAL_REPORT.txt")
        for tier in HAD
    }
    kept = [status(work, "A", f"r-{tier}")["confinement"]["tier"] for tier in HAD]
    assert (codes, kept) == ([0] * len(HAD), HAD)
    assert len(reports) == 1


@pytest.mark.parametrize("tier", KEPT)
def test_a_check_that_passed_is_run_again_in_another_tier(
    work: Work, without: str, tier: str
) -> None:
    plan = planned(work)
    oneshot(work, asked("unconfined", without), plan)

    oneshot(work, asked(tier, without), plan, run="r2")

    first, again = (status(work, "Z_integrator", run)["checks"][0] for run in ("r1", "r2"))
    assert (first["reused"], again["reused"], again["result"]) == (None, None, "passed")


def test_with_nothing_available_every_command_works_and_says_so(work: Work, without: str) -> None:
    plan = planned(work)
    env = asked("unconfined", without)

    launched = work.factory("launch", "--plan", plan, "--run-id", "r1", env=env)
    judged = work.factory("bundle-validate", "--run-id", "r1", env=env)
    ended = work.factory("integrate", "--run-id", "r1", env=env)

    report = (work.runs_root / "r1" / "Z_integrator" / "FINAL_REPORT.txt").read_text()
    assert [one.exit_code for one in (launched, judged, ended)] == [0, 0, 0]
    assert report.count(": unconfined (off)") == 4
