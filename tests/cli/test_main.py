"""The command line: flags arrive, text leaves, every ending has its exit code."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.conftest import Factory
from tests.work import Work, edit_line
from tools.codex.factory.cli.main import COMMANDS
from tools.codex.factory.domain.schema import schemas

GOOD: dict[str, Any] = {"id": "A", "allow": ["src/**"], "patch": "A.patch"}


def test_help_names_every_command_and_an_example(factory: Factory) -> None:
    ended = factory("--help")

    assert ended.exit_code == 0
    assert all(f"    {name} " in ended.stdout for name in COMMANDS)
    assert "example: factory oneshot" in ended.stdout


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(factory: Factory, name: str) -> None:
    ended = factory(name, "--help")

    assert ended.exit_code == 0
    assert f"example: {COMMANDS[name].example}" in ended.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no command was named"),
        (["onshot"], "there is no command 'onshot'\n  -> did you mean 'oneshot'?"),
        (["oneshot", "--paln", "x"], "oneshot does not take '--paln'"),
        (["ledger", "--limit", "0"], "argument --limit: '0' is not a count from 1"),
        (["ledger", "--limit", "many"], "argument --limit: 'many' is not a count from 1"),
        (["config", "shwo"], "argument verb: invalid choice: 'shwo'"),
        (["schemas", "export"], "`schemas export` takes a folder"),
        (["-C", "nowhere", "ledger"], "is not a folder"),
    ],
)
def test_a_command_line_that_makes_no_sense_exits_2(
    factory: Factory, words: list[str], message: str
) -> None:
    ended = factory(*words)

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert message in ended.stderr


def test_an_error_is_one_json_document_with_json(factory: Factory) -> None:
    ended = factory("oneshot", "--plan", "nowhere.toml", "--json")

    jsonschema.validate(ended.answer, schemas()["answer.schema.json"])
    assert (ended.exit_code, ended.answer["exit_code"]) == (10, 10)
    assert ended.answer["error"] == {
        "hint": "`factory init` writes one, or name one with --plan",
        "message": "plan 'nowhere.toml' is not there",
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"titel": "x"}, "unknown key 'titel' | did you mean 'title'?"),
        ({"title": ""}, "title: '' is empty or holds control characters"),
        ({"schema_version": 2}, "schema_version: input should be 1"),
        ({"workers": []}, "workers: tuple should have at least 1 item"),
        (
            {"workers": [{**GOOD, "allwo": []}]},
            "unknown key 'workers.A.allwo' | did you mean 'allow'?",
        ),
        ({"workers": [{**GOOD, "id": "1x"}]}, "'1x' is not a worker id"),
        ({"workers": [{"id": "A"}]}, "exactly one of command, agent, patch"),
        ({"workers": [{**GOOD, "branch": "x"}]}, "found patch, branch"),
        ({"workers": [{**GOOD, "patch": "no.patch"}]}, "patch 'no.patch' is not there"),
        ({"workers": [{**GOOD, "allow": ["#x"]}]}, "'#x' is a comment in git's pattern rules"),
        ({"workers": [{**GOOD, "allow": ["/"]}]}, "'/' names no path"),
        ({"workers": [{**GOOD, "allow": "src"}]}, "workers.A.allow: input should be a valid array"),
        ({"workers": [{**GOOD, "timeout": "soon"}]}, "'soon' is not a duration"),
        ({"workers": [{"id": "A", "branch": "nope"}]}, "branch 'nope' is not a commit"),
        ({"workers": [{"id": "A", "bundle": "nope"}]}, "bundle 'nope' is not there"),
        ({"workers": [{"id": "A", "agent": "codex"}]}, "cannot run a 'agent' source"),
        ({"workers": [{"id": "A", "command": ["a\0b"]}]}, "holds a NUL byte"),
        ({"checks": [{"name": "t", "command": ["true"]}] * 2}, "check 't' stands twice"),
        ({"checks": [{"name": "t", "comand": ["true"]}]}, "unknown key 'checks.t.comand'"),
        ({"defaults": {"alow": []}}, "unknown key 'defaults.alow' | did you mean 'allow'?"),
        ({"defaults": []}, "defaults must be a table"),
    ],
)
def test_a_plan_that_is_wrong_exits_10_names_the_key_and_writes_nothing(
    work: Work, change: dict[str, Any], message: str
) -> None:
    (work.folder / "A.patch").write_bytes(b"")
    document = {"schema_version": 1, "title": "t", "workers": [GOOD], **change}
    (work.folder / "plan.json").write_text(json.dumps(document))

    ended = work.factory("oneshot", "--plan", str(work.folder / "plan.json"))

    said = " | ".join(line.removeprefix("  -> ") for line in ended.stderr.splitlines())
    assert ended.exit_code == 10
    assert message in said
    assert len(ended.stderr.splitlines()) == 2
    assert not work.runs_root.exists()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[]", b'{"a": 1, "a": 2}', b'{"schema_version": NaN}']
)
def test_a_plan_that_is_no_json_exits_10(work: Work, content: bytes) -> None:
    (work.folder / "plan.json").write_bytes(content)

    ended = work.factory("oneshot", "--plan", str(work.folder / "plan.json"))

    assert ended.exit_code == 10
    assert "Traceback" not in ended.stderr


def test_a_toml_plan_takes_defaults_and_dates_are_refused(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"))
    plan = work.folder / "plan.toml"
    text = 'schema_version = 1\ntitle = "t"\n[defaults]\nallow = ["src/**"]\n'
    plan.write_text(text + '[[workers]]\nid = "A"\npatch = "A.patch"\n')
    good = work.factory("oneshot", "--plan", str(plan))
    plan.write_text(
        text.replace('"t"', "2024-01-01") + '[[workers]]\nid = "A"\npatch = "A.patch"\n'
    )
    bad = work.factory("oneshot", "--plan", str(plan))

    assert (good.exit_code, bad.exit_code) == (0, 10)


def test_the_default_plan_is_found_from_any_folder(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    patch = json.dumps(str(work.folder / "A.patch"))
    text = 'schema_version = 1\ntitle = "t"\n[[workers]]\nid = "A"\nallow = ["src/**"]\n'
    work.repo.write("factory.plan.toml", f"{text}patch = {patch}\n")

    ended = work.factory("oneshot", cwd=work.repo.path / "src" / "deep")

    assert ended.exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "schema"),
    [
        (["print-report"], "answer_print_report"),
        (["ledger"], "answer_ledger"),
        (["ledger", "--raw-events"], "answer_ledger"),
        (["ledger-replay", "--rebuild"], "answer_ledger_replay"),
        (["schemas"], "answer_schemas"),
        (["config", "show"], "answer_config"),
        (["doctor"], "answer_doctor"),
        (["bundle-validate"], "answer_run"),
        (["integrate"], "answer_run"),
    ],
)
def test_every_answer_meets_its_schema(work: Work, words: list[str], schema: str) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.oneshot()

    ended = work.factory(*words, "--json")

    jsonschema.validate(ended.answer, schemas()[f"{schema}.schema.json"])
    assert (ended.exit_code, ended.answer["exit_code"]) == (0, 0)
    assert ended.answer["command"] == words[0]


def test_readers_name_the_newest_run_and_the_ledger_lists_it_last(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.oneshot("--run-id", "first")
    work.oneshot("--run-id", "second")

    runs = work.factory("ledger").stdout
    report = work.factory("print-report").stdout
    events = work.factory("ledger", "--raw-events", "--limit", "2", "--json").answer["events"]

    assert [line.split()[0] for line in runs.splitlines()] == ["RUN", "first", "second"]
    assert "run            second" in report
    assert [event["event_type"] for event in events] == ["REPORT_WRITTEN", "RUN_END"]


def test_an_unknown_run_names_the_nearest_known_one(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.oneshot("--run-id", "spring-cleaning")

    ended = work.factory("print-report", "--run-id", "spring-clean")

    assert ended.exit_code == 40
    assert ended.stderr == (
        "factory: there is no run 'spring-clean'\n  -> did you mean 'spring-cleaning'?\n"
    )


def test_settings_say_where_they_come_from(work: Work) -> None:
    work.repo.write("tools/codex/factory/factory.config.json", '{"limits": {"file_bytes": 5}}')

    ended = work.factory("config", "show", "--json", env={"FACTORY_LIMITS__PATCH_BYTES": "7"})

    layers = {row["key"]: (row["value"], row["layer"]) for row in ended.answer["settings"]}
    assert layers["limits.file_bytes"] == (5, "tools/codex/factory/factory.config.json")
    assert layers["limits.patch_bytes"] == (7, "environment FACTORY_LIMITS__PATCH_BYTES")
    assert layers["runs.root"] == ("tools/codex/runs", "default")


def test_a_reader_that_goes_away_is_no_error(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.oneshot()
    read, write = os.pipe()
    os.close(read)

    ended = subprocess.run(
        work.factory.argv("print-report"),
        cwd=work.repo.path,
        env=work.factory.environment(),
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)

    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.slow
@pytest.mark.parametrize("nobody", ["stdout", "stderr"])
@pytest.mark.parametrize(
    ("allow", "code"), [("src/**", 0), ("docs/**", 3)], ids=["PASS", "BLOCKED"]
)
def test_a_run_ends_as_it_would_though_nobody_hears_it_any_more(
    work: Work, allow: str, code: int, nobody: str
) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=[allow])
    read, write = os.pipe()
    os.close(read)

    ended = subprocess.run(
        work.factory.argv("oneshot", "--plan", work.plan(), "--run-id", "r1", "--json"),
        cwd=work.repo.path,
        env=work.factory.environment(),
        stdout=write if nobody == "stdout" else subprocess.DEVNULL,
        stderr=write if nobody == "stderr" else subprocess.DEVNULL,
        check=False,
    )
    os.close(write)

    status = json.loads((work.runs_root / "r1" / "Z_integrator" / "STATUS.json").read_text())
    assert (ended.returncode, status["exit_code"], status["error"]) == (code, code, None)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    ("words", "code"), [(("ledger",), 1), (("runs",), 1), (("integrate", "--run-id", "none"), 40)]
)
def test_an_answer_that_cannot_be_written_is_said_and_is_no_bug(
    work: Work, words: tuple[str, ...], code: int
) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.oneshot()
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            work.factory.argv(*words, "--json"),
            cwd=work.repo.path,
            env=work.factory.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert ended.returncode == code
    assert ended.stderr.endswith(b"factory: cannot write the answer: No space left on device\n")
    assert b"a bug" not in ended.stderr


@pytest.mark.slow
def test_the_command_as_a_process_of_its_own_says_the_same(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])

    real = work.factory.real("oneshot", "--plan", work.plan(), "--run-id", "r", "--json")
    blocked = work.factory.real("oneshot", "--plan", work.plan(), "--run-id", "..")

    again = work.factory("integrate", "--run-id", "r", "--json")
    assert (real.exit_code, blocked.exit_code, blocked.stdout) == (0, 2, "")
    assert real.answer["commit"] == again.answer["commit"]


def test_outside_a_repository_the_reason_is_one_line(factory: Factory, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()

    ended = factory("ledger", cwd=outside)

    assert ended.exit_code == 2
    assert "is not in a git repository" in ended.stderr
