"""Disks of every size between nothing and enough: never a PASS too much, never work too little."""

import json
from pathlib import Path

import pytest

from tests.conftest import Some
from tests.disks import Scene, scene, state_of

WHOLE_OF = {
    ("work", "bytes"): range(0, 600_000, 28_672),
    ("work", "files"): range(0, 84, 4),
    ("runs", "bytes"): range(0, 1_200_000, 57_344),
    ("runs", "files"): range(0, 110, 5),
    ("tmp", "bytes"): (0, 4096, 8192),
    ("tmp", "files"): (0, 1, 2, 3, 4),
}
PLACES = [(*place, left) for place, lefts in WHOLE_OF.items() for left in lefts]
FEWEST_HANDLES, MOST_HANDLES = 8, 28
SIZES = range(500, 400_000, 20_000)


def test_a_disk_that_fills_in_the_middle_loses_nothing(some: Some, tmp_path: Path) -> None:
    tree = _tree(tmp_path / "whole")

    for number, (place, kind, left) in enumerate(some(PLACES)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with scene(folder, place, files=3000) as there:
            _holds(there, there.plan(kind, left), tree, (place, kind, left))


@pytest.mark.parametrize("limit", ["nofile", "fsize"])
def test_a_limit_that_is_met_in_the_middle_loses_nothing(
    some: Some, tmp_path: Path, limit: str
) -> None:
    tree = _tree(tmp_path / "whole")
    values = range(FEWEST_HANDLES, MOST_HANDLES) if limit == "nofile" else SIZES

    for value in some(list(values))[::4]:
        folder = tmp_path / str(value)
        folder.mkdir()
        with scene(folder, "") as there:
            _holds(there, there.plan(), tree, (limit, value), ("prlimit", f"--{limit}={value}"))


def _holds(
    there: Scene, plan: str, tree: str, about: tuple[object, ...], under: tuple[str, ...] = ()
) -> None:
    """Hold a disturbed run, and the same command once there is room, to what they must be."""
    before = state_of(there.factory.folder)
    words = ("oneshot", "--plan", plan, "--run-id", "r1", "--json")

    first = there.disks.run(
        *under,
        *there.factory.argv(*words),
        cwd=there.factory.folder,
        env=there.factory.environment(there.variables),
    )

    assert "Traceback" not in first.stderr and "a bug" not in first.stderr, (about, first.stderr)
    answer = json.loads(first.stdout)
    assert (first.exit_code, answer.get("tree")) == (0, tree) or first.exit_code == 20, about
    assert first.exit_code == 0 or "give it room there" in first.stderr, (about, first.stderr)
    assert there("ledger-replay").exit_code == 0, about
    sealed = {worker: there.runs_of(worker) for worker in there.sealed()}
    there.given_room()
    again = there(*words)
    assert (again.exit_code, json.loads(again.stdout).get("tree")) == (0, tree), (about, again)
    assert {worker: there.runs_of(worker) for worker in sealed} == sealed, about
    assert state_of(there.factory.folder) == before, about


def _tree(folder: Path) -> str:
    """Return the tree of an undisturbed run."""
    folder.mkdir()
    with scene(folder, "") as there:
        ended = there("oneshot", "--plan", there.plan(), "--json")
        assert ended.exit_code == 0
        return str(json.loads(ended.stdout)["tree"])
