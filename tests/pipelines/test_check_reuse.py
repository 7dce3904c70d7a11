"""A PASS of the very same thing is not run again, and nothing else is taken for one."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree

import pytest

from tests.pipelines.checking import Checked, a_work, checked, counted, integrated, sh, workers
from tests.work import Document, Work

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Twice:
    """A run that passed, and what counts how often its check ran."""

    work: Work
    top: Path
    first: Checked
    before: int
    third: Document

    @property
    def count(self) -> int:
        """Return how often the check ran, the first run among them."""
        return len((self.top / "count").read_text()) - self.before

    @property
    def check(self) -> Document:
        return a_check(self.top)

    @property
    def passes(self) -> Path:
        return self.work.runs_root / ".passes"


def a_check(top: Path) -> Document:
    return sh("a", counted(top / "count"))


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Twice:
    top = tmp_path_factory.mktemp("once")
    work = a_work(top)
    # Making a patch cleans the work tree, and with it the runs: all are made before the first.
    workers(work, "A", "B", "C")
    third = work.workers.pop()
    return Twice(work, top, checked(work, [a_check(top)], "--run-id", "r1"), 0, third)


@pytest.fixture
def twice(once: Twice) -> Iterator[Twice]:
    (kept,) = [(path.name, path.read_bytes()) for path in once.passes.iterdir()]
    given = list(once.work.workers)
    yield replace(once, before=once.count - 1)
    once.work.workers[:] = given
    for path in (once.passes, once.passes.with_name("aside")):
        if path.is_dir() and not path.is_symlink():
            rmtree(path)
        path.unlink(missing_ok=True)
    once.passes.mkdir()
    (once.passes / kept[0]).write_bytes(kept[1])


def test_a_pass_of_the_same_tree_stands_for_a_later_run_and_the_report_says_so(
    twice: Twice,
) -> None:
    twice.work.workers.reverse()

    again = checked(twice.work, [twice.check])

    assert (twice.count, again.ended.exit_code) == (1, 0)
    assert again.above == twice.first.above
    assert "it passed on this tree in r1" in again.this_run
    assert (again.row("a")["reused"], again.row("a")["runs"]) == ("r1", 0)
    assert twice.work.factory("ledger-replay", "--rebuild").exit_code == 0
    assert twice.work.repo.git("status", "--porcelain") == b""


def test_an_integration_that_is_repeated_keeps_the_log_of_the_check_that_passed(
    tmp_path: Path,
) -> None:
    work = a_work(tmp_path)
    workers(work, "A")
    first = checked(work, [sh("a", "echo all is well")], "--run-id", "r1")
    said = first.said("check-1.stdout.log")

    again = integrated(work, "r1")

    assert again.ended.exit_code == 0
    assert again.said("check-1.stdout.log") == said


def test_what_is_kept_of_passes_is_no_run(twice: Twice) -> None:
    factory = twice.work.factory

    runs, replayed, printed = (
        factory(*words, "--json") for words in (["ledger"], ["ledger-replay"], ["print-report"])
    )
    named = factory("integrate", "--run-id", ".passes", "--json")
    began = factory("oneshot", "--plan", twice.work.plan(), "--run-id", ".passes", "--json")
    for path in twice.work.runs_root.glob("factory_ledger*"):
        path.rename(path.with_suffix(".aside"))
    unledgered = factory("ledger-replay", "--json")
    for path in twice.work.runs_root.glob("factory_ledger*.aside"):
        path.rename(path.with_suffix(".jsonl"))

    assert [ended.exit_code for ended in (runs, replayed, printed)] == [0, 0, 0]
    assert (named.exit_code, began.exit_code) == (2, 2)
    assert ".passes" not in {
        row["run_id"] for ended in (runs, replayed, unledgered) for row in ended.answer["runs"]
    }


Change = Callable[[Twice], tuple[list[Document], dict[str, str], dict[str, object]]]


def _command(twice: Twice) -> tuple[list[Document], dict[str, str], dict[str, object]]:
    return [sh("a", f"{counted(twice.top / 'count')}; true")], {}, {}


def _setup(twice: Twice) -> tuple[list[Document], dict[str, str], dict[str, object]]:
    return [twice.check], {}, {"integration": {"setup": [["true"]]}}


def _variable(twice: Twice) -> tuple[list[Document], dict[str, str], dict[str, object]]:
    return [twice.check], {"LANG": "C"}, {}


def _names(twice: Twice) -> tuple[list[Document], dict[str, str], dict[str, object]]:
    return [twice.check], {"FACTORY_CHECKS__ENVIRONMENT": '["PATH", "X"]', "X": "1"}, {}


def _always(twice: Twice) -> tuple[list[Document], dict[str, str], dict[str, object]]:
    return [twice.check], {"FACTORY_CHECKS__ALWAYS_RUN": "true"}, {}


def _tree(twice: Twice) -> tuple[list[Document], dict[str, str], dict[str, object]]:
    twice.work.workers.append(twice.third)
    return [twice.check], {}, {}


def _program(twice: Twice) -> tuple[list[Document], dict[str, str], dict[str, object]]:
    (twice.top / "bin").mkdir()
    (twice.top / "bin" / "sh").symlink_to("/bin/sh")
    return [twice.check], {"PATH": f"{twice.top}/bin:{os.environ['PATH']}"}, {}


CHANGES: dict[str, Change] = {
    "command": _command,
    "setup": _setup,
    "value of a variable": _variable,
    "names of variables": _names,
    "always run": _always,
    "tree": _tree,
    "path": _program,
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_check_is_run_again_where_anything_that_matters_has_changed(
    twice: Twice, what: str
) -> None:
    checks, env, more = CHANGES[what](twice)

    again = checked(twice.work, checks, env=env, **more)

    assert (again.ended.exit_code, twice.count) == (0, 2)


@pytest.mark.parametrize("time", [2, 1], ids=["with another time", "with the same time"])
def test_a_check_is_run_again_where_its_program_was_replaced(tmp_path: Path, time: int) -> None:
    work = a_work(tmp_path)
    workers(work, "A")
    tool = tmp_path / "bin" / "tool"
    tool.parent.mkdir()
    env = {"PATH": f"{tool.parent}:{os.environ['PATH']}"}
    check = {"name": "a", "command": ["tool"]}
    tool.write_text("#!/bin/sh\nexit 0\n")
    tool.chmod(0o755)
    os.utime(tool, (1, 1))
    before = checked(work, [check], env=env)
    tool.write_text("#!/bin/sh\nexit 1\n")
    os.utime(tool, (time, time))

    after = checked(work, [check], env=env)

    assert (before.ended.exit_code, after.ended.exit_code) == (0, 3)


def test_neither_timeout_nor_name_nor_retries_make_a_check_run_again(twice: Twice) -> None:
    check = {**twice.check, "name": "b", "timeout": "9s", "retries": 2, "required": False}

    again = checked(twice.work, [check])

    assert (twice.count, again.results) == (1, {"b": "passed"})


def test_a_failure_and_a_flake_are_never_kept(tmp_path: Path) -> None:
    work = a_work(tmp_path)
    workers(work, "A")
    flaky, red = tmp_path / "flaky", tmp_path / "red"
    checks = [
        sh("flaky", f"{counted(flaky)}; test $(wc -c < '{flaky}') -eq 2", retries=1),
        sh("red", f"{counted(red)}; false", required=False),
    ]

    first, again = checked(work, checks), checked(work, checks)

    assert first.results == {"flaky": "flaky", "red": "failed"}
    assert again.results == {"flaky": "failed", "red": "failed"}
    assert (len(red.read_text()), list(work.runs_root.glob(".passes/*"))) == (4, [])


DAMAGES: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"{",
    "no UTF-8": b"\xff\xfe",
    "deep": b"[" * 100_000,
    "another kind": b"[]\n",
    "large": b" " * (2 << 20),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_pass_is_none(twice: Twice, how: str) -> None:
    (kept,) = twice.passes.iterdir()
    kept.write_bytes(DAMAGES[how])

    again = checked(twice.work, [twice.check])

    assert (again.ended.exit_code, twice.count) == (0, 2)


def _truncated(kept: Path) -> None:
    kept.write_bytes(kept.read_bytes()[:-1])


def _respelled(kept: Path) -> None:
    kept.write_text(json.dumps(json.loads(kept.read_text())))


def _of_another(kept: Path) -> None:
    kept.write_text(kept.read_text().replace(kept.stem, "0" * 64))


def _folder(kept: Path) -> None:
    kept.unlink()
    kept.mkdir()


def _link(kept: Path) -> None:
    kept.rename(kept.parent.parent / "elsewhere.json")
    kept.symlink_to(kept.parent.parent / "elsewhere.json")


def _pipe(kept: Path) -> None:
    kept.unlink()
    os.mkfifo(kept)


def _file_above(kept: Path) -> None:
    kept.unlink()
    kept.parent.rmdir()
    kept.parent.write_text("x")


def _link_above(kept: Path) -> None:
    aside = kept.parent.with_name("aside")
    kept.parent.rename(aside)
    kept.parent.symlink_to(aside)


def _dangling_above(kept: Path) -> None:
    _link_above(kept)
    kept.parent.unlink()
    kept.parent.symlink_to("nowhere")


PLANTS = {
    "truncated": _truncated, "respelled": _respelled, "of another": _of_another,
    "a folder": _folder, "a link": _link, "a pipe": _pipe,
    "a file in place of the folder": _file_above,
    "a link in place of the folder": _link_above,
    "a dangling link in place of the folder": _dangling_above,
}  # fmt: skip


@pytest.mark.parametrize("how", PLANTS)
def test_what_is_planted_among_the_passes_stops_no_run(twice: Twice, how: str) -> None:
    (kept,) = twice.passes.iterdir()
    PLANTS[how](kept)

    again = checked(twice.work, [twice.check])

    assert (again.ended.exit_code, twice.count) == (0, 2)


def test_a_pass_that_no_run_of_the_ledger_had_is_none(twice: Twice) -> None:
    (kept,) = twice.passes.iterdir()
    kept.write_text(kept.read_text().replace('"r1"', '"never_was"'))

    again = checked(twice.work, [twice.check])

    assert (again.ended.exit_code, twice.count) == (0, 2)
