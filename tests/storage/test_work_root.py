"""Where checkouts lie: in no repository, and only where there is room."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tools.codex.factory.domain.identity import digest_of, run_id
from tools.codex.factory.errors import ConfigurationError, FactoryError, UnfitHost
from tools.codex.factory.storage.work_root import (
    check_room,
    make_work_root,
    on_disk,
    run_folder,
    work_root,
)

MANIFEST = digest_of(b"a manifest")


@pytest.mark.parametrize(
    ("setting", "cache", "home", "expected"),
    [
        ("", "/c", "/h", "/c/factory"),
        ("", None, "/h", "/h/.cache/factory"),
        ("", "", "/h", "/h/.cache/factory"),
        ("", "relative", "/h", "/h/.cache/factory"),
        ("/w", "/c", "/h", "/w"),
        ("/w/../v", "/c", "/h", "/v"),
    ],
)
def test_the_setting_counts_before_the_cache_and_that_before_the_home(
    tmp_path: Path, setting: str, cache: str | None, home: str, expected: str
) -> None:
    top = str(tmp_path)
    named = top + setting if setting else ""
    absolute = top + cache if cache and cache.startswith("/") else cache

    root = work_root(named, cache=absolute, home=top + home, start=tmp_path)

    assert root == Path(top + expected)


def test_a_relative_setting_begins_where_it_was_given(tmp_path: Path) -> None:
    assert work_root("w", cache=None, home=None, start=tmp_path / "s") == tmp_path / "s" / "w"


@pytest.mark.parametrize("home", [None, "", "relative"])
def test_who_has_no_home_is_told_which_setting_helps(tmp_path: Path, home: str | None) -> None:
    with pytest.raises(ConfigurationError, match="no home folder") as refused:
        work_root("", cache=None, home=home, start=tmp_path)
    assert "work.root" in refused.value.hint


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link"])
@pytest.mark.parametrize("where", ["", "deep/er", "link"])
def test_a_root_in_a_repository_is_refused(tmp_path: Path, kind: str, where: str) -> None:
    repository = tmp_path / "repo"
    repository.mkdir()
    git = repository / ".git"
    makes: dict[str, Callable[[], object]] = {
        "folder": git.mkdir,
        "file": git.touch,
        "dangling link": lambda: git.symlink_to("nowhere"),
    }
    makes[kind]()
    (tmp_path / "link").symlink_to(repository)
    root = tmp_path / "link" / "w" if where == "link" else repository / where

    with pytest.raises(ConfigurationError, match="lies in the repository"):
        work_root(str(root), cache=None, home=None, start=tmp_path)


def test_a_root_that_no_system_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        work_root("a\0b", cache=None, home=None, start=tmp_path)


def test_two_repositories_never_share_a_folder(tmp_path: Path) -> None:
    run = run_id("r1")

    one = run_folder(tmp_path, tmp_path / "one" / ".git", run, MANIFEST)
    two = run_folder(tmp_path, tmp_path / "two" / ".git", run, MANIFEST)

    assert one != two
    assert (one.name, one.parent.parent) == (f"r1.{MANIFEST[:12]}", tmp_path)


def test_two_runs_of_one_name_never_share_a_folder(tmp_path: Path) -> None:
    git_dir, run = tmp_path / "one" / ".git", run_id("r1")

    assert run_folder(tmp_path, git_dir, run, MANIFEST) != run_folder(
        tmp_path, git_dir, run, digest_of(b"another")
    )


def test_a_repository_reached_by_a_link_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "link").symlink_to("one")

    folders = {
        run_folder(tmp_path, tmp_path / name / ".git", run_id("r1"), MANIFEST)
        for name in ("one", "link")
    }

    assert len(folders) == 1


def test_a_root_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    make_work_root(tmp_path / "a" / "w")
    make_work_root(tmp_path / "a" / "w")

    assert (tmp_path / "a" / "w").stat().st_mode & 0o777 == 0o700


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w").write_text("x")

    with pytest.raises(FactoryError, match="w"):
        make_work_root(tmp_path / "w")


@pytest.mark.parametrize(("size", "blocks"), [(0, 0), (1, 1), (4096, 1), (4097, 2)])
def test_a_file_takes_whole_blocks(size: int, blocks: int) -> None:
    assert on_disk(size) == blocks * 4096


def test_room_is_asked_of_the_disk_that_the_root_will_lie_on(tmp_path: Path) -> None:
    root = tmp_path / "not" / "yet"

    check_room(root, size=1, files=1)
    with pytest.raises(UnfitHost, match="are free") as full:
        check_room(root, size=1 << 60, files=1)

    assert "--jobs" in full.value.hint
    assert not root.exists()
