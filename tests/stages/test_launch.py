"""What launch records of the news from where workers work."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from tools.codex.factory.domain.confinement import FREE
from tools.codex.factory.domain.event import Event
from tools.codex.factory.domain.identity import ObjectId, WorkerId, run_id
from tools.codex.factory.domain.order import WorkOrder
from tools.codex.factory.domain.plan import Policy, resolved
from tools.codex.factory.domain.plan_file import parsed
from tools.codex.factory.domain.secret import Secrets
from tools.codex.factory.domain.settings import Config
from tools.codex.factory.executors.local import Said
from tools.codex.factory.repository.discovery import Base
from tools.codex.factory.stages.gather import WorkSource
from tools.codex.factory.stages.launch import launch
from tools.codex.factory.stages.order import Launch, Site
from tools.codex.factory.storage.run_directory import RunDirectory
from tools.codex.factory.storage.runs_root import claim, make_runs_root

PLAN = b"""
schema_version = 1
title = "one"
workers = [{id = "A_worker", command = ["true"]}]
"""


class Memory:
    """A place to work that says of an order what it was told to say, and then no more."""

    def __init__(self, *news: dict[str, Any]) -> None:
        self._news = news
        self._orders: list[WorkOrder] = []

    def submit(self, order: WorkOrder) -> None:
        self._orders.append(order)

    def news(self) -> Iterator[Said]:
        for order in self._orders:
            for one in self._news:
                yield Said(order=order, **one)


def test_a_worker_that_says_something_is_recorded_as_active(tmp_path: Path) -> None:
    place = Memory({"kind": "work", "step": "worker"}, {"kind": "active", "bytes": 42})
    recorded: list[Event] = []

    waiting = launch(a_launch(tmp_path, place, recorded), collecting=())

    assert waiting == {}
    assert [(e.event_type, e.actor, dict(e.details), dict(e.file_counts)) for e in recorded] == [
        ("WORKER_STARTED", "A_worker", {"attempt": "1"}, {}),
        ("WORKER_ACTIVE", "A_worker", {"attempt": "1"}, {"log_bytes": 42}),
    ]


def a_launch(folder: Path, place: Memory, recorded: list[Event]) -> Launch:
    """Return the launch of one worker in `place`."""
    root = folder / "runs"
    make_runs_root(root)
    run = run_id("r1")
    claim(root, run)
    commit = ObjectId("1" * 40)
    site = Site(
        folder=folder / "work",
        place=cast(Any, place),
        work=Config().work,
        environment={},
        rehearsing=(),
        shallow="",
        confinement=FREE,
    )
    return Launch(
        run=RunDirectory(root, run),
        plan=resolved(parsed(PLAN, "plan.toml"), Policy(), {}, None),
        sources={WorkerId("A_worker"): WorkSource(b"")},
        site=site,
        base=Base("HEAD", commit, commit),
        objects=cast(Any, None),
        secrets=Secrets(),
        clock=lambda: datetime(2026, 11, 21, tzinfo=UTC),
        stamp=str,
        record=recorded.append,
    )
