"""A history's own later commits as workers on one base: the tree that git itself reaches."""

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import history
from tests.builders import Repo
from tests.conftest import Factory

pytestmark = pytest.mark.slow

IDENTICAL = {"FACTORY_OVERLAP__ALLOW_IDENTICAL": "true"}


@dataclass(frozen=True, slots=True)
class Past:
    """A repository with a long history, and its first commit."""

    repo: Repo
    base: str


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """Return 160 commits that edit, add, delete, rename and make executable, by a fixed seed."""
    repo = Repo.make(tmp_path_factory.mktemp("past") / "repo")
    dice = random.Random(7)
    files: dict[str, bytes | tuple[str, bytes]] = {
        f"d{n % 7}/e{n % 3}/f{n}.txt": b"".join(b"%d of %d\n" % (m, n) for m in range(60))
        for n in range(90)
    }
    repo.store(files, ref="refs/heads/main")
    base = repo.git("rev-parse", "refs/heads/main").decode().strip()
    for number in range(160):
        _step(files, dice, number)
        repo.store(files, ref="refs/heads/next", parent="refs/heads/main")
        repo.git("update-ref", "refs/heads/main", "refs/heads/next")
    return Past(repo, base)


@pytest.mark.parametrize("renames", [False, True], ids=["plain", "renames"])
def test_commits_that_fit_reach_the_tree_that_git_reaches_one_after_the_other(
    past: Past, tmp_path: Path, renames: bool
) -> None:
    works = history.disjoint(past.repo.path, past.base, 40, renames=renames)
    plan = history.write_works(works, tmp_path / "out", "disjoint")
    clone = tmp_path / "clone"
    head = history.clone_of(past.repo.path, past.base, clone)

    ended = Factory(clone, tmp_path)("oneshot", "--base-ref", head, "--plan", str(plan), "--json")

    assert (ended.exit_code, len(ended.answer["workers"])) == (0, 40)
    assert ended.answer["tree"] == _applied(clone, [work.patch for work in works], head)


def test_commits_that_share_files_reach_the_tree_of_gits_merge_in_every_order(
    past: Past, tmp_path: Path
) -> None:
    works = history.shared(past.repo.path, past.base, 20, renames=False)
    plan = history.write_works(works, tmp_path / "out", "shared")
    clone = tmp_path / "clone"
    head = history.clone_of(past.repo.path, past.base, clone)
    commits = [_commit(clone, _applied(clone, [work.patch], head), head) for work in works]
    orders = [random.Random(seed).sample(commits, len(commits)) for seed in range(4)]
    merged = {_merged(clone, head, order) for order in orders}

    words = ("oneshot", "--base-ref", head, "--plan", str(plan), "--json")
    ended = Factory(clone, tmp_path)(*words, env=IDENTICAL)

    assert (ended.exit_code, {str(ended.answer["tree"])}) == (0, merged)


def _step(files: dict[str, bytes | tuple[str, bytes]], dice: random.Random, number: int) -> None:
    """Make one commit's change to `files`."""
    path = dice.choice(sorted(files))
    held = files[path]
    mode, content = ("100644", held) if isinstance(held, bytes) else held
    match dice.randrange(10):
        case 0:
            files[f"new/n{number}.bin"] = bytes(dice.randrange(256) for _ in range(300))
        case 1:
            del files[path]
        case 2:
            files[f"moved/m{number}.txt"] = files.pop(path)
        case 3:
            files[path] = ("100755" if mode == "100644" else "100644", content)
        case _:
            lines = content.splitlines(keepends=True)
            lines[dice.randrange(len(lines))] = b"changed by %d\n" % number
            files[path] = (mode, b"".join(lines))


def _applied(clone: Path, patches: list[bytes], head: str) -> str:
    repo = Repo(clone)
    repo.git("read-tree", head)
    for patch in patches:
        repo.git("apply", "--cached", "--whitespace=nowarn", "-", feed=patch)
    return repo.git("write-tree").decode().strip()


def _merged(clone: Path, head: str, commits: list[str]) -> str:
    """Return the tree of git's merges one after the other; every one of them must be clean."""
    ours = head
    for theirs in commits:
        tree, conflicts = Repo(clone).merged(ours, theirs)
        assert not conflicts
        ours = _commit(clone, tree, head)
    return Repo(clone).tree(ours)


def _commit(clone: Path, tree: str, parent: str) -> str:
    return Repo(clone).git("commit-tree", tree, "-p", parent, "-m", "work").decode().strip()
