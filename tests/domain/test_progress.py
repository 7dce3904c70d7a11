"""What the events of a run add up to while it goes on, and whether it still does."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.ledgers import (
    BASE,
    BEGIN,
    RUN,
    T,
    begun,
    event,
    judged,
    lines,
    progress,
    started,
    worked,
)
from tools.codex.factory.domain.event import Event, LedgerLine, replay
from tools.codex.factory.domain.progress import Ending, Progress, Stage, ending, followed, moment
from tools.codex.factory.domain.work_progress import CheckProgress, WorkerProgress, WorkerState

LAUNCHED = [started(), *worked("A_worker"), *worked("B_worker"), event(T.LAUNCH_END)]
JUDGED = [judged("A_worker"), judged("B_worker"), event(T.VALIDATE_END, rc=0, findings=0)]
MERGED = [
    event(T.INTEGRATE_START),
    event(T.SCOPE_CHECK, "Z_integrator", 0, blocking=0),
    event(T.OVERLAP_CHECK, "Z_integrator", 0, blocking=0),
    event(T.MERGED, "Z_integrator", paths=4, workers=2),
    event(T.PROVED, "Z_integrator", 0),
]
CHECKED = [
    event(T.CHECK_STARTED, check="tests", on="the merged tree"),
    event(T.CHECK_ENDED, rc=0, check="tests", on="the merged tree", how="exited"),
    event(T.CHECKED, rc=0, check="tests", result="passed", reused="", duration_ms=1500),
]
REPORTED = [event(T.REPORT_WRITTEN, "Z_integrator", 0), event(T.RUN_END, rc=0, status="PASS")]
WHOLE = [*LAUNCHED, *JUDGED, *MERGED, *CHECKED, *REPORTED]
AGAIN = event(T.RUN_REOPENED, "operator", of="B_worker")
WAITING = [
    started("A_worker"),
    event(T.CHECKOUT_MADE, "A_worker", attempt="1"),
    event(T.WORKER_WAITING, "A_worker", at="/kept/A", why=""),
    event(T.LAUNCH_END, rc=4, status="WAITING"),
]


def test_a_run_that_began_names_its_workers_and_checks_before_they_begin() -> None:
    found = progress(started(checks='["tests, all", "\\u202e"]'))

    assert found == Progress(
        run_id=RUN,
        base_commit=BASE,
        started=BEGIN,
        last=BEGIN,
        events=1,
        workers=(WorkerProgress(id="A_worker"), WorkerProgress(id="B_worker")),
        checks=(CheckProgress(name="tests, all"), CheckProgress(name="\u202e")),
    )


@pytest.mark.parametrize("names", ["", "{}", "null", "[1]", "[" * 9000, '["a"'])
def test_names_of_checks_that_another_version_wrote_otherwise_are_passed_over(names: str) -> None:
    assert progress(started(checks=names)).checks == ()


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], WorkerState.PENDING),
        (begun("A_worker")[:1], WorkerState.CHECKOUT),
        ([event(T.SETUP_STARTED, "A_worker")], WorkerState.SETUP),
        (begun("A_worker"), WorkerState.RUNNING),
        (worked("A_worker")[:-1], WorkerState.ENDED),
        (worked("A_worker"), WorkerState.SEALED),
        (worked("A_worker", rc=3), WorkerState.FAILED),
        (worked("A_worker", how="timed_out"), WorkerState.FAILED),
        ([*worked("A_worker", rc=3)[:-1], event(T.ATTEMPT_KEPT, "A_worker")], WorkerState.AGAIN),
        ([*worked("A_worker", rc=3)[:-1], *begun("A_worker")], WorkerState.RUNNING),
        ([event(T.BUNDLE_SEALED, "A_worker")], WorkerState.SEALED),
        ([event(T.WORKER_WAITING, "A_worker", at="/x")], WorkerState.WAITS),
        ([judged("A_worker")], WorkerState.PASSED),
        ([judged("A_worker", "BLOCKED", outside=1)], WorkerState.BLOCKED),
    ],
)
def test_a_worker_stands_where_its_last_event_left_it(
    events: list[Event], state: WorkerState
) -> None:
    assert progress(started(), *events).workers[0].state is state


def test_a_worker_that_says_something_is_heard_of_and_runs_on() -> None:
    found = progress(started(), *begun("A_worker"), event(T.WORKER_ACTIVE, "A_worker", log_bytes=9))

    worker = found.workers[0]
    assert (worker.state, worker.started, worker.active) == (
        WorkerState.RUNNING,
        BEGIN + timedelta(seconds=2),
        BEGIN + timedelta(seconds=3),
    )


def test_what_a_worker_touched_is_counted_against_its_scope() -> None:
    found = progress(started(), *worked("A_worker"), judged("A_worker", "BLOCKED", outside=1))

    worker = found.workers[0]
    assert (worker.files, worker.outside, worker.findings) == (2, 1, 1)
    assert worker.duration_ms == 65_000


def test_a_whole_run_ends_with_all_that_it_came_to() -> None:
    found = progress(*WHOLE)

    assert (found.stage, found.verdict, found.rc) == (Stage.REPORT, "PASS", 0)
    assert (found.findings, found.merged, found.is_proven) == (0, (4, 2), True)
    assert found.checks == (
        CheckProgress(
            name="tests",
            started=BEGIN + timedelta(seconds=18),
            runs=1,
            result="passed",
            duration_ms=1500,
        ),
    )


def test_lines_may_come_in_any_portions() -> None:
    found = lines(WHOLE)

    halves = [
        followed(followed(Progress(run_id=RUN), found[:cut]), found[cut:])
        for cut in range(len(found))
    ]

    assert set(map(repr, halves)) == {repr(progress(*WHOLE))}


def test_what_another_version_writes_is_passed_over_but_counted() -> None:
    strange = replace_type(lines([started(), event(T.LAUNCH_END)]), 1, "WORKER_TELEPORTED")

    found = followed(Progress(run_id=RUN), strange)

    assert replace(found, events=1, last=BEGIN) == progress(started())
    assert found.events == 2


def test_a_time_that_another_version_writes_otherwise_is_none() -> None:
    assert [moment(text) for text in ("noon", "", "2026-11-21T03:45:00")] == [None, None, None]
    assert moment("2026-11-21T03:45:00.000000Z") == BEGIN


def test_what_a_check_said_of_the_merged_tree_stays_while_it_is_tried_elsewhere() -> None:
    found = progress(
        *[*LAUNCHED, *JUDGED, *MERGED, CHECKED[0]],
        event(T.CHECKED, rc=1, check="tests", result="failed"),
        event(T.CHECK_STARTED, check="tests", on="all but A_worker"),
        event(T.CHECKED, rc=0, check="tests", result="passed"),
        event(T.CHECK_STARTED, check="tests", on="A_worker alone"),
    )

    assert [(check.result, check.on, check.runs) for check in found.checks] == [
        ("failed", "A_worker alone", 3)
    ]


@pytest.mark.parametrize(
    ("events", "held", "expected"),
    [
        ([started()], True, None),
        ([started()], False, "INTERRUPTED"),
        ([started(), *begun("A_worker")], False, "INTERRUPTED"),
        (LAUNCHED, True, None),
        (LAUNCHED, False, "WAITING"),
        ([*LAUNCHED, *JUDGED], False, "WAITING"),
        ([*LAUNCHED, *JUDGED, MERGED[0]], False, "INTERRUPTED"),
        ([*LAUNCHED, *JUDGED, *MERGED], False, "INTERRUPTED"),
        (WHOLE, True, "PASS"),
        (WHOLE, False, "PASS"),
        ([*WHOLE, *JUDGED], False, "PASS"),
        ([*WHOLE, event(T.RUN_CONTINUED)], True, None),
        ([*WHOLE, event(T.RUN_CONTINUED)], False, "INTERRUPTED"),
        ([*WHOLE, event(T.RUN_CONTINUED), event(T.LAUNCH_END)], False, "PASS"),
        ([*WHOLE, MERGED[0]], True, None),
        ([*WHOLE, MERGED[0]], False, "INTERRUPTED"),
        ([*WHOLE, event(T.RUN_AMENDED)], True, None),
        ([*WHOLE, event(T.RUN_AMENDED)], False, "WAITING"),
        ([*WHOLE, AGAIN], True, None),
        ([*WHOLE, AGAIN], False, "INTERRUPTED"),
        ([*WHOLE, AGAIN, *worked("B_worker"), event(T.LAUNCH_END)], False, "WAITING"),
        ([*WHOLE, event(T.PUBLISHED)], False, "PASS"),
        ([*WHOLE, event(T.RUN_PRUNED)], False, "PASS"),
        (WAITING, True, "WAITING"),
        (WAITING, False, "WAITING"),
        ([*WAITING, event(T.RUN_CONTINUED)], False, "INTERRUPTED"),
        ([*LAUNCHED, event(T.RUN_END, rc=3, status="BLOCKED")], False, "BLOCKED"),
        ([*LAUNCHED, event(T.RUN_END, rc=130, status="FAIL")], False, "FAIL"),
        ([*LAUNCHED, event(T.RUN_END, rc=1, status="SOMETHING_NEW")], False, "FAIL"),
    ],
)
def test_a_run_goes_on_while_it_is_held_or_ends_as_its_events_say(
    events: list[Event], held: bool, expected: str | None
) -> None:
    found = ending(progress(*events), is_held=held)

    assert (found.status if found is not None else None) == expected


def test_what_to_do_next_is_named() -> None:
    amended = progress(*WHOLE, event(T.RUN_AMENDED))
    interrupted = progress(started())

    assert ending(progress(*LAUNCHED), is_held=False) == Ending(
        "WAITING", None, "then: `factory integrate --run-id run-1`"
    )
    assert ending(amended, is_held=False) == Ending(
        "WAITING",
        None,
        "then: `factory bundle-validate --run-id run-1` and `factory integrate --run-id run-1`",
    )
    assert ending(progress(*WAITING), is_held=False) == Ending(
        "WAITING", 4, "then: `factory collect --run-id run-1`"
    )
    assert ending(interrupted, is_held=False) == Ending(
        "INTERRUPTED", 1, "the same command with --run-id run-1 continues the run"
    )


def test_whom_a_run_waits_for_is_known_with_the_checkout() -> None:
    found = progress(*WAITING)

    assert [(worker.id, worker.checkout) for worker in found.waiting] == [("A_worker", "/kept/A")]


def test_of_a_worker_that_is_to_make_a_new_attempt_nothing_counts_and_of_nobody_the_verdict() -> (
    None
):
    found = progress(*WHOLE, AGAIN)
    view = replay(lines([*WHOLE, AGAIN]))[RUN]

    assert [(worker.id, worker.state) for worker in found.workers] == [
        ("A_worker", WorkerState.SEALED),
        ("B_worker", WorkerState.AGAIN),
    ]
    assert (found.verdict, found.merged, found.is_proven, found.findings) == ("", None, False, None)
    assert (view.status, view.ended, view.end) == ("PENDING", None, ("PASS", 0))
    assert list(view.seals) == ["A_worker"]


def test_an_amended_plan_leaves_out_the_workers_that_it_no_longer_names() -> None:
    found = progress(*WHOLE, event(T.RUN_AMENDED, worker_ids="B_worker"))

    assert [worker.id for worker in found.workers] == ["B_worker"]
    assert (found.verdict, found.checks) == ("", (CheckProgress(name="tests"),))


def replace_type(found: list[LedgerLine], number: int, kind: str) -> list[LedgerLine]:
    return [
        line.model_copy(update={"event_type": kind}) if n == number else line
        for n, line in enumerate(found)
    ]
