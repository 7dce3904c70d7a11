"""Orders are carried out so many at a time, and each has one outcome, whatever becomes of it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.executors.conftest import Order
from tests.workers import comes, left_of, program
from tools.codex.factory.domain.order import Outcome, WorkOrder
from tools.codex.factory.errors import StorageError, UnfitHost
from tools.codex.factory.executors.local import Local, Said, await_free
from tools.codex.factory.storage.attempt import Attempt
from tools.codex.factory.wiring import own_environment, supervisor_command

PATH = {"PATH": os.environ.get("PATH", os.defpath)}
RESCUE = """
for _ in $(seq 80); do test -e "$1/outcome.json" && exit 0; sleep 0.05; done
cat "$1/supervisor.log" > "$1/rescued"; exit 1
"""


def a_place(*command: str, jobs: int = 2) -> Local:
    return Local(
        command=command or supervisor_command(), environment=own_environment(PATH), jobs=jobs
    )


def came_of(place: Local, *orders: WorkOrder) -> list[tuple[str, str, Outcome | None]]:
    with place:
        for order in orders:
            place.submit(order)
        return [(Path(s.order.folder).name, s.kind, s.outcome) for s in released(place)]


def released(place: Local) -> Iterator[Said]:
    """Yield the news of a place, and let each order go whose outcome was heard."""
    for said in place.news():
        if said.kind == "outcome":
            place.release(said.order, clear=False)
        yield said


def test_what_happens_is_told_in_order_and_the_outcome_last(order: Order) -> None:
    said = came_of(a_place(), order())

    outcome = said[-1][2]
    assert [kind for _, kind, _ in said] == ["checkout", "work", "outcome"]
    assert outcome is not None and (outcome.how, outcome.is_good, outcome.is_whole) == (
        "exited",
        True,
        True,
    )


def test_no_order_is_no_news() -> None:
    assert came_of(a_place()) == []


def test_each_of_many_orders_has_one_outcome(order: Order) -> None:
    orders = [order(number=number) for number in range(1, 6)]

    said = came_of(a_place(jobs=3), *orders)

    assert sorted(name for name, kind, _ in said if kind == "outcome") == list("12345")


@pytest.mark.parametrize(
    "command",
    [("true",), ("false",), ("sh", "-c", "kill -9 $$"), ("echo", "no news"), ("echo", "[]"),
     ("echo", '{"said": "outcome", "sha256": "00"}'), ("sh", "-c", "printf '{\"said\"'")],
    ids=["nothing", "failure", "signal", "words", "a list", "a lie", "half a line"],
)  # fmt: skip
def test_a_supervisor_without_an_answer_is_a_lost_order(
    order: Order, command: tuple[str, ...]
) -> None:
    ((_, kind, outcome),) = came_of(a_place(*command), order())

    assert kind == "outcome" and outcome is not None
    assert (outcome.how, [finding.code for finding in outcome.findings]) == (
        "lost",
        ["worker.lost"],
    )


def test_the_last_words_of_a_supervisor_are_kept_beside_and_not_in_the_finding(
    order: Order,
) -> None:
    asked = order()

    ((_, _, outcome),) = came_of(a_place("sh", "-c", "echo broken pump >&2; exit 5"), asked)

    assert outcome is not None
    assert outcome.findings[0].message == "its supervisor ended without an answer"
    assert (Path(asked.folder) / "supervisor-1.log").read_text() == "broken pump\n"


def test_an_outcome_that_a_worker_wrote_itself_is_not_believed(order: Order) -> None:
    (_, _, honest) = came_of(a_place(), order(number=1))[-1]
    forged = order("sh", "-c", "cp ../../1/outcome.json ..; kill -9 $PPID; sleep 9", number=2)

    (_, _, outcome) = came_of(a_place(), forged)[-1]

    assert honest is not None and honest.how == "exited"
    assert outcome is not None and outcome.how == "lost"


def test_a_supervisor_that_cannot_be_started_is_an_unfit_host(order: Order) -> None:
    with pytest.raises(UnfitHost, match="no supervisor can be started"):
        came_of(a_place("/no/such/program"), order())


def test_an_attempt_that_another_process_holds_is_refused_and_can_be_awaited(order: Order) -> None:
    made = order()
    attempt = Attempt(Path(made.folder))
    handle = attempt.held()
    assert handle is not None

    with pytest.raises(StorageError, match="another process works in"):
        came_of(a_place(), made)
    waiting = await_free(attempt)
    next(waiting)
    os.close(handle)

    assert list(waiting) == []


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_log_of_the_supervisor_that_a_worker_replaced_is_neither_followed_nor_awaited(
    order: Order, tmp_path: Path, kind: str
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("gold")
    makes = {"link": f"ln -s {precious} ../supervisor.log", "pipe": "mkfifo ../supervisor.log"}
    script = f"rm -f ../supervisor.log; {makes[kind]}; kill -9 $PPID; sleep 9"
    place = a_place()
    place.submit(order("sh", "-c", script))
    # Whoever waits for the pipe for ever is let go, so that this test fails and does not hang.
    rescue = subprocess.Popen(["sh", "-c", RESCUE, "sh", str(tmp_path / "work/A/1")])

    with place:
        said = list(released(place))
    hung = rescue.wait()

    assert said[-1].outcome is not None and said[-1].outcome.how == "lost"
    assert precious.read_text() == "gold"
    assert not hung


def test_who_leaves_early_leaves_nothing_running_and_all_captured(
    order: Order, tmp_path: Path
) -> None:
    orders = [order(*program("escapee", "src/x", "stay"), number=number) for number in (1, 2)]

    with a_place() as place:
        for one in orders:
            place.submit(one)
        news = released(place)
        begun = [next(news) for _ in range(4)]
        assert comes(lambda: all((Path(one.folder) / "checkout/src/x").exists() for one in orders))

    outcomes = [Attempt(Path(one.folder)).outcome() for one in orders]
    assert sorted(said.kind for said in begun) == ["checkout", "checkout", "work", "work"]
    assert [(one.how, one.is_whole) for one in outcomes if one] == [("stopped", True)] * 2
    assert left_of(str(tmp_path / "work")) == []


def test_an_order_larger_than_a_pipe_arrives(order: Order) -> None:
    plain = order(number=1)
    large = {**plain.environment, **{f"V{number}": "x" * 1000 for number in range(300)}}

    said = came_of(a_place(), order(number=2, environment=large))

    assert said[-1][2] is not None and said[-1][2].is_good


def test_news_that_a_worker_is_active_are_passed_on_with_what_it_said(order: Order) -> None:
    made = order("sh", "-c", "echo hello", active_seconds=0.0)

    with a_place() as place:
        place.submit(made)
        news = [(said.kind, said.bytes) for said in released(place)]

    assert news == [("checkout", 0), ("work", 0), ("active", 6), ("outcome", 0)]


def test_whoever_floods_a_supervisors_pipe_is_heard_once(order: Order) -> None:
    said = [
        *['{"said": "active", "bytes": 1}'] * 500,
        *['{"said": "active", "bytes": true}', '{"said": "active", "bytes": "x"}'],
        *['{"said": "active", "bytes": -5}', '{"said": "active"}', '{"said": ["active"]}'],
    ]
    script = f"cat > /dev/null <<'E'\nE\nprintf '%s\\n' {' '.join(map(repr, said))}"
    made = order(active_seconds=1000.0, captures=False, steps=())

    with a_place("sh", "-c", script) as place:
        place.submit(made)
        news = [(one.kind, one.bytes) for one in released(place)]

    assert news == [("active", 1), ("outcome", 0)]
