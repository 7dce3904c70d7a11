"""Ways in which the nearest peer lost work or let it through (docs/defects.md): not here."""

import itertools

import pytest

from tests.work import Work, blocking, delete_file, edit_line, move_file, write_file


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
