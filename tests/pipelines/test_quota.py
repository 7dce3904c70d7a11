"""However much a worker wants, it gets its quota: the run says so, keeps its work, goes on."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.builders import Repo
from tests.conftest import PROJECT, Ended, Factory
from tests.disks import Disks, disks_of_its_own
from tests.process.held import PATH, needs
from tests.process.test_cgroup import MAKES
from tests.work import Work
from tests.workers import left_of, program
from tools.codex.factory.executors.quota import root_mark
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
    count = str(work.folder / "count")
    work.add("Kills", command=program("killer", "src/Kills/done.txt", "9", count), allow=["src/**"])
    setup = [program("taker", "src/FillsBefore/done.txt", "files", "8")]
    work.add("FillsBefore", command=["true"], allow=["src/FillsBefore/**"], setup=setup)


def test_nothing_is_left_of_workers_that_want_too_much(day: Day) -> None:
    # Other tests may run beside this one, and have groups of their own.
    begin = f"factory-{root_mark(day.work.factory.home / '.cache' / 'factory')}-"

    assert day.left == []
    assert list(folders_named(begin)) == []


def test_a_worker_that_kills_its_supervisor_leaves_no_group_either(day: Day) -> None:
    assert day.ending("Kills")[0] == "lost"
    assert day.captured("Kills") == ["src/Kills/done.txt"]


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


def limits_in(ended: Ended) -> dict[str, tuple[str, str]]:
    """Return verdict and message of each row about a limit; of a group no reason and no number."""
    return {
        row["what"].removeprefix("limit on "): (row["verdict"], row["message"])
        for row in ended.answer["rows"]
        if row["what"].startswith("limit on ")
    }


def test_doctor_says_what_enforces_each_limit(factory: Factory) -> None:
    needs(processes=40, memory_bytes=128 << 20)

    said = limits_in(factory("doctor", "--json", env=SETTINGS))
    bare = limits_in(factory("doctor", "--json"))

    version = said["processes"][1][len("cgroup v")]
    watched = (
        "its supervisor looks every 2 seconds, or less often where a look takes long, and ends a "
        "worker that fills the disk too"
    )
    assert said == {
        "processes": ("ok", f"cgroup v{version} pids: 40 (sandbox.processes)"),
        "memory": (
            "ok",
            f"cgroup v{version} memory, and RLIMIT_DATA of each process: 128.0 MiB "
            "(sandbox.memory_bytes)",
        ),
        "a file": ("ok", "RLIMIT_FSIZE: 2.0 MiB (sandbox.file_bytes)"),
        "the checkout": ("ok", f"{watched}: 4.0 MiB (sandbox.checkout_bytes)"),
        "logs": ("ok", "its supervisor drops the middle: 16.0 MiB (work.log_bytes)"),
        "the outbox": ("ok", "only three texts are taken from it, each of at most 1.0 MiB"),
    }
    assert bare["a file"] == ("ok", "RLIMIT_FSIZE: no limit is set (sandbox.file_bytes)")


@pytest.fixture
def disks() -> Iterator[Disks]:
    with disks_of_its_own() as found:
        yield found


def test_where_no_group_can_be_made_workers_run_and_doctor_says_what_is_not_enforced(
    disks: Disks, work: Work
) -> None:
    needs(processes=40)
    disks.mount(Path("/sys/fs/cgroup"))
    work.add("A", command=program("taker", "src/A", "forks", "60"), allow=["src/**"])

    asked = disks.factory(work.factory, "doctor", "--json", env=SETTINGS)
    ended = disks.factory(work.factory, "oneshot", "--plan", work.plan(), "--json", env=SETTINGS)

    said = limits_in(asked)
    assert ended.answer["status"] == "PASS"
    assert said["processes"][0] == said["memory"][0] == "note"
    assert said["processes"][1].startswith("nothing enforces it: no control group can be made in ")
    assert said["memory"][1].startswith(
        "RLIMIT_DATA of each process, and nothing for all together: 128.0 MiB"
    )


def test_doctor_fix_removes_the_group_of_a_killed_supervisor(factory: Factory) -> None:
    needs(processes=40)
    maker = subprocess.Popen(
        [sys.executable, "-P", "-c", MAKES, root_mark(factory.home / ".cache" / "factory")],
        stdout=subprocess.PIPE,
        env={**PATH, "PYTHONPATH": str(PROJECT)},
    )
    assert maker.stdout is not None
    with maker.stdout:
        left = maker.stdout.readline().decode().split()[1]
    maker.kill()
    maker.wait()

    fixed = factory("doctor", "--fix", "--json").answer["fixed"]
    again = factory("doctor", "--fix", "--json").answer["fixed"]

    said = f"removed {left}: the supervisor that made it is gone"
    assert (said in fixed, said in again, Path(left).is_dir()) == (True, False, False)
