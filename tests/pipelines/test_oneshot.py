"""From a plan to a verdict, on real repositories by the real command."""

import json
from pathlib import Path

import pytest

from tests.work import (
    Work,
    blocking,
    codes,
    delete_file,
    edit_line,
    move_file,
    rewrite,
    write_file,
)

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


def test_a_branch_that_left_before_the_base_is_carried_over_exactly(work: Work) -> None:
    older = work.repo.git("rev-parse", "HEAD").decode().strip()
    work.repo.write("README.md", "# Changed since\n")
    work.repo.commit("later")
    work.branch("A", edit_line("src/app.txt", 1, "A"), start=older, allow=["src/**"])

    ended = work.oneshot()

    assert ended.exit_code == 0
    merged = (work.run(ended) / "Z_integrator/DIFF.patch").read_text()
    assert [line for line in merged.splitlines() if line.startswith("diff ")] == [
        "diff --git a/src/app.txt b/src/app.txt"
    ]


def test_a_branch_whose_files_the_base_has_changed_is_refused_by_name(work: Work) -> None:
    older = work.repo.git("rev-parse", "HEAD").decode().strip()
    work.repo.write("src/app.txt", "changed since\n")
    work.repo.commit("later")
    work.branch("A", edit_line("src/app.txt", 1, "A"), start=older, allow=["src/**"])

    ended = work.oneshot()

    status = json.loads((work.run(ended) / "A/STATUS.json").read_text())
    assert ended.exit_code == 3
    assert [finding["code"] for finding in status["findings"]] == ["source.not_carried"]
    said = {finding["code"]: finding["message"] for finding in ended.answer["findings"]}
    assert "the base itself has changed src/app.txt" in said["source.not_carried"]


def test_a_branch_that_moves_after_launch_is_taken_as_it_was(work: Work) -> None:
    work.branch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.factory("launch", "--plan", work.plan(), "--run-id", "late")
    work.repo.git("update-ref", "refs/heads/work/A", "HEAD")

    ended = work.factory("integrate", "--run-id", "late", "--json")

    assert (ended.exit_code, ended.answer["workers"][0]["changes"]) == (0, 1)


def test_a_path_that_a_worker_asks_for_is_quoted_and_granted_only_by_policy(work: Work) -> None:
    folder = work.bundle("A", edit_line("src/app.txt", 1, "A"), "ask", allow=["docs/**"])
    asked = [{"path": "src/app.txt", "reason": "the test needs it"}]
    rewrite(folder / "HANDOFF_NOTE.json", lambda document: document.update(scope_requests=asked))

    strict = work.oneshot("--run-id", "ask")
    other = str(work.folder / "other-runs")
    granting = {"FACTORY_SCOPE__GRANT_REQUESTS": "true"}
    granted = work.oneshot("--run-id", "ask", "--runs-root", other, env=granting)

    assert blocking(strict) == [("scope.requested", "A: src/app.txt")]
    assert "the test needs it" in strict.answer["findings"][0]["message"]
    assert (granted.exit_code, codes(granted)) == (0, {"scope.granted"})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"declared_paths": ["src/app.txt", "docs/x"]}, "bundle.handoff_contradicts"),
        ({"no_change": "nothing to do"}, "bundle.handoff_contradicts"),
        ({"extra": 1}, "bundle.schema"),
        ({"declared_paths": ["../x"]}, "bundle.schema"),
    ],
)
def test_a_handoff_note_that_contradicts_the_patch_blocks(
    work: Work, change: dict[str, object], code: str
) -> None:
    folder = work.bundle("A", edit_line("src/app.txt", 1, "A"), "note", allow=["src/**"])
    rewrite(folder / "HANDOFF_NOTE.json", lambda document: document.update(change))

    ended = work.oneshot("--run-id", "note")

    assert blocking(ended) == [(code, "A: HANDOFF_NOTE.json")]


