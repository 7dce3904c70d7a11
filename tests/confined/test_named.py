"""What a plan and its settings name: shown within, or refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.confined.tiers import KEPT
from tests.work import Work

pytestmark = pytest.mark.slow
AUTO = {"FACTORY_SANDBOX__MODE": "auto"}


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Return a virtual environment in a folder of which every command has its own."""
    folder = tmp_path / "venv"
    words = [sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(folder)]
    subprocess.run(words, check=True)
    return folder


@pytest.mark.parametrize("tier", KEPT[:1])
@pytest.mark.parametrize("by", ["its path", "PATH"])
def test_a_virtual_environment_that_is_named_is_there_whole(
    work: Work, environment: Path, tier: str, by: str
) -> None:
    program = str(environment / "bin" / "python") if by == "its path" else "python"
    line = "import sys; open('src/new.txt', 'w').write(sys.prefix)"
    work.add("A", allow=["src/**"], command=[program, "-c", line])
    path = f"{environment / 'bin'}:{work.factory.environment()['PATH']}"
    more = AUTO if by == "its path" else {**AUTO, "PATH": path}

    ended = work.factory("oneshot", "--plan", work.plan(), "--json", env=more)

    patch = (work.run(ended) / "A" / "DIFF.patch").read_text()
    assert (ended.exit_code, f"+{environment}\n" in patch) == (0, True), ended.stderr


@pytest.mark.parametrize("held", ["runs root", "work tree"])
def test_workers_are_given_no_folder_that_holds_what_is_kept_from_them(
    work: Work, held: str
) -> None:
    folder = work.repo.path if held == "work tree" else work.runs_root.parent
    work.add("A", allow=["src/**"], command=["true"])
    more = {**AUTO, "FACTORY_SANDBOX__WRITABLE": f'["{folder}"]'}

    ended = work.factory("oneshot", "--plan", work.plan(), env=more)

    assert ended.exit_code == 10
    assert f"sandbox.writable names '{folder}', which holds '" in ended.stderr
    assert "name the folders in it that workers need" in ended.stderr
