"""Ways in which the nearest peer lost work or let it through (docs/defects.md): not here."""

import itertools
import json
from pathlib import Path

import pytest

from tests.work import Work, blocking, delete_file, edit_line, move_file, write_file
from tests.workers import comes, left_of, program

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("order", list(itertools.permutations("AB")), ids="".join)
def test_peer_01_a_rename_beside_an_edit_of_the_old_name_blocks(
    work: Work, order: tuple[str, str]
) -> None:
    rename, edit = order
    work.patch(rename, move_file("docs/guide.txt", "docs/new.txt"), "-M", allow=["docs/**"])
    work.patch(edit, edit_line("docs/guide.txt", 1, "edited"), allow=["docs/guide.txt"])

    ended = work.oneshot()

    assert blocking(ended) == [("overlap.same_path", "A, B: docs/guide.txt")]


def test_peer_02_a_file_beside_a_folder_of_its_name_blocks(work: Work) -> None:
    work.patch("A", write_file("foo", "a file\n"), allow=["foo"])
    work.patch("B", write_file("foo/bar", "below it\n"), allow=["foo/**"])

    ended = work.oneshot()

    assert blocking(ended) == [("overlap.file_directory", "A, B: foo/bar")]


def test_peer_03_a_link_in_place_of_a_folder_blocks_what_is_added_below(work: Work) -> None:
    def to_link(repo: object) -> None:
        delete_file("docs/guide.txt")(work.repo)
        work.repo.link("docs", "src")

    work.patch("A", to_link, allow=["docs", "docs/**"])
    work.patch("B", write_file("docs/new.txt", "new\n"), allow=["docs/**"])

    ended = work.oneshot()

    assert ("overlap.file_directory", "A, B: docs/new.txt") in blocking(ended)


def test_peer_04_a_rename_into_scope_does_not_hide_the_deletion(work: Work) -> None:
    work.patch("A", move_file("docs/guide.txt", "mine.txt"), "-M", allow=["mine.txt"])

    ended = work.oneshot()

    assert blocking(ended) == [("scope.outside_lock", "A: docs/guide.txt")]


def test_peer_05_the_commit_that_was_judged_is_the_commit_that_is_merged(work: Work) -> None:
    commit = work.branch("A", write_file("evil.txt", "evil\n"), allow=["src/**"])
    work.workers[0]["branch"] = commit

    ended = work.oneshot()

    assert blocking(ended) == [("scope.outside_lock", "A: evil.txt")]


def test_peer_07_work_outside_the_lane_does_not_land_by_default(work: Work) -> None:
    work.add("A", command=program("honest", "src/in.txt", "docs/out.txt"), allow=["src/**"])

    ended = work.oneshot()

    assert (ended.exit_code, ended.answer["tree"]) == (3, None)
    assert blocking(ended) == [("scope.outside_lock", "A: docs/out.txt")]


def test_peer_08_no_work_is_lost_by_a_bad_end_a_commit_or_a_hook(work: Work) -> None:
    refusing_hook(work)
    some = "mkdir {0}; echo one > {0}/one; git add {0}; git commit -qm one; echo two > {0}/two"
    work.add("Fails", command=["sh", "-c", some.format("a") + "; exit 7"], allow=["a/**"])
    work.add("Hangs", command=["sh", "-c", some.format("b") + "; sleep 60"], allow=["b/**"],
             timeout="1s")  # fmt: skip
    work.add("Goes", command=["sh", "-ec", some.format("c")], allow=["c/**"])

    ended = work.oneshot()

    documents = [
        work.run(ended) / name / "FILES_CHANGED.json" for name in ("Fails", "Hangs", "Goes")
    ]
    captured = [[c["path"] for c in json.loads(d.read_text())["changes"]] for d in documents]
    assert captured == [[f"{folder}/one", f"{folder}/two"] for folder in "abc"]
    assert blocking(ended) == [
        ("worker.exit_code", "Fails: STATUS.json"),
        ("worker.timed_out", "Hangs: STATUS.json"),
    ]


def test_peer_09_nothing_that_a_worker_started_outlives_the_run(work: Work) -> None:
    for worker, how in (("Good", "leave"), ("Late", "stay")):
        command = program("escapee", f"src/{worker}", how)
        work.add(worker, command=command, allow=["src/**"], timeout="1s")

    ended = work.oneshot(env={"FACTORY_WORK__GRACE": "1s"})

    assert left_of(str(work.factory.home)) == []
    assert blocking(ended) == [("worker.timed_out", "Late: STATUS.json")]


