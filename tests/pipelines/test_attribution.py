"""Who made a check red: on the base, with one bundle alone, or only together."""

from pathlib import Path

import pytest

from tests.pipelines.checking import (
    SETTINGS,
    Checked,
    a_work,
    checked,
    counted,
    integrated,
    probe,
    sh,
    workers,
)
from tests.work import Work, write_file

pytestmark = pytest.mark.slow

TOGETHER = sh("together", "! { test -e A.txt && test -e B.txt; }")


@pytest.fixture
def small(tmp_path: Path) -> Work:
    return a_work(tmp_path)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    work = a_work(tmp_path_factory.mktemp("pairs"))
    workers(work, "A", "B")
    checks = [
        TOGETHER,
        sh("alone", "! test -e B.txt"),
        sh("base", "test -e mended"),
        sh("either", "! { test -e A.txt || test -e B.txt; }"),
        sh("green", "true"),
        probe("optional", "! test -e A.txt"),
    ]
    return checked(work, checks)


def _messages(found: Checked) -> dict[str, str]:
    return {
        f["subject"].removeprefix("check "): f["message"]
        for f in found.status["findings"]
        if f["code"] == "check.failed"
    }


def test_each_red_check_is_blamed_on_who_made_it_red(pairs: Checked) -> None:
    red = "exited 1 on the merge of the bundles"

    assert pairs.ended.exit_code == 3
    assert _messages(pairs) == {
        "together": f"{red}; green with each bundle alone, red only together; green without A, B",
        "alone": f"{red}; red with B alone; green without B",
        "base": f"{red}; it is red on the base commit too",
        "either": f"{red}; red with A, B alone",
        "optional": red,
    }


def test_the_report_shows_the_table_of_each_red_check(pairs: Checked) -> None:
    table = pairs.above.partition("\nCHECKS\n")[2].partition("\n\n")[0].splitlines()

    start = table.index("  who made together red: on the base commit passed")
    assert table[start + 1 : start + 4] == [
        "    bundle  alone    all but it",
        "    A       passed   passed",
        "    B       passed   passed",
    ]
    assert {row["check"] for row in pairs.status["attribution"]} == {
        "together", "alone", "base", "either",
    }  # fmt: skip


def test_a_blocked_run_with_a_table_is_verified_and_rebuilt(pairs: Checked) -> None:
    assert pairs.work.factory("ledger-replay", "--rebuild").exit_code == 0
    assert pairs.work.repo.git("status", "--porcelain") == b""


def test_integrating_again_gives_the_same_table(pairs: Checked) -> None:
    above = pairs.above

    again = integrated(pairs.work, pairs.run_id)

    assert (again.ended.exit_code, again.above) == (3, above)


def test_one_worker_alone_is_tried_against_the_base(small: Work) -> None:
    workers(small, "A")

    found = checked(small, [sh("a", "! test -e A.txt"), sh("base", "false")])

    rows = [(row["check"], row["tried"], row["result"]) for row in found.status["attribution"]]
    assert rows == [("a", "base", "passed"), ("base", "base", "failed")]
    assert (found.ended.exit_code, len(found.blocking)) == (3, 2)


def test_bundles_that_change_nothing_are_tried_once_and_blamed_for_nothing(
    small: Work, tmp_path: Path
) -> None:
    workers(small, "A", "B")
    small.raw("C", b"", allow=["src/**"])
    small.raw("D", b"", allow=["src/**"])
    check = sh("together", f"{counted(tmp_path / 'count')}; {TOGETHER['command'][2]}")

    found = checked(small, [check])

    assert found.table == {
        ("base", None): "passed",
        ("alone", "A"): "passed", ("alone", "B"): "passed",
        ("alone", "C"): "passed", ("alone", "D"): "passed",
        ("without", "A"): "passed", ("without", "B"): "passed",
        ("without", "C"): "failed", ("without", "D"): "failed",
    }  # fmt: skip
    # Twice the whole, then the base, A, B, and the whole as all but C.
    assert len((tmp_path / "count").read_text()) == 6


def test_nothing_but_this_run_depends_on_order_or_on_how_many_are_run_at_a_time(
    small: Work,
) -> None:
    check = sh("together", f"test $(ls *.txt) = A.txt && sleep 0.2; {TOGETHER['command'][2]}")
    for worker, wait in zip("EDCBA", ("0.2", "0", "0", "0", "0.1"), strict=True):
        script = f"sleep {wait}; echo {worker} > {worker}.txt"
        small.add(worker, command=["sh", "-c", script], allow=["*.txt"])
    one = checked(small, [check], "--jobs", "1")
    small.workers.reverse()

    five = checked(small, [check], "--jobs", "5")

    assert (one.ended.exit_code, five.ended.exit_code) == (3, 3)
    assert len(one.table) == 1 + 2 * 5
    assert one.above == five.above
    assert one.status["attribution"] == five.status["attribution"]
    assert {
        name: (one.folder / name).read_bytes() for name in ("MERGE_PLAN.md", "OVERLAP.json")
    } == {name: (five.folder / name).read_bytes() for name in ("MERGE_PLAN.md", "OVERLAP.json")}


def test_what_came_of_no_trial_for_want_of_time_is_not_said(small: Work) -> None:
    workers(small, "A", "B", "C")
    check = sh("slow", f"sleep 0.6; {TOGETHER['command'][2]}")

    found = checked(small, [check], "--jobs", "1", env={"FACTORY_CHECKS__BUDGET": "1s"})

    assert "not_run" in found.table.values()
    assert ("alone", "C") in found.table
    assert "each bundle alone" not in found.message("check.failed")
    assert "not run" in found.above


def test_a_trial_does_not_outlast_the_budget_by_the_time_of_a_whole_check(
    small: Work, tmp_path: Path
) -> None:
    workers(small, "A", "B")
    ended = tmp_path / "ended"
    script = f"test -e A.txt && test -e B.txt && exit 1; sleep 2; {counted(ended)}"

    found = checked(
        small, [sh("slow", script)], "--jobs", "1", env={"FACTORY_CHECKS__BUDGET": "1s"}
    )

    assert found.ended.exit_code == 3
    assert not ended.exists()


def test_bundles_excluded_from_the_merge_are_in_no_table(small: Work) -> None:
    workers(small, "A", "B")
    small.patch("X", write_file("out.md", "x"), allow=["docs/**"])

    found = checked(small, [TOGETHER], env={"FACTORY_INTEGRATE__ON_BLOCKED": "exclude"})

    assert {worker for _, worker in found.table} == {None, "A", "B"}
    assert {"check.failed", "scope.outside_lock"} == {code for code, _ in found.blocking}


def test_a_program_that_the_host_lacks_is_blamed_on_no_commit(small: Work) -> None:
    workers(small, "A", "B")

    found = checked(small, [{"name": "a", "command": ["no-such-program"]}])

    assert found.ended.exit_code == 3
    assert "'no-such-program' is not on PATH" in found.above
    assert "mend the base commit" not in found.above


def test_every_check_that_began_in_the_ledger_has_ended_there(small: Work) -> None:
    workers(small, "A", "B")
    checked(small, [TOGETHER])

    lines = small.factory("ledger", "--raw-events", "--json", "--limit", "500", env=SETTINGS)

    types = [line["event_type"] for line in lines.answer["events"]]
    assert types.count("CHECK_STARTED") == types.count("CHECK_ENDED")
