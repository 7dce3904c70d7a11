"""What is required and what is switched off, for workers, checks and the integrator."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Ended
from tests.work import Work, blocking
from tools.codex.factory.process.landlock import landlock_version

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not landlock_version(), reason="the kernel has no Landlock"),
]
ROLES = ("worker", "check", "integrator")
NEVER = {
    "worker": "A/LOGS/worker*",
    "check": "Z_integrator/LOGS/*stdout*",
    "integrator": "nothing",
}
"""Logs that are there only where something of a role was run."""


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """Return a PATH on which there is no bwrap."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("git", "sh", "touch", "cat", "readlink"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return str(folder)


def planned(work: Work) -> str:
    """Return a plan with a worker and a check that looks for what it did."""
    work.add("A", allow=["src/**"], command=["sh", "-c", "echo new > src/new.txt"])
    check = ["sh", "-c", "cat src/new.txt"]
    return work.plan(checks=[{"name": "there", "command": check}])


def oneshot(work: Work, bare: str, env: Mapping[str, str]) -> Ended:
    plan = planned(work)
    more = {"PATH": bare, **env}
    return work.factory("oneshot", "--plan", plan, "--run-id", "r1", "--json", env=more)


def events(work: Work) -> list[dict[str, Any]]:
    """Return the ledger's events of what is confined by less."""
    lines = (work.runs_root / "factory_ledger.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    return [one for one in found if one["event_type"] == "SANDBOX_WEAKER"]


def demanded(role: str, least: str) -> dict[str, str]:
    return {
        "FACTORY_SANDBOX__MODE": "auto",
        f"FACTORY_SANDBOX__{role.upper()}": "required",
        "FACTORY_SANDBOX__LEAST": least,
    }


@pytest.mark.parametrize(
    ("role", "found"),
    [
        ("worker", [("sandbox.weaker_than_required", "A: confinement")]),
        (
            "check",
            [
                ("check.not_run", "check there"),
                ("sandbox.weaker_than_required", "Z_integrator: checks: confinement"),
            ],
        ),
        ("integrator", [("sandbox.weaker_than_required", "Z_integrator: confinement")]),
    ],
)
def test_what_is_required_and_cannot_be_had_blocks(
    work: Work, bare: str, role: str, found: list[tuple[str, str]]
) -> None:
    ended = oneshot(work, bare, demanded(role, "bubblewrap"))

    assert (ended.exit_code, ended.answer["status"]) == (3, "BLOCKED")
    assert set(found) <= set(blocking(ended)), blocking(ended)
    hints = [one["hint"] + one["message"] for one in ended.answer["findings"]]
    assert any("program 'bwrap' is not on PATH" in hint for hint in hints), hints
    # Nothing was run that was to be kept better.
    assert not list(work.runs_root.glob(f"r1/{NEVER[role]}"))
    again = work.factory("ledger-replay", "--run-id", "r1", "--rebuild", "--json")
    assert again.exit_code == 0, again.stdout


@pytest.mark.parametrize("role", ROLES)
def test_what_is_required_and_can_be_had_passes_and_says_that_more_could_be(
    work: Work, bare: str, role: str
) -> None:
    ended = oneshot(work, bare, demanded(role, "landlock"))

    assert (ended.exit_code, blocking(ended)) == (0, [])
    assert [one["details"] for one in events(work)] == [
        {
            "of": one,
            "tier": "landlock",
            "demand": "required" if one == role else "auto",
            "why": "bubblewrap: program 'bwrap' is not on PATH",
        }
        for one in ("worker", "integrator", "check")
    ]


def test_off_runs_everything_and_asks_nothing(work: Work, bare: str) -> None:
    ended = oneshot(work, bare, {"FACTORY_SANDBOX__MODE": "off"})

    assert (ended.exit_code, blocking(ended), events(work)) == (0, [], [])


def test_a_weaker_tier_is_one_line_of_the_progress(work: Work, bare: str) -> None:
    plan = planned(work)
    env = {"PATH": bare, "FACTORY_SANDBOX__MODE": "auto"}

    ended = work.factory("oneshot", "--plan", plan, "--run-id", "r1", env=env)

    why = "bubblewrap: program 'bwrap' is not on PATH; `factory doctor` says what helps"
    said = [line for line in ended.stderr.splitlines() if "bubblewrap" in line]
    assert [line.rpartition("  ")[2] for line in said] == [
        f"workers are confined by Landlock alone: {why}",
        f"the integrator is confined by Landlock alone: {why}",
        f"checks are confined by Landlock alone: {why}",
    ]
    assert "SANDBOX_WEAKER" in work.factory("ledger", "--run-id", "r1", "--raw-events").stdout
    watched = work.factory("watch", "--run-id", "r1")
    assert "checks are confined by Landlock alone" in watched.stdout + watched.stderr


def test_a_worker_that_is_external_is_never_confined_by_us(work: Work, bare: str) -> None:
    work.add("A", allow=["src/**"], external=True)
    env = {"PATH": bare, **demanded("worker", "bubblewrap")}

    ended = work.factory("launch", "--plan", work.plan(), "--run-id", "r1", env=env)

    assert ended.exit_code == 4, ended.stderr
