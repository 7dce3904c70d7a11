"""However a worker ends, the run says so, keeps what was done, and leaves nothing running."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.builders import Repo
from tests.conftest import Ended, Factory
from tests.work import Work
from tests.workers import left_of, program

pytestmark = pytest.mark.slow

SECRET = "a-secret-of-the-operator"
SETTINGS = {
    "FACTORY_WORK__GRACE": "1s",
    "FACTORY_WORK__LOG_BYTES": "65536",
    "OPERATORS_TOKEN": SECRET,
    "LANG": "C.UTF-8",
}


@dataclass(frozen=True, slots=True)
class Day:
    """One run of many workers that end in every way there is."""

    work: Work
    ended: Ended
    left: list[int]

    def folder(self, worker: str) -> Path:
        return self.work.run(self.ended) / worker

    def status(self, worker: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.folder(worker) / "STATUS.json").read_text())
        return document

    def ending(self, worker: str) -> tuple[str, int | None, int | None]:
        said = self.status(worker)["ended"]
        return said["how"], said["exit_code"], said["signal"]

    def captured(self, worker: str) -> list[str]:
        said = json.loads((self.folder(worker) / "FILES_CHANGED.json").read_text())
        return [change["path"] for change in said["changes"]]

    def found(self, worker: str, severity: str = "blocks") -> list[tuple[str, str]]:
        return [
            (finding["code"], finding["subject"].partition(": ")[2])
            for finding in self.ended.answer["findings"]
            if finding["subject"].startswith(f"{worker}: ") and finding["severity"] == severity
        ]

    def messages(self, worker: str) -> list[str]:
        return [
            finding["message"]
            for finding in self.ended.answer["findings"]
            if finding["subject"].startswith(f"{worker}: ") and finding["severity"] == "blocks"
        ]

    def content(self, worker: str, name: str) -> str:
        lines = (self.folder(worker) / "DIFF.patch").read_text().partition(f"+++ b/{name}\n")[2]
        hunk = lines.partition("diff --git")[0].splitlines()
        return "\n".join(line[1:] for line in hunk if line.startswith("+"))


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    top = tmp_path_factory.mktemp("day")
    repo = Repo.make(top / "repo")
    repo.write(".gitignore", "*.ignored\n")
    repo.write("README.md", "# A small world\n")
    repo.write("plain.sh", "#!/bin/sh\nexit 0\n")
    repo.write("broken.sh", "#!/no/such/interpreter\n", executable=True)
    repo.write("docs/guide.txt", "one\n")
    repo.link("latest", "docs/guide.txt")
    repo.commit()
    (top / "home").mkdir()
    (top / "incoming").mkdir()
    work = Work(repo, Factory(repo.path, top / "home"), top / "incoming")
    _many_workers(work, str(top))
    ended = work.oneshot("--jobs", "6", env=SETTINGS)
    assert "run_id" in ended.answer, ended.stdout
    left = left_of(str(top))
    yield Day(work, ended, left)
    left_of(str(top))


def _many_workers(work: Work, top: str) -> None:
    def add(worker: str, name: str, *words: str, **fields: object) -> None:
        command = program(name, f"src/{worker}/done.txt", *words)
        work.add(worker, **{"command": command, "allow": [f"src/{worker}/**"], **fields})

    add("Honest", "honest")
    add("Wanderer", "honest", "docs/wandered.txt")
    add("Exits", "crasher", "exit", "7")
    add("Segv", "crasher", "signal", "11")
    add("Killed", "crasher", "signal", "9")
    add("Termed", "crasher", "signal", "15")
    add("Hangs", "escapee", "stay", timeout="1s")
    add("Talks", "slow", timeout="1s")
    add("Idles", "silent", idle_timeout="1s", timeout="30s")
    add("Leaves", "escapee", "leave")
    add("Forks", "forker", "30")
    writes = program("honest", "setup.txt")
    ignored = program("honest", "tool.ignored")
    add("SetupFails", "honest", setup=[program("crasher", "x.ignored", "exit", "9"), ignored])
    add("SetupDirties", "honest", setup=[ignored, writes])
    add("SetupIgnored", "meddler", "nothing", setup=[ignored])
    add("SetupMissing", "honest", setup=[["no-such-setup"]])
    add("Missing", "honest", command=["no-such-program"])
    add("NoPath", "honest", command=["./no-such-program"])
    add("NotExecutable", "honest", command=["./plain.sh"])
    add("NoInterpreter", "honest", command=["./broken.sh"])
    add("Folder", "honest", command=["./docs"])
    add("TooLong", "honest", command=["true", "x" * 200_000])
    add("SetupTouches", "honest", setup=[["touch", "-h", "latest"]])
    add("Floods", "flooder", "20")
    for what in ("git-removed", "read-only", "checkout-removed", "nested", "summary-odd"):
        add(what.title().replace("-", ""), "meddler", what)
    add("GitLinked", "meddler", "git-linked", str(work.repo.path / ".git"))
    add("RefsLinked", "meddler", "refs-linked", str(work.repo.path / ".git" / "refs"))
    add("CheckoutLinked", "meddler", "checkout-linked", str(work.repo.path))
    secret = work.folder / "secret"
    secret.mkdir()
    for name in ("SUMMARY.md", "SUGGESTIONS.md"):
        (secret / name).write_text("not to be told\n")
    add("OutboxFilled", "meddler", "outbox-filled", str(secret / "SUMMARY.md"))
    add("OutboxLinked", "meddler", "outbox-linked", str(secret))
    partial = 'printf \'{"summary": "I did it"}\' > "$FACTORY_OUTBOX/HANDOFF_NOTE.json"'
    add("Notes", "honest", command=["sh", "-c", f"mkdir -p src/Notes; : > src/Notes/x; {partial}"])
    words = ("{checkout}", "{outbox}/x", "{run_id}-{worker_id}", "{prompt_file}", "{other}", "{}")
    add("Tells", "teller", *words, "${HOME}", task="Do the task\n")


def test_a_run_with_bad_endings_is_blocked_and_says_so_in_its_report(day: Day) -> None:
    report = (day.work.run(day.ended) / "Z_integrator" / "FINAL_REPORT.txt").read_text()

    assert (day.ended.exit_code, day.ended.answer["status"]) == (3, "BLOCKED")
    assert report.startswith("BLOCKED  A test\n")
    assert "Traceback" not in day.ended.stderr


def test_nothing_that_any_worker_started_lives_on(day: Day) -> None:
    assert day.left == []


def test_a_worker_that_ends_well_passes_beside_those_that_do_not(day: Day) -> None:
    assert day.found("Honest") == []
    assert day.status("Honest")["status"] == "PASS"
    assert day.captured("Honest") == ["src/Honest/done.txt"]


def test_work_out_of_scope_blocks_and_is_captured(day: Day) -> None:
    assert day.found("Wanderer") == [("scope.outside_lock", "docs/wandered.txt")]
    assert day.captured("Wanderer") == ["docs/wandered.txt", "src/Wanderer/done.txt"]


@pytest.mark.parametrize(
    ("worker", "code", "ending"),
    [
        ("Exits", "worker.exit_code", ("exited", 7, None)),
        ("Segv", "worker.signalled", ("signalled", None, 11)),
        ("Killed", "worker.signalled", ("signalled", None, 9)),
        ("Termed", "worker.signalled", ("signalled", None, 15)),
        ("Hangs", "worker.timed_out", ("timed_out", None, 15)),
        ("Talks", "worker.timed_out", ("timed_out", None, 15)),
        ("Idles", "worker.idle", ("idle", None, 15)),
    ],
)
def test_how_a_worker_ended_is_told_and_its_work_is_kept(
    day: Day, worker: str, code: str, ending: tuple[str, int | None, int | None]
) -> None:
    assert day.found(worker) == [(code, "STATUS.json")]
    assert day.ending(worker) == ending
    assert day.captured(worker) == [f"src/{worker}/done.txt"]


def test_what_a_worker_said_before_it_was_ended_is_kept(day: Day) -> None:
    assert (day.folder("Idles") / "LOGS" / "worker.stdout.log").read_text() == "begun\n"


@pytest.mark.parametrize("worker", ["Leaves", "Forks"])
def test_what_a_worker_leaves_running_does_not_speak_against_it(day: Day, worker: str) -> None:
    assert day.found(worker) == []
    assert day.ending(worker) == ("exited", 0, None)
    assert day.captured(worker) == [f"src/{worker}/done.txt"]


def test_a_setup_that_fails_keeps_the_worker_from_starting(day: Day) -> None:
    assert day.found("SetupFails") == [("worker.setup_failed", "setup-1")]
    assert day.messages("SetupFails")[0] == "setup-1 exited 9; the worker was not started"
    assert day.ending("SetupFails") == ("not_started", None, None)
    assert day.captured("SetupFails") == []


def test_a_setup_program_that_is_not_there_is_named(day: Day) -> None:
    assert day.found("SetupMissing") == [("worker.setup_failed", "setup-1")]
    assert "program 'no-such-setup' is not on PATH" in day.messages("SetupMissing")[0]


def test_a_setup_that_changes_what_is_not_ignored_keeps_the_worker_from_starting(
    day: Day,
) -> None:
    assert day.found("SetupDirties")[0] == ("worker.setup_dirty", "setup")
    assert day.messages("SetupDirties")[0] == "setup changed setup.txt"
    assert day.ending("SetupDirties") == ("not_started", None, None)
    assert "src/SetupDirties/done.txt" not in day.captured("SetupDirties")


def test_a_worker_starts_after_a_setup_that_wrote_ignored_files_only(day: Day) -> None:
    assert day.found("SetupIgnored") == []
    assert ("capture.left_out", "checkout") in day.found("SetupIgnored", "note")
    assert day.captured("SetupIgnored") == ["src/SetupIgnored/done.txt"]


def test_a_worker_starts_after_a_setup_that_only_touched_a_link(day: Day) -> None:
    assert day.found("SetupTouches") == []
    assert day.captured("SetupTouches") == ["src/SetupTouches/done.txt"]


def test_a_worker_that_was_not_started_is_not_said_to_have_changed_nothing(day: Day) -> None:
    said = json.loads((day.folder("Missing") / "FILES_CHANGED.json").read_text())

    assert said["noop_reason"] != "the command changes nothing"


@pytest.mark.parametrize(
    ("worker", "reason"),
    [
        ("Missing", "program 'no-such-program' is not on PATH"),
        ("NoPath", "program './no-such-program' is not there"),
        ("NotExecutable", "program './plain.sh' cannot be started: Permission denied"),
        ("NoInterpreter", "program './broken.sh' is not there, or what its first line names"),
        ("TooLong", "program 'true' cannot be started: Argument list too long"),
        ("Folder", "program './docs' cannot be started: Permission denied"),
    ],
)
def test_a_program_that_cannot_be_started_is_named(day: Day, worker: str, reason: str) -> None:
    assert day.found(worker) == [("worker.not_started", "worker")]
    assert reason in day.messages(worker)[0]
    assert day.ending(worker) == ("not_started", None, None)
    assert day.status(worker)["attempts"] == 1


def test_a_flood_is_cut_in_the_middle_and_takes_little_memory(day: Day) -> None:
    logs = json.loads((day.folder("Floods") / "LOGS" / "INDEX.json").read_text())["logs"]

    assert [(log["path"], log["truncated"], log["size"] < 90_000) for log in logs] == [
        ("LOGS/worker.stderr.log", True, True),
        ("LOGS/worker.stdout.log", True, True),
    ]
    assert (day.folder("Floods") / logs[0]["path"]).read_bytes().endswith(b"flood\nthe end\n")
    assert day.found("Floods", "note") == [
        ("worker.log_truncated", "LOGS/worker.stderr.log"),
        ("worker.log_truncated", "LOGS/worker.stdout.log"),
    ]
    assert day.found("Floods") == []
    assert int(day.content("Floods", "src/Floods/done.txt")) < 60_000


def test_work_survives_the_removal_of_its_git_directory(day: Day) -> None:
    assert day.found("GitRemoved") == []
    assert ("capture.git_gone", ".git") in day.found("GitRemoved", "note")
    assert day.captured("GitRemoved") == ["src/GitRemoved/done.txt"]


def test_a_git_directory_that_is_a_link_to_the_users_is_not_followed(day: Day) -> None:
    assert day.found("GitLinked") == [("capture.git_replaced", ".git")]
    assert day.captured("GitLinked") == ["src/GitLinked/done.txt"]


def test_refs_that_are_a_link_to_the_users_are_not_followed(day: Day) -> None:
    assert day.found("RefsLinked") == [("capture.git_replaced", ".git")]
    assert day.captured("RefsLinked") == ["src/RefsLinked/done.txt"]


def test_a_read_only_checkout_is_captured(day: Day) -> None:
    assert day.found("ReadOnly") == []
    assert day.captured("ReadOnly") == ["src/ReadOnly/done.txt"]


@pytest.mark.parametrize("worker", ["CheckoutRemoved", "CheckoutLinked"])
def test_a_checkout_that_is_gone_or_a_link_is_a_finding(day: Day, worker: str) -> None:
    assert day.found(worker) == [("capture.checkout_gone", "checkout")]
    assert day.captured(worker) == []


def test_a_nested_repository_is_a_finding_and_the_rest_is_captured(day: Day) -> None:
    assert day.found("Nested") == [("capture.nested_repository", "src/Nested/nested/")]
    assert day.captured("Nested") == ["src/Nested/done.txt"]


def test_an_outbox_full_of_things_is_taken_in_only_where_it_is_plain(day: Day) -> None:
    assert day.found("OutboxFilled") == [
        ("worker.outbox", "HANDOFF_NOTE.json"),
        ("worker.outbox", "SUGGESTIONS.md"),
        ("worker.outbox", "SUMMARY.md"),
    ]
    assert ("worker.outbox", "outbox") in day.found("OutboxFilled", "note")
    assert "not to be told" not in (day.folder("OutboxFilled") / "SUMMARY.md").read_text()
    assert day.captured("OutboxFilled") == ["src/OutboxFilled/done.txt"]


def test_an_outbox_that_is_a_link_is_not_followed(day: Day) -> None:
    assert "not to be told" not in (day.folder("OutboxLinked") / "SUMMARY.md").read_text()
    assert [code for code, _ in day.found("OutboxLinked")] == ["worker.outbox"]


def test_texts_that_are_no_text_and_notes_that_are_too_deep_are_findings(day: Day) -> None:
    assert ("bundle.schema", "HANDOFF_NOTE.json") in day.found("SummaryOdd")
    assert day.captured("SummaryOdd") == ["src/SummaryOdd/done.txt"]


def test_a_partial_handoff_note_is_filled_in(day: Day) -> None:
    said = json.loads((day.folder("Notes") / "HANDOFF_NOTE.json").read_text())

    assert day.found("Notes") == []
    assert (said["summary"], said["worker_id"], said["declared_paths"]) == ("I did it", "Notes", [])


def test_a_worker_is_given_what_the_plan_says_and_no_more(day: Day) -> None:
    said = json.loads(day.content("Tells", "src/Tells/done.txt"))
    environment, run = said["environment"], day.ended.answer["run_id"]
    attempt = environment["FACTORY_ATTEMPT"]

    assert said["words"] == [
        f"{attempt}/checkout",
        f"{attempt}/outbox/x",
        f"{run}-Tells",
        f"{attempt}/prompt.md",
        "{other}",
        "{}",
        "${HOME}",
    ]
    assert (said["stdin"], said["here"]) == ("", f"{attempt}/checkout")
    assert (said["temporary"], said["session"]) == (True, True)
    assert environment["FACTORY_OUTBOX"] == f"{attempt}/outbox"
    assert (environment["FACTORY_RUN_ID"], environment["FACTORY_WORKER_ID"]) == (run, "Tells")
    assert (environment["LANG"], environment["HOME"]) == ("C.UTF-8", str(day.work.factory.home))
    assert SECRET not in json.dumps(environment)
    assert "PYTHONPATH" not in environment


def test_the_repository_of_the_user_is_as_it_was(day: Day) -> None:
    assert day.work.repo.git("status", "--porcelain", "--ignored") == b"!! tools/\n"
