"""Whoever is killed, and whenever: nothing runs on, nothing is lost, and the run goes on later."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.work import Work, codes
from tests.workers import comes, left_of, living, program

pytestmark = pytest.mark.slow

SETTINGS = {"FACTORY_WORK__GRACE": "1s"}
HALF = "echo half > src/x"


@dataclass(frozen=True, slots=True)
class Stage:
    """A plan that is run by a process of its own, and the folder for its workers' marks."""

    work: Work
    marks: Path
    processes: "list[subprocess.Popen[bytes]]"

    @property
    def marker(self) -> str:
        return str(self.work.factory.home)

    @property
    def run(self) -> Path:
        return self.work.runs_root / "r1"

    def attempt(self, worker: str, number: int) -> list[Path]:
        """Return the folder of an attempt, if it is there."""
        root = self.work.factory.home / ".cache" / "factory"
        return list(root.glob(f"*/r1.*/{worker}/{number}"))

    def has_worked(self) -> bool:
        """Return whether the first attempt of A has done its work."""
        return any((at / "checkout/src/A/done.txt").exists() for at in self.attempt("A", 1))

    def patient(self, worker: str = "A", **fields: object) -> None:
        """Add a worker that works until it is allowed to end."""
        command = program("patient", f"src/{worker}/done.txt", str(self.marks))
        self.work.add(worker, **{"command": command, "allow": ["src/**"], **fields})

    def add(self, worker: str, name: str, *words: str, **fields: object) -> None:
        command = program(name, f"src/{worker}/done.txt", *words)
        self.work.add(worker, **{"command": command, "allow": ["src/**"], **fields})

    def start(
        self, *words: str, begin: Callable[[], object] | None = None
    ) -> "subprocess.Popen[bytes]":
        named = ("oneshot", "--plan", self.work.plan(), "--run-id", "r1", *words)
        process = subprocess.Popen(
            self.work.factory.argv(*named),
            cwd=self.work.repo.path,
            env=self.work.factory.environment(SETTINGS),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=begin,
        )
        self.processes.append(process)
        return process

    def ended(self, *words: str) -> int | None:
        """Return the exit code of the run, None where it does not end in time."""
        process = self.start(*words)
        return process.poll() if comes(lambda: process.poll() is not None, 30) else None

    def begun(self, count: int = 1) -> list[int]:
        """Return the supervisors of `count` workers, once these work."""
        assert comes(lambda: len(list(self.marks.glob("begun-*"))) >= count)
        return [int(path.name.partition("-")[2]) for path in self.marks.glob("begun-*")]

    def dies(self, at: str) -> None:
        """Go on with the run, which is killed right after the moment `at`; nothing runs on."""
        named = ("oneshot", "--plan", self.work.plan(), "--run-id", "r1")
        done = subprocess.run(
            [sys.executable, "-m", "tests.dying", str(self.marks / "moments"), at, *named],
            cwd=self.work.repo.path,
            env=self.work.factory.environment(SETTINGS),
            capture_output=True,
            check=False,
        )
        assert done.returncode == -9, done.stderr
        left_of(self.marker)

    def status(self, *parts: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.run.joinpath(*parts, "STATUS.json").read_text())
        return found

    def codes(self) -> list[str]:
        found = self.status("Z_integrator")["findings"]
        assert isinstance(found, list)
        return [finding["code"] for finding in found if finding["severity"] == "blocks"]

    def let_end(self) -> None:
        (self.marks / "end").touch()


@pytest.fixture
def stage(work: Work, tmp_path: Path) -> Iterator[Stage]:
    marks = tmp_path / "marks"
    marks.mkdir()
    made = Stage(work, marks, [])
    yield made
    for process in made.processes:
        process.kill()
        process.wait()
    left_of(str(tmp_path))


def test_a_supervisor_that_is_killed_loses_neither_work_nor_worker(stage: Stage) -> None:
    stage.patient()
    factory = stage.start()
    (supervisor,) = stage.begun()

    os.kill(supervisor, signal.SIGKILL)
    stage.begun(2)
    stage.let_end()

    assert factory.wait() == 0
    assert (stage.run / "A" / "attempts" / "1" / "DIFF.patch").read_text().count("+done") == 1
    assert stage.status("A", "attempts", "1")["ended"] == {
        "exit_code": None,
        "how": "lost",
        "signal": None,
    }
    assert stage.status("A")["attempts"] == 2
    assert left_of(stage.marker) == []


