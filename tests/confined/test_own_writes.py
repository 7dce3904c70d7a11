"""The integrator's own code tries to write outside its run: refused, and said in its report."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT
from tests.work import Work, edit_line
from tools.codex.factory.pipelines.pipe import Asked, Order

pytestmark = pytest.mark.slow


@pytest.fixture
def launched(work: Work) -> Work:
    """Return work that is launched and judged, as run r1."""
    work.patch("A", edit_line("src/app.txt", 1, "changed"), allow=["src/**"])
    for words in (("launch", "--plan", work.plan()), ("bundle-validate",)):
        ended = work.factory(*words, "--run-id", "r1")
        assert ended.exit_code == 0, ended.stderr
    return work


def wandered(work: Work, outside: Path, how: str) -> list[dict[str, Any]]:
    """Return what an integrator said whose code wandered."""
    order = Order(
        runs_root=str(work.runs_root),
        run_id="r1",
        borrowed=str(work.repo.path / ".git" / "objects"),
        git_version="2.39",
        plans={},
        forms=(),
    )
    lines = (order, Asked(kind="report"))
    with subprocess.Popen(
        [sys.executable, "-B", "-m", "tests.workers.wanderer", str(outside), how],
        cwd=PROJECT,
        env=work.factory.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        for line in lines:
            child.stdin.write(f"{line.model_dump_json()}\n".encode())
        child.stdin.flush()
        # Its end would mean that nobody is left who may ask.
        return [json.loads(line) for line in child.stdout]


def test_a_write_that_is_caught_on_the_way_is_a_finding_of_the_report(
    launched: Work, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"

    said = wandered(launched, outside, "caught")

    assert said[-1]["kind"] == "reported"
    assert not outside.exists()
    folder = launched.runs_root / "r1" / "Z_integrator"
    status = json.loads((folder / "STATUS.json").read_text())
    (finding,) = status["findings"]
    assert (status["status"], status["exit_code"]) == ("BLOCKED", 3)
    assert finding == {
        "code": "policy.write_outside_run",
        "severity": "blocks",
        "subject": "Z_integrator: its own code",
        "message": f"'{outside}': open outside {launched.runs_root}/r1; refused",
        "hint": "keep the run folder and report this: the integrator has nothing to write there",
    }
    report = (folder / "FINAL_REPORT.txt").read_text()
    assert "policy.write_outside_run" in report
    assert str(outside) in report


def test_a_write_that_nobody_catches_ends_the_integrator_and_names_the_file(
    launched: Work, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"

    said = wandered(launched, outside, "loose")

    assert not outside.exists()
    assert (said[-1]["kind"], said[-1]["exit_code"]) == ("error", 1)
    assert said[-1]["message"] == (
        f"the integrator tried to write '{outside}', outside its run folder"
    )


def test_what_an_integration_writes_lies_in_its_run_whatever_the_environment_says(
    launched: Work, tmp_path: Path
) -> None:
    lost = {"TMPDIR": str(tmp_path / "gone"), "HOME": str(tmp_path / "nobody")}

    ended = launched.factory("integrate", "--run-id", "r1", "--json", env=lost)

    assert (ended.exit_code, ended.answer["findings"]) == (0, [])
    assert not (tmp_path / "gone").exists()
