"""Each command of the desk, answered and refused: schemas, exit codes, nothing raw on a screen."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.conftest import PROJECT, Ended
from tests.work import Work, edit_line, rewrite, write_file

pytestmark = pytest.mark.slow
EXTERNAL = {"external": True, "allow": ["docs/**"]}
DESK = (
    ("amend", "--share", "docs/x", "--reason", "x"),
    ("publish",),
    ("runs", "show"),
    ("runs", "prune"),
    ("runs", "list"),
)


def fits(ended: Ended, name: str) -> bool:
    """Return whether an answer fits its schema, and raise where it does not."""
    schema = json.loads((PROJECT / "schemas" / f"{name}.schema.json").read_text("utf-8"))
    Draft202012Validator(schema).validate(ended.answer)
    return True


def passed(work: Work) -> Path:
    """Return the folder of a run that passed, in a repository that knows its operator."""
    work.repo.git("config", "user.name", "Ann Operator")
    work.repo.git("config", "user.email", "ann@localhost")
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])
    assert work.oneshot("--run-id", "run-one").exit_code == 0
    return work.runs_root / "run-one"


def waiting(work: Work) -> Path:
    """Return the folder of a run that waits for one of its two workers."""
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["docs/**"])
    work.add("B_worker", **EXTERNAL)
    ended = work.factory("launch", "--plan", work.plan(), "--run-id", "r1")
    assert ended.exit_code == 4, ended.stderr
    return work.runs_root / "r1"


def test_every_answer_fits_its_schema(work: Work) -> None:
    passed(work)
    plan = work.plan()

    assert fits(work.factory("plan", "--plan", plan, "--json"), "answer_plan")
    assert fits(work.factory(*DESK[0], "--json"), "answer_amend")
    assert work.factory("integrate").exit_code == 0
    assert fits(work.factory("publish", "--branch", "topic", "--json"), "answer_publish")
    assert fits(work.factory("runs", "list", "--json"), "answer_runs")
    assert fits(work.factory("runs", "show", "--json"), "answer_runs_show")
    shown = work.factory("runs", "show", "--commit", "topic", "--json")
    assert fits(shown, "answer_runs_show")
    assert fits(work.factory("runs", "prune", "--dry-run", "--json"), "answer_prune")
    assert fits(work.factory("runs", "prune", "--json"), "answer_prune")


@pytest.mark.parametrize("words", DESK[:4], ids=lambda words: " ".join(words[:2]))
def test_an_unknown_run_names_the_nearest(work: Work, words: tuple[str, ...]) -> None:
    passed(work)

    ended = work.factory(*words, "--run-id", "run-onne", "--json")

    assert (ended.exit_code, fits(ended, "answer")) == (40, True)
    assert "run-one" in ended.answer["error"]["hint"]


@pytest.mark.parametrize("words", DESK[:3], ids=lambda words: " ".join(words[:2]))
def test_without_any_run_it_says_so(work: Work, words: tuple[str, ...]) -> None:
    ended = work.factory(*words, "--json")

    assert (ended.exit_code, fits(ended, "answer")) == (40, True)
    assert not work.runs_root.exists()


@pytest.mark.parametrize("words", DESK, ids=lambda words: " ".join(words[:2]))
def test_a_runs_root_that_is_a_file_is_said(work: Work, words: tuple[str, ...]) -> None:
    place = work.folder / "file"
    place.write_text("x")

    ended = work.factory(*words, "--runs-root", str(place), "--json")

    assert "is a bug" not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr
    assert ended.exit_code in (0, 1, 10, 20, 40), ended
    assert place.read_text() == "x"


@pytest.mark.parametrize("words", DESK, ids=lambda words: " ".join(words[:2]))
def test_a_run_of_another_version_is_said_in_one_line(work: Work, words: tuple[str, ...]) -> None:
    run = passed(work)
    rewrite(run / "RUN_MANIFEST.json", lambda said: said.update(more="x"))

    ended = work.factory(*words, "--json")

    assert ended.exit_code in ((0,) if words[1:2] in (("prune",), ("list",)) else (1, 40)), ended
    assert "Traceback" not in ended.stderr
    assert "factory-bug" not in ended.stderr + ended.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("amend", "--reason", "x"),
        ("amend", "--drop", "A_worker"),
        ("amend", "--allow", "A_worker", "--reason", "x"),
        ("amend", "--allow", ":x", "--reason", "x"),
        ("amend", "--allow", "A_worker:", "--reason", "x"),
        ("amend", "--allow", "A_worker:a//b", "--reason", "x"),
        ("amend", "--drop", "A_worker", "--reason", "x"),
        ("amend", "--drop-path", "A_worker:../x", "--reason", "x"),
        ("amend", "--allow", "A_worker:x\x1b[31m", "--reason", "x"),
        ("publish", "--branch", "x\x1b[31m"),
        ("runs", "prune", "--older-than", "soon"),
        ("runs", "show", "--run-id", "a", "--run-id", "b"),
        ("runs", "show", "--commit", "--all"),
        ("runs", "show", "--commit", "nowhere\x1b[31m"),
        ("runs", "list", "--dry-run"),
        ("runs", "list", "--limit", "0"),
    ],
    ids=ascii,
)
def test_what_makes_no_sense_is_refused_with_2(work: Work, words: tuple[str, ...]) -> None:
    passed(work)

    ended = work.factory(*words, "--json")

    assert (ended.exit_code, fits(ended, "answer")) == (2, True), ended
    assert "\x1b" not in ended.stderr


def test_a_hostile_name_never_reaches_the_screen_raw(work: Work) -> None:
    work.repo.git("config", "user.name", "Ann")
    work.repo.git("config", "user.email", "ann@localhost")
    name = "\u202eevil\x1b[31m\r\n`[bold]x[/bold]"
    work.patch("A_worker", write_file(name, "x\n"), allow=["src/**"], task=name)
    assert work.oneshot("--run-id", "r1").exit_code == 3
    line = ("--allow", "A_worker:*", "--reason", "\u202e[bold]why[/bold]")

    screens = [
        work.factory(*words)
        for words in (
            ("plan", "--plan", work.plan()),
            ("amend", *line),
            ("integrate",),
            ("publish", "--branch", "\u202eb"),
            ("runs", "list"),
            ("runs", "show"),
            ("print-report",),
            ("runs", "prune", "--run-id", "r1", "--dry-run"),
        )
    ]

    said = "".join(screen.stdout + screen.stderr for screen in screens)
    assert [screen.exit_code for screen in screens] == [0] * len(screens), said
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", said)


def test_plan_writes_nothing_anywhere(work: Work, tmp_path: Path) -> None:
    work.patch("A_worker", edit_line("src/app.txt", 1, "a"), allow=["src/**"])
    work.patch("B_worker", edit_line("src/app.txt", 1, "b"), allow=["src/app.txt", "nix/**"])
    plan = work.plan()
    before = {str(p): p.lstat().st_mtime_ns for p in tmp_path.rglob("*")}

    met = work.factory("plan", "--plan", plan, "--json")
    wrong = work.factory("plan", "--plan", str(work.folder / "A_worker.patch"), "--json")

    assert (met.exit_code, wrong.exit_code) == (3, 10)
    assert {str(p): p.lstat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_a_run_that_waits_is_amended_and_the_waiting_one_dropped(work: Work) -> None:
    run = waiting(work)
    line = ("--allow", "A_worker:src/**", "--drop", "B_worker", "--reason", "nobody came")

    ended = work.factory("amend", *line)
    after = work.factory("integrate", "--json")

    assert (ended.exit_code, after.exit_code) == (0, 0), (ended.stderr, after)
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0
    assert (run / "PLAN.2.json").is_file()


def test_a_path_of_a_worker_without_a_bundle_is_not_dropped(work: Work) -> None:
    waiting(work)

    ended = work.factory("amend", "--drop-path", "B_worker:docs/x", "--reason", "x", "--json")

    assert (ended.exit_code, fits(ended, "answer")) == (2, True)


def test_work_that_lies_in_a_checkout_alone_is_never_pruned(work: Work) -> None:
    run = waiting(work)

    ended = work.factory("runs", "prune", "--run-id", "r1", "--json")

    assert ended.answer["runs"][0]["removed"] is False
    assert run.is_dir()


def test_work_of_a_dropped_waiting_worker_is_never_pruned(work: Work) -> None:
    work.repo.git("config", "user.name", "Ann Operator")
    work.repo.git("config", "user.email", "ann@localhost")
    run = waiting(work)
    line = ("--allow", "A_worker:src/**", "--drop", "B_worker", "--reason", "nobody came")
    assert work.factory("amend", *line).exit_code == 0
    assert work.factory("integrate").exit_code == 0
    assert work.factory("publish").exit_code == 0

    old = work.factory("runs", "prune", "--older-than", "0h", "--json")
    named = work.factory("runs", "prune", "--run-id", "r1", "--json")

    rows = [ended.answer["runs"][0]["removed"] for ended in (old, named)]
    assert (rows, run.is_dir()) == ([False, False], True)


@pytest.mark.parametrize("how", ["message", "tree"])
def test_a_published_commit_that_was_rewritten_is_told_apart(work: Work, how: str) -> None:
    passed(work)
    assert work.factory("publish", "--branch", "topic").exit_code == 0
    work.repo.git("checkout", "-q", "topic")
    if how == "message":
        work.repo.git("commit", "-q", "--amend", "-m", "mine now")
    else:
        work.repo.write("docs/guide.txt", "other\n")
        work.repo.git("commit", "-q", "-a", "--amend", "--no-edit")

    ended = work.factory("runs", "show", "--commit", "topic", "--json")

    if how == "message":
        assert ended.exit_code == 40
        return
    rows = {row["name"]: row["is_here"] for row in ended.answer["evidence"]}
    wrong = [name for name, is_here in rows.items() if not is_here]
    assert (ended.exit_code, wrong) == (0, ["tree"])


def test_a_reason_that_is_no_text_leaves_the_ledger_readable(work: Work) -> None:
    passed(work)
    line = ("--share", "docs/guide.txt", "--reason", "caf\udce9")

    work.factory("amend", *line)

    assert work.factory("ledger").exit_code == 0
    assert work.oneshot("--run-id", "another").exit_code == 0


def test_an_excluded_run_is_amended_to_a_whole_one(work: Work) -> None:
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])
    work.patch("B_worker", write_file("docs/b.txt", "b\n"), allow=["nothing/**"])
    policy = {"FACTORY_INTEGRATE__ON_BLOCKED": "exclude"}
    assert work.oneshot("--run-id", "r1", env=policy).answer["partial"] is True
    line = ("--allow", "B_worker:docs/**", "--reason", "its page")
    assert work.factory("amend", *line).exit_code == 0

    ended = work.factory("integrate", "--json")

    assert (ended.exit_code, ended.answer["partial"]) == (0, False)
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_a_salvaged_run_is_amended_to_a_whole_one(work: Work) -> None:
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])
    work.patch("B_worker", write_file("docs/red.txt", "b\n"), allow=["docs/**"])
    plan = work.plan(checks=[{"name": "red", "command": ["sh", "-c", "! test -e docs/red.txt"]}])
    assert work.factory("oneshot", "--plan", plan, "--run-id", "r1").exit_code == 3
    assert work.factory("integrate", "--salvage").exit_code == 3
    line = ("--drop-path", "B_worker:docs/red.txt", "--reason", "it is red")
    assert work.factory("amend", *line).exit_code == 0
    between = work.factory("ledger-replay", "--rebuild").exit_code

    ended = work.factory("integrate", "--json")

    assert (between, ended.exit_code, ended.answer["partial"]) == (0, 0, False)
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0
