"""docs/ci.md: the job that it shows is one that runs."""

import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.conftest import PROJECT, Factory
from tests.work import Work, edit_line
from tools.codex.factory.cli.main import COMMANDS

PAGE = (PROJECT / "docs" / "ci.md").read_text("utf-8")
JOB = PAGE.partition("```yaml\n")[2].partition("```\n")[0]
SCRIPTS = {
    name: textwrap.dedent(script)
    for name, script in re.findall(
        r"^ {6}- name: (.*)\n(?: {8}if: .*\n)? {8}run: \|\n((?: {10}.*\n)+)", JOB, re.MULTILINE
    )
}
SHELL = shutil.which("bash")


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """Return the variables of a job, with a `factory` that is installed."""
    folder = tmp_path / "installed"
    folder.mkdir()
    program = folder / "factory"
    program.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tools.codex.factory "$@"\n'
    )
    program.chmod(0o755)
    return {
        "INSTALLED": str(folder),
        "RUN": "ci-1-1",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }


def step(name: str, factory: Factory, machine: dict[str, str], plan: str) -> int:
    """Run the script of a step as the job's shell does, and return its exit code."""
    assert SHELL is not None
    environment = factory.environment({**machine, **variables(), "PLAN": plan})
    environment["PATH"] = f"{machine['INSTALLED']}:{environment['PATH']}"
    words = [SHELL, "--noprofile", "--norc", "-eo", "pipefail", "-c", SCRIPTS[name]]
    return subprocess.run(
        words, cwd=factory.folder, env=environment, capture_output=True, check=False
    ).returncode


def variables() -> dict[str, str]:
    return dict(re.findall(r'^ {6}(FACTORY_\w+): "(.*)"$', JOB, re.MULTILINE))


def test_the_job_is_laid_out_as_one() -> None:
    lines = JOB.splitlines()

    assert [line for line in lines if line[:1] not in ("", " ")] == [
        "name: factory",
        "on:",
        "permissions:",
        "jobs:",
    ]
    assert [line for line in lines if "\t" in line or (len(line) - len(line.lstrip())) % 2] == []
    assert list(SCRIPTS) == ["Install factory", "Run the plan", "Show the report"]
    assert JOB.count("      - ") == 7


def test_the_job_names_commands_and_flags_that_exist(factory: Factory) -> None:
    written = re.findall(r"\bfactory ([a-z-]+)((?: --[a-z-]+(?: [^-\s)`]+)?)*)", PAGE)
    named = {(name, flag) for name, rest in written for flag in re.findall(r"--[a-z-]+", rest)}
    helps = {name: factory(name, "--help").stdout for name in COMMANDS}

    assert {name for name, flag in named} == {"oneshot", "open-run"}
    assert [(name, flag) for name, flag in named if flag not in helps[name]] == []
    assert factory("config", "show", env=variables()).exit_code == 0
    assert sorted(variables()) == [
        f"FACTORY_REPORT__{kind}" for kind in ("JUNIT", "MARKDOWN", "SARIF")
    ]


@pytest.mark.slow
@pytest.mark.skipif(SHELL is None, reason="there is no bash on PATH")
def test_the_job_ends_as_factory_does_and_shows_the_report(
    work: Work, machine: dict[str, str]
) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    plan = work.plan()

    code = step("Run the plan", work.factory, machine, plan)
    (work.runs_root / "ci-1-1" / "Z_integrator" / "FINAL_REPORT.md").write_text("# PASS\n")
    shown = step("Show the report", work.factory, machine, plan)

    assert (code, shown) == (0, 0)
    assert Path(machine["GITHUB_STEP_SUMMARY"]).read_text() == "# PASS\n"
    assert f"path: {work.runs_root.relative_to(work.repo.path)}/" in JOB


@pytest.mark.slow
@pytest.mark.skipif(SHELL is None, reason="there is no bash on PATH")
def test_the_job_fails_where_the_run_is_blocked_or_did_not_begin(
    work: Work, machine: dict[str, str]
) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["docs/**"])

    missing = step("Run the plan", work.factory, machine, "nowhere.toml")
    shown = step("Show the report", work.factory, machine, "nowhere.toml")
    blocked = step("Run the plan", work.factory, machine, work.plan())

    assert (missing, shown, blocked) == (10, 0, 3)
    assert Path(machine["GITHUB_STEP_SUMMARY"]).read_text() == (
        "No run began: the step before says why.\n"
    )
