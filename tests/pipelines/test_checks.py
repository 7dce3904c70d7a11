"""Checks run on the merged tree alone: they see nothing of the user, and nothing of each other."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Factory
from tests.pipelines.checking import Checked, a_work, checked, counted, probe, sh, workers
from tests.work import Work
from tests.workers import left_of

pytestmark = pytest.mark.slow

SECRETS = {
    "PYTHONPATH": "/somewhere/of/the/operator",
    "OPERATORS_TOKEN": "secret",
    "GIT_AUTHOR_NAME": "operator",
    "GIT_OPTIONAL_LOCKS": "0",
    "USER": "operator",
    "LANG": "C.UTF-8",
}
UPWARDS = (
    'd=$PWD; while [ "$d" != / ]; do d=$(dirname "$d"); [ -e "$d/helper.txt" ] && exit 1; done'
)


@pytest.fixture
def small(tmp_path: Path) -> Work:
    return a_work(tmp_path)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    top = tmp_path_factory.mktemp("seen")
    work = a_work(top)
    workers(work, "A", "B")
    for path in ("conftest.py", "node_modules/x/index.js", "helper.ignored", "new.txt"):
        work.repo.write(path, "of the user\n")
    work.repo.write("README.md", "changed by the user\n")
    work.repo.write("bin/tool", "#!/bin/sh\nexit 0\n", executable=True)
    (top / "linked").symlink_to(work.repo.path / "bin")
    (top / "outside").mkdir()
    folders = (
        work.repo.path / "bin", "bin", top / "linked", top / "outside" / ".." / "repo" / "bin",
        work.repo.path, ".", "", os.environ["PATH"],
    )  # fmt: skip
    home = f"'{work.factory.home}'"
    checks = [
        probe("no untracked file", "! ls conftest.py node_modules helper.ignored new.txt"),
        probe("no change of the user", "grep -q 'small world' README.md"),
        probe("both bundles", "test -e A.txt && test -e B.txt"),
        probe("no tool of the work tree", "! command -v tool"),
        probe("no empty folder in PATH", 'case ":$PATH:" in *::*) exit 1;; esac'),
        probe("no secrets", 'test -z "$PYTHONPATH$OPERATORS_TOKEN$GIT_AUTHOR_NAME$USER"'),
        probe("no git variable", "! env | grep '^GIT_'"),
        probe("what is let through", 'test "$LANG" = C.UTF-8'),
        probe("another home", f'test -d "$HOME" && test "$HOME" != {home}'),
        probe("an empty home", 'test -z "$(ls -A "$HOME")"'),
        probe("an empty folder for temporary files", 'test -z "$(ls -A "$TMPDIR")"'),
        probe("stdin is closed", "! read -r line"),
        probe("a clean status", 'test -z "$(git status --porcelain --ignored)"'),
        probe("history", 'test "$(git rev-list --count HEAD)" = 2 && git log --oneline'),
        probe("no repository above", "! git -C .. rev-parse --git-dir"),
        probe("tells", 'git rev-parse HEAD "HEAD^{tree}"; echo "$HOME"; echo "$TMPDIR"'),
    ]
    path = os.pathsep.join(map(str, folders))
    return checked(work, checks, env={**SECRETS, "PATH": path})


def test_a_check_sees_the_merged_commit_and_nothing_of_the_user(seen: Checked) -> None:
    assert {name: what for name, what in seen.results.items() if what != "passed"} == {}
    assert (seen.ended.exit_code, seen.blocking) == (0, [])


def test_a_check_stands_on_the_commit_that_the_report_names(seen: Checked) -> None:
    head, tree, _, _ = seen.said("check-16.stdout.log").splitlines()

    assert (head, tree) == (seen.status["commit"], seen.status["tree"])


def test_home_and_temporary_folder_of_a_check_are_gone_afterwards(seen: Checked) -> None:
    folders = seen.said("check-16.stdout.log").splitlines()[2:]

    assert [Path(folder).exists() for folder in folders] == [False, False]
    assert list(seen.work.factory.home.rglob("checkout")) == []


@pytest.mark.parametrize("odd", ["loop", "bytes", "nothing left"])
def test_an_odd_path_of_the_operator_stops_no_check(small: Work, tmp_path: Path, odd: str) -> None:
    workers(small, "A")
    (tmp_path / "loop").symlink_to("loop")
    paths = {
        "loop": f"{tmp_path}/loop:{os.environ['PATH']}",
        "bytes": f"{tmp_path}/\udcff:{os.environ['PATH']}",
        "nothing left": os.environ["PATH"],
    }
    names = '["LANG"]' if odd == "nothing left" else '["PATH"]'

    found = checked(
        small, [sh("a", "ls")], env={"PATH": paths[odd], "FACTORY_CHECKS__ENVIRONMENT": names}
    )

    assert (found.ended.exit_code, found.results) == (0, {"a": "passed"})


def test_a_folder_of_a_work_tree_beside_is_no_part_of_path(small: Work, tmp_path: Path) -> None:
    workers(small, "A")
    small.repo.write("bin/tool", "#!/bin/sh\nexit 0\n", executable=True)
    small.repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "other"))
    linked = Work(small.repo, Factory(tmp_path / "other", small.factory.home), small.folder)
    path = f"{small.repo.path}/bin:{os.environ['PATH']}"
    plan = small.plan(checks=[probe("no tool", "! command -v tool")])

    ended = linked.factory("oneshot", "--plan", plan, "--json", env={"PATH": path})

    assert [finding["code"] for finding in ended.answer["findings"]] == []


FOLLOWING = {
    "home": ('echo x > "$HOME/left"', '! test -e "$HOME/left"'),
    "temporary": ('echo x > "$TMPDIR/left"', '! test -e "$TMPDIR/left"'),
    "home removed": ('rm -rf "$HOME"', 'test -d "$HOME"'),
    "temporary removed": ('rm -rf "$TMPDIR"', 'test -d "$TMPDIR"'),
    "commit": ("git commit -q --allow-empty -m x", 'test "$(git rev-list --count HEAD)" = 2'),
    "branch": ("git branch other", "! git rev-parse -q --verify other"),
    "git configuration": ("git config user.name other", 'test "$(git config user.name)" = check'),
    "git removed": ("rm -rf .git", "git rev-parse HEAD"),
    "git is a link": ("rm -rf .git && ln -s '{repo}/.git' .git", "test ! -L .git"),
    "tracked": ("echo x >> README.md", "! grep -q x README.md"),
    "tracked, hidden": (
        "git update-index --assume-unchanged README.md; echo x >> README.md",
        "! grep -q x README.md",
    ),
    "new": ("touch new.txt", "! test -e new.txt"),
    "staged": ("touch new.txt; git add new.txt", "! test -e new.txt"),
    "removed": ("rm README.md", "test -e README.md"),
    "checkout removed": ('rm -rf "$PWD"', "test -e README.md"),
    "checkout is a link": (
        'at=$PWD; cd ..; rm -rf "$at"; ln -s \'{repo}\' "$at"',
        "! test -e of-the-user",
    ),
}


@pytest.fixture(scope="module")
def following(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Checked, Path, list[int]]]:
    top = tmp_path_factory.mktemp("following")
    work = a_work(top)
    workers(work, "A")
    work.repo.write("of-the-user", "x")
    repo = str(work.repo.path)
    checks = [probe("daemon", "setsid sleep 60 > /dev/null 2>&1 & exit 0")]
    for number, (name, (leaves, wants)) in enumerate(FOLLOWING.items()):
        checks.append(probe(f"{number} leaves {name}", leaves.replace("{repo}", repo)))
        checks.append(probe(f"{number} wants {name}", f"test -e setup.ignored && {wants}"))
    setup = [["sh", "-c", f"touch setup.ignored; {counted(top / 'setups')}"]]
    found = checked(work, checks, integration={"setup": setup})
    left = left_of(str(top))
    yield found, top / "setups", left
    left_of(str(top))


@pytest.mark.parametrize("name", FOLLOWING)
def test_what_a_check_leaves_is_not_seen_by_the_next(
    following: tuple[Checked, Path, list[int]], name: str
) -> None:
    found, _, _ = following

    results = {one.partition(" ")[2]: result for one, result in found.results.items()}

    assert [results[f"{word} {name}"] for word in ("leaves", "wants")] == ["passed", "passed"]


def test_the_daemon_of_a_check_is_ended(following: tuple[Checked, Path, list[int]]) -> None:
    found, _, left = following

    assert (found.results["daemon"], left) == ("passed", [])


def test_the_users_repository_is_as_it_was(following: tuple[Checked, Path, list[int]]) -> None:
    found, _, _ = following
    repo = found.work.repo

    assert repo.git("status", "--porcelain") == b"?? of-the-user\n"
    assert repo.git("rev-list", "--count", "--all") == b"1\n"


def test_checks_whose_names_begin_alike_each_have_a_fresh_checkout(small: Work) -> None:
    workers(small, "A")
    checks = [sh(f"integration-{n}", "! test -e new.txt && touch new.txt") for n in range(3)]

    found = checked(small, checks)

    assert (found.ended.exit_code, found.blocking) == (0, [])


def test_a_check_stands_on_what_an_earlier_one_made_in_every_run_or_in_none(small: Work) -> None:
    workers(small, "A")
    build = sh("build", "touch built.ignored")
    first = checked(small, [build, sh("tests", "test -e built.ignored")], "--run-id", "first")

    again = checked(small, [build, sh("tests", ": ; test -e built.ignored")], "--run-id", "again")

    assert again.results["tests"] == first.results["tests"]
