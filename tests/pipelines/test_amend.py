"""Amendments under pressure: copied runs, dead commands, odd words, and what stays as sealed."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.work import Work, blocking, edit_line, rewrite, write_file
from tools.codex.factory.storage.lock import held

pytestmark = pytest.mark.slow


def bytes_below(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def blocked(work: Work) -> Path:
    """Return the folder of a run whose one worker wrote outside of its lock."""
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["docs/**"])
    assert work.oneshot("--run-id", "r1").exit_code == 3
    return work.runs_root / "r1"


def granted(work: Work, *words: str) -> None:
    """Grant what blocks the run, and nothing of it is refused."""
    line = ("--allow", "A_worker:src/**", "--reason", "it belongs here", *words)
    ended = work.factory("amend", "--run-id", "r1", *line)
    assert ended.exit_code == 0, ended.stderr


def copied(work: Work, root: Path) -> tuple[Path, tuple[str, ...]]:
    """Return an amended run that passed, and the words that name its copy in another runs root."""
    run = blocked(work)
    granted(work)
    assert work.factory("integrate").exit_code == 0
    shutil.copytree(run, root / "r1", symlinks=True)
    return run, ("--run-id", "r1", "--runs-root", str(root))


@pytest.mark.parametrize("flag", ["--allow", "--deny"])
def test_a_pattern_that_is_no_text_is_refused_and_the_run_goes_on(work: Work, flag: str) -> None:
    blocked(work)
    name = os.fsdecode(b"caf\xe9")

    ended = work.factory("amend", flag, f"A_worker:{name}", "--reason", "x", "--json")

    assert ended.exit_code == 2, ended
    granted(work)
    assert work.factory("integrate").exit_code == 0


def test_a_shared_pattern_that_is_no_text_is_refused_and_the_run_goes_on(work: Work) -> None:
    blocked(work)

    ended = work.factory("amend", "--share", os.fsdecode(b"caf\xe9"), "--reason", "x", "--json")

    assert ended.exit_code == 2, ended
    granted(work)


@pytest.mark.parametrize(
    "reason",
    [
        "",
        " ",
        "two\nlines",
        "\x1b[31mred",
        os.fsdecode(b"\xe9"),
    ],
    ids=ascii,
)
def test_a_reason_that_is_no_line_of_text_is_refused_and_the_run_goes_on(
    work: Work, reason: str
) -> None:
    blocked(work)

    line = ("--allow", "A_worker:src/**", "--reason", reason)
    ended = work.factory("amend", *line, "--json")

    assert ended.exit_code == 2, ended
    granted(work)


def test_an_amended_run_that_was_copied_is_integrated_there_again_and_again(
    work: Work, tmp_path: Path
) -> None:
    _, there = copied(work, tmp_path / "else")

    codes = [
        work.factory(*words, *there).exit_code
        for words in (
            ("ledger-replay", "--rebuild"),
            ("integrate",),
            ("ledger-replay", "--rebuild"),
            ("integrate",),
        )
    ]

    assert codes == [0, 0, 0, 0]


def test_a_second_amendment_of_a_copied_run_keeps_the_first(work: Work, tmp_path: Path) -> None:
    run, there = copied(work, tmp_path / "else")
    first = (run / "PLAN.2.json").read_bytes()

    line = ("--allow", "A_worker:more/**", "--reason", "more")
    ended = work.factory("amend", *line, *there, "--json")
    again = work.factory("integrate", *there, "--json")

    assert (ended.exit_code, ended.answer["revision"]) == (0, 3)
    assert (tmp_path / "else" / "r1" / "PLAN.2.json").read_bytes() == first
    assert again.exit_code == 0, blocking(again)


def test_a_second_amendment_of_a_copied_run_that_was_integrated_there_keeps_the_first(
    work: Work, tmp_path: Path
) -> None:
    run, there = copied(work, tmp_path / "else")
    first = (run / "PLAN.2.json").read_bytes()
    assert work.factory("integrate", *there).exit_code == 0

    line = ("--allow", "A_worker:more/**", "--reason", "more")
    ended = work.factory("amend", *line, *there, "--json")

    assert ended.answer["revision"] == 3
    assert (tmp_path / "else" / "r1" / "PLAN.2.json").read_bytes() == first


def test_nothing_that_was_sealed_changes_and_replay_agrees_at_every_point(work: Work) -> None:
    run = blocked(work)
    before = {
        name: content
        for name, content in bytes_below(run).items()
        if not name.startswith(("Z_integrator/", "seals/Z_", "LOCK", ".lock"))
    }
    replay = ("ledger-replay", "--rebuild")
    codes = [work.factory(*replay).exit_code]
    granted(work)
    codes.append(work.factory(*replay).exit_code)
    second = (run / "PLAN.2.json").read_bytes()
    assert work.factory("integrate").exit_code == 0
    codes.append(work.factory(*replay).exit_code)
    line = ("--deny", "A_worker:docs/x", "--share", "docs/guide.txt", "--reason", "more")
    assert work.factory("amend", *line).exit_code == 0
    codes.append(work.factory(*replay).exit_code)
    assert work.factory("integrate").exit_code == 0
    codes.append(work.factory(*replay).exit_code)

    after = bytes_below(run)

    assert codes == [0, 0, 0, 0, 0]
    assert {name: after.get(name) for name in before} == before
    assert after["PLAN.2.json"] == second


def test_the_same_amendments_make_the_same_report(work: Work) -> None:
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["docs/**"])
    reports = []
    for name in ("r1", "another"):
        assert work.oneshot("--run-id", name).exit_code == 3
        line = ("--allow", "A_worker:src/**", "--reason", "both of them", "--run-id", name)
        assert work.factory("amend", *line).exit_code == 0
        assert work.factory("integrate", "--run-id", name).exit_code == 0
        text = (work.runs_root / name / "Z_integrator/FINAL_REPORT.txt").read_text("utf-8")
        reports.append(text.partition("THIS RUN")[0])

    one, other = reports

    assert one == other
    assert "both of them" in one


@pytest.mark.parametrize("how", ["edited", "removed", "replaced"])
def test_a_revision_that_was_touched_is_refused_by_every_command(work: Work, how: str) -> None:
    run = blocked(work)
    granted(work)
    place = run / "PLAN.2.json"
    if how == "edited":
        place.write_bytes(place.read_bytes().replace(b'"src/**"', b'"**"'))
    elif how == "removed":
        place.unlink()
    else:
        shutil.copy(run / "PLAN.json", place)

    ended = {
        words[0]: work.factory(*words).exit_code
        for words in (
            ("integrate",),
            ("bundle-validate",),
            ("amend", "--share", "x", "--reason", "x"),
            ("publish",),
            ("ledger-replay",),
        )
    }

    assert all(code in (1, 3, 10) for code in ended.values()), ended


def test_a_revision_made_by_hand_has_no_force_and_the_next_amendment_stands(work: Work) -> None:
    run = blocked(work)
    granted(work)
    forged = (run / "PLAN.2.json").read_bytes()
    ledger = next(work.runs_root.glob("factory_ledger*.jsonl"))
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:-1]))
    assert (run / "PLAN.2.json").read_bytes() == forged

    without = work.factory("integrate")
    granted(work)
    after = work.factory("integrate")

    assert (without.exit_code, after.exit_code) == (3, 0)
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_a_torn_line_of_an_amendment_loses_nothing_else(work: Work) -> None:
    blocked(work)
    granted(work)
    ledger = next(work.runs_root.glob("factory_ledger*.jsonl"))
    ledger.write_bytes(ledger.read_bytes()[:-20])

    line = ("--allow", "A_worker:src/app.txt", "--reason", "again")
    ended = work.factory("amend", *line, "--json")

    assert (ended.exit_code, ended.answer["revision"]) == (0, 2)
    assert work.factory("integrate").exit_code == 0
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_a_run_that_another_factory_holds_is_not_amended(work: Work) -> None:
    run = blocked(work)

    with held(run, holder={"pid": 1, "command": "another"}):
        ended = work.factory("amend", "--allow", "A_worker:src/**", "--reason", "x", "--json")

    assert ended.exit_code == 40
    assert not (run / "PLAN.2.json").exists()


def test_an_unknown_worker_and_path_name_the_nearest(work: Work) -> None:
    blocked(work)

    worker = work.factory("amend", "--drop", "A_wroker", "--reason", "x", "--json")
    path = work.factory("amend", "--drop-path", "A_worker:src/ap.txt", "--reason", "x", "--json")

    assert (worker.exit_code, path.exit_code) == (2, 2)
    assert "A_worker" in worker.answer["error"]["hint"]
    assert "src/app.txt" in path.answer["error"]["hint"]


def test_a_dropped_path_that_leaves_a_file_in_the_way_is_a_finding(work: Work) -> None:
    def edit(repo: object) -> None:
        (work.repo.path / "README.md").unlink()
        work.repo.write("README.md/inside.txt", "x\n")

    work.patch("A_worker", edit, allow=["README.md", "README.md/**"])
    assert work.oneshot("--run-id", "r1").exit_code == 0
    line = ("--drop-path", "A_worker:README.md", "--reason", "keep the page")
    assert work.factory("amend", *line).exit_code == 0

    ended = work.factory("integrate", "--json")

    assert ended.exit_code == 3
    assert ended.answer["tree"] is None
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_a_launch_with_the_same_plan_goes_on_with_an_amended_run(work: Work) -> None:
    blocked(work)
    granted(work)

    ended = work.factory("launch", "--run-id", "r1", "--plan", work.plan(), "--json")

    assert ended.exit_code == 0, ended.stderr
    assert work.factory("integrate").exit_code == 0
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_dropping_one_of_two_that_meet_lets_the_other_pass(work: Work) -> None:
    work.patch("A_worker", edit_line("src/app.txt", 1, "a"), allow=["src/**"])
    work.patch("B_worker", edit_line("src/app.txt", 1, "b"), allow=["src/**"])
    assert work.oneshot("--run-id", "r1").exit_code == 3

    ended = work.factory("amend", "--drop", "B_worker", "--reason", "A has it")
    after = work.factory("integrate", "--json")

    assert (ended.exit_code, after.exit_code) == (0, 0)
    assert [row["worker_id"] for row in after.answer["workers"]] == ["A_worker"]
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_a_rehearsal_that_was_amended_stays_one(work: Work) -> None:
    work.patch("A_worker", edit_line("src/app.txt", 1, "a"), allow=["src/**"])
    assert work.oneshot("--run-id", "r1", "--dry-run").exit_code == 0

    ended = work.factory("amend", "--share", "docs/guide.txt", "--reason", "x")

    if ended.exit_code == 0:
        assert work.factory("integrate").exit_code in (0, 3)
        work.repo.git("config", "user.name", "Ann Operator")
        work.repo.git("config", "user.email", "ann@localhost")
        assert work.factory("publish").exit_code == 3
        assert work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_a_run_made_by_a_later_factory_is_refused_in_one_line(work: Work) -> None:
    run = blocked(work)
    rewrite(run / "RUN_MANIFEST.json", lambda said: said.update(schema_version=2))

    ended = work.factory("amend", "--share", "x", "--reason", "x", "--json")

    assert ended.exit_code in (1, 40)
    assert json.loads(ended.stdout)["error"]["message"].startswith("RUN_MANIFEST.json of 'r1'")


def test_a_worker_that_wrote_where_a_dropped_path_was_is_not_mixed(work: Work) -> None:
    work.patch("A_worker", edit_line("src/app.txt", 1, "a"), allow=["src/**"])
    work.patch(
        "B_worker",
        lambda repo: (
            edit_line("src/app.txt", 1, "b")(repo),
            write_file("docs/b.txt", "b\n")(repo),
        )[0],
        allow=["src/**", "docs/**"],
    )
    assert work.oneshot("--run-id", "r1").exit_code == 3
    line = ("--drop-path", "B_worker:src/app.txt", "--reason", "A has it")
    assert work.factory("amend", *line).exit_code == 0

    ended = work.factory("integrate", "--json")

    assert ended.exit_code == 0
    patch = (work.runs_root / "r1/Z_integrator/DIFF.patch").read_bytes()
    assert b"+a\n" in patch and b"+b\n" in patch
    assert patch.count(b"diff --git") == 2


def test_a_report_that_is_older_than_the_plan_says_so(work: Work) -> None:
    blocked(work)
    before = work.factory("print-report")
    granted(work)

    amended = work.factory("print-report")
    work.factory("integrate")
    after = work.factory("print-report")

    note = "note: the plan was amended after this report: `factory integrate --run-id r1`\n"
    assert (before.stderr, amended.stderr, after.stderr) == ("", note, "")
    assert amended.stdout == before.stdout


def test_a_pattern_that_takes_back_is_said_as_one(work: Work) -> None:
    blocked(work)

    ended = work.factory(
        *("amend", "--allow", "A_worker:!src/x.txt", "--deny", "A_worker:!docs/x.txt"),
        *("--share", "!y.txt", "--reason", "x", "--json"),
    )

    assert ended.answer["changes"] == [
        "A_worker may write 'src/x.txt' no longer",
        "A_worker is denied 'docs/x.txt' no longer",
        "every worker shares 'y.txt' no longer",
    ]


def test_a_worker_is_meant_whatever_its_case_and_one_left_out_is_said_to_be(work: Work) -> None:
    work.patch("A_worker", edit_line("src/app.txt", 1, "a"), allow=["src/**"])
    work.patch("B_worker", edit_line("docs/guide.txt", 1, "b"), allow=["docs/**"])
    assert work.oneshot("--run-id", "r1").exit_code == 0

    meant = work.factory("amend", "--drop", "a_worker", "--reason", "x", "--json")
    assert work.factory("amend", "--drop", "A_worker", "--reason", "x").exit_code == 0
    again = work.factory("amend", "--drop", "A_worker", "--reason", "x", "--json")

    assert meant.answer["error"]["hint"] == "did you mean 'A_worker'?"
    assert again.answer["error"]["message"] == "A_worker is left out since revision 2"
