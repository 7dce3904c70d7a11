"""Which repository this is: every kind of it, each found or refused with a reason."""

import os
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.conftest import git_for
from tools.codex.factory.errors import BaseRefNotFound, FactoryError, UnfitHost, UsageError
from tools.codex.factory.repository.discovery import (
    UserRepository,
    base_of,
    commit_named,
    git_version,
    repository_at,
)
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.objects import objects_of
from tools.codex.factory.repository.quarantine import open_store
from tools.codex.factory.repository.work_tree import left_out

ODD_PATHS = (
    b"with space", b'quo"te', b"new\nline", b"#hash", b"\xff\xfe", "caf\u00e9".encode(), b"'",
    b"$(x)", b"back\\slash", b"tab\tbed", b"end ", b"-dash", b"colon:x", b"per%cent",
    b"two\n\nlines", b"#a\nb",
)  # fmt: skip


def refusal(git: Git, folder: Path) -> FactoryError:
    with pytest.raises(FactoryError) as refused:
        repository_at(git, folder)
    assert refused.value.hint
    assert "\n" not in str(refused.value)
    return refused.value


def test_a_repository_is_found_from_its_top_and_from_below(git: Git, repo: Repo) -> None:
    expected = UserRepository(repo.path / ".git", repo.path / ".git" / "objects", repo.path)

    found = [repository_at(git, repo.path / below) for below in (".", "src", "src/deep/er")]

    assert found == [expected] * 3


def test_a_base_is_named_once_by_commit_and_tree(git: Git, repo: Repo) -> None:
    user = repository_at(git, repo.path)
    repo.git("tag", "-a", "-m", "x", "v1")
    commit = repo.git("rev-parse", "HEAD").decode().strip()

    found = [base_of(git, user, ref) for ref in ("HEAD", "main", "v1", commit, commit[:10], "@")]

    assert {(one.commit, one.tree) for one in found} == {(commit, repo.tree())}
    assert [one.ref for one in found] == ["HEAD", "main", "v1", commit, commit[:10], "@"]


@pytest.mark.parametrize(
    "ref",
    ["none", "", "-", "--all", "--git-dir", "HEAD^{tree}", "HEAD:README.md", "HEAD~5", "main..main",
     "a b", "\0", "refs/heads/*", "x" * 5000, "HEAD\nHEAD", "\udcff", "0" * 40, "^HEAD", ":/none"],
)  # fmt: skip
def test_what_names_no_commit_is_refused(git: Git, repo: Repo, ref: str) -> None:
    user = repository_at(git, repo.path)

    with pytest.raises(BaseRefNotFound) as refused:
        base_of(git, user, ref)
    assert refused.value.exit_code == 2
    assert refused.value.hint


def test_a_detached_head_is_a_base(git: Git, repo: Repo) -> None:
    repo.git("checkout", "-q", "--detach")

    assert base_of(git, repository_at(git, repo.path), "HEAD").tree == repo.tree()


def test_a_linked_worktree_has_its_own_head_and_the_objects_of_the_main_one(
    git: Git, repo: Repo, tmp_path: Path
) -> None:
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    linked = Repo(tmp_path / "linked")
    linked.write("new", "x")
    commit = linked.commit("side")

    user = repository_at(git, linked.path)

    assert user.work_tree == linked.path
    assert user.objects.samefile(repo.path / ".git" / "objects")
    assert base_of(git, user, "HEAD").commit == commit


def test_a_shallow_clone_is_a_repository(git: Git, repo: Repo, tmp_path: Path) -> None:
    repo.write("second", "x")
    repo.commit("second")
    repo.git("clone", "-q", "--depth=1", f"file://{repo.path}", str(tmp_path / "shallow"))
    user = repository_at(git, tmp_path / "shallow")

    base = base_of(git, user, "HEAD")

    assert base.tree == repo.tree()
    with pytest.raises(BaseRefNotFound):
        base_of(git, user, "HEAD~1")


def test_a_submodule_checkout_is_a_repository_of_its_own(
    git: Git, repo: Repo, tmp_path: Path
) -> None:
    outer = Repo.make(tmp_path / "outer")
    outer.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(repo.path), "sub")
    outer.commit()

    user = repository_at(git, outer.path / "sub")

    assert user.work_tree == outer.path / "sub"
    assert user.git_dir == outer.path / ".git" / "modules" / "sub"
    assert base_of(git, user, "HEAD").tree == repo.tree()
    assert _left_out(git, repository_at(git, outer.path)) == 0


def test_a_repository_whose_git_folder_lies_elsewhere_is_found(
    git: Git, repo: Repo, tmp_path: Path
) -> None:
    (repo.path / ".git").rename(tmp_path / "elsewhere.git")
    (repo.path / ".git").write_text(f"gitdir: {tmp_path}/elsewhere.git\n")

    user = repository_at(git, repo.path)

    assert (user.git_dir, user.work_tree) == (tmp_path / "elsewhere.git", repo.path)


