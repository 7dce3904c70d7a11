"""The second opinion: git alone, with none of our objects."""

from pathlib import Path

import pytest

from tests.builders import Files, Repo, a_patch
from tools.codex.factory.domain.identity import ObjectId, object_id_of
from tools.codex.factory.repository.audit import replayed
from tools.codex.factory.repository.discovery import Base, UserRepository
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.quarantine import keep_pack, pack_of

BEFORE: Files = {"docs/guide.txt": b"one\ntwo\nthree\n"}
AFTER: Files = {"docs/guide.txt": b"one\nTWO\nthree\n"}


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Return a folder for throw-away files."""
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def audited(
    git: Git, user: UserRepository, base: Base, store: Path, scratch: Path, patch: bytes
) -> str:
    listed = Repo(user.work_tree).git("ls-tree", "-r", "--object-only", base.tree)
    blobs = [ObjectId(oid) for oid in listed.decode().split()]
    return replayed(
        git, store, base_tree=base.tree, blobs=blobs, patch=patch, known={}, scratch=scratch
    )


def test_git_reaches_the_tree_that_the_patch_makes(
    git: Git, user: UserRepository, base: Base, store: Path, scratch: Path, repo: Repo
) -> None:
    reached = audited(git, user, base, store, scratch, a_patch(BEFORE, AFTER))

    repo.write("docs/guide.txt", "one\nTWO\nthree\n")
    repo.commit("after")
    assert reached == repo.tree()
    assert list(scratch.iterdir()) == []


def test_an_empty_patch_reaches_the_base(
    git: Git, user: UserRepository, base: Base, store: Path, scratch: Path
) -> None:
    assert audited(git, user, base, store, scratch, b"") == base.tree


def test_a_patch_that_does_not_apply_is_told_apart(
    git: Git, user: UserRepository, base: Base, store: Path, scratch: Path
) -> None:
    lie = a_patch({"docs/guide.txt": b"uno\ndos\ntres\n"}, AFTER)

    assert audited(git, user, base, store, scratch, lie) == (
        "error: docs/guide.txt: patch does not apply"
    )
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("patch", [b"garbage\n", b"diff --git a/x b/x\n", b"\0"])
def test_what_is_no_patch_is_told_apart(
    git: Git, user: UserRepository, base: Base, store: Path, scratch: Path, patch: bytes
) -> None:
    reached = audited(git, user, base, store, scratch, patch)

    assert reached.startswith("error: ")


def test_a_binary_patch_that_names_a_blob_of_ours_finds_none(
    git: Git, user: UserRepository, base: Base, store: Path, scratch: Path
) -> None:
    ours = object_id_of("blob", b"\0ours")
    keep_pack(git, store, pack_of({ours: ("blob", b"\0ours")}), strict=True)
    by_id = b"diff --git a/x b/x\nnew file mode 100644\nindex %s..%s\n" % (b"0" * 40, ours.encode())
    by_id += b"Binary files /dev/null and b/x differ\n"

    reached = audited(git, user, base, store, scratch, by_id)

    assert reached.startswith("error: ")


def test_the_audit_leaves_nothing_behind_in_the_store_or_the_repository(
    git: Git, user: UserRepository, base: Base, store: Path, scratch: Path
) -> None:
    before = [_files(store), _files(user.git_dir)]

    audited(git, user, base, store, scratch, a_patch(BEFORE, AFTER))

    assert [_files(store), _files(user.git_dir)] == before


def test_the_audit_does_not_touch_objects_that_the_repository_already_has(
    git: Git, repo: Repo, tmp_path: Path, store: Path, scratch: Path, user: UserRepository
) -> None:
    old, base = _went_on_and_back(git, repo, user)

    reached = audited(git, user, base, store, scratch, a_patch(AFTER, BEFORE))

    assert reached == old
    assert _stamps(user.objects) == dict.fromkeys(_stamps(user.objects), 1_000_000_000)


def test_the_audit_does_not_touch_packs_of_the_repository(
    git: Git, repo: Repo, tmp_path: Path, store: Path, scratch: Path, user: UserRepository
) -> None:
    repo.git("repack", "-q", "-a", "-d")
    old, base = _went_on_and_back(git, repo, user, pack=True)

    reached = audited(git, user, base, store, scratch, a_patch(AFTER, BEFORE))

    assert reached == old
    assert _stamps(user.objects) == dict.fromkeys(_stamps(user.objects), 1_000_000_000)


def test_a_base_that_is_gone_is_an_error_of_the_repository(
    git: Git, user: UserRepository, base: Base, store: Path, scratch: Path
) -> None:
    from tools.codex.factory.errors import RepositoryError

    with pytest.raises(RepositoryError, match="git rev-list failed"):
        replayed(
            git, store, base_tree=ObjectId("1" * 40), blobs=(), patch=b"", known={}, scratch=scratch
        )


def _went_on_and_back(
    git: Git, repo: Repo, user: UserRepository, *, pack: bool = False
) -> tuple[str, Base]:
    """Return the tree before a commit that a patch takes back, and that commit as the base."""
    import os

    from tools.codex.factory.repository.discovery import base_of

    old = repo.tree()
    repo.write("docs/guide.txt", "one\nTWO\nthree\n")
    repo.commit("on")
    if pack:
        repo.git("repack", "-q", "-a", "-d")
    base = base_of(git, user, "HEAD")
    for path in user.objects.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return old, base


def _files(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*")}


def _stamps(folder: Path) -> dict[str, int]:
    return {str(p): int(p.stat().st_mtime) for p in folder.rglob("*")}