@pytest.mark.parametrize("name", ["DIFF.patch", "STATUS.json", "SUMMARY.md", "LOGS/INDEX.json"])
def test_a_missing_artifact_blocks(work: Work, name: str) -> None:
    folder = work.bundle("A", edit_line("src/app.txt", 1, "A"), "gone", allow=["src/**"])
    (folder / name).unlink()

    ended = work.oneshot("--run-id", "gone")

    assert blocking(ended) == [("bundle.artifact_missing", f"A: {name}")]


@pytest.mark.parametrize("name", ["DIFF.patch", "STATUS.json", "SUMMARY.md", "LOGS/INDEX.json"])
def test_an_artifact_that_is_a_link_is_not_followed(work: Work, name: str) -> None:
    folder = work.bundle("A", edit_line("src/app.txt", 1, "A"), "link", allow=["src/**"])
    (folder / name).rename(work.folder / "elsewhere")
    (folder / name).symlink_to(work.folder / "elsewhere")

    ended = work.oneshot("--run-id", "link")

    assert blocking(ended) == [
        ("bundle.artifact_missing", f"A: {name}"),
        ("bundle.not_a_file", f"A: {name}"),
    ]


def test_a_status_that_names_another_tree_blocks(work: Work) -> None:
    folder = work.bundle("A", edit_line("src/app.txt", 1, "A"), "tree", allow=["src/**"])
    rewrite(folder / "STATUS.json", lambda document: document.update(captured_tree="1" * 40))

    ended = work.oneshot("--run-id", "tree")

    assert blocking(ended) == [("bundle.tree_disagrees", "A: STATUS.json")]


def test_a_sealed_bundle_that_was_edited_is_refused_and_named(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["docs/**"])
    first = work.oneshot("--run-id", "edited")
    lock = work.run(first) / "A/SCOPE_LOCK.json"
    rewrite(lock, lambda document: document.update(allow=["src/**"]))

    ended = work.factory("integrate", "--run-id", "edited", "--json")

    assert ("bundle.seal_broken", "A: A/SCOPE_LOCK.json") in blocking(ended)


def test_a_plan_that_was_edited_after_sealing_is_refused_and_nothing_is_written(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["docs/**"])
    first = work.oneshot("--run-id", "edited")
    rewrite(work.run(first) / "PLAN.json", lambda d: d["workers"][0].update(allow=["src/**"]))
    before = (work.run(first) / "Z_integrator/STATUS.json").read_bytes()

    ended = work.factory("integrate", "--run-id", "edited", "--json")

    assert ended.exit_code == 10
    assert (work.run(first) / "Z_integrator/STATUS.json").read_bytes() == before


def test_only_the_named_workers_of_a_plan_run(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["docs/**"])
    work.patch("B", edit_line("docs/guide.txt", 1, "B"), allow=["docs/**"])

    ended = work.oneshot("--workers", "B")

    assert (ended.exit_code, [w["worker_id"] for w in ended.answer["workers"]]) == (0, ["B"])


def test_hostile_names_and_texts_never_reach_the_screen_raw(work: Work) -> None:
    name = "src/\x1b[2Jevil\u202e.txt"
    work.patch("A", write_file(name, "x\n"), allow=["docs/**"])

    ended = work.factory("oneshot", "--plan", work.plan())
    report = work.factory("print-report")

    assert ended.exit_code == 3
    for text in (ended.stdout, ended.stderr, report.stdout):
        assert "\x1b" not in text and "\u202e" not in text
    assert "\\033[2Jevil" in report.stdout


def test_a_deleted_folder_and_a_new_file_of_its_name_merge(work: Work) -> None:
    def swap(repo: object) -> None:
        delete_file("src/deep/er/leaf.txt")(work.repo)
        work.repo.write("src/deep", "a file now\n")

    work.patch("A", swap, allow=["src/**"])

    ended = work.oneshot()

    assert ended.exit_code == 0
