"""Splicing trees in memory, with git as the judge."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import EMPTY_TREE, EXECUTABLE, FILE, LINK, Files, Repo, base_of, entries_of
from tools.codex.factory.domain.identity import ObjectId, RepoPath, object_id_of
from tools.codex.factory.domain.tree import (
    DIRECTORY,
    BaseTree,
    Entry,
    around,
    parsed,
    spliced,
)

NAMES = ("a", "b", "a.b", "a-b", "a0", "a b", "A", "\u00e9", "\udcff", "a\n")
path = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
held = st.sampled_from((b"", b"1", b"2", (EXECUTABLE, b"1"), (LINK, b"a"), ("160000", b"1" * 40)))
trees = st.dictionaries(path, held, max_size=6)


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    return Repo.make(tmp_path_factory.mktemp("tree"))


@settings(derandomize=True, max_examples=50, deadline=None)
@given(trees)
def test_a_tree_made_in_memory_is_the_tree_that_git_makes(repo: Repo, files: Files) -> None:
    apart = _apart(files)

    base, _ = base_of(apart)

    assert base.root == repo.store(apart, ref="refs/heads/made")


@settings(derandomize=True, max_examples=200, deadline=None)
@given(trees, trees)
def test_a_tree_spliced_is_the_tree_made_anew(old: Files, new: Files) -> None:
    before, after = _apart(old), _apart(new)
    entries = _difference(before, after)
    base = _loaded(before, entries)

    made = spliced(base, entries)

    assert made.root == base_of(after)[0].root
    assert {object_id_of("tree", content) for content in made.objects.values()} == set(made.objects)


def test_every_pair_of_small_trees_is_spliced_right() -> None:
    files = ({"a": b"1"}, {"a/b": b"1"}, {"a/b/c": b"1"}, {"a.b": b"1", "a/b": b"2"}, {"b/a": b"1"})
    whole = [{}, *files, {**files[0], **files[4]}, {**files[1], **files[4]}, {"a/b": b"2"}]

    wrong = [
        (old, new)
        for old, new in itertools.product(whole, whole)
        if spliced(_loaded(old, diff := _difference(old, new)), diff).root != base_of(new)[0].root
    ]

    assert wrong == []


def test_a_deep_tree_is_spliced() -> None:
    deep = "/".join("d" for _ in range(1900))
    before: Files = {f"{deep}/x": b"1", "y": b"2"}
    entries = _difference(before, {"y": b"2"})

    made = spliced(_loaded(before, entries), entries)

    assert made.root == base_of({"y": b"2"})[0].root


def test_nothing_spliced_is_the_base_whatever_modes_it_keeps() -> None:
    content = b"100664 f\0" + bytes(20)
    base = BaseTree(object_id_of("tree", content), {"": parsed(content)})

    made = spliced(base, {})

    assert (made.root, made.objects) == (base.root, {})


def test_an_untouched_directory_keeps_its_id_whatever_modes_it_keeps(tmp_path: Path) -> None:
    repo = Repo.make(tmp_path)
    inner = b"100664 f\0" + bytes.fromhex(repo.git("hash-object", "-w", "--stdin").decode())
    oid = repo.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", feed=inner)
    outer = b"40000 d\0" + bytes.fromhex(oid.decode())
    base = around(
        object_id_of("tree", outer), ["x"], {object_id_of("tree", outer): outer}.__getitem__
    )
    repo.git(
        "read-tree",
        repo.git("hash-object", "-t", "tree", "-w", "--stdin", feed=outer).decode().strip(),
    )
    repo.git("update-index", "--add", "--cacheinfo", f"100644,{oid_of(b'')},x")

    made = spliced(base, {RepoPath("x"): Entry(FILE, oid_of(b""))})

    assert made.root == repo.git("write-tree").decode().strip()


def test_only_directories_on_the_way_are_read() -> None:
    files: Files = {"a/b/c": b"1", "a/d/e": b"2", "f/g": b"3"}
    whole, _ = base_of(files)
    objects = _objects(files)
    directories = set(objects)

    base = around(whole.root, ["a/b/new", "f"], objects.pop)

    assert sorted(base.directories) == ["", "a", "a/b", "f"]
    assert len(directories - objects.keys()) == 4


def test_an_entry_is_found_by_its_path() -> None:
    base, _ = base_of({"a/b": b"1"})

    found = {path: base.entry(path) for path in ("a/b", "a", "a/x", "x/y")}

    assert {path: entry.mode if entry else None for path, entry in found.items()} == {
        "a/b": FILE,
        "a": DIRECTORY,
        "a/x": None,
        "x/y": None,
    }


@pytest.mark.parametrize(
    ("raw", "mode"),
    [
        (b"100644", FILE), (b"100664", FILE), (b"100755", EXECUTABLE), (b"100775", EXECUTABLE),
        (b"120000", LINK), (b"40000", DIRECTORY), (b"040000", DIRECTORY), (b"160000", "160000"),
    ],
)  # fmt: skip
def test_a_mode_is_read_as_gits_index_keeps_it(raw: bytes, mode: str) -> None:
    directory = parsed(raw + b" name\0" + bytes(20))

    assert directory == {"name": Entry(mode, ObjectId("0" * 40))}


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), st.sampled_from((FILE, LINK, DIRECTORY))))
def test_a_directory_read_back_is_the_same(modes: dict[str, str]) -> None:
    directory = {name: Entry(mode, object_id_of("blob", b"")) for name, mode in modes.items()}

    made = spliced(BaseTree(EMPTY_TREE, {"": {}}), {RepoPath(n): e for n, e in directory.items()})
    assert parsed(made.objects.get(made.root, b"")) == directory


def oid_of(content: bytes) -> ObjectId:
    return object_id_of("blob", content)


def _apart(files: Files) -> Files:
    return {p: held for p, held in files.items() if not any(q.startswith(p + "/") for q in files)}


def _difference(before: Files, after: Files) -> Mapping[RepoPath, Entry | None]:
    old, new = entries_of(before), entries_of(after)
    return {p: new.get(p) for p in sorted(old.keys() | new.keys()) if old.get(p) != new.get(p)}


def _objects(files: Files) -> dict[ObjectId, bytes]:
    empty, _ = base_of({})
    return {empty.root: b"", **spliced(empty, entries_of(files)).objects}


def _loaded(files: Files, entries: Mapping[RepoPath, Entry | None]) -> BaseTree:
    return around(base_of(files)[0].root, entries, _objects(files).__getitem__)
