"""The ledger's fold: each run is the sum of its own events, wherever they stand."""

from collections.abc import Sequence

from hypothesis import strategies as st

from tests.ledgers import BEGIN
from tests.properties.depth import holds
from tools.codex.factory.domain.event import (
    FIRST_PREV,
    PRUNED,
    Event,
    EventType,
    LedgerLine,
    line_of,
    replay,
)
from tools.codex.factory.domain.progress import Progress, ending, followed

RUNS = ("one", "one", "two", "")
WORKERS = ("A_worker", "B_worker", "factory", "Z_integrator", "")
STATUSES = ("PASS", "PASS", "BLOCKED", "FAIL", "WAITING", "PENDING", "", "else")
NAMED = (
    "worker_ids", "check_names", "check", "how", "attempt", "branch", "workers",
    "blocked", "base_commit", "path", "place", "result",
)  # fmt: skip
said = st.one_of(
    st.sampled_from(STATUSES),
    st.sampled_from(("A_worker,B_worker", '["tests"]', "[", "1", "A_worker", "merged", "0")),
    st.text(max_size=4),
)
DECIDING = (
    EventType.RUN_START, EventType.RUN_END, EventType.RUN_END, EventType.INTEGRATE_START,
    EventType.LAUNCH_END, EventType.RUN_AMENDED, EventType.RUN_PRUNED, EventType.RUN_CONTINUED,
)  # fmt: skip
RESETTING = (EventType.INTEGRATE_START, EventType.RUN_AMENDED, EventType.RUN_PRUNED)
"""After these a run is not what its last end said."""


@st.composite
def lines(draw: st.DrawFn) -> list[LedgerLine]:
    """Draw a ledger: any events of any runs in any order, some of a kind that nobody knows."""
    found = []
    for seq in range(draw(st.integers(0, 10))):
        event = Event(
            run_id=draw(st.sampled_from(RUNS)),
            event_type=draw(st.one_of(st.sampled_from(DECIDING), st.sampled_from(EventType))),
            actor=draw(st.sampled_from(WORKERS)),
            rc=draw(st.sampled_from((None, 0, 1, 3, 4, 130, -9))),
            file_counts=draw(st.dictionaries(st.sampled_from(("findings", "paths", "workers",
                "changes", "blocking", "outside")), st.integers(-1, 3), max_size=2)),
            hashes=draw(st.dictionaries(st.sampled_from(("seal", "STATUS.json", "commit", "x")),
                st.sampled_from(("", "a" * 64)), max_size=2)),
            details=draw(st.builds(
                dict.__or__,
                st.dictionaries(st.just("status"), st.sampled_from(STATUSES)),
                st.dictionaries(st.sampled_from(NAMED), said, max_size=2),
            )),
        )  # fmt: skip
        line, _ = line_of(event, seq=seq, at=BEGIN, prev=FIRST_PREV)
        odd = {
            "event_type": draw(st.sampled_from((line.event_type,) * 9 + ("LATER", ""))),
            "ts_utc": draw(st.sampled_from((line.ts_utc,) * 9 + ("", "yesterday"))),
        }
        found.append(line.model_copy(update=odd))
    return found


@st.composite
def endings(draw: st.DrawFn) -> list[LedgerLine]:
    """Draw a ledger of nothing but what decides where runs stand."""
    told = st.tuples(
        st.sampled_from(("one", "one", "two")), st.sampled_from(DECIDING), st.sampled_from(STATUSES)
    )
    found = []
    for seq, (run, kind, status) in enumerate(draw(st.lists(told, max_size=8))):
        details = {"status": status} if status != "else" else {}
        event = Event(run_id=run, event_type=kind, actor="factory", details=details)
        found.append(line_of(event, seq=seq, at=BEGIN, prev=FIRST_PREV)[0])
    return found


@holds(40, ledger=lines())
def test_a_run_is_the_sum_of_its_own_events(ledger: list[LedgerLine]) -> None:
    whole = replay(ledger)

    apart = {run: replay(_of(ledger, run)).get(run) for run in RUNS if run and _of(ledger, run)}

    assert whole == apart
    assert list(whole) == list(dict.fromkeys(line.run_id for line in ledger if line.run_id))


@holds(120, ledger=st.one_of(endings(), endings(), endings(), lines()))
def test_a_run_passes_only_by_an_end_that_says_so_and_by_nothing_after_it(
    ledger: list[LedgerLine],
) -> None:
    views = replay(ledger)

    passed = {run for run, view in views.items() if view.status == "PASS"}

    assert passed == {run for run in views if _ended_well(_of(ledger, run))}
    assert all(views[run].end is not None for run in passed)


@holds(40, ledger=lines(), cut=st.integers(0, 9))
def test_what_was_followed_goes_on_where_it_was_left(ledger: list[LedgerLine], cut: int) -> None:
    blank = Progress(run_id="one")
    own = _of(ledger, "one")

    whole = followed(blank, own)

    assert followed(followed(blank, own[:cut]), own[cut:]) == whole
    assert whole.events == len(own)


@holds(120, ledger=st.one_of(endings(), endings(), endings(), lines()), is_held=st.booleans())
def test_nobody_is_told_of_a_pass_that_no_end_said(ledger: list[LedgerLine], is_held: bool) -> None:
    own = _of(ledger, "one")

    told = ending(followed(Progress(run_id="one"), own), is_held=is_held)

    ends = [line for line in own if line.event_type == EventType.RUN_END]
    said_pass = bool(ends) and ends[-1].details.get("status") == "PASS"
    assert told is None or told.status != "PASS" or said_pass


def _of(ledger: Sequence[LedgerLine], run: str) -> list[LedgerLine]:
    return [line for line in ledger if line.run_id == run]


def _ended_well(own: Sequence[LedgerLine]) -> bool:
    """The slow way: look back for what was last said of the run as a whole."""
    for at in range(len(own) - 1, -1, -1):
        line = own[at]
        if line.event_type == EventType.RUN_END:
            return line.details.get("status", "FAIL") == "PASS"
        if line.event_type in RESETTING or _waits(line) or _begins_anew(own[:at], line):
            return False
    return False


def _waits(line: LedgerLine) -> bool:
    return line.event_type == EventType.LAUNCH_END and line.details.get("status") == "WAITING"


def _begins_anew(before: Sequence[LedgerLine], line: LedgerLine) -> bool:
    """Return whether a name is used again: by a run that begins after one of that name did."""
    if line.event_type != EventType.RUN_START or not before:
        return False
    view = replay(before)[line.run_id]
    return view.status == PRUNED or bool(view.begun)
