"""However much a worker wants, it gets its quota: the run says so, keeps its work, goes on."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.builders import Repo
from tests.conftest import Ended, Factory
from tests.process.held import needs
from tests.work import Work
from tests.workers import left_of, program
from tools.codex.factory.process.hierarchy import folders_named

pytestmark = pytest.mark.slow

SETTINGS = {
    "FACTORY_WORK__GRACE": "1s",
    "FACTORY_SANDBOX__MODE": "off",
    "FACTORY_SANDBOX__PROCESSES": "40",
    "FACTORY_SANDBOX__MEMORY_BYTES": str(128 << 20),
    "FACTORY_SANDBOX__FILE_BYTES": str(2 << 20),
    "FACTORY_SANDBOX__CHECKOUT_BYTES": str(4 << 20),
}
WANTED_PROCESSES = "it wanted more than 40 processes and threads at a time"


@dataclass(frozen=True, slots=True)
class Day:
    """One run whose workers want too much."""

    work: Work
    ended: Ended
    left: list[int]

    def folder(self, worker: str) -> Path:
        return self.work.run(self.ended) / worker

    def ending(self, worker: str) -> tuple[str, int | None, int | None]:
        said = json.loads((self.folder(worker) / "STATUS.json").read_text())["ended"]
        return said["how"], said["exit_code"], said["signal"]

    def captured(self, worker: str) -> list[str]:
        said = json.loads((self.folder(worker) / "FILES_CHANGED.json").read_text())
        return [change["path"] for change in said["changes"]]

    def found(self, worker: str) -> list[tuple[str, str, str]]:
        findings: list[dict[str, Any]] = self.ended.answer["findings"]
        return [
            (one["severity"], one["code"], one["message"])
            for one in findings
            if one["subject"].startswith(f"{worker}: ")
        ]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    top = tmp_path_factory.mktemp("day")
    repo = Repo.make(top / "repo")
    repo.write("README.md", "# A small world\n")
    repo.commit()
    (top / "home").mkdir()
    (top / "incoming").mkdir()
    work = Work(repo, Factory(repo.path, top / "home"), top / "incoming")
    _greedy_workers(work)
    ended = work.oneshot("--jobs", "6", env=SETTINGS)
    assert "run_id" in ended.answer, ended.stdout
    left = left_of(str(top))
    yield Day(work, ended, left)
    left_of(str(top))


def _greedy_workers(work: Work) -> None:
    def add(worker: str, *words: str, **fields: object) -> None:
        command = program("taker", f"src/{worker}/done.txt", *words)
        work.add(worker, command=command, allow=[f"src/{worker}/**"], **fields)

    add("Modest", "forks", "20")
    add("Forks", "forks", "300")
    add("Bombs", "bombs", "300", timeout="2s")
    add("Holds", "data", "300")
    add("Shares", "shared", "300")
    add("Large", "file", "5")
    add("Fills", "stays", "8", timeout="60s")
    add("FillsFast", "files", "8")
    setup = [program("taker", "src/FillsBefore/done.txt", "files", "8")]
    work.add("FillsBefore", command=["true"], allow=["src/FillsBefore/**"], setup=setup)


def test_nothing_is_left_of_workers_that_want_too_much(day: Day) -> None:
    begin = f"factory-{os.stat('/proc/self/ns/pid').st_ino}-"

    assert day.left == []
    assert not [folder for _, folder in folders_named(begin) if not _is_alive(folder)]


def _is_alive(folder: str) -> bool:
    # Other tests may run beside this one, and have groups of their own.
    return os.path.exists(f"/proc/{os.path.basename(folder).split('-')[2]}")


def test_a_worker_within_its_quota_is_not_disturbed(day: Day) -> None:
    assert day.found("Modest") == []
    assert day.ending("Modest") == ("exited", 0, None)


def test_a_fork_beyond_the_quota_is_refused_and_is_a_note(day: Day) -> None:
    needs(processes=40)

    said = (day.folder("Forks") / "LOGS" / "worker.stdout.log").read_text()

    assert day.found("Forks") == [("note", "worker.over_quota", WANTED_PROCESSES)]
    assert (day.ending("Forks"), day.captured("Forks")) == (
        ("exited", 0, None),
        ["src/Forks/done.txt"],
    )
    assert said == "39 Resource temporarily unavailable\n"


def test_a_fork_bomb_is_bounded_and_ended_and_its_work_is_kept(day: Day) -> None:
    needs(processes=40)

    assert day.found("Bombs") == [
        ("blocks", "worker.timed_out", "it ran longer than it may"),
        ("note", "worker.over_quota", WANTED_PROCESSES),
    ]
    assert day.ending("Bombs") == ("timed_out", None, 15)
    assert day.captured("Bombs") == ["src/Bombs/done.txt"]


def test_a_process_that_wants_too_much_memory_does_not_get_it(day: Day) -> None:
    said = (day.folder("Holds") / "LOGS" / "worker.stderr.log").read_text()

    assert said.endswith("MemoryError\n")
    assert day.ending("Holds") == ("exited", 1, None)
    assert day.captured("Holds") == ["src/Holds/done.txt"]


def test_memory_that_was_taken_all_the_same_is_named_as_what_killed(day: Day) -> None:
    needs(memory_bytes=128 << 20)

    killed = (
        "the kernel killed 1 of its processes, which together held more than 128.0 MiB of memory"
    )
    assert day.found("Shares") == [
        ("blocks", "worker.signalled", "signal 9 ended the command"),
        ("blocks", "worker.over_quota", killed),
    ]
    assert day.ending("Shares") == ("signalled", None, 9)
    assert day.captured("Shares") == ["src/Shares/done.txt"]


def test_a_file_that_grows_too_large_is_cut_and_captured_so(day: Day) -> None:
    said = (day.folder("Large") / "LOGS" / "worker.stderr.log").read_text()

    # Python is deaf to SIGXFSZ, and hears the error.
    assert said.endswith("OSError: [Errno 27] File too large\n")
    assert day.ending("Large") == ("exited", 1, None)
    assert day.captured("Large") == ["src/Large/done.txt", "src/Large/large"]


def test_a_checkout_that_fills_up_ends_its_worker_and_keeps_its_work(day: Day) -> None:
    found = day.found("Fills")

    assert [one[:2] for one in found] == [
        ("blocks", "worker.over_quota"),
        ("note", "worker.over_quota"),
    ]
    assert found[0][2] == "it took more than it may"
    assert found[1][2].endswith("and 4.0 MiB may (sandbox.checkout_bytes)")
    assert day.ending("Fills") == ("over_quota", None, 15)
    assert {"src/Fills/0.bin", "src/Fills/done.txt"} <= set(day.captured("Fills"))


def test_a_worker_that_fills_its_checkout_before_anyone_looks_is_over_quota_too(day: Day) -> None:
    assert [one[:2] for one in day.found("FillsFast")] == [
        ("blocks", "worker.over_quota"),
        ("note", "worker.over_quota"),
    ]
    assert day.ending("FillsFast")[0] == "over_quota"
    assert "src/FillsFast/done.txt" in day.captured("FillsFast")


def test_a_setup_over_its_quota_keeps_the_worker_from_starting(day: Day) -> None:
    messages = {one[:2]: one[2] for one in day.found("FillsBefore")}

    message = messages["blocks", "worker.setup_failed"]
    assert message.startswith("setup-1 took more than it may (")
    assert message.endswith("(sandbox.checkout_bytes)); the worker was not started")
    assert day.ending("FillsBefore") == ("not_started", None, None)


def test_a_check_is_held_to_the_quota_and_says_what_was_too_much(work: Work) -> None:
    needs(memory_bytes=128 << 20)
    work.add("A", command=["true"], allow=["a"])
    shares = program("taker", "taken.txt", "shared", "300")
    check = {"name": "greedy", "command": shares, "required": True, "timeout": "60s"}

    ended = work.factory("oneshot", "--plan", work.plan(checks=[check]), "--json", env=SETTINGS)

    (found,) = [one for one in ended.answer["findings"] if one["code"].startswith("check.")]
    assert "was ended by signal 9 (the kernel killed 1 of its processes" in found["message"]
