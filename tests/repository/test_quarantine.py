"""The run's own store: packs that git accepts, loans that git understands."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders import Repo
from tools.codex.factory.domain.identity import ObjectId, object_id_of
from tools.codex.factory.repository.discovery import Base, UserRepository
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.loan import loan
from tools.codex.factory.repository.objects import objects_of
from tools.codex.factory.repository.quarantine import keep_pack, open_store, pack_of

SIZES = (0, 1, 15, 16, 17, 2047, 2048, 2049, 262_143, 262_144, 262_145)


def blobs_of(contents: list[bytes]) -> dict[ObjectId, tuple[str, bytes]]:
    return {object_id_of("blob", content): ("blob", content) for content in contents}


def test_a_pack_of_every_size_of_header_is_accepted_and_read_back(git: Git, store: Path) -> None:
    held = blobs_of([b"x" * size for size in SIZES])

    kept = keep_pack(git, store, pack_of(held), strict=True)

    with objects_of(git, store) as objects:
        back = objects.blobs(held, limit=1 << 20)
    assert kept.exit_code == 0, kept.complaint
    assert back == {oid: content for oid, (_, content) in held.items()}


@given(contents=st.lists(st.binary(max_size=300), max_size=8))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_pack_of_any_blobs_is_accepted(git: Git, store: Path, contents: list[bytes]) -> None:
    assert keep_pack(git, store, pack_of(blobs_of(contents)), strict=True).exit_code == 0


def test_a_pack_does_not_depend_on_the_order_of_its_objects() -> None:
    held = blobs_of([b"a", b"b", b"c"])

    assert pack_of(held) == pack_of(dict(reversed(held.items())))


def test_a_tree_and_a_commit_are_accepted_with_what_they_borrow(
    git: Git, store: Path, base: Base, repo: Repo
) -> None:
    tree = repo.git("cat-file", "tree", base.tree)
    commit = b"tree %s\nparent %s\nauthor a <a> 0 +0000\ncommitter a <a> 0 +0000\n\nx\n" % (
        base.tree.encode(),
        base.commit.encode(),
    )
    held = {
        object_id_of("tree", tree): ("tree", tree),
        object_id_of("commit", commit): ("commit", commit),
    }

    kept = keep_pack(git, store, pack_of(held), strict=True)

    assert kept.exit_code == 0, kept.complaint


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("tree", b"100644 .git\0" + b"\1" * 20),
        ("tree", b"100644 a/b\0" + b"\1" * 20),
        ("tree", b"40000 ..\0" + b"\1" * 20),
        ("tree", b"100644 b\0" + b"\1" * 20 + b"100644 a\0" + b"\1" * 20),
        ("tree", b"100644 a\0" + b"\1" * 20 + b"100644 a\0" + b"\1" * 20),
        ("tree", b"not a tree"),
        ("commit", b"tree " + b"0" * 40 + b"\n\nx\n"),
    ],
)
def test_a_strict_pack_refuses_what_git_would_not_check_out_and_keeps_nothing(
    git: Git, store: Path, kind: str, content: bytes
) -> None:
    kept = keep_pack(
        git, store, pack_of({object_id_of(kind, content): (kind, content)}), strict=True
    )

    assert kept.exit_code != 0
    assert kept.complaint
    assert list((store / "objects" / "pack").glob("*.pack")) == []


def test_a_pack_with_a_changed_byte_is_refused(git: Git, store: Path) -> None:
    pack = bytearray(pack_of(blobs_of([b"hello"])))
    pack[20] ^= 1

    assert keep_pack(git, store, bytes(pack), strict=False).exit_code != 0


def test_the_users_objects_are_borrowed_and_ours_stay_here(
    git: Git, store: Path, user: UserRepository, base: Base
) -> None:
    before = sorted(path.name for path in user.objects.rglob("*"))

    keep_pack(git, store, pack_of(blobs_of([b"new"])), strict=True)

    assert git.call("cat-file", "-e", base.tree, git_dir=store).exit_code == 0
    assert sorted(path.name for path in user.objects.rglob("*")) == before


def test_a_store_opened_again_keeps_its_objects_and_renews_its_loan(
    git: Git, store: Path, tmp_path: Path, user: UserRepository, base: Base
) -> None:
    held = blobs_of([b"kept"])
    keep_pack(git, store, pack_of(held), strict=True)
    user.work_tree.rename(tmp_path / "moved")

    open_store(git, store, tmp_path / "moved" / ".git" / "objects")

    with objects_of(git, store) as objects:
        assert objects.blobs(held, limit=10) == dict.fromkeys(held, b"kept")
        assert objects.tree(base.tree)


def test_a_store_begun_by_a_killed_factory_is_made_whole(
    git: Git, tmp_path: Path, user: UserRepository, base: Base
) -> None:
    (tmp_path / "store" / "refs" / "heads").mkdir(parents=True)
    (tmp_path / "store" / "HEAD").write_bytes(b"ref: refs/heads/main\n")

    open_store(git, tmp_path / "store", user.objects)

    with objects_of(git, tmp_path / "store") as objects:
        assert objects.tree(base.tree)


def test_a_store_has_no_hooks_and_no_configuration_of_the_users(git: Git, store: Path) -> None:
    assert not (store / "hooks").exists()
    assert b"alternates" not in (store / "config").read_bytes()


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (b"/plain/objects", b"/plain/objects\n"),
        (b"/with space", b"/with space\n"),
        (b"#hash", b'"#hash"\n'),
        (b'/quo"te', b'"/quo\\"te"\n'),
        (b"/new\nline", b'"/new\\nline"\n'),
        (b"/\xff", b'"/\\377"\n'),
        (b"/back\\slash", b'"/back\\\\slash"\n'),
    ],
)
def test_a_loan_is_quoted_where_git_needs_it(path: bytes, line: bytes) -> None:
    assert loan(Path(os.fsdecode(path))) == line
