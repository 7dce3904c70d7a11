"""The numbered defects of the original factory that concern this one: each shown not to be here.

The number in a test's name is the defect's number in docs/defects.md.
"""

import json
import os
import subprocess
import sys

import pytest

from tests.work import (
    Work,
    blocking,
    codes,
    edit_line,
    move_file,
    rewrite,
    write_file,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("status", ["FAIL", "BLOCKED", "PENDING"])
def test_defect_01_a_worker_that_did_not_pass_blocks(work: Work, status: str) -> None:
    folder = work.bundle("A", edit_line("src/app.txt", 1, "A"), "r1", allow=["src/**"])
    rewrite(folder / "STATUS.json", lambda document: document.update(status=status))

    ended = work.oneshot("--run-id", "r1")

    assert (ended.exit_code, blocking(ended)) == (3, [("worker.ended_badly", "A: STATUS.json")])


def test_defect_02_integrate_merges_without_the_work_tree(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.patch("B", edit_line("docs/guide.txt", 1, "B"), allow=["docs/**"])
    for edit in (edit_line("src/app.txt", 1, "A"), edit_line("docs/guide.txt", 1, "B")):
        edit(work.repo)
    work.repo.git("add", "-A")
    wanted = work.repo.git("write-tree").decode().strip()
    work.repo.reset()

    ended = work.oneshot()

    assert (ended.exit_code, ended.answer["tree"]) == (0, wanted)


def test_defect_03_a_patch_that_ends_in_a_blank_line_is_not_cut(work: Work) -> None:
    work.repo.write("tail.txt", "a\nb\nc\n\n")
    work.repo.write("image.bin", bytes(range(256)))
    work.repo.commit()
    work.patch("A", edit_line("tail.txt", 1, "A"), allow=["tail.txt"])
    work.patch("B", write_file("image.bin", bytes(range(255, -1, -1))), allow=["image.bin"])

    ended = work.oneshot()

    merged = work.run(ended) / "Z_integrator" / "DIFF.patch"
    work.repo.git("apply", "--index", str(merged))
    assert work.repo.git("write-tree").decode().strip() == ended.answer["tree"]


def test_defect_04_the_patch_is_held_to_the_base_not_to_the_work_tree(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.repo.write("src/app.txt", "something else entirely\n")

    ended = work.oneshot()

    assert ended.exit_code == 0
    assert (work.repo.path / "src/app.txt").read_text() == "something else entirely\n"


def test_defect_05_the_base_is_resolved_once_and_for_all(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.factory("launch", "--plan", work.plan(), "--run-id", "r5")
    base = work.repo.git("rev-parse", "HEAD").decode().strip()
    work.repo.write("src/app.txt", "committed after launch\n")
    work.repo.commit("later")

    ended = work.factory("integrate", "--run-id", "r5", "--json")

    assert (ended.exit_code, ended.answer["base_commit"]) == (0, base)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sha256", "0" * 64),
        ("change_type", "added"),
        ("size", 1),
        ("new_id", "1" * 40),
        ("insertions", 7),
        ("owner", "B"),
    ],
)
def test_defect_06_every_claim_of_files_changed_is_computed_again(
    work: Work, field: str, value: object
) -> None:
    folder = work.bundle("A", edit_line("src/app.txt", 1, "A"), "r6", allow=["src/**"])
    rewrite(folder / "FILES_CHANGED.json", lambda d: d["changes"][0].update({field: value}))

    ended = work.oneshot("--run-id", "r6")

    assert blocking(ended) == [("bundle.diff_disagrees", "A: src/app.txt")]


def test_defect_06_a_path_that_stands_twice_blocks(work: Work) -> None:
    folder = work.bundle("A", edit_line("src/app.txt", 1, "A"), "r6", allow=["src/**"])
    rewrite(folder / "FILES_CHANGED.json", lambda d: d["changes"].append(d["changes"][0]))

    ended = work.oneshot("--run-id", "r6")

    assert blocking(ended) == [("bundle.diff_disagrees", "A: FILES_CHANGED.json")]


def test_defect_06_a_log_that_is_not_there_blocks(work: Work) -> None:
    folder = work.bundle("A", edit_line("src/app.txt", 1, "A"), "r6", allow=["src/**"])
    ghost = {
        "path": "LOGS/ghost.txt",
        "sha256": "0" * 64,
        "size": 3,
        "role": "x",
        "truncated": False,
    }
    rewrite(folder / "LOGS/INDEX.json", lambda d: d["logs"].append(ghost))

    ended = work.oneshot("--run-id", "r6")

    assert blocking(ended) == [("bundle.log_disagrees", "A: LOGS/ghost.txt")]


@pytest.mark.parametrize("field", ["run_id", "worker_id"])
@pytest.mark.parametrize(
    "name",
    [
        "STATUS.json",
        "FILES_CHANGED.json",
        "SCOPE_LOCK.json",
        "HANDOFF_NOTE.json",
        "LOGS/INDEX.json",
    ],
)
def test_defect_07_the_identity_of_every_document_is_checked(
    work: Work, name: str, field: str
) -> None:
    folder = work.bundle("A", edit_line("src/app.txt", 1, "A"), "r7", allow=["src/**"])
    rewrite(folder / name, lambda document: document.update({field: "other"}))

    ended = work.oneshot("--run-id", "r7")

    assert blocking(ended) == [("bundle.identity", f"A: {name}")]


def test_defect_07_a_worker_stands_once_in_a_plan(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.workers.append({**work.workers[0], "id": "a"})

    ended = work.oneshot()

    assert (ended.exit_code, ended.answer["error"]["message"]) == (
        10,
        "plan.json: worker id 'a' stands twice (case is ignored)",
    )


def test_defect_08_a_run_in_which_nobody_changed_anything_says_noop(work: Work) -> None:
    work.raw("A", b"", allow=["src/**"])
    work.raw("B", b"", allow=["docs/**"])

    ended = work.oneshot()

    report = (work.run(ended) / "Z_integrator" / "FINAL_REPORT.txt").read_text()
    assert (ended.exit_code, ended.answer["noop"]) == (0, True)
    assert codes(ended) == {"bundle.no_change"}
    assert report.startswith("PASS NOOP  A test\n2 workers, nobody changed anything\n")


def test_defect_08_a_noop_that_failed_still_blocks(work: Work) -> None:
    folder = work.bundle("A", lambda repo: None, "r8", allow=["src/**"])
    rewrite(folder / "STATUS.json", lambda document: document.update(status="FAIL"))

    ended = work.oneshot("--run-id", "r8")

    assert (ended.exit_code, codes(ended)) == (3, {"worker.ended_badly", "bundle.no_change"})


def test_defect_09_changes_without_content_lines_are_seen(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.patch("B", lambda repo: (repo.path / "src/app.txt").chmod(0o755), allow=["docs/**"])
    work.patch("C", move_file("docs/guide.txt", "docs/moved.txt"), "-M", allow=["docs/moved.txt"])

    ended = work.oneshot()

    assert blocking(ended) == [
        ("overlap.same_path", "A, B: src/app.txt"),
        ("scope.outside_lock", "B: src/app.txt"),
        ("scope.outside_lock", "C: docs/guide.txt"),
    ]


@pytest.mark.parametrize("allow", [[], ["**"]])
def test_defect_10_a_worker_cannot_issue_its_own_lock(work: Work, allow: list[str]) -> None:
    folder = work.bundle("A", edit_line("src/app.txt", 1, "A"), "r10", allow=["src/**"])
    rewrite(folder / "SCOPE_LOCK.json", lambda document: document.update(allow=allow))
    work.workers[0]["allow"] = ["docs/**"]

    ended = work.oneshot("--run-id", "r10")

    assert blocking(ended) == [
        ("scope.lock_differs", "A: SCOPE_LOCK.json"),
        ("scope.outside_lock", "A: src/app.txt"),
    ]


def test_defect_10_no_pattern_allows_nothing_and_a_star_stays_in_its_folder(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"))
    work.patch("B", write_file("docs/a.txt", "b\n"), allow=["/a*.txt"])

    ended = work.oneshot()

    assert blocking(ended) == [
        ("scope.outside_lock", "A: src/app.txt"),
        ("scope.outside_lock", "B: docs/a.txt"),
    ]


def test_defect_11_case_is_kept_in_paths_and_patterns(work: Work) -> None:
    work.patch("A", edit_line("README.md", 1, "A"), allow=["/README.md"])
    work.patch("B", edit_line("docs/guide.txt", 1, "B"), allow=["Docs/**"])

    ended = work.oneshot()

    assert blocking(ended) == [("scope.outside_lock", "B: docs/guide.txt")]


@pytest.mark.parametrize("path", [".gitattributes", "sub/.gitmodules", ".github/workflows/x.yml"])
def test_defect_12_sensitive_paths_need_a_pattern_of_their_own(work: Work, path: str) -> None:
    work.patch("A", write_file(path, "x\n"), allow=["**"])

    ended = work.oneshot()

    assert blocking(ended) == [("scope.sensitive_path", f"A: {path}")]


def test_defect_12_a_git_folder_anywhere_is_refused(work: Work) -> None:
    patch = work.patch("A", write_file("sub/config", "x\n"), allow=["**"])
    work.raw("B", patch.replace(b"sub/config", b"sub/.git/config"), allow=["**"])

    ended = work.oneshot()

    assert blocking(ended) == [("patch.grammar", "B: DIFF.patch")]


def test_defect_13_an_empty_patch_is_never_identical_to_a_change(work: Work) -> None:
    work.bundle("A", edit_line("src/app.txt", 1, "A"), "r13", allow=["src/**"])
    folder = work.bundle("B", lambda repo: None, "r13", allow=["src/**"])
    declared = json.loads((work.folder / "make-A/runs/r13/A/FILES_CHANGED.json").read_text())
    rewrite(
        folder / "FILES_CHANGED.json", lambda d: d.update(changes=declared["changes"], noop=False)
    )

    ended = work.oneshot("--run-id", "r13", env={"FACTORY_OVERLAP__ALLOW_IDENTICAL": "true"})

    assert blocking(ended) == [
        ("bundle.diff_disagrees", "B: FILES_CHANGED.json"),
        ("bundle.diff_disagrees", "B: src/app.txt"),
    ]


def test_defect_13_identical_edits_of_a_shared_file_merge_where_policy_says_so(work: Work) -> None:
    for worker in ("A", "B"):
        work.patch(worker, edit_line("src/app.txt", 1, "same"), shared=["src/app.txt"])

    strict = work.oneshot()
    allowed = work.oneshot(env={"FACTORY_OVERLAP__ALLOW_IDENTICAL": "true"})

    assert blocking(strict) == [("overlap.hunks", "A, B: src/app.txt")]
    assert allowed.exit_code == 0


def test_defect_14_a_bad_path_in_a_patch_is_a_finding(work: Work) -> None:
    patch = work.patch("A", write_file("sub/evil", "x\n"), allow=["**"])
    work.workers.clear()
    work.raw("A", patch.replace(b"sub/evil", b"../evil1"), allow=["**"])

    ended = work.oneshot()

    assert blocking(ended) == [("patch.grammar", "A: DIFF.patch")]


@pytest.mark.parametrize(
    "name", ["../../../../escape", "..", "-", "a b", ".hidden", "a/b", "con", ""]
)
def test_defect_15_a_run_id_cannot_leave_the_runs_root(work: Work, name: str) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    before = sorted(work.folder.parent.rglob("*"))

    ended = work.factory("oneshot", "--plan", work.plan(), f"--run-id={name}")

    assert ended.exit_code == 2
    assert sorted(work.folder.parent.rglob("*")) == sorted([*before, work.folder / "plan.json"])


@pytest.mark.parametrize("name", ["../../x", "Z_integrator", "a b", "", "1a"])
def test_defect_15_a_worker_id_cannot_leave_the_run(work: Work, name: str) -> None:
    work.raw("A", b"", allow=["src/**"])
    work.workers[0]["id"] = name

    ended = work.oneshot()

    assert ended.exit_code == 10


@pytest.mark.parametrize("planted", ["Z_integrator", "Z_integrator/LOGS", "objects.git", "seals"])
def test_defect_16_a_planted_link_is_blocked_and_reported(work: Work, planted: str) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    outside = work.folder / "outside"
    outside.mkdir()
    work.factory("launch", "--plan", work.plan(), "--run-id", "r16")
    place = work.runs_root / "r16" / planted
    place.parent.mkdir(exist_ok=True)
    if place.exists():
        place.rename(place.with_name("moved"))
    place.symlink_to(outside)

    ended = work.factory("integrate", "--run-id", "r16", "--json")

    report = (work.runs_root / "r16/Z_integrator/FINAL_REPORT.txt").read_text()
    status = json.loads((work.runs_root / "r16/Z_integrator/STATUS.json").read_text())
    assert ended.exit_code == status["exit_code"] == 3
    assert "policy.write_outside_run" in report
    assert "policy.write_outside_run" in {finding["code"] for finding in status["findings"]}
    assert list(outside.iterdir()) == []


def test_defect_16_a_planted_report_link_does_not_overwrite_what_it_points_to(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    outside = work.folder / "precious"
    outside.write_text("precious")
    work.factory("launch", "--plan", work.plan(), "--run-id", "r16")
    (work.runs_root / "r16/Z_integrator").mkdir()
    (work.runs_root / "r16/Z_integrator/FINAL_REPORT.txt").symlink_to(outside)

    ended = work.factory("integrate", "--run-id", "r16", "--json")

    assert blocking(ended) == [
        ("policy.write_outside_run", "Z_integrator: Z_integrator/FINAL_REPORT.txt")
    ]
    assert outside.read_text() == "precious"


def test_defect_17_replay_says_how_the_run_ended(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["docs/**"])
    name = work.oneshot().answer["run_id"]

    ended = work.factory("ledger-replay", "--run-id", name, "--json")

    assert [(run["run_id"], run["status"]) for run in ended.answer["runs"]] == [(name, "BLOCKED")]


def test_defect_18_a_changed_ledger_is_noticed_by_every_later_reader(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.oneshot()
    ledger = work.runs_root / "factory_ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b'"A"', b'"B"', 1))
    work.oneshot()

    ended = work.factory("ledger-replay")

    assert ended.exit_code == 1
    assert "it does not follow from the line before it" in ended.stderr


def test_defect_19_a_torn_last_line_stops_nothing(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.oneshot()
    with (work.runs_root / "factory_ledger.jsonl").open("ab") as ledger:
        ledger.write(b'{"torn":')

    ended = work.oneshot()

    assert ended.exit_code == 0
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0
    assert b'{"torn":' in (work.runs_root / "factory_ledger.torn").read_bytes()


def test_defect_20_a_dead_holder_holds_nothing(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.factory("launch", "--plan", work.plan(), "--run-id", "r20")
    for name in (".lock", "../factory_ledger.lock"):
        (work.runs_root / "r20" / name).write_text('{"pid": 1, "command": "dead"}')

    ended = work.factory("integrate", "--run-id", "r20")

    assert ended.exit_code == 0


def test_defect_21_runs_that_start_at_once_have_ids_of_their_own(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    plan = work.plan()

    started = [work.factory.start("launch", "--plan", plan) for _ in range(4)]

    assert [process.wait(60) for process in started] == [0, 0, 0, 0]
    assert len(list(work.runs_root.glob("factory_*/RUN_MANIFEST.json"))) == 4


def test_defect_22_the_ledger_and_the_report_seal_each_other(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    ended = work.oneshot()
    status = work.run(ended) / "Z_integrator/STATUS.json"
    seal = work.run(ended) / "seals/Z_integrator.json"
    rewrite(status, lambda document: document.update(started_at="never"))
    seal.unlink()

    replayed = work.factory("ledger-replay", "--json")

    names = {d["name"] for d in replayed.answer["runs"][0]["disagreements"]}
    assert replayed.exit_code == 1
    assert names >= {"seals/Z_integrator.json"}


def test_defect_24_exit_code_status_and_report_are_one_verdict(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.factory("launch", "--plan", work.plan(), "--run-id", "r24")
    objects = work.repo.path / ".git/objects"
    objects.rename(objects.with_name("gone"))
    objects.mkdir()
    for name in ("info", "pack"):
        (objects / name).mkdir()

    ended = work.factory("integrate", "--run-id", "r24", "--json")

    folder = work.runs_root / "r24/Z_integrator"
    status = json.loads((folder / "STATUS.json").read_text())
    assert ended.exit_code == status["exit_code"] == 30
    assert status["status"] == "FAIL"
    assert (folder / "FINAL_REPORT.txt").read_text().startswith("FAIL  A test\n")


def test_defect_24_print_report_shows_a_blocked_run_as_blocked(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["docs/**"])
    work.oneshot()

    ended = work.factory("print-report", "--json")

    assert (ended.exit_code, ended.answer["status"]) == (0, "BLOCKED")
    assert ended.answer["text"].startswith("BLOCKED  A test\n")


@pytest.mark.parametrize("name", ["STATUS.json", "FILES_CHANGED.json", "HANDOFF_NOTE.json"])
def test_defect_25_malformed_json_names_worker_and_file(work: Work, name: str) -> None:
    folder = work.bundle("A", edit_line("src/app.txt", 1, "A"), "r25", allow=["src/**"])
    (folder / name).write_bytes(b"{not json")

    ended = work.oneshot("--run-id", "r25")

    assert (ended.exit_code, blocking(ended)) == (3, [("bundle.schema", f"A: {name}")])


def test_defect_25_a_patch_that_is_not_utf8_is_judged_as_bytes(work: Work) -> None:
    work.repo.write("latin.txt", b"caf\xe9\nline\n")
    work.repo.commit()
    work.patch("A", write_file("latin.txt", b"caf\xe9\nLINE \xff\n"), allow=["latin.txt"])

    ended = work.oneshot()

    assert ended.exit_code == 0


def test_defect_26_foreign_variables_with_our_prefix_stop_nothing(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])

    ended = work.oneshot(env={"FACTORY_SLOW_TESTS": "0"})

    assert ended.exit_code == 0
    assert ended.answer["notes"] == [
        "FACTORY_SLOW_TESTS is no setting of this factory and was passed over"
    ]


@pytest.mark.parametrize("command", ["bundle-validate", "integrate", "print-report"])
def test_defect_28_an_unknown_run_is_not_made(work: Work, command: str) -> None:
    ended = work.factory(command, "--run-id", "nobody")

    assert ended.exit_code == 40
    assert not work.runs_root.exists()


def test_defect_29_the_manifest_says_what_the_run_is(work: Work) -> None:
    work.patch("B", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    work.patch("A", edit_line("docs/guide.txt", 1, "A"), allow=["docs/**"])

    ended = work.oneshot("--run-id", "r29")
    again = work.oneshot("--run-id", "r29")

    manifest = json.loads((work.run(ended) / "RUN_MANIFEST.json").read_text())
    assert manifest["workers"] == ["A", "B"]
    assert manifest["base_commit"] == work.repo.git("rev-parse", "HEAD").decode().strip()
    assert manifest["created_at"].endswith("Z")
    assert again.exit_code == 0


def test_defect_29_a_run_id_is_not_taken_over_by_another_plan(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    first = work.oneshot("--run-id", "r29")
    before = (work.run(first) / "RUN_MANIFEST.json").read_bytes()
    work.workers[0]["allow"] = ["**"]

    ended = work.oneshot("--run-id", "r29")

    assert ended.exit_code == 40
    assert ended.answer["error"]["message"] == (
        "run 'r29' was made with another plan (differs in workers)"
    )
    assert (work.run(first) / "RUN_MANIFEST.json").read_bytes() == before


def test_defect_27_a_rehearsal_resolves_its_base_ref(work: Work) -> None:
    ended = work.factory("oneshot", "--base-ref", "does-not-exist", "--dry-run", "--json")

    assert ended.exit_code == 2
    assert "'does-not-exist' is not a commit" in ended.answer["error"]["message"]
    assert not work.runs_root.exists()


def test_defect_27_a_rehearsal_runs_no_worker_of_the_plan_and_never_ends_as_a_run(
    work: Work,
) -> None:
    ran = work.folder / "ran"
    work.add("A", command=["touch", str(ran)], allow=["src/**"])
    work.add("B", external=True, allow=["docs/**"])

    ended = work.oneshot("--dry-run", "--run-id", "r27")
    taken_over = work.oneshot("--run-id", "r27")

    report = (work.run(ended) / "Z_integrator" / "FINAL_REPORT.txt").read_text()
    assert (ended.exit_code, ended.answer["rehearsal"], ran.exists()) == (0, True, False)
    assert report.startswith("PASS REHEARSAL  A test\n")
    assert work.repo.git("status", "--porcelain") == b""
    assert list(work.factory.home.rglob("checkout")) == []
    assert taken_over.exit_code == 40


def test_defect_30_a_run_is_bound_to_no_folder(work: Work) -> None:
    work.add("A", command=["touch", "src/new"], allow=["src/**"])
    work.factory("launch", "--plan", work.plan(), "--run-id", "r30")
    moved = work.repo.path.rename(work.repo.path.with_name("another place"))

    ended = work.factory("integrate", "--run-id", "r30", "--json", cwd=moved)
    replayed = work.factory("ledger-replay", "--rebuild", cwd=moved)

    assert (ended.exit_code, ended.answer["status"], replayed.exit_code) == (0, "PASS", 0)


def test_defect_30_a_report_can_be_opened_where_there_is_no_opener_and_no_screen(
    work: Work,
) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    folder = work.run(work.oneshot())
    ours, theirs = os.openpty()

    with os.fdopen(theirs, "wb") as terminal:
        done = subprocess.run(
            work.factory.argv("open-report"),
            cwd=work.repo.path,
            env=work.factory.environment(),
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=subprocess.PIPE,
            check=False,
        )
        said = os.read(ours, 4096)
    os.close(ours)

    path = folder / "Z_integrator" / "FINAL_REPORT.txt"
    assert (done.returncode, said.decode().rstrip()) == (0, str(path))
    assert done.stderr.startswith(b"note: it was not opened: neither DISPLAY nor")


def test_defect_30_a_system_that_lacks_file_locks_is_refused_with_a_reason(work: Work) -> None:
    program = "import sys; from tools.codex.factory.cli.main import main; sys.platform = 'win32'"
    words = [sys.executable, "-c", f"{program}; sys.exit(main(['ledger']))"]

    done = subprocess.run(
        words, cwd=work.folder, env=work.factory.environment(), capture_output=True, check=False
    )

    assert done.returncode == 20
    assert done.stderr == b"factory: Windows lacks the file locks that factory stands on\n"
