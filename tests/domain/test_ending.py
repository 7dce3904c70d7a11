"""How a worker ended, and what speaks against it."""

from dataclasses import replace
from typing import Any

import pytest

from tests.statuses import a_bundle, a_finding
from tools.codex.factory.domain.artifact import FindingRecord, finding_of
from tools.codex.factory.domain.ending import ending_findings, path_of
from tools.codex.factory.domain.finding import Code, Finding, blocking

SUBJECT = "A_worker: STATUS.json"
OUT = "`factory amend --drop A_worker --reason WHY` leaves its work out"
AGAIN = "`factory launch --only A_worker` makes a new attempt"
KEPT = "what it had done until then is in its DIFF.patch"
BADLY = f"mend what the worker says, and run it again; {OUT}"
FILTERED = a_finding(Code.SCOPE_FILTERED_PATH, subject="A_worker: big.bin", message="a filter")
SPECIAL = a_finding(Code.CAPTURE_SPECIAL_FILE, subject="A_worker: pipe", message="a FIFO")
LEFT_OUT = a_finding(
    Code.CAPTURE_LEFT_OUT, severity="note", subject="A_worker: tmp", message="ignored"
)


def badly(reason: str) -> Finding:
    """Return the finding that a worker ended badly."""
    return blocking(Code.WORKER_ENDED_BADLY, SUBJECT, f"the worker ended {reason}", BADLY)


def found(
    *findings: FindingRecord,
    made_elsewhere: bool = False,
    dropped: tuple[str, ...] = (),
    **more: Any,
) -> list[Finding]:
    """Return what speaks against a worker that ended so."""
    bundle = a_bundle(*findings, **more)
    return ending_findings(bundle, made_elsewhere=made_elsewhere, dropped=frozenset(dropped))


@pytest.mark.parametrize(
    ("code", "subject", "path"),
    [
        (Code.CAPTURE_SPECIAL_FILE, "A_worker: pipe", "pipe"),
        (Code.SCOPE_FILTERED_PATH, "A_worker: a: b", "a: b"),
        (Code.SCOPE_FILTERED_PATH, 'A_worker: "t\\tb"', '"t\\tb"'),
        (Code.SCOPE_FILTERED_PATH, "A_worker: A_worker: x", "A_worker: x"),
        (Code.CAPTURE_FAILED, "A_worker", None),
        (Code.CAPTURE_FAILED, "B_worker: x", None),
        (Code.CAPTURE_FAILED, "AA_worker: x", None),
        (Code.WORKER_EXIT_CODE, "A_worker: STATUS.json", None),
        (Code.OVERLAP_SAME_PATH, "A_worker: x", None),
    ],
)
def test_a_finding_of_a_capture_is_about_a_path_or_none(
    code: Code, subject: str, path: str | None
) -> None:
    assert path_of(a_finding(code, subject=subject), "A_worker") == path


@pytest.mark.parametrize("made_elsewhere", [False, True])
@pytest.mark.parametrize(
    ("how", "exit_code"), [("exited", 0), ("adopted", None), ("collected", None)]
)
def test_nothing_speaks_against_a_good_end(
    how: str, exit_code: int | None, made_elsewhere: bool
) -> None:
    assert found(how=how, exit_code=exit_code, made_elsewhere=made_elsewhere) == []


