"""Frames of `watch`: whole screens of some size, compared with those in tests/golden/."""

import io
import unicodedata
from datetime import timedelta

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.conftest import Golden
from tests.ledgers import BEGIN, T, begun, event, judged, progress, started, worked
from tools.codex.factory.domain.progress import Ending, Progress, ending
from tools.codex.factory.render.live import frame

NOW = BEGIN + timedelta(minutes=12, seconds=31)
SIZES = [(200, 50), (120, 30), (80, 24)]
WORKERS = ["A_worker", "B_worker", "C_worker", "D_worker", "E_worker"]
HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202egnp.exe\u200b\x9b31m\r\n\t\u2028"

UNDER_WAY = [
    started(",".join(WORKERS), '["tests", "a name, with a comma"]'),
    *worked("A_worker"),
    *begun("B_worker"),
    event(T.WORKER_ACTIVE, "B_worker", log_bytes=100),
    *worked("C_worker", rc=3),
    event(T.CHECKOUT_MADE, "D_worker", attempt="1"),
    event(T.WORKER_WAITING, "D_worker", at="/kept/run-1/D_worker/1/checkout", why=""),
]
BLOCKED = [
    *[started("A_worker,B_worker"), *worked("A_worker"), *worked("B_worker", rc=3)],
    *[event(T.LAUNCH_END), judged("A_worker", "BLOCKED", outside=1), judged("B_worker", "BLOCKED")],
    *[event(T.VALIDATE_END, rc=3, findings=2), event(T.INTEGRATE_START)],
    event(T.SCOPE_CHECK, "Z_integrator", 3, blocking=1),
    event(T.OVERLAP_CHECK, "Z_integrator", 0, blocking=0),
    event(T.REPORT_WRITTEN, "Z_integrator", 3),
    event(T.RUN_END, rc=3, status="BLOCKED"),
]
PUBLISHED = [
    *[started("A_worker"), *worked("A_worker"), event(T.LAUNCH_END), judged("A_worker")],
    *[event(T.VALIDATE_END, rc=0, findings=0), event(T.INTEGRATE_START)],
    event(T.MERGED, "Z_integrator", paths=2, workers=1),
    event(T.PROVED, "Z_integrator", 0),
    event(T.CHECK_STARTED, check="tests", on="the merged tree"),
    event(T.CHECKED, rc=0, check="tests", result="passed", reused="", duration_ms=4000),
    event(T.RUN_END, rc=0, status="PASS"),
    event(T.PUBLISHED, branch="factory/run-1"),
]
CROWD = [f"W{number:03}_worker" for number in range(200)]
CROWDED = [
    started(",".join(CROWD)),
    *[one for worker in CROWD[:120] for one in begun(worker)],
    *[one for worker in CROWD[100:140] for one in worked(worker)],
    *[one for worker in CROWD[140:143] for one in worked(worker, how="timed_out")],
    event(T.CHECKOUT_MADE, "W150_worker", attempt="1"),
    event(T.WORKER_WAITING, "W150_worker", at="/kept/W150_worker", why=""),
]
RUNS = {"under_way": UNDER_WAY, "blocked": BLOCKED, "published": PUBLISHED, "crowd": CROWDED}


def drawn(
    run: Progress, end: Ending | None, width: int, height: int | None, *, color: bool = False
) -> str:
    """Return the frame as a terminal of that size shows it."""
    console = Console(
        file=io.StringIO(),
        width=width,
        height=height,
        force_terminal=color,
        color_system="standard" if color else None,
    )
    with console.capture() as said:
        console.print(frame(run, end, width=width, height=height, now=NOW), soft_wrap=True)
    return said.get()


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("name", RUNS)
def test_a_frame_is_what_the_golden_file_shows(
    name: str, width: int, height: int, golden: Golden
) -> None:
    run = progress(*RUNS[name])

    text = drawn(run, ending(run, is_held=True), width, height)

    golden(f"watch_{name}_{width}x{height}.txt", text)


def test_a_run_that_nobody_holds_is_shown_as_interrupted(golden: Golden) -> None:
    run = progress(*UNDER_WAY)

    text = drawn(run, ending(run, is_held=False), 120, 30)

    golden("watch_interrupted_120x30.txt", text)


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("width", [20, 40, 79, 80, 99, 100, 101, 200])
@pytest.mark.parametrize("height", [5, 10, 24, 50])
def test_a_frame_never_leaves_its_screen(name: str, width: int, height: int) -> None:
    run = progress(*RUNS[name])

    found = drawn(run, ending(run, is_held=True), width, height).splitlines()

    assert len(found) <= height
    assert [line for line in found if cell_len(line) > width] == []


def test_a_worker_whose_factory_was_stopped_is_shown_as_interrupted() -> None:
    run = progress(started(), *begun("A_worker"), event(T.RUN_END, rc=130, status="FAIL"))

    found = drawn(run, ending(run, is_held=False), 120, 30).splitlines()

    assert found[0] == "run-1  FAIL  after 3s"
    assert found[5].split()[:2] == ["A_worker", "interrupted"]