@pytest.mark.parametrize("number", ["9", "15"])
def test_a_worker_that_ends_its_supervisor_each_time_is_not_run_for_ever(
    stage: Stage, number: str
) -> None:
    stage.add("A", "killer", number, str(stage.marks / "count"))
    stage.add("B", "honest")

    code = stage.ended()

    assert code == 3
    assert len((stage.marks / "count").read_text()) <= 3
    assert stage.codes() in (["worker.lost"], ["worker.stopped"])
    assert left_of(stage.marker) == []


@pytest.mark.parametrize("how", ["stay", "bare"])
def test_the_daemon_of_a_worker_whose_supervisor_is_killed_is_ended(stage: Stage, how: str) -> None:
    stage.add("A", "escapee", how, stage.marker, timeout="30s")
    factory = stage.start()
    assert comes(stage.has_worked)
    first = _named(stage, "escapee")

    os.kill(_named(stage, "_supervisor")[0], signal.SIGKILL)

    assert len(first) == 2
    assert comes(lambda: not set(first) & set(_named(stage, "escapee")), 4)
    factory.send_signal(signal.SIGINT)
    assert factory.wait() == 130


def test_a_factory_that_is_killed_leaves_nothing_running_and_goes_on_later(stage: Stage) -> None:
    stage.add("A", "again", str(stage.marks / "count"), "1")
    stage.patient("B")
    factory = stage.start("--jobs", "1")
    stage.begun()

    factory.kill()
    factory.wait()
    left = left_of(stage.marker)
    stage.let_end()
    code = stage.ended()

    assert left == []
    assert code == 0
    assert stage.status("B", "attempts", "1")["ended"] == {
        "exit_code": None,
        "how": "stopped",
        "signal": 15,
    }
    assert "+done" in (stage.run / "B" / "attempts" / "1" / "DIFF.patch").read_text()
    assert (stage.marks / "count").read_text() == "x"
    assert [stage.status(worker)["attempts"] for worker in ("A", "B")] == [1, 2]
    assert stage.work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_a_factory_killed_with_its_supervisors_leaves_work_that_is_captured_later(
    stage: Stage,
) -> None:
    stage.add("A", "escapee", "stay", timeout="30s")
    factory = stage.start()
    assert comes(stage.has_worked)
    (supervisor,), first = _named(stage, "_supervisor"), _named(stage, "escapee")

    factory.kill()
    os.kill(supervisor, signal.SIGKILL)
    factory.wait()
    again = stage.start()
    kept = comes(lambda: (stage.run / "A" / "attempts" / "1" / "DIFF.patch").exists())
    left = set(first) & set(_named(stage, "escapee"))
    again.send_signal(signal.SIGTERM)

    assert again.wait() == 130
    assert kept and "+done" in (stage.run / "A" / "attempts" / "1" / "DIFF.patch").read_text()
    assert (len(first), left) == (2, set())


@pytest.mark.parametrize(
    ("last", "ended"),
    [
        ("exit 1", {"exit_code": 1, "how": "exited", "signal": None}),
        ("kill -9 $$", {"exit_code": None, "how": "signalled", "signal": 9}),
    ],
)
def test_how_a_worker_ended_outlives_any_number_of_kills(
    stage: Stage, last: str, ended: dict[str, object]
) -> None:
    stage.work.add("A", command=["sh", "-c", f"echo half; {HALF}; {last}"], allow=["src/**"])

    for _ in range(3):
        stage.dies("append WORKER_ENDED")
    code = stage.ended()

    assert (code, len(stage.codes())) == (3, 1)
    assert stage.status("A")["ended"] == ended
    assert (stage.run / "A" / "LOGS" / "worker.stdout.log").read_text() == "half\n"


def test_a_worker_that_was_stopped_by_a_kill_is_not_passed_off_as_done_by_more_kills(
    stage: Stage,
) -> None:
    works = f"{HALF}; touch {stage.marks}/begun-$PPID; test -e {stage.marks}/end || sleep 30"
    stage.work.add("A", command=["sh", "-c", f"{works}; echo whole > src/x"], allow=["src/**"])
    factory = stage.start()
    stage.begun()
    factory.kill()
    factory.wait()
    left_of(stage.marker)

    for _ in range(2):
        stage.dies("append WORKER_ENDED")
    stage.let_end()
    code = stage.ended()

    assert (code, stage.status("A")["attempts"]) == (0, 2)
    first = stage.status("A", "attempts", "1")["ended"]
    assert first == {"exit_code": None, "how": "stopped", "signal": 15}
    assert "+half" in (stage.run / "A" / "attempts" / "1" / "DIFF.patch").read_text()
    assert "+whole" in (stage.run / "A" / "DIFF.patch").read_text()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_factory_that_is_told_to_stop_ends_its_workers_and_goes_on_later(
    stage: Stage, stop: signal.Signals
) -> None:
    stage.patient()
    factory = stage.start()
    stage.begun()

    factory.send_signal(stop)
    code = factory.wait()
    living_on = living(stage.marker)
    failed = stage.status("Z_integrator")
    stage.let_end()
    again = stage.ended()

    assert (code, living_on) == (130, [])
    assert (failed["status"], failed["exit_code"]) == ("FAIL", 130)
    assert again == 0
    assert stage.status("A")["attempts"] == 2


