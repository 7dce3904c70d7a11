"""The worker's own git directory: what is kept of it, and what it cannot make us do."""

from pathlib import Path

import pytest

from tests.builders import Repo
from tests.repository.checkouts import Site, blocks, codes, watched_pipe
from tools.codex.factory.repository.capture import Captured

COMMIT = "echo x > x; git add x; git commit -qm x"


def bundled(site: Site, captured: Captured) -> dict[str, str]:
    """Fetch the stray bundle into a copy of the user's repository; return refs and their ids."""
    bundle, copy = site.beside / "stray.bundle", Repo(site.beside / "copy")
    bundle.write_bytes(captured.stray)
    site.ground.user.git("clone", "-q", "--bare", str(site.ground.user.path), str(copy.path))
    copy.git("bundle", "verify", "-q", str(bundle))
    copy.git("fetch", "-q", str(bundle), "refs/*:refs/kept/*")
    rows = copy.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/kept")
    pairs = (row.split(" ") for row in rows.decode().splitlines())
    return {name.removeprefix("refs/kept/"): oid for name, oid in pairs}


def ids(site: Site, *names: str) -> dict[str, str]:
    """Return what refs name in the checkout."""
    said = site.worker("git rev-parse " + " ".join(f"'refs/{name}'" for name in names))
    return dict(zip(names, said.decode().split(), strict=True))


STRAY = {
    "another branch": (
        (f"git checkout -qb feature/x; {COMMIT}; git checkout -q factory"),
        ("heads/feature/x",),
    ),
    "the first branch": (f"{COMMIT}; git checkout -qb o HEAD~1", ("heads/factory",)),
    "an orphan": (f"git checkout -q --orphan o; {COMMIT}; git checkout -q factory", ("heads/o",)),
    "the first branch of an orphan": (f"{COMMIT}; git checkout -q --orphan o", ("heads/factory",)),
    "a stash": ("echo x >> README.md; git stash -q", ("stash",)),
    "a stash of new files": ("echo x > x; git stash -q -u", ("stash",)),
    "a tag": (f"{COMMIT}; git tag -a -m t v1; git reset -q --hard HEAD~1", ("tags/v1",)),
    "packed refs": (
        (f"git checkout -qb o; {COMMIT}; git checkout -q factory; git pack-refs --all"),
        ("heads/o",),
    ),
    "packed objects": (
        (f"git checkout -qb o; {COMMIT}; git checkout -q factory; git gc -q"),
        ("heads/o",),
    ),
    "a work tree beside": (f"git worktree add -q ../wt -b wb; cd ../wt; {COMMIT}", ("heads/wb",)),
    "notes": ("git notes add -m n", ("notes/commits",)),
    "an old commit amended": (f"{COMMIT}; git branch o; git commit -q --amend -m y", ("heads/o",)),
    "a name with #": (
        (f"git checkout -qb 'fix/#12'; {COMMIT}; git checkout -q factory"),
        ("heads/fix/#12",),
    ),
    "a name that is not ASCII": (
        (f"git checkout -qb 'f\u00fcnf'; {COMMIT}; git checkout -q factory"),
        ("heads/f\u00fcnf",),
    ),
    "a name with odd characters": (
        (f"git checkout -qb 'a(b)=c,d!%'; {COMMIT}; git checkout -q factory"),
        ("heads/a(b)=c,d!%",),
    ),
}


@pytest.mark.parametrize(("script", "names"), STRAY.values(), ids=STRAY)
def test_commits_beside_the_work_are_kept_in_a_bundle(
    site: Site, script: str, names: tuple[str, ...]
) -> None:
    site.worker(script)

    captured = site.once()

    assert codes(captured) == ["capture.other_refs .git"]
    assert captured.is_whole
    assert bundled(site, captured) == ids(site, *names)


