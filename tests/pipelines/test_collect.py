"""A person or a tool outside works in a checkout; the run waits, and goes on when told."""

import json
import shutil
from pathlib import Path

import pytest

from tests.work import Work, blocking, codes, edit_line
from tests.workers import program

pytestmark = pytest.mark.slow


def checkout_of(work: Work, command: str = "oneshot", **fields: object) -> Path:
    """Begin a run that waits for A, and return the checkout that it names."""
    work.add("A", external=True, **{"allow": ["src/**"], **fields})
    words = (command, "--plan", work.plan(), "--run-id", "r1", "--json")
    ended = work.factory(*words)
    assert (ended.exit_code, ended.answer["status"]) == (4, "WAITING"), ended.stdout
    return Path(ended.answer["waiting"]["A"])


@pytest.mark.parametrize("command", ["oneshot", "launch"])
def test_a_run_waits_for_work_outside_and_collect_takes_it_to_its_verdict(
    work: Work, command: str
) -> None:
    work.add("B", command=program("honest", "docs/b.txt"), allow=["docs/**"])
    checkout = checkout_of(work, command)
    (checkout / "src" / "new.txt").write_text("by hand\n")

    ended = work.factory("collect", "--run-id", "r1", "--json")

    status = json.loads((work.runs_root / "r1" / "A" / "STATUS.json").read_text())
    assert (ended.exit_code, ended.answer["status"]) == (0, "PASS")
    assert "by hand" in (work.runs_root / "r1" / "Z_integrator" / "DIFF.patch").read_text()
    assert (status["ended"]["how"], status["status"]) == ("collected", "PASS")
    assert not checkout.exists()
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_commits_of_a_person_are_collected(work: Work) -> None:
    checkout = checkout_of(work)
    (checkout / "src" / "new.txt").write_text("by hand\n")
    work.repo.git("-C", str(checkout), "add", "-A")
    work.repo.git("-C", str(checkout), "commit", "-q", "-m", "by hand")

    ended = work.factory("collect", "--json")

    assert ended.exit_code == 0
    assert "by hand" in (work.runs_root / "r1" / "A" / "DIFF.patch").read_text()


def test_collecting_where_nothing_was_done_passes_as_a_run_without_changes_each_time(
    work: Work,
) -> None:
    checkout_of(work)

    first = work.factory("collect", "--run-id", "r1", "--json")
    second = work.factory("collect", "--run-id", "r1", "--json")

    assert (first.exit_code, first.answer["noop"]) == (0, True)
    assert codes(first) == {"bundle.no_change"}
    assert (second.exit_code, second.answer["tree"]) == (0, first.answer["tree"])


def test_what_a_person_did_out_of_scope_blocks(work: Work) -> None:
    checkout = checkout_of(work)
    (checkout / "docs" / "guide.txt").write_text("by hand\n")

    ended = work.factory("collect", "--run-id", "r1", "--json")

    assert ended.exit_code == 3
    assert blocking(ended) == [("scope.outside_lock", "A: docs/guide.txt")]


def test_a_checkout_that_a_person_removed_blocks_when_it_is_collected(work: Work) -> None:
    shutil.rmtree(checkout_of(work))

    ended = work.factory("collect", "--run-id", "r1", "--json")

    assert ended.exit_code == 3
    assert blocking(ended) == [("capture.checkout_gone", "A: checkout")]


def test_an_attempt_that_a_person_removed_whole_is_made_again_or_blocks(work: Work) -> None:
    shutil.rmtree(checkout_of(work).parent)

    ended = work.factory("collect", "--run-id", "r1", "--json")

    assert ended.exit_code in (3, 4)


def test_collecting_a_run_that_nobody_outside_works_in_only_judges_it_again(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    first = work.oneshot("--run-id", "r1")

    ended = work.factory("collect", "--run-id", "r1", "--json")

    assert (ended.exit_code, ended.answer["tree"]) == (0, first.answer["tree"])


def test_continuing_a_run_that_waits_waits_on_and_keeps_what_was_done(work: Work) -> None:
    checkout = checkout_of(work)
    (checkout / "src" / "new.txt").write_text("by hand\n")

    again = work.factory("oneshot", "--plan", work.plan(), "--run-id", "r1", "--json")

    assert (again.exit_code, again.answer["waiting"]) == (4, {"A": str(checkout)})
    assert (checkout / "src" / "new.txt").read_text() == "by hand\n"


def test_a_run_that_waits_says_where_and_for_what_and_is_not_judged(work: Work) -> None:
    work.add("A", external=True, allow=["src/**"])

    launched = work.factory("launch", "--plan", work.plan(), "--run-id", "r1")
    refused = [work.factory(command, "--json") for command in ("integrate", "bundle-validate")]

    said = launched.stdout + launched.stderr
    assert launched.exit_code == 4
    assert "A waits for work in" in said and "factory collect --run-id r1" in said
    assert [ended.exit_code for ended in refused] == [40, 40]
    assert "factory collect --run-id r1" in refused[0].answer["error"]["hint"]


def test_a_person_finds_the_setup_done(work: Work) -> None:
    work.repo.write(".gitignore", "*.ignored\n")
    work.repo.commit()

    checkout = checkout_of(work, setup=[program("honest", "tool.ignored")])

    assert (checkout / "tool.ignored").exists()


def test_nobody_waits_where_the_setup_failed(work: Work) -> None:
    work.add("A", external=True, allow=["src/**"], setup=[["false"]])

    ended = work.oneshot()

    assert (ended.exit_code, blocking(ended)) == (3, [("worker.setup_failed", "A: setup-1")])


def test_work_that_cannot_be_taken_whole_keeps_the_run_waiting_until_it_is_mended(
    work: Work,
) -> None:
    checkout = checkout_of(work)
    work.repo.git("init", "-q", str(checkout / "src" / "inner"))
    (checkout / "src" / "inner" / "x").write_text("x\n")

    refused = work.factory("collect", "--run-id", "r1", "--json")
    shutil.rmtree(checkout / "src" / "inner")
    (checkout / "src" / "later.txt").write_text("written after the first collect\n")
    taken = work.factory("collect", "--run-id", "r1", "--json")

    assert (refused.exit_code, refused.answer["waiting"]) == (4, {"A": str(checkout)})
    assert "a repository of its own" in refused.stderr
    assert (taken.exit_code, taken.answer["status"]) == (0, "PASS")
    assert "+written after" in (work.runs_root / "r1" / "A" / "DIFF.patch").read_text()


def test_one_of_two_can_be_collected_while_the_other_goes_on(work: Work) -> None:
    work.add("B", external=True, allow=["docs/**"])
    mine = checkout_of(work)
    (mine / "src" / "new.txt").write_text("done\n")

    first = work.factory("collect", "--run-id", "r1", "--workers", "A", "--json")
    theirs = Path(first.answer["waiting"]["B"])
    (theirs / "docs" / "late.txt").write_text("late\n")
    second = work.factory("collect", "--run-id", "r1", "--json")

    assert (first.exit_code, list(first.answer["waiting"])) == (4, ["B"])
    assert (second.exit_code, second.answer["status"]) == (0, "PASS")
    assert "late" in (work.runs_root / "r1" / "Z_integrator" / "DIFF.patch").read_text()


def test_a_worker_that_is_not_outside_cannot_be_collected(work: Work) -> None:
    work.add("B", command=program("honest", "docs/b.txt"), allow=["docs/**"])
    checkout_of(work)

    ended = work.factory("collect", "--run-id", "r1", "--workers", "B", "--json")

    assert ended.exit_code == 2
    assert "no external worker 'B'" in ended.stderr