def test_a_factory_that_was_started_to_outlive_its_terminal_does(stage: Stage) -> None:
    stage.patient()
    factory = stage.start(begin=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    stage.begun()

    factory.send_signal(signal.SIGHUP)
    stage.let_end()

    assert factory.wait() == 0


def test_a_worker_that_removes_its_whole_attempt_blocks_and_stops_nobody_else(
    stage: Stage,
) -> None:
    stage.add("A", "meddler", "attempt-removed")
    stage.add("B", "honest")

    code = stage.ended()

    assert code == 3
    assert stage.status("B")["status"] == "PASS"
    assert stage.status("A")["status"] == "BLOCKED"


def test_what_a_worker_writes_as_if_it_were_its_supervisors_log_stops_nothing_and_is_bounded(
    stage: Stage,
) -> None:
    script = r"""
    for odd in "$(printf '\377')" "$(printf '1\n2')" 01 x 12345; do
      echo x > "../supervisor-$odd.log"
    done
    for n in $(seq 100 125); do echo $n > ../supervisor-$n.log; done
    head -c 200000 /dev/zero > ../supervisor-124.log; rm ../supervisor-123.log
    mkdir ../supervisor-123.log; echo done > src/x
    """
    stage.work.add("A", command=["sh", "-c", script], allow=["src/**"])

    ended = stage.work.oneshot(env={**SETTINGS, "FACTORY_WORK__LOG_BYTES": "65536"})

    logs = stage.work.run(ended) / "A" / "LOGS"
    kept = [path.name for path in sorted(logs.glob("supervisor-*"))]
    assert ended.exit_code == 0
    assert kept == [f"supervisor-{n}.log" for n in range(106, 126) if n != 123]
    said = {name: (logs / name).read_text() for name in kept[-3:]}
    assert said == {
        "supervisor-122.log": "122\n",
        "supervisor-124.log": "[factory: the log is too large]\n",
        "supervisor-125.log": "125\n",
    }


def test_what_a_worker_says_in_its_supervisors_place_is_not_believed_and_stops_nobody_else(
    stage: Stage,
) -> None:
    stage.add("A", "meddler", "supervisor-told")
    stage.add("B", "honest")

    code = stage.ended()

    assert code in (0, 3)
    assert stage.status("B")["status"] == "PASS"


def test_a_folder_that_a_worker_names_as_its_temporary_one_is_not_removed(stage: Stage) -> None:
    precious = stage.work.folder / "factory-precious"
    precious.mkdir()
    stage.add("A", "meddler", "temporary-named", str(precious))

    stage.ended()

    assert precious.is_dir()


def test_a_setup_that_puts_a_link_in_place_of_the_checkout_lets_nothing_run_behind_it(
    stage: Stage,
) -> None:
    repository = stage.work.repo.path
    stage.work.repo.delete("latest")
    stage.work.repo.commit()
    (repository / "src" / "deep").chmod(0o500)
    setup = ["sh", "-c", f"cd .. && rm -rf checkout && ln -s {repository} checkout"]
    stage.work.add(
        "A", command=["touch", "src/harm.txt"], setup=[setup], allow=["src/**"], timeout="5s"
    )

    code = stage.ended()

    assert not (repository / "src" / "harm.txt").exists()
    assert (repository / "src" / "deep").stat().st_mode & 0o777 == 0o500
    assert code == 3


@pytest.mark.skipif(os.uname().machine not in ("x86_64", "aarch64"), reason="no number known")
def test_a_process_without_its_first_thread_is_ended(stage: Stage) -> None:
    stage.add("A", "headless", os.uname().machine, timeout="1s")

    code = stage.ended()

    assert code == 3
    assert left_of(stage.marker) == []


def test_a_retry_starts_from_a_fresh_checkout_and_the_first_attempt_is_kept(work: Work) -> None:
    count = work.folder / "count"
    command = program("again", "src/A/x", str(count), "2")
    work.add("A", command=command, allow=["src/**"], retries=1)

    ended = work.oneshot(env=SETTINGS)

    folder = work.run(ended) / "A"
    status = json.loads((folder / "STATUS.json").read_text())
    first = json.loads((folder / "attempts" / "1" / "STATUS.json").read_text())
    assert (ended.exit_code, status["attempts"], first["ended"]["exit_code"]) == (0, 2, 7)
    assert "run-1.txt" in (folder / "attempts" / "1" / "DIFF.patch").read_text()
    assert "run-1.txt" not in (folder / "DIFF.patch").read_text()
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_a_worker_is_tried_no_more_often_than_the_plan_says(work: Work) -> None:
    count = work.folder / "count"
    command = program("again", "src/A/x", str(count), "9")
    work.add("A", command=command, allow=["src/**"], retries=2)

    ended = work.oneshot(env=SETTINGS)

    assert (ended.exit_code, codes(ended)) == (3, {"worker.exit_code"})
    assert count.read_text() == "xxx"
    assert sorted(path.name for path in (work.run(ended) / "A" / "attempts").iterdir()) == [
        "1",
        "2",
    ]


def test_a_factory_killed_between_two_attempts_makes_the_second(stage: Stage) -> None:
    count = stage.marks / "count"
    command = ["sh", "-c", f"echo x >> {count}; test $(wc -l < {count}) != 1 || exit 7; "]
    command[2] += f"touch {stage.marks}/begun-$PPID; test -e {stage.marks}/end || sleep 30"
    stage.work.add("A", command=command, allow=["src/**"], retries=1)
    factory = stage.start("--keep")
    stage.begun()
    factory.kill()
    factory.wait()
    left_of(stage.marker)
    # As if it had been killed once the first attempt was kept, and before the second began.
    shutil.rmtree(stage.attempt("A", 2)[0])

    stage.let_end()
    code = stage.ended("--keep")

    assert code == 0
    assert stage.status("A")["attempts"] == 2


def test_an_attempt_that_was_kept_by_half_is_kept_again(stage: Stage) -> None:
    count = stage.marks / "count"
    command = ["sh", "-c", f"echo x >> {count}; echo y > src/y; test $(wc -l < {count}) != 1 || "]
    command[2] += f"exit 7; touch {stage.marks}/begun-$PPID; test -e {stage.marks}/end || sleep 30"
    stage.work.add("A", command=command, allow=["src/**"], retries=1)
    factory = stage.start("--keep")
    stage.begun()
    factory.kill()
    factory.wait()
    left_of(stage.marker)
    kept = stage.run / "A" / "attempts" / "1"
    shutil.rmtree(stage.attempt("A", 2)[0])
    (kept / "STATUS.json").unlink()
    (kept / "DIFF.patch").unlink()

    stage.let_end()
    code = stage.ended("--keep")

    assert (code, stage.status("A")["attempts"]) == (0, 2)
    assert "+y" in (kept / "DIFF.patch").read_text()
    assert count.read_text() == "x\n" * 3
    assert stage.status("A", "attempts", "1")["ended"] == {
        "exit_code": 7,
        "how": "exited",
        "signal": None,
    }


@pytest.mark.parametrize(
    ("after", "code_found"),
    [("true", "scope.outside_lock"), ('rm -rf "$PWD"', "capture.checkout_gone")],
    ids=["its checkout there", "its checkout removed"],
)
def test_an_outcome_that_a_worker_wrote_for_itself_hides_nothing_it_did(
    stage: Stage, after: str, code_found: str
) -> None:
    forged = (
        "echo inside > src/ok.txt; echo outside > outside.txt; "
        f"cp {stage.marks}/outcome.json {stage.marks}/DIFF.patch ..; "
        f"{after}; touch {stage.marks}/begun-$PPID; sleep 30"
    )
    honest = Work(stage.work.repo, stage.work.factory, stage.work.folder)
    honest.add("A", command=["sh", "-c", "echo inside > src/ok.txt"], allow=["src/**"])
    plan = honest.plan("honest.json")
    honest.factory("oneshot", "--plan", plan, "--run-id", "honest", "--keep", env=SETTINGS)
    made = next((honest.factory.home / ".cache" / "factory").glob("*/honest.*/A/1"))
    for name in ("outcome.json", "DIFF.patch"):
        shutil.copy(made / name, stage.marks / name)
    stage.work.add("A", command=["sh", "-c", forged], allow=["src/**"])
    factory = stage.start()
    stage.begun()
    supervisor = _named(stage, "_supervisor")

    os.kill(supervisor[0], signal.SIGKILL)
    factory.kill()
    factory.wait()
    left_of(stage.marker)
    stage.let_end()
    code = stage.ended()

    assert code == 3
    assert code_found in stage.codes()


def test_an_outcome_that_no_supervisor_writes_is_the_end_of_a_worker_that_is_lost(
    stage: Stage,
) -> None:
    log = {"name": "../../../etc/hostname", "role": "x", "truncated": False}
    forged = {"how": "exited", "exit_code": 0, "signal": None, "milliseconds": 1, "steps": [],
              "findings": [], "logs": [log], "patch": None, "stray": False, "is_whole": True,
              "was_captured": True}  # fmt: skip
    (stage.marks / "outcome.json").write_text(json.dumps(forged))
    works = f"{HALF}; echo x >> {stage.marks}/count; cp {stage.marks}/outcome.json .."
    works += f"; touch {stage.marks}/begun-$PPID; test -e {stage.marks}/end || sleep 30"
    stage.work.add("A", command=["sh", "-c", works], allow=["src/**"])
    factory = stage.start()
    stage.begun()
    (supervisor,) = _named(stage, "_supervisor")
    # Frozen, the factory sees nothing of its supervisor's end.
    factory.send_signal(signal.SIGSTOP)
    os.kill(supervisor, signal.SIGKILL)
    factory.kill()
    factory.wait()
    left_of(stage.marker)

    stage.let_end()
    code = stage.ended()

    first = stage.status("A", "attempts", "1")["ended"]
    assert (code, stage.status("A")["attempts"]) == (0, 2)
    assert first == {"exit_code": None, "how": "lost", "signal": None}
    assert "+half" in (stage.run / "A" / "attempts" / "1" / "DIFF.patch").read_text()


def test_only_so_many_workers_run_at_once(work: Work) -> None:
    (work.folder / "marks").mkdir()
    for worker in "ABCDE":
        command = program("gauge", f"src/{worker}.txt", str(work.folder / "marks"))
        work.add(worker, command=command, allow=["src/**"])

    ended = work.oneshot("--jobs", "2", env=SETTINGS)

    patches = [(work.run(ended) / worker / "DIFF.patch").read_text() for worker in "ABCDE"]
    assert ended.exit_code == 0
    assert max(int(patch.rpartition("+")[2].split()[0]) for patch in patches) == 2


def test_checkouts_are_gone_after_a_run_unless_they_are_to_be_kept(work: Work) -> None:
    root = work.factory.home / ".cache" / "factory"
    work.add("A", command=program("honest", "src/new.txt"), allow=["src/**"])

    ended = work.oneshot(env=SETTINGS)
    left = [path for path in root.rglob("*") if not path.is_dir() or path.name == "A"]
    kept = work.oneshot("--keep", env=SETTINGS)

    assert (ended.exit_code, kept.exit_code, left) == (0, 0, [])
    assert [path.read_text() for path in root.rglob("new.txt")] == ["done\n"]


def test_a_new_run_takes_nothing_from_an_old_one_of_its_name(work: Work) -> None:
    work.add("A", command=program("honest", "src/old.txt"), allow=["src/**"])
    work.oneshot("--keep", "--run-id", "r1", env=SETTINGS)
    shutil.rmtree(work.runs_root)
    work.workers.clear()
    work.add("A", command=program("honest", "src/new.txt"), allow=["src/**"])

    ended = work.oneshot("--run-id", "r1", env=SETTINGS)

    assert ended.exit_code == 0
    assert "src/new.txt" in (work.run(ended) / "A" / "DIFF.patch").read_text()


def test_runs_of_one_name_in_two_runs_roots_share_nothing(work: Work) -> None:
    work.add("A", command=program("honest", "src/one.txt"), allow=["src/**"])
    work.oneshot("--keep", "--run-id", "r1", env=SETTINGS)
    work.workers.clear()
    work.add("A", command=program("honest", "src/two.txt"), allow=["src/**"])
    other = work.folder / "other"

    ended = work.oneshot("--run-id", "r1", "--runs-root", str(other), env=SETTINGS)

    assert ended.exit_code == 0
    assert "src/two.txt" in (other / "r1" / "A" / "DIFF.patch").read_text()


def _named(stage: Stage, word: str) -> list[int]:
    """Return the living processes of the stage with `word` in their command line."""
    return [pid for pid in living(stage.marker) if word in _words(pid)]


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
