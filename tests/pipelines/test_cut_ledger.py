"""A ledger that lost its end, was replaced, or was moved aside: which command says so, and how."""

import json
import shutil
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.conftest import Factory
from tests.work import Work, edit_line

pytestmark = pytest.mark.slow

GOING_ON = (
    ("integrate",),
    ("bundle-validate",),
    ("amend", "--allow", "A_worker:more/**", "--reason", "more"),
    ("launch",),
    ("oneshot",),
)


@pytest.fixture
def passed(work: Work) -> Work:
    """Return a run r1 that passed, and what it takes to call its commands again."""
    work.repo.git("config", "user.name", "Ann Operator")
    work.repo.git("config", "user.email", "ann@localhost")
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])
    assert work.oneshot("--run-id", "r1").exit_code == 0
    return work


def ledger_of(work: Work) -> Path:
    return work.runs_root / "factory_ledger.jsonl"


def head_of(work: Work) -> int:
    """Return how many lines the STATUS.json of r1 names."""
    said = json.loads((work.runs_root / "r1/Z_integrator/STATUS.json").read_bytes())
    count = said["ledger"]["count"]
    assert isinstance(count, int)
    return count


def asked(work: Work, words: tuple[str, ...]) -> tuple[int, str]:
    """Return what a command ends with, and its error."""
    plan = ("--plan", work.plan()) if words[0] in ("launch", "oneshot") else ()
    named = () if words[0] in ("doctor",) else ("--run-id", "r1")
    ended = work.factory(*words, *plan, *named, "--json")
    error = ended.answer.get("error") or {}
    return ended.exit_code, error.get("message", "")


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Return every file but the one that says who held a run last."""
    files = [one for one in sorted(folder.rglob("*")) if one.is_file() and one.name != ".lock"]
    return {str(one): one.read_bytes() for one in files}


def test_a_cut_at_any_line_end_before_the_one_that_status_names_is_noticed(passed: Work) -> None:
    whole = ledger_of(passed).read_bytes()
    lines = whole.splitlines(keepends=True)
    head = head_of(passed)
    assert 5 < head < len(lines)

    found = {}
    for count in range(1, len(lines)):
        ledger_of(passed).write_bytes(b"".join(lines[:count]))
        found[count] = (
            asked(passed, ("ledger-replay",))[0],
            asked(passed, ("doctor",))[0],
            asked(passed, ("publish",))[0],
            asked(passed, ("integrate",))[0] if count < head else 1,
        )

    assert found == {count: (1, 20 if count < head else 0, 3, 1) for count in range(1, len(lines))}


@pytest.mark.parametrize("words", GOING_ON, ids=" ".join)
def test_a_run_whose_status_names_a_line_that_was_cut_off_does_not_go_on(
    passed: Work, words: tuple[str, ...]
) -> None:
    head = head_of(passed)
    lines = ledger_of(passed).read_bytes().splitlines(keepends=True)
    ledger_of(passed).write_bytes(b"".join(lines[: head - 1]))
    before = bytes_of(passed.runs_root)

    said = asked(passed, words)

    assert said == (
        1,
        "factory_ledger.jsonl: it was longer, or is another: STATUS.json of 'r1' names its line "
        f"{head}",
    )
    assert bytes_of(passed.runs_root) == before
    ledger_of(passed).write_bytes(b"".join(lines))
    assert asked(passed, words)[0] == 0


def test_doctor_names_the_run_that_knows_of_more_lines(passed: Work) -> None:
    head = head_of(passed)
    lines = ledger_of(passed).read_bytes().splitlines(keepends=True)
    ledger_of(passed).write_bytes(b"".join(lines[: head - 1]))

    ended = passed.factory("doctor", "--json")

    unfit = [row["message"] for row in ended.answer["rows"] if row["verdict"] == "unfit"]
    assert unfit == [
        "factory_ledger.jsonl: it was longer, or is another: STATUS.json of 'r1' names its line "
        f"{head}"
    ]


def test_a_cut_that_other_events_grew_over_is_noticed(passed: Work) -> None:
    lines = ledger_of(passed).read_bytes().splitlines(keepends=True)
    ledger_of(passed).write_bytes(b"".join(lines[:3]))
    assert passed.oneshot("--run-id", "r2").exit_code == 0
    assert ledger_of(passed).read_bytes().count(b"\n") >= head_of(passed)

    found = [asked(passed, words)[0] for words in (("ledger-replay",), ("integrate",))]

    assert found == [1, 1]
    assert asked(passed, ("publish",))[0] == 3
    assert asked(passed, ("doctor",))[0] == 20


def test_a_ledger_of_another_repository_in_its_place_is_noticed_before_publishing(
    passed: Work, tmp_path: Path
) -> None:
    other = Repo.make(tmp_path / "other")
    other.write("src/app.txt", "".join(f"line {n}\n" for n in range(1, 21)))
    other.commit()
    (tmp_path / "there").mkdir()
    there = Work(other, Factory(other.path, tmp_path / "home"), tmp_path / "there")
    there.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])
    assert there.oneshot("--run-id", "else").exit_code == 0
    shutil.copy(ledger_of(there), ledger_of(passed))

    code, message = asked(passed, ("publish",))
    rows = passed.factory("doctor", "--json").answer["rows"]

    assert (code, message) == (
        3, "run 'r1' is not what was recorded: the ledger does not know it",
    )  # fmt: skip
    assert asked(passed, ("ledger-replay",))[0] == 1
    assert {row["what"]: row["message"] for row in rows if row["verdict"] == "note"}[
        "runs that the ledger does not know"
    ] == "1: r1"


def test_a_ledger_moved_aside_is_noticed_before_publishing_and_a_run_is_recorded_anew(
    passed: Work,
) -> None:
    ledger_of(passed).rename(passed.runs_root / "factory_ledger.aside")

    first = asked(passed, ("publish",))
    again = [asked(passed, words)[0] for words in (("oneshot",), ("ledger-replay",), ("doctor",))]

    assert first == (3, "run 'r1' is not what was recorded: the ledger does not know it")
    assert again == [0, 0, 0]
    assert asked(passed, ("publish",))[0] == 0


def test_a_run_begun_again_behind_a_new_ledger_goes_on_though_its_old_status_names_more(
    passed: Work,
) -> None:
    ledger_of(passed).unlink()
    assert asked(passed, ("launch",))[0] == 0
    assert ledger_of(passed).read_bytes().count(b"\n") < head_of(passed)

    found = [asked(passed, words)[0] for words in (("doctor",), ("integrate",), ("ledger-replay",))]

    assert found == [0, 0, 0]


def test_doctor_and_replay_find_damage_that_a_list_does_not_look_at(passed: Work) -> None:
    assert passed.oneshot("--run-id", "r2").exit_code == 0
    lines = ledger_of(passed).read_bytes().splitlines(keepends=True)
    lines[2] = b"garbage\n"
    ledger_of(passed).write_bytes(b"".join(lines))

    codes = {
        words: passed.factory(*words, "--json").exit_code
        for words in (
            ("ledger", "--limit", "1"),
            ("ledger", "--run-id", "r2"),
            ("runs", "list", "--limit", "1"),
            ("print-report", "--run-id", "r2"),
            ("watch", "--run-id", "r2"),
            ("integrate", "--run-id", "r2"),
            ("doctor",),
            ("ledger-replay",),
            ("ledger-replay", "--run-id", "r2"),
            ("publish", "--run-id", "r2"),
            ("runs", "prune", "--dry-run"),
        )
    }

    assert list(codes.values()) == [0, 0, 0, 0, 0, 0, 20, 1, 1, 1, 1]
