"""A rehearsal replaces the workers by a built-in one; everything else is real."""

import json

import pytest

from tests.work import Work, blocking, codes, edit_line, write_file

pytestmark = pytest.mark.slow

WORKERS = ["A_worker", "B_worker", "C_worker", "D_worker"]
WITHOUT_FOLDER: dict[str, dict[str, object]] = {
    "Nothing": {"allow": []},
    "File": {"allow": ["README.md"]},
    "Files": {"allow": ["src/*.txt"]},
    "Link": {"allow": ["latest/**"]},
    "Submodule": {"allow": ["module/**"]},
    "BelowFile": {"allow": ["README.md/**"]},
    "Sensitive": {"allow": [".github/workflows/**"]},
    "OwnGit": {"allow": [".git/**"]},
    "Denied": {"allow": ["src/**"], "deny": ["src/**"]},
    "RunsRoot": {"allow": ["tools/codex/runs/**"]},
    "SharedOnly": {"shared": ["src/**"]},
}
WITH_FOLDER = {
    "Below": ("src/**", "src/"),
    "Rooted": ("/src/", "src/"),
    "Named": ("src", "src/"),
    "New": ("new/folder/**", "new/folder/"),
    "All": ("**", ""),
    "Top": ("*", ""),
    "In": ("src/*", "src/"),
    "Deep": ("src/**/*", "src/"),
    "Spaced": ("with space/**", "with space/"),
}


def test_a_rehearsal_needs_no_plan(work: Work) -> None:
    ended = work.factory("oneshot", "--base-ref", "HEAD", "--dry-run", "--json")

    folder = work.run(ended)
    report = (folder / "Z_integrator" / "FINAL_REPORT.txt").read_text()
    manifest = json.loads((folder / "RUN_MANIFEST.json").read_text())
    assert (ended.exit_code, ended.answer["rehearsal"]) == (0, True)
    assert [row["worker_id"] for row in ended.answer["workers"]] == WORKERS
    assert [row["changes"] for row in ended.answer["workers"]] == [1, 1, 1, 1]
    assert "REHEARSAL" in report
    assert manifest["rehearsal"] is True
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0
    assert work.repo.git("status", "--porcelain") == b""


def test_some_workers_of_the_built_in_plan_can_be_named(work: Work) -> None:
    ended = work.factory("oneshot", "--dry-run", "--workers", "B_worker", "--json")

    assert [row["worker_id"] for row in ended.answer["workers"]] == ["B_worker"]


def test_a_rehearsal_stands_in_for_every_kind_of_worker(work: Work) -> None:
    work.patch("Patch", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.branch("Branch", write_file("docs/new.txt", "x"), allow=["docs/**"])
    work.add("Command", command=["false"], allow=["src/deep/**"], timeout="5s")
    work.add("External", external=True, allow=["lib/**"])
    work.add("Agent", agent="codex", task="Do it", allow=["bin/**"])

    ended = work.oneshot("--dry-run")

    assert (ended.exit_code, blocking(ended)) == (0, [])
    assert [(row["worker_id"], row["changes"]) for row in ended.answer["workers"]] == [
        (worker, 1) for worker in ("Agent", "Branch", "Command", "External", "Patch")
    ]


def test_a_scope_without_a_folder_to_write_in_is_a_declared_no_op(work: Work) -> None:
    commit = work.repo.git("rev-parse", "HEAD").decode().strip()
    work.repo.git("update-index", "--add", "--cacheinfo", f"160000,{commit},module")
    work.repo.git("commit", "-q", "-m", "with a submodule")
    for worker, fields in WITHOUT_FOLDER.items():
        work.add(worker, command=["false"], **fields)

    ended = work.oneshot("--dry-run", "--jobs", "6")

    notes = {
        worker: json.loads((work.run(ended) / worker / "HANDOFF_NOTE.json").read_text())
        for worker in WITHOUT_FOLDER
    }
    reason = "a rehearsal, and the scope holds no folder to write in"
    assert blocking(ended) == []
    assert (ended.exit_code, ended.answer["noop"]) == (0, True)
    assert codes(ended) == {"bundle.no_change"}
    assert {name: note["no_change"] for name, note in notes.items()} == dict.fromkeys(notes, reason)


def test_the_file_of_a_rehearsal_lies_in_the_folder_that_its_scope_names(work: Work) -> None:
    for worker, (pattern, _) in WITH_FOLDER.items():
        work.add(worker, command=["false"], allow=[pattern])

    ended = work.oneshot("--dry-run", "--jobs", "6")

    written = {
        worker: [
            change["path"]
            for change in json.loads((work.run(ended) / worker / "FILES_CHANGED.json").read_text())[
                "changes"
            ]
        ]
        for worker in WITH_FOLDER
    }
    assert (ended.exit_code, blocking(ended)) == (0, [])
    assert written == {
        worker: [f"{folder}factory-rehearsal-{worker}.txt"]
        for worker, (_, folder) in WITH_FOLDER.items()
    }


def test_a_rehearsal_is_not_continued_as_a_run_nor_a_run_as_a_rehearsal(work: Work) -> None:
    work.add("A", command=["true"], allow=["src/**"])
    work.oneshot("--run-id", "rehearsal", "--dry-run")
    work.oneshot("--run-id", "run")

    real = work.oneshot("--run-id", "rehearsal")
    dry = work.oneshot("--run-id", "run", "--dry-run")

    assert (real.exit_code, dry.exit_code) == (40, 40)