def test_a_repository_behind_a_linked_folder_is_found(git: Git, repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(repo.path)

    user = repository_at(git, tmp_path / "link" / "src")

    assert user.work_tree.samefile(repo.path)


def test_a_bare_repository_is_refused(git: Git, repo: Repo, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--bare", str(repo.path), str(tmp_path / "bare"))

    refused = refusal(git, tmp_path / "bare")

    assert (refused.exit_code, "is a bare repository" in str(refused)) == (2, True)


def test_the_git_folder_itself_is_refused(git: Git, repo: Repo) -> None:
    assert refusal(git, repo.path / ".git").exit_code == 2


def test_a_folder_outside_any_repository_is_refused(git: Git, tmp_path: Path) -> None:
    refused = refusal(git, tmp_path)

    assert (refused.exit_code, str(refused)) == (2, f"{str(tmp_path)!r} is not in a git repository")


def test_a_folder_that_is_none_is_refused(git: Git, repo: Repo) -> None:
    codes = [refusal(git, repo.path / name).exit_code for name in ("none", "README.md")]

    assert codes == [2, 2]


def test_a_repository_without_a_commit_is_refused(git: Git, tmp_path: Path) -> None:
    empty = Repo.make(tmp_path / "empty")
    user = repository_at(git, empty.path)

    with pytest.raises(UsageError, match="the repository has no commit yet"):
        base_of(git, user, "HEAD")


def test_a_repository_that_keeps_objects_by_sha256_is_refused(git: Git, tmp_path: Path) -> None:
    Repo(tmp_path).git("init", "-q", "--object-format=sha256", "new")

    refused = refusal(git, tmp_path / "new")

    assert refused.exit_code == 20
    assert str(refused) == "the repository keeps its objects by sha256"


@pytest.mark.parametrize("filtered", ["blob:none", "tree:0"])
def test_a_partial_clone_with_objects_missing_is_refused_and_nothing_fetched(
    git: Git, repo: Repo, tmp_path: Path, filtered: str
) -> None:
    clone = _partial(repo, tmp_path / "partial", filtered, checkout=False)
    before = _files_below(clone / ".git" / "objects")

    with pytest.raises(UnfitHost, match="partial clone") as refused:
        base_of(git, repository_at(git, clone), "HEAD")

    assert refused.value.exit_code == 20
    assert _files_below(clone / ".git" / "objects") == before


def test_a_partial_clone_that_has_the_whole_base_is_fit(
    git: Git, repo: Repo, tmp_path: Path
) -> None:
    clone = _partial(repo, tmp_path / "partial", "blob:none", checkout=True)

    assert base_of(git, repository_at(git, clone), "HEAD").tree == repo.tree()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a repository to another user")
def test_a_repository_of_another_user_is_refused_until_the_user_trusts_it(
    repo: Repo, tmp_path: Path
) -> None:
    tree = repo.tree()
    os.chown(repo.path, 12345, 12345)
    os.chown(repo.path / ".git", 12345, 12345)
    trusting = tmp_path / "trusting"
    trusting.mkdir()
    (trusting / ".gitconfig").write_text(f"[safe]\n\tdirectory = {repo.path}\n")
    named = {"GIT_CONFIG_GLOBAL": str(trusting / ".gitconfig")}

    refused = refusal(git_for(tmp_path), repo.path)
    trusted = [git_for(trusting), git_for(tmp_path, **named)]

    assert refused.exit_code == 2
    assert "does not trust" in str(refused)
    assert "safe.directory" in refused.hint
    for git in trusted:
        user = repository_at(git, repo.path)
        assert base_of(git, user, "HEAD").tree == tree
        assert _left_out(git, user) == 0


@pytest.mark.parametrize("name", ODD_PATHS, ids=repr)
def test_a_repository_at_an_odd_path_is_found_and_its_objects_borrowed(
    git: Git, repo: Repo, tmp_path: Path, name: bytes
) -> None:
    place = tmp_path / os.fsdecode(name)
    repo.path.rename(place)

    user = repository_at(git, place)
    base = base_of(git, user, "HEAD")
    open_store(git, tmp_path / "store", user.objects)
    with objects_of(git, tmp_path / "store") as objects:
        content = objects.commit(base.commit)

    assert user.work_tree == place
    assert b"tree " + base.tree.encode() in content


def test_git_is_asked_for_its_version(git: Git, tmp_path: Path) -> None:
    assert git_version(git, tmp_path)[0].isdigit()


@pytest.mark.parametrize("said", ["git version 2.37.9", "git version 1.8.3", "what?", ""])
def test_a_git_that_is_too_old_is_refused(tmp_path: Path, said: str) -> None:
    program = tmp_path / "git"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    old = Git({"PATH": f"{tmp_path}:{os.environ['PATH']}"})

    with pytest.raises(UnfitHost, match="too old") as refused:
        git_version(old, tmp_path)
    assert refused.value.hint == "install git 2.38 or newer"


def test_a_host_without_git_is_unfit(tmp_path: Path) -> None:
    with pytest.raises(UnfitHost, match="program 'git' is not on PATH"):
        git_version(Git({"PATH": str(tmp_path)}), tmp_path)


def test_paths_left_out_are_counted(git: Git, repo: Repo) -> None:
    repo.write("README.md", "changed")
    repo.write("staged", "x")
    repo.git("add", "staged")
    repo.write("untracked", "x")
    (repo.path / "run.sh").unlink()

    assert _left_out(git, repository_at(git, repo.path)) == 4


def test_a_branch_of_any_name_is_a_base(git: Git, repo: Repo) -> None:
    names = ["caf\u00e9", "a'b", "$(x)", "-x", "\udcff"]
    for name in names:
        repo.git("update-ref", f"refs/heads/{name}", "HEAD")
    user = repository_at(git, repo.path)

    found = [commit_named(git, user, f"refs/heads/{name}") for name in names]

    assert found == [base_of(git, user, "HEAD").commit] * len(names)


def _partial(repo: Repo, place: Path, filtered: str, *, checkout: bool) -> Path:
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("config", "uploadpack.allowAnySHA1InWant", "true")
    flags = [] if checkout else ["--no-checkout"]
    repo.git("clone", "-q", f"--filter={filtered}", *flags, f"file://{repo.path}", str(place))
    return place


def _files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def _left_out(git: Git, user: UserRepository) -> int:
    return left_out(git, user, base_of(git, user, "HEAD").commit)