def test_without_a_height_every_worker_has_its_line() -> None:
    found = drawn(progress(*CROWDED), None, 10_000, None).splitlines()

    assert [line.split()[0] for line in found if line.startswith("W")][1:] == CROWD


def test_in_a_crowd_all_are_counted_and_those_that_need_attention_stand_first() -> None:
    found = drawn(progress(*CROWDED), None, 120, 30).splitlines()

    named = [line.split()[0] for line in found if line.startswith("W")]
    assert "200 workers: 3 failed, 1 waits, 100 running, 56 pending, 40 sealed" in found
    assert named[1:5] == ["W140_worker", "W141_worker", "W142_worker", "W150_worker"]
    assert f"... and {200 - len(named) + 1} more" in found


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_names_of_strangers_are_shown_and_never_sent(width: int, height: int) -> None:
    events = [
        started("A_worker", '["' + "".join(f"\\u{ord(c):04x}" for c in HOSTILE) + '"]'),
        event(T.CHECKOUT_MADE, "A_worker", attempt=HOSTILE),
        event(T.WORKER_WAITING, "A_worker", at=f"/kept/{HOSTILE}", why=HOSTILE),
        event(T.CHECK_STARTED, check=HOSTILE, on=HOSTILE),
        event(T.CHECKED, check=HOSTILE, result=HOSTILE, reused=HOSTILE),
        event(T.WORKER_ENDED, HOSTILE, 1, how=HOSTILE, attempt=HOSTILE),
        event(T.PUBLISHED, branch=HOSTILE),
        event(T.LAUNCH_END, base_commit=HOSTILE),
    ]
    run = progress(*events)

    text = drawn(run, ending(run, is_held=True), width, height)

    raw = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert raw == {"\n"}
    assert "\\x1b[2J" in text


def test_a_wide_name_is_cut_by_the_cells_that_it_takes() -> None:
    run = progress(started("A_worker", '["' + "\u6f22" * 60 + '"]'))

    found = drawn(run, None, 80, 24).splitlines()

    assert ("\u6f22" * 19 + "..  pending  -") in found


def test_colour_only_repeats_what_words_say() -> None:
    run = progress(*BLOCKED)
    end = ending(run, is_held=True)

    plain, colored = drawn(run, end, 120, 30), drawn(run, end, 120, 30, color=True)

    words = colored
    for code in ("\x1b[33m", "\x1b[0m"):
        words = words.replace(code, "")
    assert "\x1b[33mBLOCKED\x1b[0m" in colored
    assert words == plain


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "0s"),
        (59, "59s"),
        (60, "1m 00s"),
        (3599, "59m 59s"),
        (7260, "2h 01m"),
        (90000, "1d 01h"),
    ],
)
def test_a_time_is_said_in_its_two_largest_units(seconds: int, shown: str) -> None:
    run = progress(started())

    text = frame(run, None, width=120, height=30, now=BEGIN + timedelta(seconds=seconds)).plain

    assert text.startswith(f"run-1  RUNNING  for {shown}\n")


def test_a_run_of_another_version_is_shown_without_the_names_of_its_plan() -> None:
    run = progress(event(T.RUN_START, workers=2), *begun("A_worker"))

    assert drawn(run, None, 120, 30).splitlines()[4:] == [
        "WORKER    STATE    TRY  TIME     HEARD        FILES  OUTSIDE  FINDINGS  SAYS",
        "A_worker  running  1    12m 29s  12m 29s ago  -      -        -",
        "",
        "not judged yet",
    ]


def test_what_is_confined_by_less_is_one_line_and_gone_with_a_new_start() -> None:
    weaker = event(T.SANDBOX_WEAKER, of="worker", tier="landlock", demand="auto", why="x" * 300)
    worse = event(T.SANDBOX_WEAKER, of="check", tier="unconfined", demand="auto", why="y")
    run = [*UNDER_WAY, weaker, worse, weaker]

    lines = drawn(progress(*run), None, 80, 24).splitlines()
    before = drawn(progress(*UNDER_WAY), None, 80, 24).splitlines()
    again = drawn(progress(*run, event(T.RUN_CONTINUED)), None, 80, 24)

    assert [line.rstrip() for line in lines if "confined" in line.lower()] == [
        "checks are UNCONFINED",
        "workers are confined by Landlock alone",
    ]
    assert len(lines) == len(before) + 2
    assert "onfined" not in again


def test_a_role_of_another_version_is_shown_as_it_is_and_safely() -> None:
    strange = event(T.SANDBOX_WEAKER, of=HOSTILE, tier=HOSTILE, demand="auto", why="")

    said = drawn(progress(*UNDER_WAY, strange), None, 80, 24)

    assert "\x1b" not in said.replace("\\x1b", "")
    assert all(cell_len(line) <= 80 for line in said.splitlines())