NO_STRAY = {
    "tags on the work": f"{COMMIT}; git tag v1; git tag -a -m t v2",
    "tags on the base": "git tag v1; git tag -a -m t v2; git tag v0 HEAD~1",
    "a tag on a blob": "git tag b HEAD:README.md; git tag t HEAD^{tree}",
    "a branch that was merged": (
        f"git checkout -qb o; {COMMIT}; git checkout -q factory; git merge -q o"
    ),
    "many refs": (
        'for i in $(seq 300); do echo "create refs/heads/b$i HEAD"; '
        "done | git update-ref --stdin; git pack-refs --all"
    ),
    "a symbolic ref": "git symbolic-ref refs/heads/s refs/heads/factory",
    "locks and what is no ref": (
        "touch .git/refs/heads/a.lock; echo x > .git/refs/heads/x; : > .git/refs/heads/y"
    ),
}


@pytest.mark.parametrize("script", NO_STRAY.values(), ids=NO_STRAY)
def test_refs_without_commits_of_their_own_make_no_bundle(site: Site, script: str) -> None:
    site.worker(script)

    captured = site.once()

    assert (codes(captured), captured.stray) == ([], b"")


def test_older_stashes_are_not_lost_without_a_word(site: Site) -> None:
    site.worker("echo 1 >> README.md; git stash -q; echo 2 >> README.md; git stash -q")
    older = site.worker("git rev-parse 'stash@{1}'").decode().strip()

    captured = site.captured()

    assert older in bundled(site, captured).values() or not captured.is_whole


CONFLICTS = {
    "merge": "git merge -q factory",
    "rebase": "git rebase -q factory",
    "pick": "git cherry-pick factory",
}


@pytest.mark.parametrize("how", CONFLICTS.values(), ids=CONFLICTS)
def test_a_conflict_that_was_left_blocks_and_is_captured_as_it_lies(site: Site, how: str) -> None:
    site.worker("echo x > README.md; git commit -qam x; git checkout -qb o HEAD~1")
    site.worker(f"echo y > README.md; git commit -qam y; {how} >/dev/null 2>&1 || true")
    lies = (site.folder / "README.md").read_bytes()

    captured = site.captured()

    assert blocks(captured) == ["capture.unmerged README.md"]
    assert b"<<<<<<<" in lies
    assert site.changes(captured) == {"README.md": ("100644", lies)}


WORK = "echo '*.o' > .gitignore; echo o > a.o; git add -f a.o; "
MADE = {".gitignore": ("100644", b"*.o\n"), "a.o": ("100644", b"o\n")}
UNREAD = {".gitignore": ("100644", b"*.o\n")}

BROKEN = {
    "removed": ("rm -r .git", "capture.git_gone"),
    "a link to another": ("mv .git ../own; ln -s ../own .git", "capture.git_replaced"),
    "a file that names another": (
        "mv .git ../own; echo gitdir: ../own > .git",
        "capture.git_replaced",
    ),
    "objects behind a link": (
        ("mv .git/objects ../own; ln -s ../../own .git/objects"),
        "capture.git_replaced",
    ),
    "a folder of objects behind a link": (
        ("mv .git/objects/info ../own; ln -s ../../../own .git/objects/info"),
        "capture.git_replaced",
    ),
    "refs behind a link": (
        "mv .git/refs ../own; ln -s ../../own .git/refs",
        "capture.git_replaced",
    ),
    "a pipe": ("rm -r .git; mkfifo .git", "capture.git_replaced"),
    "a pipe among the objects": ("mkfifo .git/objects/p", "capture.git_replaced"),
    "a pipe for the loan": (
        ("rm .git/objects/info/alternates; mkfifo .git/objects/info/alternates"),
        "capture.git_replaced",
    ),
    "an index of rubbish": ("echo rubbish > .git/index", "capture.git_unreadable"),
    "an index behind a link": (
        "mv .git/index .git/i; ln -s i .git/index",
        "capture.git_unreadable",
    ),
    "an index that is a pipe": ("rm .git/index; mkfifo .git/index", "capture.git_unreadable"),
}


