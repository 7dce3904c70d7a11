"""Publishing under pressure: nothing but one branch moves, and nothing but what is proven goes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.conftest import Factory
from tests.work import Work, edit_line, rewrite, write_file

pytestmark = pytest.mark.slow


Stamp = tuple[int, int, bytes]


@pytest.fixture(autouse=True)
def known(repo: Repo) -> None:
    """Tell git who the operator is."""
    repo.git("config", "user.name", "Ann Operator")
    repo.git("config", "user.email", "ann@localhost")


def passed(work: Work, *checks: object) -> Path:
    """Return the folder of a run that passed."""
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])
    ended = work.factory("oneshot", "--plan", work.plan(checks=checks), "--run-id", "r1")
    assert ended.exit_code == 0, ended.stderr
    return work.runs_root / "r1"


def stamps(repo: Repo) -> dict[str, Stamp]:
    """Return kind, mtime and bytes of everything but the runs root and object files."""
    found = {}
    for path in sorted(repo.path.rglob("*")):
        name = str(path.relative_to(repo.path))
        if name.startswith(("tools", ".git/objects/")) or path.is_dir():
            continue
        seen = path.lstat()
        content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
        found[name] = (seen.st_mode, seen.st_mtime_ns, content)
    return found


def objects(repo: Repo) -> set[str]:
    """Return every object file of the repository."""
    top = repo.path / ".git" / "objects"
    return {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}


def test_one_ref_and_its_reflog_are_all_that_is_new(work: Work, tmp_path: Path) -> None:
    passed(work)
    mark = tmp_path / "mark"
    folder = tmp_path / "hooks"
    folder.mkdir()
    for name in (
        *("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "post-index-change"),
        *("reference-transaction", "post-checkout", "post-rewrite", "pre-push", "pre-auto-gc"),
    ):
        for place in (folder, work.repo.path / ".git" / "hooks"):
            place.mkdir(exist_ok=True)
            (place / name).write_text(f"#!/bin/sh\necho {name} >> {mark}\nexit 1\n")
            (place / name).chmod(0o755)
    for key, value in {
        "core.hooksPath": str(folder),
        "commit.gpgSign": "true",
        "gpg.program": "/bin/false",
        "i18n.commitEncoding": "ISO-8859-1",
        "commit.template": "/nowhere",
        "core.logAllRefUpdates": "true",
    }.items():
        work.repo.git("config", key, value)
    work.repo.write("src/app.txt", "dirty\n")
    work.repo.write("staged", "staged\n")
    work.repo.git("add", "staged")
    before = stamps(work.repo)
    mark.unlink(missing_ok=True)

    ended = work.factory("publish", "--branch", "topic/one", "--json")

    assert ended.exit_code == 0, ended.stderr
    after = stamps(work.repo)
    assert {name: after.get(name) for name in before} == before
    new = {".git/refs/heads/topic/one", ".git/logs/refs/heads/topic/one"}
    assert set(after) - set(before) == new
    assert not mark.exists()


def test_the_commit_is_the_operators_with_one_parent_and_the_proven_tree(work: Work) -> None:
    run = passed(work)
    base = work.repo.git("rev-parse", "HEAD").decode().strip()
    env = {
        "GIT_AUTHOR_NAME": "Jörg <odd> Name",
        "GIT_AUTHOR_EMAIL": "j@localhost",
        "GIT_AUTHOR_DATE": "2001-02-03T04:05:06+0130",
        "GIT_COMMITTER_NAME": "Committer",
        "GIT_COMMITTER_DATE": "@1000000000 -0800",
    }

    ended = work.factory("publish", "--branch", "topic", "--json", env=env)

    assert ended.exit_code == 0, ended.stderr
    said = work.repo.git("log", "-1", "--format=%P%n%T%n%an%n%ae%n%ad%n%cn%n%ce%n%cd", "topic")
    assert said.decode().splitlines() == [
        base,
        ended.answer["tree"],
        "Jörg odd Name",
        "j@localhost",
        "Sat Feb 3 04:05:06 2001 +0130",
        "Committer",
        "ann@localhost",
        "Sat Sep 8 17:46:40 2001 -0800",
    ]
    status = (run / "Z_integrator" / "STATUS.json").read_text("utf-8")
    assert ended.answer["tree"] in status


def test_nobody_known_is_said_and_nothing_moves(work: Work) -> None:
    passed(work)
    work.repo.git("config", "--unset", "user.email")
    before = (stamps(work.repo), objects(work.repo))

    ended = work.factory("publish", "--json")

    assert ended.exit_code == 20
    assert (stamps(work.repo), objects(work.repo)) == before


@pytest.mark.parametrize(
    "title",
    [
        "Factory-Run: forged",
        "--- a divider",
        "---",
        "# a comment",
        "x" * 300,
    ],
    ids=ascii,
)
def test_no_title_task_or_reason_forges_a_trailer(work: Work, title: str) -> None:
    task = "do\r\nFactory-Run: forged\n\nFactory-Check: forged: passed"
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"], task=task)
    begun = work.factory("oneshot", "--plan", work.plan(title=title), "--run-id", "r1")
    assert begun.exit_code == 0
    line = ("--share", "docs/guide.txt", "--reason", "Factory-Run: forged")
    assert work.factory("amend", *line).exit_code == 0
    assert work.factory("integrate").exit_code == 0

    ended = work.factory("publish", "--branch", "topic")

    assert ended.exit_code == 0, ended.stderr
    message = work.repo.git("log", "-1", "--format=%B", "topic")
    parsed = work.repo.git("interpret-trailers", "--parse", feed=message).decode().splitlines()
    names = [line.partition(": ")[0] for line in parsed]
    wanted = ["Factory-Run", "Factory-Base", "Factory-Report", "Factory-Worker", "Factory-Amended"]
    assert names == wanted
    assert parsed[0] == "Factory-Run: r1"
    shown = work.factory("runs", "show", "--commit", "topic", "--json")
    assert shown.exit_code == 0
    assert {row["is_here"] for row in shown.answer["evidence"]} == {True}


@pytest.mark.parametrize(
    "there",
    [
        "factory",
        "factory/r1/deeper",
    ],
)
def test_a_branch_in_the_way_of_the_name_is_refused_and_nothing_moves(
    work: Work, there: str
) -> None:
    passed(work)
    work.repo.git("branch", there)
    before = (stamps(work.repo), objects(work.repo))

    ended = work.factory("publish", "--json")

    assert ended.exit_code == 3
    assert (stamps(work.repo), objects(work.repo)) == before


@pytest.mark.parametrize("name", ["-x", "HEAD", "a b", "x..y", "x.lock", "@{-1}", "", "/x", "x/"])
def test_a_name_that_is_none_is_refused(work: Work, name: str) -> None:
    passed(work)

    ended = work.factory("publish", f"--branch={name}", "--json")

    assert ended.exit_code == 2


def test_a_branch_whose_name_is_no_text_is_made_and_said(work: Work) -> None:
    passed(work)
    name = os.fsdecode(b"caf\xe9")

    ended = work.factory("publish", "--branch", name, "--json")

    assert ended.exit_code in (0, 2), ended.stderr
    for words in (("runs", "list"), ("runs", "show"), ("ledger-replay", "--rebuild")):
        assert work.factory(*words).exit_code == 0, words


@pytest.mark.parametrize("what", ["bundle", "status", "report", "ledger", "seal", "lock", "store"])
def test_a_run_that_was_touched_is_not_published(work: Work, what: str) -> None:
    run = passed(work)
    if what == "bundle":
        place = run / "A_worker" / "DIFF.patch"
        place.write_bytes(place.read_bytes().replace(b"+new", b"+bad"))
    elif what == "status":
        rewrite(run / "Z_integrator" / "STATUS.json", lambda said: said.update(exit_code=0))
    elif what == "report":
        (run / "Z_integrator" / "FINAL_REPORT.txt").write_text("PASS\n")
    elif what == "ledger":
        ledger = next(work.runs_root.glob("factory_ledger*.jsonl"))
        ledger.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:-1]))
    elif what == "seal":
        shutil.copy(run / "A_worker" / "DIFF.patch", run / "A_worker" / "MORE.txt")
    elif what == "lock":
        rewrite(run / "A_worker" / "SCOPE_LOCK.json", lambda said: said.update(allow=["**"]))
    else:
        for place in run.rglob("*.git"):
            shutil.rmtree(place)
    before = stamps(work.repo)

    ended = work.factory("publish", "--json")

    wanted = (0, 3, 30) if what == "store" else (1, 3)
    assert ended.exit_code in wanted, ended
    if ended.exit_code:
        assert stamps(work.repo) == before


def test_what_is_published_stands_without_the_runs_root(work: Work, tmp_path: Path) -> None:
    passed(work)
    assert work.factory("publish", "--branch", "topic").exit_code == 0

    shutil.rmtree(work.repo.path / "tools")

    assert work.repo.run("fsck", "--full", "--strict").returncode == 0
    work.repo.git("clone", "-q", "--no-local", "-b", "topic", ".", str(tmp_path / "clone"))
    assert (tmp_path / "clone/src/app.txt").read_text().startswith("new\n")


@pytest.mark.parametrize("place", ["shallow", "worktree", "detached", "sub-folder", "-C"])
def test_every_kind_of_checkout_can_be_published_from(
    work: Work, tmp_path: Path, place: str
) -> None:
    work.repo.write("docs/guide.txt", "another\n")
    work.repo.commit("second")
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])
    words: tuple[str, ...] = ()
    here = at = work.repo.path
    if place == "shallow":
        here = at = tmp_path / "shallow"
        work.repo.git("clone", "-q", "--depth", "1", f"file://{work.repo.path}", str(here))
        Repo(here).git("config", "user.name", "Ann")
        Repo(here).git("config", "user.email", "ann@localhost")
    elif place == "worktree":
        here = at = tmp_path / "linked"
        work.repo.git("worktree", "add", "-q", "-b", "linked", str(here))
    elif place == "detached":
        work.repo.git("checkout", "-q", "--detach")
    elif place == "sub-folder":
        at = work.repo.path / "src" / "deep"
    else:
        words, at = ("-C", str(work.repo.path)), tmp_path
    factory = Factory(at, work.factory.home)
    head = Repo(here).git("rev-parse", "HEAD")
    ended = factory(*words, "oneshot", "--plan", work.plan(), "--run-id", "r1")
    assert ended.exit_code == 0, ended.stderr

    ended = factory(*words, "publish", "--branch", "topic", "--json")

    assert ended.exit_code == 0, ended.stderr
    assert Repo(here).git("rev-parse", "topic^") == head
    assert Repo(here).git("rev-parse", "HEAD") == head
    assert Repo(here).run("fsck", "--strict").returncode == 0
    assert Repo(here).git("show", "topic:src/app.txt").startswith(b"new\n")


def test_onto_another_base_is_a_run_of_its_own_with_its_own_checks(work: Work) -> None:
    check = {"name": "no-red", "command": ["sh", "-c", "test ! -e red"]}
    passed(work, check)
    work.repo.write("red", "x")
    red = work.repo.commit("red")
    work.repo.delete("red")
    work.repo.write("green", "x")
    green = work.repo.commit("green")
    before = stamps(work.repo)

    refused = work.factory(
        "publish", "--run-id", "r1", "--onto", red, "--branch", "topic", "--json"
    )
    untouched = stamps(work.repo)
    line = ("--run-id", "r1", "--onto", "main", "--branch", "topic")
    ended = work.factory("publish", *line, "--json")

    assert (refused.exit_code, untouched == before) == (3, True), refused
    assert ended.exit_code == 0, ended.stderr
    assert ended.answer["run_id"] != "r1"
    assert work.repo.git("rev-parse", "topic^").decode().strip() == green
    assert work.repo.git("diff", "--name-only", "topic^", "topic") == b"src/app.txt\n"
    message = work.repo.git("log", "-1", "--format=%B", "topic").decode()
    assert "Factory-Carried-From: r1" in message
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_onto_a_base_where_the_path_changed_is_refused_and_nothing_moves(work: Work) -> None:
    passed(work)
    edit_line("src/app.txt", 1, "theirs")(work.repo)
    work.repo.commit("theirs")
    before = (stamps(work.repo), objects(work.repo))

    ended = work.factory("publish", "--onto", "main", "--branch", "topic", "--json")

    assert ended.exit_code == 3
    assert (stamps(work.repo), objects(work.repo)) == before


def test_onto_leaves_out_what_was_dropped(work: Work) -> None:
    def edit(repo: Repo) -> None:
        edit_line("src/app.txt", 1, "new")(repo)
        write_file("src/dropped.txt", "x\n")(repo)

    work.patch("A_worker", edit, allow=["src/app.txt"])
    work.patch("B_worker", write_file("docs/b.txt", "b\n"), allow=["nothing/**"])
    assert work.oneshot("--run-id", "r1").exit_code == 3
    line = ("--drop-path", "A_worker:src/dropped.txt", "--drop", "B_worker", "--reason", "no")
    assert work.factory("amend", *line).exit_code == 0
    assert work.factory("integrate").exit_code == 0
    work.repo.write("other", "x")
    work.repo.commit("other")

    ended = work.factory("publish", "--onto", "main", "--branch", "topic")

    assert ended.exit_code == 0, ended.stderr
    assert work.repo.git("diff", "--name-only", "topic^", "topic") == b"src/app.txt\n"
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_what_was_amended_since_is_not_published(work: Work) -> None:
    passed(work)
    assert work.factory("amend", "--share", "docs/guide.txt", "--reason", "x").exit_code == 0

    ended = work.factory("publish", "--json")

    assert ended.exit_code == 3
    assert "factory integrate" in ended.answer["error"]["hint"]


def test_a_published_run_is_not_amended(work: Work) -> None:
    passed(work)
    assert work.factory("publish").exit_code == 0

    ended = work.factory("amend", "--share", "docs/guide.txt", "--reason", "x", "--json")

    assert ended.exit_code == 40


def test_a_partial_tree_is_published_only_on_request(work: Work) -> None:
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])
    work.patch("B_worker", write_file("docs/b.txt", "b\n"), allow=["nothing/**"])
    policy = {"FACTORY_INTEGRATE__ON_BLOCKED": "exclude"}
    assert work.oneshot("--run-id", "r1", env=policy).exit_code == 3

    plain = work.factory("publish", "--branch", "topic")
    asked = work.factory("publish", "--branch", "topic", "--accept-partial")

    assert (plain.exit_code, asked.exit_code) == (3, 0), (plain.stderr, asked.stderr)
    assert work.repo.git("diff", "--name-only", "topic^", "topic") == b"src/app.txt\n"
    assert b"Factory-Left-Out: B_worker" in work.repo.git("log", "-1", "--format=%B", "topic")


def test_a_partial_tree_with_a_red_check_is_not_published(work: Work) -> None:
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])
    work.patch("B_worker", write_file("docs/b.txt", "b\n"), allow=["nothing/**"])
    check = {"name": "red", "command": ["false"]}
    policy = {"FACTORY_INTEGRATE__ON_BLOCKED": "exclude"}
    plan = work.plan(checks=[check])
    assert work.factory("oneshot", "--plan", plan, env=policy).exit_code == 3

    ended = work.factory("publish", "--branch", "topic", "--accept-partial")

    assert ended.exit_code == 3


def test_a_commit_that_another_made_with_odd_trailers_is_answered(work: Work) -> None:
    passed(work)
    for value in ("../../etc", "\x1b[31mx", "nowhere", "r1"):
        message = f"x\n\nFactory-Run: {value}\nFactory-Worker: ../x sha256:1\n".encode()
        commit = work.repo.git("commit-tree", "HEAD^{tree}", "-F", "-", feed=message)
        ended = work.factory("runs", "show", "--commit", commit.decode().strip())
        assert ended.exit_code in (0, 40), (value, ended)
        assert "\x1b" not in ended.stdout + ended.stderr


def test_a_published_commit_whose_run_was_pruned_still_names_its_evidence(work: Work) -> None:
    passed(work)
    assert work.factory("publish", "--branch", "topic").exit_code == 0
    assert work.factory("runs", "prune", "--older-than", "0h").exit_code == 0

    ended = work.factory("runs", "show", "--commit", "topic", "--json")

    assert ended.exit_code == 0
    assert {row["is_here"] for row in ended.answer["evidence"]} == {False}
    assert work.factory("ledger-replay").exit_code == 0


def test_no_terminal_and_a_dead_home_hinder_nothing(work: Work) -> None:
    passed(work)

    done = subprocess.run(
        work.factory.argv("publish", "--branch", "topic"),
        cwd=work.repo.path,
        env={**work.factory.environment(), "HOME": "/nowhere", "TERM": "dumb"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_what_stands_behind_a_commit_stays_when_the_run_is_integrated_again(
    work: Work, tmp_path: Path
) -> None:
    red = tmp_path / "red"
    passed(work, {"name": "c", "command": ["sh", "-c", f"[ ! -e {red} ]"]})
    assert work.factory("publish", "--branch", "topic").exit_code == 0
    red.touch()

    again = work.factory("integrate", env={"FACTORY_CHECKS__ALWAYS_RUN": "true"})
    shown = work.factory("runs", "show", "--commit", "topic", "--json").answer

    assert again.exit_code == 3
    assert {row["name"]: row["is_here"] for row in shown["evidence"]} == {
        "tree": True,
        "Factory-Base": True,
        "Factory-Report": True,
        "Factory-Worker": True,
        "Factory-Check": True,
    }
    assert (shown["state"]["status"], shown["run"]["status"]) == ("PASS", "BLOCKED")
    assert work.factory("ledger-replay").exit_code == 0


def test_another_name_of_a_branch_that_is_not_there_yet_is_not_taken(work: Work) -> None:
    passed(work)
    work.repo.git("symbolic-ref", "refs/heads/alias", "refs/heads/notyet")

    ended = work.factory("publish", "--branch", "alias", "--json")

    assert (ended.exit_code, ended.answer["error"]["message"]) == (
        3,
        "branch 'alias' is there already: it is another name of 'refs/heads/notyet'",
    )
    assert work.repo.git("symbolic-ref", "refs/heads/alias") == b"refs/heads/notyet\n"


def test_the_branch_of_a_work_tree_without_a_commit_is_not_taken(work: Work) -> None:
    passed(work)
    work.repo.git("symbolic-ref", "HEAD", "refs/heads/fresh")
    before = work.repo.git("status", "--porcelain")

    ended = work.factory("publish", "--run-id", "r1", "--branch", "fresh")

    assert ended.exit_code == 3
    assert "branch 'fresh' is checked out, and has no commit yet" in ended.stderr
    assert work.repo.git("status", "--porcelain") == before


def test_a_publish_that_died_before_it_was_recorded_is_recorded_by_the_next(work: Work) -> None:
    passed(work)
    ledger = work.runs_root / "factory_ledger.jsonl"
    before = ledger.read_bytes()
    first = work.factory("publish", "--branch", "topic", "--json").answer
    ledger.write_bytes(before)

    again = work.factory("publish", "--branch", "topic", "--json")
    more = work.factory("publish", "--branch", "topic", "--json")

    assert (again.exit_code, again.answer["commit"]) == (0, first["commit"])
    assert more.exit_code == 3
    (row,) = work.factory("runs", "--json").answer["runs"]
    assert (row["published"], row["unpublished"]) == ({"topic": first["commit"]}, [])


def test_onto_another_base_a_commit_says_what_was_amended_and_left_out(work: Work) -> None:
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])
    work.patch("B_worker", edit_line("docs/guide.txt", 1, "new"), allow=["docs/**"])
    assert work.oneshot("--run-id", "r1").exit_code == 0
    assert work.factory("amend", "--drop", "B_worker", "--reason", "later").exit_code == 0
    assert work.factory("integrate").exit_code == 0
    work.repo.write("other.txt", "x\n")
    work.repo.commit("meanwhile")

    ended = work.factory("publish", "--branch", "topic", "--onto", "main")

    assert ended.exit_code == 0, ended.stderr
    message = work.repo.git("log", "-1", "--format=%B", "topic").decode()
    assert "Factory-Carried-From: r1\n" in message
    assert "Factory-Left-Out: B_worker\nFactory-Amended: later\n" in message


def test_a_store_that_lost_the_merged_tree_is_said_and_mended(work: Work) -> None:
    run = passed(work)
    shutil.rmtree(run / "objects.git")

    refused = work.factory("publish", "--branch", "topic", "--json")
    again = work.factory("integrate")
    published = work.factory("publish", "--branch", "topic")

    assert (refused.exit_code, refused.answer["error"]["hint"]) == (
        3,
        "`factory integrate --run-id r1` makes it again",
    )
    assert (again.exit_code, published.exit_code) == (0, 0)
