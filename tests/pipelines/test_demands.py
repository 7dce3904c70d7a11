"""What people who run many agents at once ask for most, each with a run that would miss it."""

import subprocess

import pytest

from tests.builders import environment
from tests.work import Work, blocking

pytestmark = pytest.mark.slow


def test_a_base_that_moves_while_workers_run_moves_nothing_under_them(work: Work) -> None:
    base = work.repo.git("rev-parse", "HEAD").decode().strip()
    operator = f"git -C '{work.repo.path}' -c user.name=o -c user.email=o@example.invalid"
    moves = (
        f"echo later > '{work.repo.path}/later.txt'; {operator} add -A; {operator} commit -qm on"
    )
    work.add("A", command=["sh", "-ec", f"{moves}; touch src/a.txt"], allow=["src/**"])
    sees = "test ! -e later.txt; git rev-parse HEAD > docs/base.txt"
    work.add("B", command=["sh", "-ec", sees], allow=["docs/**"])

    # It is the operator's own commit, and they say so: of what is not confined it would block.
    ended = work.oneshot("--jobs", "1", env={"FACTORY_SANDBOX__ON_CHANGE": "note"})

    patch = (work.run(ended) / "Z_integrator" / "DIFF.patch").read_text()
    assert (ended.exit_code, ended.answer["base_commit"]) == (0, base)
    assert f"+{base}\n" in patch and "later.txt" not in patch
    assert work.repo.git("rev-parse", "HEAD~1").decode().strip() == base


def test_many_workers_that_use_git_at_the_same_moment_do_not_lock_each_other_out(
    work: Work,
) -> None:
    meets = f"touch '{work.folder}/'$FACTORY_WORKER_ID.here; touch src/$FACTORY_WORKER_ID"
    waits = f"while test $(ls '{work.folder}' | grep -c here) -lt 6; do sleep 0.02; done"
    commits = "git checkout -qb mine; git add -A; git commit -qm mine; git branch -q again"
    for number in range(6):
        command = ["sh", "-ec", f"{meets}; {waits}; {commits}"]
        work.add(f"W{number}", command=command, allow=["src/**"], timeout="30s")

    ended = work.oneshot("--jobs", "6")

    assert (ended.exit_code, blocking(ended)) == (0, [])
    assert [row["changes"] for row in ended.answer["workers"]] == [1] * 6
    assert work.repo.git("for-each-ref", "--format=%(refname)") == b"refs/heads/main\n"


def test_the_folders_above_a_checkout_are_neither_the_repository_nor_any_other(work: Work) -> None:
    climbs = "up=..; for n in 1 2 3 4 5 6; do echo stray > $up/README.md || :; up=$up/..; done"
    asks = "cd .. && ! git rev-parse --git-dir && cd checkout && touch src/a.txt"
    work.add("A", command=["sh", "-c", f"{climbs}; {asks}"], allow=["src/**"])

    ended = work.oneshot()

    patch = (work.run(ended) / "A" / "DIFF.patch").read_text()
    assert (ended.exit_code, blocking(ended)) == (0, [])
    assert "stray" not in patch and "src/a.txt" in patch
    assert work.repo.git("status", "--porcelain") == b""
    assert (work.repo.path / "README.md").read_text() == "# A small world\n"


def test_work_of_every_kind_reaches_the_merged_tree_byte_for_byte(work: Work) -> None:
    image = bytes(range(256)) * 20
    work.repo.write("image.bin", image)
    work.repo.commit()
    makes = (
        "tail -c +2 image.bin > other.bin && git add other.bin && git commit -qm binary",
        "git mv docs/guide.txt moved.txt && printf 'no end of line' >> moved.txt",
        "rm -r src/deep && chmod +x src/app.txt && ln -s nowhere dangling && : > empty",
        "printf 'a\\r\\nb\\r\\n' > 'odd name\té.txt' && cp image.bin image.copy && rm image.bin",
    )
    script = " && ".join(makes)
    work.add("A", command=["sh", "-c", script], allow=["**"])

    ended = work.oneshot()

    there, top = environment(work.repo.path), work.repo.path
    subprocess.run(["sh", "-c", script], cwd=top, env=there, check=True)
    work.repo.git("add", "-A")
    assert (ended.exit_code, blocking(ended)) == (0, [])
    assert ended.answer["tree"] == work.repo.git("write-tree").decode().strip()