@pytest.mark.parametrize(("script", "code"), BROKEN.values(), ids=BROKEN)
def test_a_git_directory_that_cannot_be_read_is_told(site: Site, script: str, code: str) -> None:
    site.worker(WORK + script)

    captured = site.once()

    assert [said.split()[0] for said in codes(captured)] == [code, "capture.left_out"]
    assert site.changes(captured) == UNREAD


def test_a_head_that_no_object_stands_behind_is_told(site: Site) -> None:
    site.worker(
        f"{COMMIT}; git rev-parse HEAD > ../head; echo {'1' * 40} > .git/refs/heads/factory"
    )

    captured = site.captured()

    assert "capture.git_unreadable .git" in blocks(captured)
    assert site.changes(captured) == {"x": ("100644", b"x\n")}


@pytest.mark.parametrize(
    "rows",
    ("$h refs/heads/a\\n$h refs/heads/a/b\\n", "$h refs/heads/" + "n" * 300 + "\\n"),
    ids=("a name below another", "a name too long"),
)
def test_refs_that_cannot_be_kept_leave_the_work_in_hand(site: Site, rows: str) -> None:
    site.worker(
        f'{COMMIT}; h=$(git commit-tree -m m HEAD^{{tree}}); printf "{rows}" > .git/packed-refs'
    )

    captured = site.captured()

    assert blocks(captured) in ([], ["capture.git_unreadable .git"])
    assert site.changes(captured) == {"x": ("100644", b"x\n")}


def test_pipes_among_the_refs_are_not_waited_for(site: Site) -> None:
    site.worker(
        COMMIT + "; rm .git/config; mkfifo .git/refs/p .git/packed-refs .git/config .git/shallow"
    )

    captured = site.captured()

    assert site.changes(captured) == {"x": ("100644", b"x\n")}


def test_a_loan_of_the_worker_s_own_is_not_followed(site: Site) -> None:
    site.worker(
        f"mkdir -p ../lent/info; {COMMIT}; echo $PWD/../lent >> .git/objects/info/alternates"
    )

    with watched_pipe(site.beside / "lent" / "info" / "alternates") as readers:
        site.once()

    assert readers == []


def test_what_one_checkout_says_twice_is_said_alike(site: Site) -> None:
    site.worker("echo rubbish > .git/index")

    messages = [[one.message for one in site.once().findings] for _ in range(2)]

    assert messages[0] == messages[1]


HOSTILE = """
echo '* filter=x diff=x merge=x' > .gitattributes; echo n > n; echo x >> README.md
mkdir .git/h; printf '#!/bin/sh\ntouch {ran}\n' > .git/h/post-index-change
cp .git/h/post-index-change .git/h/reference-transaction; chmod +x .git/h/*
printf '[core]\n\tfsmonitor = touch {ran}\n' > .git/more
printf '[filter "x"]\n\tclean = touch {ran}\n\tprocess = touch {ran}\n' >> .git/more
printf '[diff]\n\texternal = touch {ran}\n[merge "x"]\n\tdriver = touch {ran}\n' >> .git/more
printf '[diff "x"]\n\ttextconv = touch {ran}\n\tcommand = touch {ran}\n' >> .git/more
printf '[core]\n\tpager = touch {ran}\n\talternateRefsCommand = touch {ran}\n' >> .git/more
printf '[core]\n\thooksPath = %s/.git/h\n' "$PWD" >> .git/more
"""


@pytest.mark.parametrize("how", ("cat .git/more >> .git/config", "git config include.path more"))
def test_no_program_of_the_worker_s_configuration_is_run(site: Site, how: str) -> None:
    site.worker(HOSTILE.format(ran=site.ran) + how)

    captured = site.captured()

    assert not site.ran.exists()
    assert site.changes(captured)["n"] == ("100644", b"n\n")


def test_the_worker_s_own_excludes_hide_nothing(site: Site) -> None:
    Path(site.folder / ".git" / "info" / "exclude").write_text("*\n")
    site.write("n", b"n")

    captured = site.captured()

    assert site.changes(captured) == {"n": ("100644", b"n")}
