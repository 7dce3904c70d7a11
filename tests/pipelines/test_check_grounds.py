"""Where checks run, where they do not, and which plans of checks are refused."""

from pathlib import Path

import pytest

from tests.pipelines.checking import a_work, checked, counted, probe, sh, workers
from tests.work import Work, edit_line, write_file

pytestmark = pytest.mark.slow


@pytest.fixture
def small(tmp_path: Path) -> Work:
    return a_work(tmp_path)


SETUPS = {
    "fails": (["sh", "-c", "exit 4"], "setup-1 failed: exited 4"),
    "missing": (["no-such-setup"], "program 'no-such-setup' is not on PATH"),
    "dirties": (["touch", "new.txt"], "setup changed new.txt"),
    "changes": (["rm", "README.md"], "setup changed README.md"),
    "unreadable": (["sh", "-c", 'rm -rf "$PWD"'], "setup"),
}


@pytest.mark.parametrize("how", SETUPS)
def test_no_check_is_run_where_setup_did_not_do_its_work(
    small: Work, tmp_path: Path, how: str
) -> None:
    workers(small, "A")
    checks = [sh("a", counted(tmp_path / "count")), probe("b", counted(tmp_path / "count"))]

    found = checked(small, checks, integration={"setup": [["true"], SETUPS[how][0]]})

    assert found.ended.exit_code == 3
    assert found.results == {"a": "not_run", "b": "not_run"}
    assert found.blocking == [("check.not_run", "check a")]
    assert not (tmp_path / "count").exists()
    reason = SETUPS[how][1].replace("setup-1", "setup-2")
    assert reason in found.row("a")["reason"]
    assert found.row("a")["reason"] in found.above


def test_the_log_of_a_setup_that_failed_is_kept(small: Work) -> None:
    workers(small, "A")
    setup = [["sh", "-c", "echo why it failed >&2; exit 4"]]

    found = checked(small, [sh("a", "true")], integration={"setup": setup})

    logs = [path.read_text() for path in (found.folder / "LOGS").glob("*.log")]
    assert "why it failed\n" in logs


def test_setup_runs_in_the_checkout_of_the_merged_commit_and_checks_see_what_it_ignored(
    small: Work,
) -> None:
    workers(small, "A")
    setup = [["sh", "-c", "test -e A.txt && git rev-parse HEAD > head.ignored"]]

    found = checked(small, [sh("a", "cat head.ignored")], integration={"setup": setup})

    assert found.said("check-1.stdout.log").strip() == found.status["commit"]


def test_a_rehearsal_runs_checks_on_the_base_alone(small: Work, tmp_path: Path) -> None:
    small.add("A", command=["false"], allow=["src/**"])
    count = tmp_path / "count"
    checks = [sh("base", f"{counted(count)}; git rev-parse HEAD; test ! -e A.txt")]

    found = checked(small, checks, "--dry-run")

    base = small.repo.git("rev-parse", "HEAD").decode()
    assert (found.ended.exit_code, found.results) == (0, {"base": "passed"})
    assert (found.said("check-1.stdout.log"), count.read_text()) == (base, "x")
    assert "base commit, before any work" in found.above


def test_what_is_red_on_the_base_blocks_a_rehearsal(small: Work) -> None:
    small.add("A", command=["false"], allow=["src/**"])

    found = checked(small, [sh("red", "false"), probe("note", "false")], "--dry-run")

    assert (found.ended.exit_code, found.blocking) == (3, [("check.red_on_base", "check red")])
    assert found.status["attribution"] == []
    assert small.factory("ledger-replay", "--rebuild").exit_code == 0


def test_checks_are_not_run_where_nothing_was_merged(small: Work, tmp_path: Path) -> None:
    workers(small, "A")
    small.patch("B", write_file("out.md", "x"), allow=["docs/**"])

    found = checked(small, [sh("a", counted(tmp_path / "count"))])

    assert (found.ended.exit_code, found.status["checks"]) == (3, [])
    assert not (tmp_path / "count").exists()
    assert "1 declared, none run: nothing was merged" in found.above


