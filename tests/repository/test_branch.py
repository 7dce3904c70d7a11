"""A branch made elsewhere is carried over exactly, or refused with a reason."""

from pathlib import Path

import pytest

from tests.builders import Repo
from tools.codex.factory.domain.identity import ObjectId, RepoPath
from tools.codex.factory.domain.tree import BaseTree, around
from tools.codex.factory.repository.branch import Carried, carried
from tools.codex.factory.repository.discovery import Base, UserRepository, base_of, commit_named
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.objects import Objects


@pytest.fixture
def carry(git: Git, user: UserRepository, store: Path, objects: Objects) -> "Carry":
    """Return a question: what does this branch change on main?"""
    return Carry(git, user, store, objects)


class Carry:
    """Asks what a branch makes of main."""

    def __init__(self, git: Git, user: UserRepository, store: Path, objects: Objects) -> None:
        self._git, self._user, self._store, self._objects = git, user, store, objects

    def __call__(self, branch: str) -> Carried:
        base: Base = base_of(self._git, self._user, "main")
        commit = commit_named(self._git, self._user, branch)
        assert commit is not None

        def tree(paths: set[RepoPath]) -> BaseTree:
            return around(base.tree, paths, self._objects.tree)

        return carried(self._git, self._user, self._store, base, ObjectId(commit), tree)


def on_branch(repo: Repo, name: str, **files: str) -> None:
    repo.git("checkout", "-q", "-b", name)
    for path, content in files.items():
        repo.write(path, content)
    repo.commit(name)
    repo.git("checkout", "-q", "main")


def paths(done: Carried) -> list[str]:
    return sorted(done.entries)


def test_a_branch_from_the_base_is_carried(repo: Repo, carry: Carry) -> None:
    on_branch(repo, "side", new="x", run="y")

    done = carry("side")

    assert (paths(done), done.refusal) == (["new", "run"], "")


def test_the_base_itself_changes_nothing(carry: Carry) -> None:
    assert carry("main") == Carried({}, "")


def test_an_ancestor_of_the_base_changes_nothing(repo: Repo, carry: Carry) -> None:
    repo.git("branch", "old")
    repo.write("later", "x")
    repo.commit("later")

    assert carry("old") == Carried({}, "")


def test_a_diverged_branch_is_carried_where_the_base_left_its_paths_alone(
    repo: Repo, carry: Carry
) -> None:
    on_branch(repo, "side", new="x", **{"README.md": "changed\n"})
    repo.delete("docs/guide.txt")
    repo.write("other", "y")
    repo.commit("on main")

    done = carry("side")

    assert (paths(done), done.refusal) == (["README.md", "new"], "")


@pytest.mark.parametrize("on_main", ["changed otherwise", "deleted", "folder", "executable"])
def test_a_diverged_branch_is_refused_where_the_base_has_changed_its_path(
    repo: Repo, carry: Carry, on_main: str
) -> None:
    on_branch(repo, "side", **{"README.md": "by side\n"})
    start = repo.git("rev-parse", "--short=12", "main").decode().strip()
    if on_main == "executable":
        repo.write("README.md", "# A small world\n", executable=True)
    else:
        repo.delete("README.md")
    if on_main == "changed otherwise":
        repo.write("README.md", "by main\n")
    if on_main == "folder":
        repo.write("README.md/x", "")
    repo.commit("on main")

    assert carry("side") == Carried({}, f"the base itself has changed README.md since {start}")


def test_a_new_file_that_the_base_has_meanwhile_made_refuses(repo: Repo, carry: Carry) -> None:
    on_branch(repo, "side", new="by side")
    repo.write("new", "by main")
    repo.commit("on main")

    assert "the base itself has changed new since" in carry("side").refusal


def test_many_stale_paths_are_counted(repo: Repo, carry: Carry) -> None:
    on_branch(repo, "side", **{f"f{n}": "by side" for n in range(5)})
    for number in range(5):
        repo.write(f"f{number}", "by main")
    repo.commit("on main")

    assert "has changed f0, f1, f2 and 2 more since" in carry("side").refusal


def test_a_branch_of_unrelated_history_is_refused(repo: Repo, carry: Carry) -> None:
    repo.store({"x": b"x"}, ref="refs/heads/alien")

    done = carry("alien")

    assert (done.entries, "has no common history with the base commit" in done.refusal) == (
        {},
        True,
    )


def test_a_graft_makes_no_common_history(repo: Repo, carry: Carry) -> None:
    repo.store({"x": b"x"}, ref="refs/heads/alien")
    alien, main = (repo.git("rev-parse", name).decode().strip() for name in ("alien", "main"))
    (repo.path / ".git" / "info").mkdir(exist_ok=True)
    (repo.path / ".git" / "info" / "grafts").write_text(f"{alien} {main}\n")

    assert "has no common history" in carry("alien").refusal


def test_a_replace_ref_makes_no_common_history(repo: Repo, carry: Carry) -> None:
    repo.store({"x": b"x"}, ref="refs/heads/alien")
    repo.git("replace", "--graft", "alien", "main")

    assert "has no common history" in carry("alien").refusal


def test_several_merge_bases_are_refused(repo: Repo, carry: Carry) -> None:
    on_branch(repo, "side", side="x")
    on_branch(repo, "main2", main="x")
    repo.git("branch", "side-tip", "side")
    repo.git("checkout", "-q", "side")
    repo.git("merge", "-q", "-m", "one", "main2")
    repo.git("checkout", "-q", "main2")
    repo.git("merge", "-q", "-m", "two", "side-tip")
    repo.git("branch", "-f", "main", "main2")

    assert "has several merge bases with the base commit" in carry("side").refusal


def test_a_branch_with_a_hostile_path_is_refused(repo: Repo, carry: Carry) -> None:
    blob = repo.git("hash-object", "-w", "--stdin", feed=b"x").decode().strip()
    tree = repo.git(
        "mktree", feed=f"100644 blob {blob}\tgit~1\n100644 blob {blob}\ta\\b\n".encode()
    )
    commit = repo.git("commit-tree", "-p", "main", "-m", "x", tree.decode().strip())
    repo.git("update-ref", "refs/heads/evil", commit.decode().strip())

    done = carry("evil")

    assert (done.entries, done.refusal != "") == ({}, True)


def test_renames_deletions_links_and_modes_are_carried(
    repo: Repo, carry: Carry, tmp_path: Path
) -> None:
    repo.git("checkout", "-q", "-b", "side")
    repo.git("mv", "README.md", "READ.md")
    repo.delete("src/deep/er/leaf.txt")
    repo.link("latest", "src")
    repo.write("docs/guide.txt", "one\ntwo\nthree\n", executable=True)
    repo.commit("side")
    repo.git("checkout", "-q", "main")

    done = carry("side")

    modes = {path: entry.mode if entry else None for path, entry in done.entries.items()}
    assert modes == {
        "README.md": None,
        "READ.md": "100644",
        "src/deep/er/leaf.txt": None,
        "latest": "120000",
        "docs/guide.txt": "100755",
    }
