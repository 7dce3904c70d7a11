"""Objects by id: read exactly, missed loudly."""

from pathlib import Path

import pytest

from tests.builders import Repo, blob_id
from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.errors import RepositoryError
from tools.codex.factory.repository.discovery import Base
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.objects import Objects, objects_of

NONE = ObjectId("12" * 20)
README = blob_id(b"# A small world\n")
LEAF = blob_id(b"leaf\n")


def test_trees_commits_and_blobs_are_read(objects: Objects, repo: Repo, base: Base) -> None:
    assert objects.commit(base.commit) == repo.git("cat-file", "commit", "HEAD")
    assert objects.tree(base.tree) == repo.git("cat-file", "tree", base.tree)
    assert objects.blobs([LEAF, README], limit=100) == {
        LEAF: b"leaf\n",
        README: b"# A small world\n",
    }


def test_a_missing_object_is_an_error_and_the_next_answer_is_right(
    objects: Objects, base: Base
) -> None:
    for _ in range(3):
        with pytest.raises(RepositoryError, match=f"object {NONE} is missing"):
            objects.tree(NONE)

    assert objects.blobs([LEAF], limit=100) == {LEAF: b"leaf\n"}


def test_an_object_of_another_kind_is_an_error_and_the_next_answer_is_right(
    objects: Objects, base: Base
) -> None:
    with pytest.raises(RepositoryError, match="is a blob, not a tree"):
        objects.tree(README)
    with pytest.raises(RepositoryError, match="is a tree, not a commit"):
        objects.commit(ObjectId(base.tree))
    with pytest.raises(RepositoryError, match="is a commit, not a blob"):
        objects.blobs([base.commit], limit=100)

    assert objects.blobs([LEAF], limit=100) == {LEAF: b"leaf\n"}


def test_a_blob_over_the_limit_is_left_out_and_the_next_answer_is_right(
    objects: Objects, repo: Repo
) -> None:
    large = b"x" * 5_000_000
    small = [b"%d" % number for number in range(20)]
    for content in (large, *small):
        repo.git("hash-object", "-w", "--stdin", feed=content)
    ids = [blob_id(content) for content in (large, *small)]

    found = objects.blobs(ids, limit=1000)

    assert found == {blob_id(content): content for content in small}


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_a_blob_as_large_as_the_limit_is_read(objects: Objects, repo: Repo, size: int) -> None:
    content = b"y" * size
    repo.git("hash-object", "-w", "--stdin", feed=content)

    assert objects.blobs([blob_id(content)], limit=size) == {blob_id(content): content}


def test_bytes_of_every_kind_come_back(objects: Objects, repo: Repo) -> None:
    contents = [bytes(range(256)) * 3, b"\n" * 7, b"\r\n", b"x" * 10 + b" blob 12\n", b"\0"]
    for content in contents:
        repo.git("hash-object", "-w", "--stdin", feed=content)

    found = objects.blobs([blob_id(content) for content in contents], limit=10_000)

    assert found == {blob_id(content): content for content in contents}


def test_a_damaged_object_is_an_error(git: Git, repo: Repo, store: Path) -> None:
    path = repo.path / ".git" / "objects" / LEAF[:2] / LEAF[2:]
    path.chmod(0o644)
    path.write_bytes(b"not zlib at all")

    with objects_of(git, store) as objects, pytest.raises(RepositoryError):
        objects.blobs([LEAF], limit=100)


def test_an_object_id_of_git_is_the_only_thing_asked_for(objects: Objects) -> None:
    with pytest.raises(RepositoryError):
        objects.tree(ObjectId("f" * 40))


def test_replace_refs_are_not_seen(git: Git, repo: Repo, store: Path) -> None:
    other = repo.git("hash-object", "-w", "--stdin", feed=b"evil\n").decode().strip()
    repo.git("replace", LEAF, other)

    with objects_of(git, store) as objects:
        assert objects.blobs([LEAF], limit=100) == {LEAF: b"leaf\n"}
