"""completion: what a shell is told of this command line."""

import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest

from tests.conftest import Factory
from tools.codex.factory.cli.completion import SHELLS
from tools.codex.factory.cli.main import COMMANDS
from tools.codex.factory.domain.schema import schemas

BASH = shutil.which("bash")
needs_bash = pytest.mark.skipif(BASH is None, reason="there is no bash on PATH")
# `compopt` speaks to a completion under way; here its words are asked for without one.
ASKED = """
compopt() { :; }
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(( $# - 1 ))
COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
complete_with=$(complete -p factory | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$complete_with" factory "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def script(factory: Factory, tmp_path: Path) -> Path:
    """Return the script for bash."""
    path = tmp_path / "completion.bash"
    path.write_text(factory("completion", "bash").stdout)
    return path


def completed(script: Path, folder: Path, *words: str) -> set[str]:
    """Return what bash offers for the last of `words`."""
    assert BASH is not None
    done = subprocess.run(
        [BASH, "--norc", "-c", ASKED, "bash", str(script), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return {line.strip() for line in done.stdout.splitlines()} - {""}


@pytest.mark.parametrize("shell", SHELLS)
def test_there_is_a_script_for_each_shell_that_names_every_command(
    factory: Factory, shell: str
) -> None:
    ended = factory("completion", shell)
    answer = factory("completion", shell, "--json").answer

    assert (ended.exit_code, ended.stderr) == (0, "")
    assert [name for name in COMMANDS if name not in ended.stdout] == []
    assert answer["script"].removesuffix("\n") == ended.stdout.removesuffix("\n")
    jsonschema.validate(answer, schemas()["answer_completion.schema.json"])


@needs_bash
def test_bash_accepts_the_script(script: Path) -> None:
    assert BASH is not None

    done = subprocess.run([BASH, "-n", str(script)], capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")


@needs_bash
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["onesh"], {"oneshot"}),
        (["open-"], {"open-report", "open-run"}),
        (["print-report", "--ru"], {"--run-id", "--runs-root"}),
        (["print-report", "--run-"], {"--run-id"}),
        (["integrate", "--sal"], {"--salvage"}),
        (["oneshot", "--log-level", "de"], {"debug"}),
        (["completion", "z"], {"zsh"}),
        (["oneshot", "--plan", "pl"], {"plan.toml", "plans"}),
        (["oneshot", "--config", "pl"], {"plan.toml", "plans"}),
        (["oneshot", "-C", "pl"], {"plans"}),
        (["oneshot", "--runs-root", "pl"], {"plans"}),
        (["schemas", "export", "pl"], {"plans"}),
    ],
)
def test_bash_completes_commands_flags_choices_files_and_folders(
    script: Path, tmp_path: Path, words: list[str], offered: set[str]
) -> None:
    folder = tmp_path / "here"
    (folder / "plans").mkdir(parents=True)
    (folder / "plan.toml").write_text("")

    assert {name.rstrip("/") for name in completed(script, folder, "factory", *words)} == offered


def test_a_shell_that_is_not_known_is_refused(factory: Factory) -> None:
    ended = factory("completion", "cmd")

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "argument shell: invalid choice: 'cmd'" in ended.stderr


def test_completion_needs_no_repository(factory: Factory, tmp_path: Path) -> None:
    assert factory("completion", "bash", cwd=tmp_path).exit_code == 0
