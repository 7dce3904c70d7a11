"""What a worker tried outside, as its sealed bundle says it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from tools.codex.factory.domain.artifact import WorkerStatus
from tools.codex.factory.domain.confined import Confined
from tools.codex.factory.domain.confinement import FREE
from tools.codex.factory.domain.document import parse
from tools.codex.factory.domain.identity import ObjectId, WorkerId, digest_of, run_id
from tools.codex.factory.domain.order import Outcome
from tools.codex.factory.domain.plan import Policy, resolved
from tools.codex.factory.domain.plan_file import parsed
from tools.codex.factory.domain.secret import Secrets
from tools.codex.factory.domain.settings import Config
from tools.codex.factory.domain.trespass import Trespass
from tools.codex.factory.repository.discovery import Base
from tools.codex.factory.stages.captured import attempt_files
from tools.codex.factory.stages.gather import WorkSource
from tools.codex.factory.stages.order import Launch, Site
from tools.codex.factory.storage.attempt import Attempt
from tools.codex.factory.storage.run_directory import RunDirectory
from tools.codex.factory.storage.runs_root import claim, make_runs_root

PLAN = b"""
schema_version = 1
title = "one"
workers = [{id = "A_worker", command = ["true"]}]
"""
COMMIT = ObjectId("1" * 40)
EMPTY_TREE = ObjectId("4b825dc642cb6eb9a060e54bf8d69288fbee4904")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECRET = "hunter2-hunter2"


class NoObjects:
    """The objects of a base commit without a file."""

    def tree(self, _oid: ObjectId) -> bytes:
        return b""

    def blobs(self, _oids: object, *, limit: int) -> dict[ObjectId, bytes]:
        return {}


def a_write(path: str, count: int = 1) -> Trespass:
    """Return a trespass of `sh`."""
    return Trespass(operation="write", path=path, program="sh", count=count)


def sealed(
    folder: Path, *trespasses: Trespass, blocks: bool = False, **more: Any
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return STATUS.json of a worker that tried so, and the notes beside it."""
    confined = Confined(tier="bubblewrap", demand="auto", observed=True, trespasses=trespasses)
    root = folder / "runs"
    make_runs_root(root)
    run = run_id("r1")
    claim(root, run)
    plan = resolved(parsed(PLAN, "plan.toml"), Policy(), {}, None)
    attempt = Attempt(folder / "work" / "A_worker" / "1")
    attempt.make()
    outcome = Outcome(
        how="exited",
        exit_code=0,
        signal=None,
        milliseconds=1000,
        steps=(),
        findings=(),
        logs=(),
        patch=digest_of(b""),
        stray=False,
        is_whole=True,
        was_captured=True,
        confined=more.get("confined", confined),
    )
    attempt.keep(outcome, patch=b"", stray=b"")
    about = Launch(
        run=RunDirectory(root, run),
        plan=plan,
        sources={WorkerId("A_worker"): WorkSource(b"")},
        site=Site(
            folder=folder / "work",
            place=cast(Any, None),
            work=Config().work,
            environment={},
            rehearsing=(),
            shallow="",
            confinement=FREE,
            blocks_trespass=blocks,
        ),
        base=Base("HEAD", COMMIT, EMPTY_TREE),
        objects=cast(Any, NoObjects()),
        secrets=Secrets({"TOKEN": more.get("secret", SECRET)}),
        clock=lambda: NOON,
        stamp=str,
        record=lambda _event: None,
    )
    kept = attempt.outcome()
    assert kept is not None
    taken = attempt_files(about, plan.workers[0], attempt, kept, 1)
    content = taken.files["STATUS.json"]
    parse(WorkerStatus, content)
    found = json.loads(content)
    assert isinstance(found, dict)
    return found, [(one.code, one.subject) for one in taken.findings]


def test_what_was_tried_is_listed_and_blocks_nothing(tmp_path: Path) -> None:
    status, notes = sealed(tmp_path, a_write("/opt/x", 2), a_write("/opt/a\nb"), a_write("/\udcff"))

    assert (status["status"], status["findings"], notes) == ("PASS", [], [])
    assert status["confinement"] == {
        "tier": "bubblewrap",
        "demand": "auto",
        "weaker": "",
        "observed": True,
        "unobserved": "",
        "trespasses": [
            {"operation": "write", "path": "/opt/x", "program": "sh", "count": 2},
            {"operation": "write", "path": '"/opt/a\\nb"', "program": "sh", "count": 1},
            {"operation": "write", "path": '"/\\377"', "program": "sh", "count": 1},
        ],
        "beyond": 0,
        "caches": 0,
    }


def test_where_policy_says_so_it_blocks(tmp_path: Path) -> None:
    tried = [a_write(f"/opt/{n}") for n in range(4)]

    status, notes = sealed(tmp_path, *tried, blocks=True)

    assert (status["status"], notes) == ("BLOCKED", [])
    assert status["findings"] == [
        {
            "code": "sandbox.trespass",
            "severity": "blocks",
            "subject": "A_worker: STATUS.json",
            "message": "4 attempts to write outside: write /opt/0, write /opt/1, write /opt/2 "
            "and 1 more",
            "hint": "read what it wanted there; sandbox.writable lets workers write a folder; then "
            "`factory launch --only A_worker` makes a new attempt; "
            "`factory amend --drop A_worker --reason WHY` leaves its work out",
        }
    ]


@pytest.mark.parametrize(
    "confined",
    [
        None,
        Confined(tier="unconfined", demand="off", unobserved="it is off"),
        Confined(tier="bubblewrap", demand="auto", observed=True, caches=7),
    ],
)
def test_who_tried_nothing_is_not_blocked(tmp_path: Path, confined: Confined | None) -> None:
    status, notes = sealed(tmp_path, blocks=True, confined=confined)

    assert (status["status"], status["findings"], notes) == ("PASS", [], [])
    assert (status["confinement"] is None) == (confined is None)


@pytest.mark.parametrize(
    ("path", "secret", "shown"),
    [
        (f"/opt/{SECRET}/x", SECRET, "/opt/[factory: TOKEN redacted]/x"),
        (f"/opt/\n{SECRET}", SECRET, '"/opt/\\n[factory: TOKEN redacted]"'),
        ("/opt/\t-\\\\-\t-quoted", "\t-\\\\-\t-quoted", "/opt/\t[factory: TOKEN redacted]"),
        ("/very/secret/place", "/very/secret/place", "[factory: TOKEN redacted]"),
    ],
)
def test_a_secret_is_in_no_path(tmp_path: Path, path: str, secret: str, shown: str) -> None:
    status, notes = sealed(tmp_path, a_write(path), blocks=True, secret=secret)

    text = json.dumps(status)
    assert secret.strip() not in text
    assert json.dumps(secret.strip())[1:-1] not in text
    assert [one["code"] for one in status["findings"]] == ["sandbox.trespass", "secret.redacted"]
    assert notes == []
    if not secret.startswith("\t"):
        assert [one["path"] for one in status["confinement"]["trespasses"]] == [shown]


def test_a_secret_that_is_a_word_of_ours_leaves_the_words_alone(tmp_path: Path) -> None:
    status, _ = sealed(tmp_path, a_write("/opt/x"), secret="bubblewrap")

    assert status["confinement"]["tier"] == "bubblewrap"
