"""However a check ends, the verdict follows, its log is kept, and nothing of it is believed."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.pipelines.checking import (
    Checked,
    a_work,
    checked,
    counted,
    integrated,
    probe,
    sh,
    workers,
)
from tests.work import Work, rewrite
from tests.workers import left_of, program

pytestmark = pytest.mark.slow

ODD = "odd \u009b31m \u202e name"


@pytest.fixture
def small(tmp_path: Path) -> Work:
    return a_work(tmp_path)


def once(path: Path, times: int = 1) -> str:
    """Return a line of shell that fails `times` times, counted in a file, and then passes."""
    return f"{counted(path)}; test $(wc -c < '{path}') -gt {times}"


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Checked, Path, list[int]]]:
    top = tmp_path_factory.mktemp("day")
    work = a_work(top)
    workers(work, "A", "B")
    work.repo.write("plain.sh", "exit 0\n")
    checks = [
        probe("exits", "echo said; echo complained >&2; exit 7"),
        probe("killed", "kill -9 $$"),
        probe("hangs", "setsid sleep 60 & sleep 60", timeout="1s"),
        {"name": "missing", "command": ["no-such-program"], "required": False},
        {"name": "not executable", "command": ["./README.md"], "required": False},
        {"name": "floods", "command": program("flooder", "x.ignored", "1")},
        probe("always", counted(top / "always") + "; false", retries=3),
        probe("third", once(top / "third", 2), retries=2),
        probe("flaky", once(top / "flaky")),
        sh("steady", once(top / "steady"), retries=1),
        sh(ODD, "printf 'odd \\033[31m \\342\\200\\256\\n'"),
        probe("says oddly", "printf 'bad \\033[2J\\377\\n'; exit 1"),
    ]
    found = checked(work, checks)
    yield found, top, left_of(str(top))
    left_of(str(top))


ENDINGS = {
    "exits": ("failed", "exited", 7, None),
    "killed": ("failed", "signalled", None, 9),
    "hangs": ("failed", "timed_out", None, 15),
    "missing": ("failed", "not_started", None, None),
    "not executable": ("failed", "not_started", None, None),
    "floods": ("passed", "exited", 0, None),
    "always": ("failed", "exited", 1, None),
    "third": ("flaky", "exited", 1, None),
    "flaky": ("flaky", "exited", 1, None),
    "steady": ("flaky", "exited", 1, None),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_how_a_check_ended_is_said(day: tuple[Checked, Path, list[int]], name: str) -> None:
    row = day[0].row(name)

    ended = row["ended"]
    assert (row["result"], ended["how"], ended["exit_code"], ended["signal"]) == ENDINGS[name]


def test_checks_that_are_not_required_only_make_notes(
    day: tuple[Checked, Path, list[int]],
) -> None:
    found, _, left = day

    notes = [(f["code"], f["subject"]) for f in found.status["findings"]]
    assert (found.ended.exit_code, found.blocking, found.status["attribution"]) == (0, [], [])
    assert ("check.failed", "check exits") in notes
    assert ("check.flaky", "check steady") in notes
    assert left == []


def test_a_check_is_run_as_often_as_it_is_said(day: tuple[Checked, Path, list[int]]) -> None:
    found, top, _ = day

    names = ("always", "third", "flaky", "steady")
    assert {name: found.row(name)["runs"] for name in names} == {
        name: len((top / name).read_text()) for name in names
    }
    assert [found.row(name)["runs"] for name in names] == [4, 3, 2, 2]


def test_a_check_that_failed_twice_is_not_said_to_have_failed_once(
    day: tuple[Checked, Path, list[int]],
) -> None:
    found, _, _ = day

    (said,) = [f for f in found.status["findings"] if f["subject"] == "check third"]
    assert "once" not in said["message"]
    assert "second run" not in said["message"]


def test_why_a_check_could_not_be_started_stands_in_the_report(
    day: tuple[Checked, Path, list[int]],
) -> None:
    found, _, _ = day

    assert "'no-such-program' is not on PATH" in found.above


def test_each_log_of_a_check_is_kept_and_indexed(day: tuple[Checked, Path, list[int]]) -> None:
    found, _, _ = day

    index = json.loads((found.folder / "LOGS" / "INDEX.json").read_text())["logs"]
    said = {log["path"]: log for log in index}
    there = {f"LOGS/{path.name}" for path in (found.folder / "LOGS").iterdir()}
    assert said.keys() == there - {"LOGS/INDEX.json"}
    assert {
        path: (sha256(content).hexdigest(), len(content))
        for path in said
        for content in [(found.folder / path).read_bytes()]
    } == {path: (log["sha256"], log["size"]) for path, log in said.items()}
    assert {path: found.status["artifacts"][path] for path in said} == {
        path: log["sha256"] for path, log in said.items()
    }
    assert found.said("check-1.stdout.log") == "said\n"
    assert found.said("check-1.stderr.log") == "complained\n"
    assert said["LOGS/check-1.run-2.stdout.log"]["role"] == "check exits stdout"


def test_the_log_of_a_flood_is_capped_and_says_so(day: tuple[Checked, Path, list[int]]) -> None:
    found, _, _ = day

    index = json.loads((found.folder / "LOGS" / "INDEX.json").read_text())["logs"]
    truncated = {log["path"] for log in index if log["truncated"]}
    assert truncated == {"LOGS/check-6.stdout.log", "LOGS/check-6.stderr.log"}
    assert found.said("check-6.stdout.log").endswith("the end\n")
    assert "bytes are left out here]" in found.said("check-6.stdout.log")
    assert len(found.said("check-6.stdout.log")) < 2 * 65536


def test_what_a_check_says_and_is_called_steers_no_screen(
    day: tuple[Checked, Path, list[int]],
) -> None:
    found, _, _ = day

    printed = found.work.factory("print-report", "--run-id", found.run_id).stdout
    assert not {"\x1b", "\x9b", "\u202e", "\x07"} & set(printed)
    assert "odd \\x9b31m \\u202e name" in printed


def test_a_run_with_checks_is_verified_and_rebuilt(
    day: tuple[Checked, Path, list[int]],
) -> None:
    found, _, _ = day

    ended = found.work.factory("ledger-replay", "--rebuild", "--json")

    assert (ended.exit_code, [row["disagreements"] for row in ended.answer["runs"]]) == (0, [[]])
    assert found.work.repo.git("status", "--porcelain") == b"?? plain.sh\n"


@pytest.mark.parametrize("what", ["log", "extra", "checks", "attribution", "salvage"])
def test_a_tampered_result_of_a_check_is_named(
    day: tuple[Checked, Path, list[int]], what: str
) -> None:
    found, _, _ = day
    kept = {path: path.read_bytes() for path in found.folder.rglob("*") if path.is_file()}
    names = {"log": "LOGS/check-1.stdout.log", "extra": "LOGS/check-99.stdout.log"}
    name = names.get(what, "STATUS.json")

    if what in names:
        (found.folder / name).write_text("said otherwise\n")
    elif what == "checks":
        rewrite(found.folder / name, lambda status: status["checks"][0].update(result="passed"))
    elif what == "attribution":
        row = {"check": "exits", "tried": "base", "worker_id": None, "result": "failed"}
        rewrite(found.folder / name, lambda status: status.update(attribution=[row]))
    else:
        part = {"workers": ["A"], "tree": found.status["tree"], "checks": []}
        rewrite(found.folder / name, lambda status: status.update(salvage=part))
    words = ("ledger-replay", "--run-id", found.run_id, "--rebuild", "--json")
    ended = found.work.factory(*words)
    (found.folder / "LOGS" / "check-99.stdout.log").unlink(missing_ok=True)
    for path, content in kept.items():
        path.write_bytes(content)

    (row,) = ended.answer["runs"]
    assert ended.exit_code == 1
    assert f"Z_integrator/{name}" in [one["name"] for one in row["disagreements"]]


def test_a_flaky_check_blocks_unless_the_plan_lets_it_try_again(
    small: Work, tmp_path: Path
) -> None:
    workers(small, "A")

    found = checked(small, [sh("flaky", once(tmp_path / "count"))])

    assert (found.ended.exit_code, found.blocking) == (3, [("check.flaky", "check flaky")])
    assert found.status["attribution"] == []


def test_the_daemon_that_keeps_the_pipes_of_a_check_open_does_not_hold_it(small: Work) -> None:
    workers(small, "A")

    found = checked(small, [sh("daemon", "setsid sleep 60 & exit 0", timeout="20s")])

    assert found.results == {"daemon": "passed"}
    assert left_of(str(small.factory.home)) == []


@pytest.mark.parametrize("number", ["9", "15"])
def test_a_check_that_ends_its_supervisor_is_no_pass_and_no_end_of_the_run(
    small: Work, number: str
) -> None:
    workers(small, "A")
    checks = [sh("first", "true"), sh("killer", f"kill -{number} $PPID; sleep 5")]

    found = checked(small, checks)

    assert (found.ended.exit_code, found.status["status"]) == (3, "BLOCKED")
    assert found.results["killer"] != "passed"
    assert left_of(str(small.factory.home)) == []
    assert list(small.factory.home.rglob("checkout")) == []


def test_a_check_that_removes_the_folder_above_its_checkout_is_no_pass(small: Work) -> None:
    workers(small, "A")

    found = checked(small, [sh("remover", 'rm -rf "${PWD%/*/*}"; exit 0')])

    assert (found.ended.exit_code, found.results) == (3, {"remover": "not_run"})


def test_a_link_in_the_place_of_a_log_is_refused_and_the_run_goes_on(
    small: Work, tmp_path: Path
) -> None:
    workers(small, "A")
    (tmp_path / "target").write_text("of the user\n")
    first = checked(small, [sh("a", "echo said; exit 1")], "--run-id", "r1")
    log = first.folder / "LOGS" / "check-1.stdout.log"
    log.unlink()
    log.symlink_to(tmp_path / "target")

    again = integrated(small, "r1")

    assert (tmp_path / "target").read_text() == "of the user\n"
    assert again.ended.exit_code == 3
    assert "policy.write_outside_run" in [code for code, _ in again.blocking]