def test_checks_run_on_what_is_left_after_bundles_were_excluded(small: Work) -> None:
    workers(small, "A", "C")
    small.patch("B", write_file("out.md", "x"), allow=["docs/**"])

    found = checked(
        small,
        [sh("a", "test -e A.txt && test -e C.txt && test ! -e out.md")],
        env={"FACTORY_INTEGRATE__ON_BLOCKED": "exclude"},
    )

    assert (found.ended.exit_code, found.status["partial"]) == (3, True)
    assert found.results == {"a": "passed"}
    assert [code for code, _ in found.blocking] == ["scope.outside_lock"]


def test_checks_of_a_run_in_which_nobody_changed_anything_run_on_the_base(small: Work) -> None:
    small.raw("A", b"", allow=["src/**"])
    small.raw("B", b"", allow=["src/**"])

    green = checked(small, [sh("a", "git rev-list --count HEAD")], "--run-id", "green")
    red = checked(small, [sh("a", "exit 5")], "--run-id", "red")

    assert (green.ended.exit_code, green.status["noop"]) == (0, True)
    assert green.said("check-1.stdout.log") == "1\n"
    assert (red.ended.exit_code, red.status["noop"]) == (3, True)
    assert "red on the base commit too" in red.message("check.failed")


def test_a_red_run_in_which_nobody_changed_anything_says_what_to_do(small: Work) -> None:
    small.raw("A", b"", allow=["src/**"])

    found = checked(small, [sh("a", "exit 5")])

    assert "mend the base commit first" in found.above.partition("WHAT TO DO NEXT")[2]


def test_checks_see_a_file_that_several_workers_share(small: Work) -> None:
    for worker, line in (("A", 2), ("B", 10)):
        small.patch(worker, edit_line("src/app.txt", line, worker), shared=["src/app.txt"])

    found = checked(small, [sh("a", "grep -qx A src/app.txt && grep -qx B src/app.txt")])

    assert found.ended.exit_code == 0


PLANS: dict[str, list[dict[str, object]]] = {
    "one name twice": [sh("a", "true"), sh("a", "false")],
    "empty command": [{"name": "a", "command": []}],
    "empty name": [sh(" ", "true")],
    "escape in a name": [sh("a\x1b[31m", "true")],
    "newline in a name": [sh("a\nb", "true")],
    "NUL in a command": [sh("a", "true\0")],
    "half a character in a name": [sh("a\ud800", "true")],
    "half a character in a command": [sh("a", "true\ud800")],
    "empty program": [{"name": "a", "command": [""]}],
    "unknown key": [sh("a", "true", retry=1)],
    "no timeout": [sh("a", "true", timeout="0s")],
    "bad timeout": [sh("a", "true", timeout="soon")],
    "number as timeout": [sh("a", "true", timeout=5)],
    "too many retries": [sh("a", "true", retries=11)],
    "word as command": [{"name": "a", "command": "true"}],
}


@pytest.mark.parametrize("what", PLANS)
def test_a_plan_whose_checks_make_no_sense_is_refused_before_anything_begins(
    small: Work, what: str
) -> None:
    workers(small, "A")
    path = small.plan(checks=PLANS[what])

    ended = small.factory("oneshot", "--plan", path, "--json")

    assert (ended.exit_code, small.runs_root.exists()) == (10, False)


def test_fifty_checks_with_very_long_names_are_run_in_one_go(small: Work, tmp_path: Path) -> None:
    workers(small, "A")
    checks = [sh(f"{'long ' * 200}{n}", counted(tmp_path / "count")) for n in range(50)]

    found = checked(small, checks)

    assert (found.ended.exit_code, len(found.status["checks"])) == (0, 50)
    assert (tmp_path / "count").read_text() == "x" * 50
