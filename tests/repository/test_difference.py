"""Git's own diff: the same bytes, whatever anyone has configured."""

import os
from pathlib import Path

import pytest

from tests.builders import FILE, LINK, Files, Repo
from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.domain.patch import GITLINK
from tools.codex.factory.domain.path import path_bytes
from tools.codex.factory.repository.difference import difference, differences, raw_changes
from tools.codex.factory.repository.git import Git

ODD = (
    "a b", "a\tb", 'a"b', "a\nb", "\udcff\udcfe", "caf\u00e9", "\x01\x7f", "back slash", "-x", "#x",
    "trail ", "a\rb", "deep/\u0416/\u4e2d", "diff --git a/x b/x", "=>", "{}", "1" * 40,
)  # fmt: skip
BEFORE: Files = dict.fromkeys(ODD, b"one\ntwo\n")
AFTERS: tuple[Files, ...] = (
    dict.fromkeys(ODD, b"one\nTWO\n"),
    {},
    {**BEFORE, "new": b"x"},
    {**BEFORE, "new": b"\0binary\xff" * 100},
    {**BEFORE, "link": (LINK, b"a b")},
    {**BEFORE, "sub": (GITLINK, b"1" * 40)},
    dict.fromkeys(ODD, ("100755", b"one\ntwo\n")),
    {**BEFORE, "ids": b"%s %s\n" % (b"a" * 40, b"b" * 40)},
    {**BEFORE, "no newline": b"%s %s" % (b"a" * 40, b"b" * 40)},
    {name + "/below": b"one\ntwo\n" for name in ODD},
    BEFORE,
)


@pytest.fixture
def trees(repo: Repo) -> list[ObjectId]:
    """Return the tree before, and every tree after."""
    made = [repo.store(files, ref=f"refs/heads/t{n}") for n, files in enumerate((BEFORE, *AFTERS))]
    return [ObjectId(tree) for tree in made]


@pytest.mark.slow
def test_many_differences_from_one_process_are_what_git_says_one_by_one(
    git: Git, repo: Repo, store: Path, trees: list[ObjectId]
) -> None:
    pairs = [(old, new) for old in trees for new in trees]

    said = differences(git, store, pairs)

    assert list(said) == [_one_by_one(repo, old, new) for old, new in pairs]


def test_a_difference_makes_the_new_tree_of_the_old(
    git: Git, repo: Repo, store: Path, trees: list[ObjectId]
) -> None:
    before, *after = trees

    reached = [_applied(repo, before, difference(git, store, before, tree)) for tree in after]

    assert reached == after


def test_no_pairs_make_no_differences(git: Git, store: Path) -> None:
    assert differences(git, store, []) == ()


def test_the_same_pair_twice_is_answered_twice(
    git: Git, store: Path, trees: list[ObjectId]
) -> None:
    pair = (trees[0], trees[1])

    first, second = differences(git, store, [pair, pair])

    assert first == second != b""


def test_raw_changes_name_every_path_as_git_keeps_it(
    git: Git, repo: Repo, trees: list[ObjectId]
) -> None:
    changes = raw_changes(git, repo.path / ".git", trees[0], trees[1])

    assert sorted(path_bytes(change.path) for change in changes) == sorted(map(os.fsencode, ODD))
    assert {(c.old.mode, c.new.mode) for c in changes if c.old and c.new} == {(FILE, FILE)}


def test_raw_changes_know_what_is_new_and_what_is_gone(
    git: Git, repo: Repo, trees: list[ObjectId]
) -> None:
    (new,) = raw_changes(git, repo.path / ".git", trees[0], trees[3])
    (gone,) = raw_changes(git, repo.path / ".git", trees[3], trees[0])

    assert (new.path, new.old, gone.new, new.new) == ("new", None, None, gone.old)


def _one_by_one(repo: Repo, old: ObjectId, new: ObjectId) -> bytes:
    # A binary patch holds compressed bytes, and the level is pinned.
    level = ("-c", "core.compression=6")
    return repo.git(*level, "diff", "--binary", "--full-index", "--no-renames", old, new)


def _applied(repo: Repo, base: ObjectId, patch: bytes) -> str:
    repo.git("read-tree", base)
    if patch:
        repo.git("apply", "--cached", "--whitespace=nowarn", feed=patch)
    return repo.git("write-tree").decode().strip()
