"""A checkout is its own: it reaches the base, nothing else, and is gone without a trace."""

import os
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.repository.checkouts import NEEDS_MODES, Site, a_site, codes, everything_in, ground_of
from tools.codex.factory.repository.checkout import is_checkout_folder, remove_checkout

ODD_NAMES = (b'"quoted"', b"#hash\\ 'sp ace':\n\xff\xfe\"", b"-dash ")


def test_a_checkout_is_clean_on_a_branch_of_its_own(site: Site) -> None:
    said = site.worker(
        "git status --porcelain; git symbolic-ref HEAD; git rev-parse HEAD; git remote"
    )

    assert said.decode().split() == ["refs/heads/factory", site.ground.base]


def test_a_checkout_holds_what_the_base_holds(site: Site) -> None:
    said = site.worker(
        "git ls-files -s; git diff --raw HEAD; cat run.sh; readlink latest; test -x run.sh"
    )

    expected = site.ground.user.git(
        "ls-tree", "-r", "--format=%(objectmode) %(objectname) 0%x09%(path)", "HEAD"
    )
    assert said == expected + b"#!/bin/sh\nexit 0\ndocs/guide.txt\n"


def test_the_history_of_the_base_is_at_hand_and_commits_are_by_the_worker(site: Site) -> None:
    said = site.worker(
        "unset GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL;"
        "git commit -q --allow-empty -m mine; git log --format='%an <%ae> %s'"
    )

    assert said.decode().splitlines() == [
        "A_worker <A_worker@factory.invalid> mine",
        "tester <tester@localhost> base",
        "tester <tester@localhost> before",
    ]


def test_the_user_s_repository_is_as_it_was_to_the_times_of_its_files(
    repo: Repo, tmp_path: Path
) -> None:
    ground = ground_of(repo, tmp_path)
    before = everything_in(repo.path)
    site = a_site(ground, tmp_path / "site")
    for path in ("README.md", "new", "src/app.txt"):
        (site.folder / path).write_bytes(b"three\n")

    site.captured()
    site.dirt()
    remove_checkout(site.folder)

    assert everything_in(repo.path) == before


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_way_to_a_checkout_may_have_any_name(repo: Repo, tmp_path: Path, name: bytes) -> None:
    top = tmp_path / os.fsdecode(name)
    top.mkdir()
    repo.path.rename(top / "repo")
    site = a_site(ground_of(Repo(top / "repo"), top), top / os.fsdecode(name))
    site.worker("echo x > x; git add x; git commit -qm x; git checkout -qb o HEAD~1; echo y > y")

    captured = site.captured()

    assert codes(captured) == ["capture.other_refs .git"]
    assert site.changes(captured) == {"y": ("100644", b"y\n")}


def test_a_shallow_history_ends_where_the_user_s_ends(repo: Repo, tmp_path: Path) -> None:
    for _ in range(3):
        repo.commit()
    repo.git("clone", "-q", "--depth", "2", repo.path.as_uri(), str(tmp_path / "user"))
    user = Repo(tmp_path / "user")
    shallow = (user.path / ".git" / "shallow").read_bytes()
    site = a_site(ground_of(user, tmp_path, shallow=shallow), tmp_path / "site")

    log = site.worker(
        "git log --format=%s; echo x > x; git add x; git commit -qm x; git checkout -qb o HEAD~2"
    )
    captured = site.captured()
    (tmp_path / "stray").write_bytes(captured.stray)
    user.git("fetch", "-q", str(tmp_path / "stray"), "refs/heads/factory:refs/heads/kept")

    assert log == b"base\nbase\n"
    assert codes(captured) == ["capture.other_refs .git"]
    assert user.git("log", "--format=%s", "kept") == b"x\nbase\nbase\n"


def test_a_checkout_is_removed_and_what_is_behind_links_stays(site: Site) -> None:
    site.worker(
        "mkdir ../out; echo x > ../out/x; ln -s ../out out; ln -s $PWD/../out/x x; mkfifo p"
    )

    remove_checkout(site.folder)

    assert not site.folder.exists()
    assert (site.beside / "out" / "x").read_text() == "x\n"


def test_a_link_in_place_of_a_checkout_is_removed_alone(site: Site) -> None:
    site.worker("mv $PWD ../elsewhere; ln -s elsewhere $PWD")
    was_link = not is_checkout_folder(site.folder)

    remove_checkout(site.folder)

    assert was_link
    assert not site.folder.is_symlink()
    assert (site.beside / "elsewhere" / "README.md").exists()


def test_a_checkout_that_is_gone_is_removed_already(site: Site) -> None:
    remove_checkout(site.folder)

    remove_checkout(site.folder)

    assert not is_checkout_folder(site.folder)


def test_a_checkout_of_very_deep_folders_is_removed(site: Site) -> None:
    here = os.open(site.folder, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 240, dir_fd=here)
        below = os.open("d" * 240, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)

    remove_checkout(site.folder)

    assert not site.folder.exists()


@NEEDS_MODES
@pytest.mark.parametrize("mode", ("000", "100", "300", "400", "500"))
@pytest.mark.parametrize("folder", (".", "src/deep src"))
def test_a_checkout_is_removed_whatever_the_modes_of_its_folders(
    site: Site, folder: str, mode: str
) -> None:
    site.worker(f"chmod {mode} {folder}")

    remove_checkout(site.folder)

    assert not site.folder.exists()
