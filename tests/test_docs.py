"""What the documents say is what the product does."""

import shutil
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.conftest import Factory
from tools.codex.factory.cli.main import COMMANDS
from tools.codex.factory.config import keys
from tools.codex.factory.domain.plan import Check, PlanFile, WorkerEntry
from tools.codex.factory.storage.runs_root import make_runs_root

PROJECT = Path(__file__).parents[1]


def test_a_rehearsal_ends_as_the_readme_shows(repo: Repo, factory: Factory) -> None:
    ended = factory("oneshot", "--base-ref", "HEAD", "--dry-run")
    report = factory("print-report").stdout

    readme = (PROJECT / "README.md").read_text("utf-8")
    shown = readme.partition("```text\n")[2].partition("```")[0]
    assert ended.exit_code == 0
    assert report.startswith(shown)
    assert repo.git("status", "--porcelain") == b""


def test_the_shipped_example_passes(tmp_path: Path) -> None:
    repo = Repo.make(tmp_path / "repo")
    shutil.copytree(PROJECT / "docs" / "example", repo.path / "docs" / "example")
    repo.commit()

    ended = Factory(repo.path, tmp_path)("oneshot", "--plan", "docs/example/factory.plan.toml")

    assert ended.exit_code == 0


def test_the_readme_names_every_command() -> None:
    readme = (PROJECT / "README.md").read_text("utf-8")

    assert [name for name in COMMANDS if f"`factory {name}" not in readme] == []


def test_the_configuration_page_names_every_setting_and_its_variable() -> None:
    page = (PROJECT / "docs" / "configuration.md").read_text("utf-8")
    variables = {key: f"FACTORY_{key.upper().replace('.', '__')}" for key in keys()}

    assert [
        key for key, name in variables.items() if f"`{key}`" not in page or name not in page
    ] == []


@pytest.mark.parametrize("model", [PlanFile, WorkerEntry, Check])
def test_the_plan_page_names_every_key(model: type[PlanFile]) -> None:
    page = (PROJECT / "docs" / "plan.md").read_text("utf-8")

    assert [name for name in model.model_fields if name not in page] == []


def test_the_runs_root_of_this_project_holds_what_factory_would_write(tmp_path: Path) -> None:
    make_runs_root(tmp_path / "runs")

    written = (tmp_path / "runs" / ".gitignore").read_bytes()

    assert written == (PROJECT / "tools/codex/runs/.gitignore").read_bytes()


def test_every_defect_page_row_names_a_test_that_is_there() -> None:
    page = (PROJECT / "docs" / "defects.md").read_text("utf-8")
    tests = "".join(path.read_text("utf-8") for path in (PROJECT / "tests").glob("test_*.py"))

    rows = [line for line in page.splitlines() if "`test_" in line]
    named = [row.rpartition("`test_")[2].partition("`")[0].removesuffix("*") for row in rows]

    assert len(rows) > 30
    assert [name for name in named if f"def test_{name}" not in tests] == []


def test_the_lock_file_pins_versions_and_names_no_address() -> None:
    lines = (PROJECT / "constraints.txt").read_text("ascii").splitlines()

    assert all(line.count("==") == 1 and "/" not in line and "@" not in line for line in lines)
