"""The largest part of the bundles that is green, where the whole is not."""

from pathlib import Path
from typing import Any

import pytest

from tests.builders import Repo
from tests.pipelines.checking import (
    SETTINGS,
    Checked,
    a_work,
    checked,
    counted,
    integrated,
    sh,
    workers,
)
from tests.work import Work, write_file

pytestmark = pytest.mark.slow

TOGETHER = "! { test -e A.txt && test -e B.txt; }"


@pytest.fixture
def small(tmp_path: Path) -> Work:
    return a_work(tmp_path)


@pytest.fixture(scope="module")
def salvaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checked, str, Checked]:
    work = a_work(tmp_path_factory.mktemp("salvaged"))
    workers(work, "A", "B", "C")
    plain = checked(work, [sh("together", TOGETHER), sh("C", "! test -e C.txt || test -e A.txt")])
    above = plain.above
    return plain, above, integrated(work, plain.run_id, "--salvage")


def _tree_of(repo: Repo, *names: str) -> str:
    for name in names:
        repo.write(f"{name}.txt", f"{name}\n")
    repo.git("add", *(f"{name}.txt" for name in names))
    tree = repo.git("write-tree").decode().strip()
    repo.git("reset", "-q", "--hard")
    return tree


def _part(found: Checked) -> list[str] | None:
    salvage: dict[str, Any] | None = found.status["salvage"]
    return salvage["workers"] if salvage else None


def test_the_largest_green_part_is_merged_and_the_run_stays_blocked(
    salvaged: tuple[Checked, str, Checked],
) -> None:
    _, _, found = salvaged
    status = found.status

    assert (found.ended.exit_code, status["status"], status["partial"]) == (3, "BLOCKED", True)
    assert _part(found) == ["A", "C"]
    assert status["tree"] == status["salvage"]["tree"] == _tree_of(found.work.repo, "A", "C")
    assert status["proof"]["audited_tree"] == status["tree"]
    assert {row["worker_id"]: row["merged"] for row in status["workers"]} == {
        "A": True, "B": False, "C": True,
    }  # fmt: skip
    assert [row["result"] for row in status["salvage"]["checks"]] == ["passed", "passed"]


def test_the_patch_of_what_was_salvaged_applies_with_plain_git(
    salvaged: tuple[Checked, str, Checked],
) -> None:
    _, _, found = salvaged
    repo = found.work.repo

    repo.git("apply", "--index", str(found.folder / "DIFF.patch"))
    tree = repo.git("write-tree").decode().strip()
    repo.git("reset", "-q", "--hard")

    assert tree == found.status["tree"]


def test_the_report_of_a_salvage_does_not_call_two_trees_the_merged_tree(
    salvaged: tuple[Checked, str, Checked],
) -> None:
    _, _, found = salvaged

    assert f"merged tree    {found.status['tree']}" in found.above
    assert "salvaged: A, C together are green" in found.above
    assert "on the merged tree" not in found.message("check.failed")


def test_a_salvage_is_verified_and_rebuilt_and_undone_by_integrating_plainly(
    salvaged: tuple[Checked, str, Checked],
) -> None:
    plain, above, found = salvaged

    rebuilt = found.work.factory("ledger-replay", "--rebuild")
    again = integrated(found.work, plain.run_id)

    assert rebuilt.exit_code == 0
    assert (again.status["salvage"], again.status["partial"]) == (None, False)
    assert again.above == above
    assert found.work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_where_nothing_is_green_nothing_is_salvaged_and_the_report_says_so(small: Work) -> None:
    workers(small, "A", "B")
    plain = checked(small, [sh("never", "false")])

    found = integrated(small, plain.run_id, "--salvage")

    assert (found.ended.exit_code, found.status["salvage"], found.status["partial"]) == (
        3, None, False,
    )  # fmt: skip
    assert "salvage" in found.above.lower()
    assert small.factory("ledger-replay", "--rebuild").exit_code == 0


def test_where_all_is_green_there_is_nothing_to_salvage(small: Work) -> None:
    workers(small, "A", "B")
    plain = checked(small, [sh("always", "true")])
    above = plain.above

    found = integrated(small, plain.run_id, "--salvage")

    assert (found.ended.exit_code, found.status["salvage"]) == (0, None)
    assert found.above == above


def test_one_worker_leaves_no_part_to_salvage(small: Work) -> None:
    workers(small, "A")
    plain = checked(small, [sh("a", "! test -e A.txt")])

    found = integrated(small, plain.run_id, "--salvage")

    assert (found.ended.exit_code, found.status["salvage"]) == (3, None)


def test_what_is_green_alone_is_salvaged_where_time_runs_out_on_larger_parts(small: Work) -> None:
    workers(small, "A", "B", "C", "D")
    slow = "test $(ls *.txt | wc -l) -eq 3 && sleep 30"
    settings = {"FACTORY_CHECKS__BUDGET": "5s", "FACTORY_WORK__JOBS": "9"}
    check = sh("slow", f"{slow}; ! {{ test -e C.txt || test -e D.txt; }}")
    plain = checked(small, [check], env=settings)

    found = integrated(small, plain.run_id, "--salvage", env=settings)

    assert (found.table["alone", "C"], found.table["alone", "A"]) == ("failed", "passed")
    assert _part(found) == ["A", "B"]


def test_a_search_that_runs_out_of_time_ends_and_says_so(small: Work, tmp_path: Path) -> None:
    workers(small, "A", "B", "C")
    plain = checked(small, [sh("slow", f"{counted(tmp_path / 'count')}; sleep 0.4; false")])
    before = len((tmp_path / "count").read_text())
    settings = {"FACTORY_CHECKS__BUDGET": "1s"}

    found = integrated(small, plain.run_id, "--salvage", env=settings)

    assert (found.ended.exit_code, found.status["salvage"]) == (3, None)
    assert len((tmp_path / "count").read_text()) - before < 20
    assert "salvage" in found.above.lower()


def test_a_salvage_of_what_is_left_after_bundles_were_excluded(small: Work) -> None:
    workers(small, "A", "B", "C")
    small.patch("X", write_file("out.md", "x"), allow=["docs/**"])
    settings = {"FACTORY_INTEGRATE__ON_BLOCKED": "exclude"}
    plain = checked(small, [sh("together", TOGETHER)], env=settings)

    found = integrated(small, plain.run_id, "--salvage", env=settings)

    assert (found.ended.exit_code, found.status["partial"]) == (3, True)
    assert _part(found) == ["A", "C"]
    assert {code for code, _ in found.blocking} == {"scope.outside_lock", "check.failed"}
    assert small.factory("ledger-replay", "--rebuild").exit_code == 0


def test_a_blocked_run_has_nothing_to_salvage(small: Work, tmp_path: Path) -> None:
    workers(small, "A")
    small.patch("X", write_file("out.md", "x"), allow=["docs/**"])
    plain = checked(small, [sh("a", counted(tmp_path / "count"))])
    above = plain.above

    found = integrated(small, plain.run_id, "--salvage")

    assert (found.ended.exit_code, found.above) == (3, above)
    assert not (tmp_path / "count").exists()


def test_a_rehearsal_is_not_salvaged(small: Work) -> None:
    small.add("A", command=["false"], allow=["src/**"])
    small.add("B", command=["false"], allow=["docs/**"])
    plain = checked(small, [sh("red", "false")], "--dry-run")

    ended = small.factory("integrate", "--run-id", plain.run_id, "--salvage", env=SETTINGS)

    assert (ended.exit_code, plain.status["salvage"]) == (3, None)
