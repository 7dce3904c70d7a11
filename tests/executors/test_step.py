"""One command of an order in every tier: what it gets, what it may write, how its end is told."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.confined.tiers import EVERY, KEPT, plain
from tests.conftest import PROJECT
from tests.executors.conftest import Order, a_step
from tools.codex.factory.domain.confinement import Tier
from tools.codex.factory.domain.order import Outcome, WorkOrder
from tools.codex.factory.storage.attempt import Attempt

pytestmark = pytest.mark.slow
Carried = Callable[[WorkOrder], dict[str, Any]]


def confined(order: WorkOrder, tier: Tier) -> WorkOrder:
    """Return the order with a confinement of that tier, and a home of its own."""
    kept = replace(plain(tier), readable=(order.store, *_lent(order)), has_home=True)
    return replace(order, confinement=kept)


def _lent(order: WorkOrder) -> list[str]:
    return (Path(order.store) / "objects/info/alternates").read_text().split()


def carried_out(order: WorkOrder) -> dict[str, Any]:
    """Return the last step's end, once a real supervisor has carried out the order."""
    with subprocess.Popen(
        [sys.executable, "-P", "-S", "-m", "tools.codex.factory", "_supervisor"],
        env={"PYTHONPATH": str(PROJECT), "PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as supervisor:
        assert supervisor.stdin is not None and supervisor.stdout is not None
        supervisor.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        supervisor.stdin.flush()
        for line in supervisor.stdout:
            if json.loads(line)["said"] == "outcome":
                break
        supervisor.stdin.close()
    outcome: Outcome | None = Attempt(Path(order.folder)).outcome()
    assert outcome is not None
    return asdict(outcome.steps[-1])


def log(order: WorkOrder, stream: str = "stdout") -> str:
    """Return what the worker said."""
    return (Attempt(Path(order.folder)).log_folder() / f"worker.{stream}.log").read_text()


@pytest.mark.parametrize("tier", EVERY)
def test_its_homes_are_its_own(order: Order, tier: Tier) -> None:
    script = (
        'echo "$HOME"; echo "$XDG_CACHE_HOME"; echo "${XDG_CONFIG_HOME-none}"; '
        'echo a > "$HOME/a" && echo b > "$TMPDIR/b" && echo c > "$FACTORY_OUTBOX/c" && echo well'
    )
    made = confined(order("sh", "-c", script), tier)
    made = replace(made, environment={**made.environment, "XDG_CONFIG_HOME": "/operator"})

    ended = carried_out(made)

    home = str(Path(made.folder) / "home")
    assert (ended["how"], ended["exit_code"]) == ("exited", 0), log(made, "stderr")
    assert log(made).splitlines() == [home, f"{home}/.cache", "none", "well"]


@pytest.mark.parametrize("tier", KEPT)
@pytest.mark.parametrize("name", ["outbox", "home"])
def test_a_folder_that_a_setup_replaced_by_a_link_leads_no_right_elsewhere(
    order: Order, tmp_path: Path, tier: Tier, name: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    made = order("sh", "-c", f"echo a > {outside}/file; echo b > ../{name}/file; echo went on")
    folder = Path(made.folder) / name
    folder.rmdir()
    folder.symlink_to(outside)

    ended = carried_out(confined(made, tier))

    assert (ended["exit_code"], log(made)) == (0, "went on\n")
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("tier", EVERY)
def test_who_is_asked_to_end_has_its_grace(order: Order, tier: Tier) -> None:
    script = 'trap "echo farewell; exit 3" TERM; echo begun; while :; do sleep 0.05; done'
    step = a_step("sh", "-c", script, seconds=2)
    made = replace(confined(order(), tier), steps=(step,), grace_seconds=10)

    ended = carried_out(made)

    assert ended["how"] == "timed_out"
    assert log(made) == "begun\nfarewell\n"


@pytest.mark.parametrize("tier", EVERY)
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("kill -SEGV $$", ("signalled", None, 11)),
        ("kill -KILL $$", ("signalled", None, 9)),
        ("exit 7", ("exited", 7, None)),
        ("exit 127", ("exited", 127, None)),
        ("exit 255", ("exited", 255, None)),
    ],
)
def test_how_it_ended_is_the_same_in_each_tier(
    order: Order, tier: Tier, script: str, expected: tuple[str, int | None, int | None]
) -> None:
    ended = carried_out(confined(order("sh", "-c", script), tier))

    assert (ended["how"], ended["exit_code"], ended["signal"]) == expected


@pytest.mark.parametrize("tier", EVERY)
@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["no-such-program"], "program 'no-such-program' is not on PATH"),
        (["./lost"], "program './lost' is not there, or what its first line names is not"),
        (["./orphan"], "program './orphan' is not there, or what its first line names is not"),
        (["./plain"], "program './plain' cannot be started: Permission denied"),
        (["src"], "program 'src' is not on PATH"),
    ],
)
def test_what_cannot_be_started_is_said_in_the_same_words_in_each_tier(
    order: Order, tier: Tier, argv: list[str], reason: str
) -> None:
    setup = "printf '#!/no/such\\n' > orphan; chmod +x orphan; echo > plain"
    made = order()
    steps = (a_step("sh", "-c", setup, name="setup-1"), a_step(*argv))

    ended = carried_out(replace(confined(made, tier), steps=steps))

    assert (ended["how"], ended["reason"]) == ("not_started", reason)
