"""What sources say that does not fit, and what changed since, on real repositories."""

import json

import pytest

from tests.work import Work, blocking, codes, delete_file, edit_line, rewrite, write_file

pytestmark = pytest.mark.slow


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
