"""From a plan to a verdict, on real repositories by the real command."""

import json
from pathlib import Path

from tests.work import Work, blocking, edit_line, move_file, write_file

STABLE = ("DIFF.patch", "MERGE_PLAN.md", "OVERLAP.json")


def above_this_run(report: Path) -> str:
    return report.read_text().partition("\nTHIS RUN\n")[0]


def four_workers(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 2, "A"), allow=["src/**"], shared=["src/app.txt"])
    work.patch("B", edit_line("src/app.txt", 9, "B"), shared=["src/app.txt"])
    work.patch("C", move_file("docs/guide.txt", "docs/new.txt"), "-M", allow=["docs/**"])
    work.branch("D", write_file("src/deep/new.bin", bytes(range(256))), allow=["src/deep/**"])


def test_bundles_that_fit_are_merged_proven_and_reported_as_one_verdict(work: Work) -> None:
    four_workers(work)

    ended = work.oneshot()

    folder = work.run(ended) / "Z_integrator"
    status = json.loads((folder / "STATUS.json").read_text())
    assert (ended.exit_code, ended.answer["status"], status["exit_code"]) == (0, "PASS", 0)
    assert status["proof"]["merged_tree"] == status["proof"]["audited_tree"] == status["tree"]
    assert (folder / "FINAL_REPORT.txt").read_text().startswith("PASS  A test\n4 workers, 4 files")
    assert sorted(path.name for path in folder.iterdir()) == [
        "DIFF.patch",
        "FILES_CHANGED.json",
        "FINAL_REPORT.txt",
        "LOGS",
        "MERGE_PLAN.md",
        "OVERLAP.json",
        "STATUS.json",
    ]


def test_the_merged_patch_applies_with_plain_git_and_reaches_the_tree(work: Work) -> None:
    four_workers(work)

    ended = work.oneshot()

    work.repo.git("apply", "--index", str(work.run(ended) / "Z_integrator" / "DIFF.patch"))
    assert work.repo.git("write-tree").decode().strip() == ended.answer["tree"]


def test_the_merged_commit_has_the_base_as_parent_and_nothing_of_the_run(work: Work) -> None:
    four_workers(work)

    ended = work.oneshot()

    store = str(work.run(ended) / "objects.git")
    commit = work.repo.git("--git-dir", store, "cat-file", "commit", ended.answer["commit"])
    assert commit.decode() == (
        f"tree {ended.answer['tree']}\n"
        f"parent {ended.answer['base_commit']}\n"
        "author factory <factory@localhost> 1704067200 +0000\n"
        "committer factory <factory@localhost> 1704067200 +0000\n"
        "\n"
        "Merge the work of 4 workers\n\nA\nB\nC\nD\n"
    )


def test_the_stages_one_by_one_leave_the_bytes_that_oneshot_leaves(work: Work) -> None:
    four_workers(work)
    whole = work.oneshot()

    work.factory("launch", "--plan", work.plan(), "--run-id", "steps")
    work.factory("bundle-validate", "--run-id", "steps")
    work.factory("integrate", "--run-id", "steps")

    one, other = work.run(whole) / "Z_integrator", work.runs_root / "steps/Z_integrator"
    assert [(one / name).read_bytes() for name in STABLE] == [
        (other / name).read_bytes() for name in STABLE
    ]
    report = "FINAL_REPORT.txt"
    assert above_this_run(one / report) == above_this_run(other / report)


def test_any_stage_can_be_repeated(work: Work) -> None:
    four_workers(work)
    first = work.oneshot("--run-id", "again")
    before = (work.run(first) / "Z_integrator/DIFF.patch").read_bytes()

    validated = work.factory("bundle-validate", "--run-id", "again")
    integrated = work.factory("integrate", "--run-id", "again")
    replayed = work.factory("ledger-replay", "--run-id", "again", "--rebuild")

    assert (validated.exit_code, integrated.exit_code, replayed.exit_code) == (0, 0, 0)
    assert (work.run(first) / "Z_integrator/DIFF.patch").read_bytes() == before


def test_a_blocked_run_merges_nothing_and_still_has_every_artifact(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["docs/**"])
    work.patch("B", edit_line("docs/guide.txt", 1, "B"), allow=["docs/**"])

    ended = work.oneshot()

    folder = work.run(ended) / "Z_integrator"
    assert (ended.exit_code, ended.answer["tree"], ended.answer["commit"]) == (3, None, None)
    assert (folder / "DIFF.patch").read_bytes() == b""
    assert [(w["worker_id"], w["status"]) for w in ended.answer["workers"]] == [
        ("A", "BLOCKED"),
        ("B", "PASS"),
    ]
    assert "nothing is merged" in (folder / "MERGE_PLAN.md").read_text()


def test_where_policy_excludes_the_rest_is_merged_and_the_status_stays_blocked(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.patch("B", edit_line("src/app.txt", 1, "B"), allow=["src/**"])
    work.patch("C", edit_line("docs/guide.txt", 1, "C"), allow=["README.md"])
    work.patch("D", edit_line("README.md", 1, "D"), allow=["README.md"])

    ended = work.oneshot(env={"FACTORY_INTEGRATE__ON_BLOCKED": "exclude"})

    folder = work.run(ended) / "Z_integrator"
    work.repo.git("apply", "--index", str(folder / "DIFF.patch"))
    assert (ended.exit_code, ended.answer["status"], ended.answer["partial"]) == (
        3,
        "BLOCKED",
        True,
    )
    assert work.repo.git("write-tree").decode().strip() == ended.answer["tree"]
    assert work.repo.git("diff", "--cached", "--name-only").split() == [
        b"README.md",
        b"src/app.txt",
    ]
    assert (work.repo.path / "src/app.txt").read_text().startswith("A\n")
    assert "## Left out\n\n* B\n* C\n" in (folder / "MERGE_PLAN.md").read_text()


def test_edits_that_touch_name_the_path_the_lines_and_every_worker(work: Work) -> None:
    for worker, line in (("A", 5), ("B", 6), ("C", 6), ("D", 15)):
        work.patch(worker, edit_line("src/app.txt", line, worker), shared=["src/app.txt"])

    ended = work.oneshot()

    overlap = json.loads((work.run(ended) / "Z_integrator/OVERLAP.json").read_text())
    assert blocking(ended) == [("overlap.hunks", "A, B, C: src/app.txt")]
    assert overlap["overlaps"] == [
        {
            "blocks": True,
            "code": "overlap.hunks",
            "lines": [5, 6],
            "path": "src/app.txt",
            "workers": ["A", "B", "C"],
        }
    ]
    assert overlap["matrix"]["A"] == {"B": 1, "C": 1}
