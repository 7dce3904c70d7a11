"""What the documents say is what the product does."""

import ast
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.catalogue import PAGE as ERRORS
from tests.catalogue import page
from tests.conftest import Factory
from tests.raised import raised, said_in, severities
from tests.runbook import DOCS, PAGES, Reader, plain, steady
from tools.codex.factory.cli.main import COMMANDS
from tools.codex.factory.config import keys
from tools.codex.factory.domain.finding import Code
from tools.codex.factory.domain.meaning import MEANING, Meaning
from tools.codex.factory.domain.plan import Check, PlanFile, WorkerEntry
from tools.codex.factory.errors import EXIT_CODE_OF_STATUS, EXIT_CODES
from tools.codex.factory.storage.runs_root import make_runs_root

PROJECT = Path(__file__).parents[1]
RUNBOOK = (DOCS / "operator.md").read_text("utf-8")
_WRITTEN = re.compile(r"^\$ (factory .*)$|`(factory [^`]+)`", re.MULTILINE)


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


def test_every_row_of_the_page_on_trust_names_a_test_that_is_there() -> None:
    page = (PROJECT / "docs" / "trust.md").read_text("utf-8")

    rows = [line for line in page.splitlines() if line.startswith("| ")]
    named = re.findall(r"`(tests/[a-z_/]+\.py)::(test_[a-z0-9_]+)`", page)
    gone = [
        f"{file}::{name}"
        for file, name in named
        if not re.search(rf"^ *def {name}\(", (PROJECT / file).read_text("utf-8"), re.MULTILINE)
    ]

    assert gone == []
    assert len(named) == len([row for row in rows if not row.startswith("| what could break it")])


def test_the_lock_file_pins_versions_and_names_no_address() -> None:
    lines = (PROJECT / "constraints.txt").read_text("ascii").splitlines()

    assert all(line.count("==") == 1 and "/" not in line and "@" not in line for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_report_on_a_page_is_what_a_reader_gets(
    page: str, tmp_path: Path
) -> None:
    said, reported = Reader(tmp_path).read((DOCS / page).read_text("utf-8"))

    # `python -m tests.runbook` writes into the pages what the commands print.
    assert (len(said), len(reported)) > (10, 1)
    assert [(one.command, steady(one.shown)) for one in said] == [
        (one.command, steady(one.printed)) for one in said
    ]
    assert [
        one for one in reported if not one.shown or plain(one.shown) not in plain(one.printed)
    ] == []


def test_the_page_on_blocked_runs_names_every_code_that_blocks() -> None:
    page = (DOCS / "blocked.md").read_text("utf-8")
    made = severities()
    wanted = [code for code in Code if "blocks" in made[code.name]]

    assert len(wanted) > 50
    assert [code for code in wanted if f"`{code}`" not in page] == []


def test_the_table_on_blocked_runs_leads_to_sections_that_are_there() -> None:
    page = (DOCS / "blocked.md").read_text("utf-8")

    headings = re.findall(r"^##+ (.*)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", one.lower()).replace(" ", "-") for one in headings}
    led = set(re.findall(r"\]\(#([a-z0-9-]+)\)", page))
    sections = re.findall(r"^### (.*)$", page, re.MULTILINE)

    assert led - anchors == set()
    assert len(sections) == len(led) - 1


def test_every_command_that_the_runbook_writes_is_known_with_its_flags(
    factory: Factory,
) -> None:
    written = [shlex.split(one or other)[1:] for one, other in _WRITTEN.findall(RUNBOOK)]
    helps = {name: factory(name, "--help").stdout for name in COMMANDS}

    unknown = [
        words
        for words in written
        if words[0] not in helps
        or any(word not in helps[words[0]] for word in words if word.startswith("-"))
    ]

    assert {words[0] for words in written} == set(COMMANDS)
    assert unknown == []


def test_the_commands_that_the_runbook_says_are_not_there_are_not_there() -> None:
    line = RUNBOOK.partition("Not there yet: ")[2].partition("\n\n")[0]

    assert [name for name in re.findall(r"`(.*?)`", line) if name in COMMANDS] == []


def test_the_runbook_names_codes_that_exist_and_every_code_of_workers_and_checks() -> None:
    codes = {code.value for code in Code}
    rooms = {code.partition(".")[0] for code in codes}
    named = set(re.findall(r"`([a-z]+\.[a-z_]+)`", RUNBOOK)) - set(keys())

    assert {name for name in named if name.partition(".")[0] in rooms} - codes == set()
    assert {code for code in codes if code.startswith(("worker.", "capture.", "check."))} <= named


def test_the_page_of_errors_is_what_the_code_says() -> None:
    written = ERRORS.read_text("utf-8")

    # `python -m tests.catalogue` writes it.
    assert written == page()


def test_every_finding_code_has_a_meaning_and_a_remedy_and_is_made_somewhere() -> None:
    made = severities()

    assert set(MEANING) == set(Code)
    assert {code.name for code in Code} == made.keys()
    assert [name for name, found in made.items() if not found or found - {"blocks", "note"}] == []
    assert [code for code, known in MEANING.items() if not _are_sentences(known)] == []


def _are_sentences(known: Meaning) -> bool:
    return all(
        said.endswith(".") and "\n" not in said and "|" not in said
        for said in (known.meaning, known.remedy)
    )


def test_every_error_says_what_is_so_and_what_to_do() -> None:
    found = raised()

    told = [(one.room, one.message, one.hint) for one in found]
    assert len(found) > 100
    assert [one for one in told if not one[2]] == []
    assert [one for one in told if any(said.endswith((".", "!")) for said in one[1:])] == []
    assert [one for one in told if re.match(r"[A-Z][a-z]", one[1])] == []


def test_every_exit_code_is_in_the_table_and_every_one_in_it_can_happen() -> None:
    codes = {one.exit_code for one in raised()} | set(EXIT_CODE_OF_STATUS.values())

    assert set(EXIT_CODES) == codes


def test_an_error_without_a_hint_would_be_seen() -> None:
    tree = ast.parse("def f(x):\n    raise UsageError(f'{x!r} is gone')\n")

    assert said_in(tree) == [("'X' is gone", "")]