@pytest.mark.parametrize("made_elsewhere", [False, True])
@pytest.mark.parametrize("status", ["PASS", "BLOCKED", "FAIL"])
@pytest.mark.parametrize(
    ("how", "exit_code", "signal", "expected"),
    [
        (
            "exited",
            3,
            None,
            blocking(
                Code.WORKER_EXIT_CODE,
                SUBJECT,
                "the command exited 3",
                f"its LOGS may say why; {KEPT}",
            ),
        ),
        (
            "signalled",
            None,
            9,
            blocking(
                Code.WORKER_SIGNALLED,
                SUBJECT,
                "signal 9 ended the command",
                f"its LOGS may say why; {KEPT}",
            ),
        ),
        (
            "timed_out",
            None,
            9,
            blocking(
                Code.WORKER_TIMED_OUT,
                SUBJECT,
                "it ran longer than it may",
                "its DIFF.patch has its work; a longer `timeout` in the plan is another run",
            ),
        ),
        (
            "idle",
            None,
            9,
            blocking(
                Code.WORKER_IDLE,
                SUBJECT,
                "it said nothing for longer than it may",
                "its DIFF.patch has its work; a longer `idle_timeout` in the plan is another run",
            ),
        ),
        (
            "stopped",
            None,
            15,
            blocking(
                Code.WORKER_STOPPED,
                SUBJECT,
                "it was stopped with the factory",
                "its LOGS may say why",
            ),
        ),
        (
            "lost",
            None,
            None,
            blocking(
                Code.WORKER_LOST,
                SUBJECT,
                "how it ended is not known: its supervisor was killed",
                "its LOGS may say what killed it",
            ),
        ),
    ],
)
def test_a_bad_end_is_one_finding_whatever_its_status_says(
    how: str,
    exit_code: int | None,
    signal: int | None,
    expected: Finding,
    status: str,
    made_elsewhere: bool,
) -> None:
    said = found(
        how=how, exit_code=exit_code, signal=signal, status=status, made_elsewhere=made_elsewhere
    )

    levers = OUT if made_elsewhere else f"{AGAIN}; {OUT}"
    assert said == [replace(expected, hint=f"{expected.hint}; {levers}")]


@pytest.mark.parametrize("made_elsewhere", [False, True])
@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"status": "BLOCKED"}, "BLOCKED (exited)"),
        ({"status": "PENDING"}, "PENDING (exited)"),
        ({"how": "not_started", "exit_code": None}, "PASS (not_started)"),
        ({"how": "unreadable", "exit_code": None}, "PASS (unreadable)"),
        ({"how": "exited", "exit_code": None}, None),
        ({"how": "exited", "exit_code": 0, "signal": 9}, "PASS (exited)"),
        ({"how": "adopted", "exit_code": None, "signal": 9}, "PASS (adopted)"),
    ],
)
def test_an_end_that_is_none_of_these_is_a_bad_end(
    more: dict[str, Any], reason: str | None, made_elsewhere: bool
) -> None:
    codes = found(**more, made_elsewhere=made_elsewhere)

    said = blocking(
        Code.WORKER_EXIT_CODE,
        SUBJECT,
        "the command exited None",
        f"its LOGS may say why; {KEPT}; {OUT if made_elsewhere else f'{AGAIN}; {OUT}'}",
    )
    assert codes == [said if reason is None else badly(reason)]


def test_what_our_capture_found_stands_for_itself() -> None:
    assert found(FILTERED, LEFT_OUT, status="BLOCKED") == [
        finding_of(FILTERED),
        finding_of(LEFT_OUT),
    ]


def test_of_a_strangers_findings_only_that_they_block_is_believed() -> None:
    blocks = found(FILTERED, SPECIAL, LEFT_OUT, status="BLOCKED", made_elsewhere=True)
    lies = found(FILTERED, made_elsewhere=True)
    notes = found(LEFT_OUT, made_elsewhere=True)

    reasons = "scope.filtered_path: a filter; capture.special_file: a FIFO"
    assert blocks == [badly(f"BLOCKED (exited): {reasons}")]
    assert lies == [badly("PASS (exited): it says PASS, and names findings that block")]
    assert notes == []


def test_a_path_that_is_left_out_no_longer_counts() -> None:
    both = ("big.bin", "pipe")

    assert found(FILTERED, SPECIAL, status="BLOCKED", dropped=both) == []
    assert found(FILTERED, SPECIAL, status="BLOCKED", dropped=("pipe",)) == [finding_of(FILTERED)]
    assert found(FILTERED, status="BLOCKED", dropped=("other",)) == [finding_of(FILTERED)]


def test_a_path_that_is_left_out_mends_no_bad_end() -> None:
    (ending,) = found(FILTERED, status="BLOCKED", exit_code=3, dropped=("big.bin",))

    assert ending.code is Code.WORKER_EXIT_CODE


@pytest.mark.parametrize("status", ["PASS", "BLOCKED"])
def test_what_a_stranger_found_at_a_path_that_is_left_out_no_longer_counts(status: str) -> None:
    assert found(FILTERED, status=status, made_elsewhere=True, dropped=("big.bin",)) == []


@pytest.mark.parametrize("status", ["BLOCKED", "FAIL", "PENDING"])
def test_a_note_that_is_left_out_mends_no_status(status: str) -> None:
    assert found(LEFT_OUT, status=status, dropped=("tmp",)) == [badly(f"{status} (exited)")]
