"""One order is carried out in a process of its own; what came of it is kept, and then said."""

import json
import os
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.executors.conftest import Order, a_step
from tests.workers import comes, left_of, program
from tools.codex.factory.domain.identity import digest_of
from tools.codex.factory.domain.order import Outcome, WorkOrder
from tools.codex.factory.storage.attempt import Attempt
from tools.codex.factory.wiring import own_environment, supervisor_command

ENV = own_environment({"PATH": os.environ.get("PATH", os.defpath)})


def started(order: WorkOrder) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        supervisor_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENV
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
    process.stdin.flush()
    return process


def said_by(process: "subprocess.Popen[bytes]") -> list[dict[str, str]]:
    assert process.stdout is not None and process.stdin is not None
    said: list[dict[str, str]] = []
    for line in process.stdout:
        said.append(json.loads(line))
        if said[-1]["said"] == "outcome":
            break
    process.stdin.close()
    code = process.wait()
    process.stdout.close()
    assert code == 0
    return said


def outcome_of(order: WorkOrder) -> Outcome:
    found = Attempt(Path(order.folder)).outcome()
    assert found is not None
    return found


def test_who_is_asked_nothing_does_nothing() -> None:
    done = subprocess.run(
        supervisor_command(), input=b"", env=ENV, capture_output=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_what_came_of_an_order_is_kept_and_named_by_its_digest(order: Order) -> None:
    made = order()

    said = said_by(started(made))

    content = (Path(made.folder) / "outcome.json").read_bytes()
    assert [one["said"] for one in said] == ["checkout", "work", "outcome"]
    assert said[-1]["sha256"] == digest_of(content)
    assert "+done" in (Path(made.folder) / "DIFF.patch").read_text()


def test_a_supervisor_that_nobody_hears_any_more_keeps_what_came_of_its_order(
    order: Order,
) -> None:
    made = order("sh", "-c", "echo x > src/x; touch ../begun; sleep 60")
    process = started(made)
    assert comes((Path(made.folder) / "begun").exists)
    assert process.stdin is not None and process.stdout is not None

    process.stdin.close()
    process.stdout.close()

    assert process.wait() == 0
    assert (outcome_of(made).how, outcome_of(made).is_whole) == ("stopped", True)
    assert "b/src/x" in (Path(made.folder) / "DIFF.patch").read_text()
    assert left_of(made.folder) == []


def test_steps_are_done_one_after_the_other_and_each_has_its_logs(order: Order) -> None:
    steps = (
        a_step("sh", "-c", "echo one > ../one", name="setup-1", kind="setup"),
        a_step("sh", "-c", "cat ../one; echo two >&2", name="setup-2", kind="setup"),
        a_step("sh", "-c", "echo three"),
    )

    made = order(steps=steps)
    said_by(started(made))

    outcome = outcome_of(made)
    assert [(step.name, step.how, step.exit_code) for step in outcome.steps] == [
        ("setup-1", "exited", 0),
        ("setup-2", "exited", 0),
        ("worker", "exited", 0),
    ]
    assert (Path(made.folder) / "logs/setup-2.stdout.log").read_text() == "one\n"
    assert (Path(made.folder) / "logs/worker.stdout.log").read_text() == "three\n"


def test_what_a_setup_leaves_running_is_ended_before_the_worker_begins(order: Order) -> None:
    setup = a_step(*program("escapee", "../x", "leave"), name="setup-1", kind="setup")
    worker = a_step("sh", "-c", "pgrep -f escapee.p[y] -a | grep leave | wc -l > src/left")

    made = order(steps=(setup, worker))
    said_by(started(made))

    assert left_of(made.folder) == []
    assert "\n+0\n" in (Path(made.folder) / "DIFF.patch").read_text()


def test_a_commit_that_is_not_there_is_a_worker_that_was_not_started(order: Order) -> None:
    made = order(commit="1" * 40)

    said_by(started(made))

    outcome = outcome_of(made)
    assert (outcome.how, [finding.code for finding in outcome.findings]) == (
        "not_started",
        ["worker.not_started"],
    )


def test_a_lost_order_is_only_captured(order: Order) -> None:
    made = order()
    said_by(started(made))
    (Path(made.folder) / "outcome.json").unlink()
    (Path(made.folder) / "checkout" / "src" / "more.txt").write_text("more\n")
    lost = replace(made, makes=False, steps=(), is_lost=True)

    said = said_by(started(lost))

    assert [one["said"] for one in said] == ["outcome"]
    assert outcome_of(made).how == "lost"
    assert "b/src/more.txt" in (Path(made.folder) / "DIFF.patch").read_text()


@pytest.mark.parametrize("how", ["removed", "link"])
def test_a_log_folder_that_a_setup_took_away_is_neither_followed_nor_an_error_of_ours(
    order: Order, how: str
) -> None:
    script = {"removed": "rm -r ../logs", "link": "rm -r ../logs; ln -s $PWD/src ../logs"}[how]
    steps = (a_step("sh", "-c", script, name="setup-1", kind="setup"), a_step("true"))

    made = order(steps=steps)
    said = said_by(started(made))

    assert said[-1]["said"] == "outcome"
    assert not (Path(made.folder) / "checkout" / "src" / "worker.stdout.log").exists()


def test_that_a_step_says_something_is_told_as_often_as_the_order_wants(order: Order) -> None:
    command = ("sh", "-c", "echo one; echo two >&2; echo three")

    often = said_by(started(order(*command, active_seconds=0.0)))
    seldom = said_by(started(order(*command, number=2)))

    counts = [int(one["bytes"]) for one in often if one["said"] == "active"]
    assert counts[-1] == len("one\ntwo\nthree\n")
    assert counts == sorted(counts)
    assert [one["said"] for one in seldom] == ["checkout", "work", "outcome"]
