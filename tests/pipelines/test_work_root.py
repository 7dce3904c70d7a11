"""What speaks against the work root is said before a run begins, and nothing is written then."""

from pathlib import Path

import pytest

from tests.work import Work
from tests.workers import program


@pytest.fixture
def checking(work: Work) -> Work:
    """Return a plan whose only checkouts are those of its checks."""
    work.patch("A", lambda repo: repo.write("src/new.txt", "x\n"), allow=["src/**"])
    return work


def _refused(work: Work, env: dict[str, str]) -> tuple[int, str]:
    plan = work.plan(checks=[{"name": "a", "command": ["true"]}])
    ended = work.factory("oneshot", "--plan", plan, env=env)
    assert not (work.runs_root / "factory_ledger.jsonl").exists()
    return ended.exit_code, ended.stderr


def test_no_place_for_checkouts_is_refused_before_anything_begins(checking: Work) -> None:
    code, said = _refused(checking, {"HOME": ""})

    assert (code, "set work.root" in said) == (10, True)


def test_a_file_in_the_place_of_the_work_root_is_an_unfit_host(
    checking: Work, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")

    code, said = _refused(checking, {"FACTORY_WORK__ROOT": str(tmp_path / "file" / "below")})

    assert (code, "work.root = " in said) == (20, True)


def test_a_work_root_in_the_runs_root_is_refused(checking: Work, tmp_path: Path) -> None:
    runs = str(tmp_path / "runs")
    env = {"FACTORY_RUNS__ROOT": runs, "FACTORY_WORK__ROOT": f"{runs}/r1"}

    code, said = _refused(checking, env)

    assert (code, "lies in the runs root" in said) == (10, True)


def test_a_folder_where_the_outcome_belongs_keeps_nothing_from_being_taken(work: Work) -> None:
    command = ["sh", "-ec", "mkdir ../outcome.json ../DIFF.patch; echo x > src/new.txt"]
    work.add("A", command=command, allow=["src/**"])

    ended = work.oneshot()

    assert (ended.exit_code, ended.answer["status"]) == (0, "PASS")
    assert "+x" in (work.run(ended) / "A" / "DIFF.patch").read_text()


def test_what_checks_and_workers_need_is_made_and_gone_afterwards(work: Work) -> None:
    work.add("A", command=program("honest", "src/new.txt"), allow=["src/**"])
    plan = work.plan(checks=[{"name": "a", "command": ["true"]}])

    ended = work.factory("oneshot", "--plan", plan)

    assert ended.exit_code == 0
    assert list((work.factory.home / ".cache" / "factory").iterdir()) == []