def test_peer_10_hooks_of_the_repository_never_run(work: Work) -> None:
    hooks = work.repo.path / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "pre-commit", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch '{work.folder}/ran'\n")
        (hooks / name).chmod(0o755)
    work.patch("A", edit_line("src/app.txt", 1, "A"), "--no-ext-diff", allow=["src/**"])
    (work.folder / "ran").unlink(missing_ok=True)

    ended = work.oneshot()

    assert ended.exit_code == 0
    assert not (work.folder / "ran").exists()


def test_peer_12_after_a_kill_nothing_runs_on_and_the_same_command_continues(
    work: Work, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    work.add("A", command=program("patient", "src/new", str(marks)), allow=["src/**"])
    words = ("oneshot", "--plan", work.plan(), "--run-id", "r12")
    killed = work.factory.start(*words)
    begun = comes(lambda: list(marks.iterdir()))

    killed.kill()
    killed.wait()
    left = left_of(str(work.factory.home))
    (marks / "end").touch()
    again = work.factory(*words, "--json")

    assert (begun, left) == (True, [])
    assert (again.exit_code, again.answer["status"]) == (0, "PASS")
    assert work.repo.git("for-each-ref", "--format=%(refname)") == b"refs/heads/main\n"


def test_peer_13_an_untracked_gitattributes_changes_no_verdict(work: Work) -> None:
    for worker in ("A", "B"):
        work.patch(worker, edit_line("src/app.txt", 1, worker), shared=["src/app.txt"])
    work.repo.write(".gitattributes", "*.txt merge=union -diff\n")

    ended = work.oneshot()

    assert blocking(ended) == [("overlap.hunks", "A, B: src/app.txt")]


def test_peer_13_dates_of_branches_do_not_reach_the_merged_commit(work: Work) -> None:
    work.branch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    first = work.oneshot()
    work.repo.git("checkout", "-q", "work/A")
    work.repo.git("commit", "-q", "--amend", "--date", "1999-01-01T00:00:00Z", "-m", "older")
    work.repo.git("checkout", "-q", "main")

    again = work.oneshot()

    assert first.answer["commit"] == again.answer["commit"]


def test_peer_14_names_that_differ_in_case_only_block(work: Work) -> None:
    work.patch("A", write_file("Notes.md", "A\n"), allow=["Notes.md"])
    work.patch("B", write_file("notes.md", "B\n"), allow=["notes.md"])
    work.patch("C", write_file("readme.md", "C\n"), allow=["readme.md"])

    ended = work.oneshot()

    assert blocking(ended) == [
        ("overlap.name_collision", "A, B: notes.md"),
        ("overlap.name_collision", "C: readme.md"),
    ]


def test_peer_14_a_path_outside_ascii_is_in_scope_by_its_own_name(work: Work) -> None:
    work.patch("A", write_file("docs/café\n.txt", "A\n"), allow=["docs/caf*"])

    ended = work.oneshot()

    assert ended.exit_code == 0


def test_peer_15_a_worker_does_not_rewrite_the_check_that_judges_it(work: Work) -> None:
    work.repo.write("check.sh", "test ! -e src/bad\n")
    work.repo.write("factory.plan.toml", "")
    work.repo.commit()
    weaken = "echo exit 0 > check.sh; echo > factory.plan.toml; touch src/bad"
    work.add("A", command=["sh", "-c", weaken], allow=["src/**"])
    checks = [{"name": "good", "command": ["sh", "check.sh"]}]

    ended = work.factory("oneshot", "--plan", work.plan(checks=checks), "--json")

    assert blocking(ended) == [
        ("scope.outside_lock", "A: check.sh"),
        ("scope.outside_lock", "A: factory.plan.toml"),
    ]


def refusing_hook(work: Work) -> None:
    """Let every commit of the operator be refused: by a hook of the repository, and of all."""
    hooks = work.factory.home / "hooks"
    for folder in (hooks, work.repo.path / ".git" / "hooks"):
        folder.mkdir(exist_ok=True)
        (folder / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
        (folder / "pre-commit").chmod(0o755)
    settings = (
        f"[core]\n\thooksPath = {hooks}\n[commit]\n\tgpgSign = true\n[gpg]\n\tprogram = false\n"
    )
    (work.factory.home / ".gitconfig").write_text(settings)
