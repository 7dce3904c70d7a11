"""Real runs with hostile bundles: none of them is merged, none of them stops the honest one."""

import json
import os
import resource
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.builders import Files, Repo
from tests.conftest import Ended, Factory, Some
from tests.hostile.bundles import CASES, cannot_be
from tests.hostile.ground import LIMITS, Folder, Ground, base_for, scope

pytestmark = pytest.mark.slow

RUN = "hostile"
HONEST = "Honest"
# What the interpreter, its packages and their shared libraries map, and then four times all that
# is handed in: its bytes, the sealed ones, the lines and documents that are read out of them.
OWN_MEMORY = 1 << 30
PER_BYTE = 4
SETTINGS = {
    "FACTORY_LIMITS__PATCH_BYTES": str(LIMITS.patch_bytes),
    "FACTORY_LIMITS__FILE_BYTES": str(LIMITS.file_bytes),
    "FACTORY_LIMITS__BUNDLE_BYTES": str(LIMITS.bundle_bytes),
}
MADE = tuple(case for case in CASES if not cannot_be(case))


@dataclass(slots=True)
class Field:
    """A repository on which one worker is honest, and any number is not."""

    repo: Repo
    factory: Factory
    top: Path
    files: Files
    commit: str
    workers: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def make(cls, top: Path, names: list[str]) -> "Field":
        """Return the field for hostile workers of these names."""
        repo = Repo.make(top / "repo")
        files = base_for([*names, HONEST])
        repo.store(files, ref="refs/heads/main")
        repo.git("reset", "-q", "--hard", "main")
        (top / "home").mkdir()
        commit = repo.git("rev-parse", "HEAD").decode().strip()
        made = cls(repo, Factory(repo.path, top / "home"), top, files, commit)
        made.folder(HONEST)
        return made

    def folder(self, name: str) -> Folder:
        """Let a worker hand in a valid bundle, to be spoiled."""
        place = self.top / "incoming" / name
        ground = Ground.of(self.files, run=RUN, worker=name, commit=self.commit)
        self.workers.append({"id": name, "bundle": str(place), **scope()})
        return Folder.make(place, self.top / "outside" / name, ground)

    def plan(self) -> str:
        """Write the plan and return where it is."""
        plan = {"schema_version": 1, "title": "Hostile", "workers": self.workers}
        (self.top / "plan.json").write_text(json.dumps(plan))
        return str(self.top / "plan.json")

    def handed_in(self) -> int:
        """Return how many bytes lie in all the bundles, by what the disk holds of them."""
        found = (self.top / "incoming").rglob("*")
        return sum(os.lstat(path).st_blocks * 512 for path in found)

    def honest_tree(self) -> str:
        """Return the tree of the base and the honest work alone."""
        ground = Ground.of(self.files, run=RUN, worker=HONEST, commit=self.commit)
        return ground.honest_tree()


def test_all_hostile_bundles_beside_an_honest_one(tmp_path: Path) -> None:
    names = {f"W{number:03d}": case for number, case in enumerate(MADE)}
    field = Field.make(tmp_path, list(names))
    for name, case in names.items():
        case.spoil(field.folder(name))
    cap = OWN_MEMORY + PER_BYTE * field.handed_in()

    ended = _capped(field, cap)

    assert ended.exit_code == 3, ended.stderr
    codes = _codes_of(ended)
    wrong = {names[n].name: codes[n] for n in names if not set(names[n].expected) <= codes[n]}
    assert wrong == {}
    assert codes[HONEST] == set()
    assert (ended.answer["partial"], ended.answer["tree"]) == (True, field.honest_tree())
    merged = json.loads(_artifact(field, "FILES_CHANGED.json"))["changes"]
    assert {row["owner"] for row in merged} == {HONEST}
    assert field.factory("ledger-replay", "--run-id", RUN).exit_code == 0


def test_each_hostile_bundle_alone_is_blocked_and_nothing_is_merged(
    tmp_path: Path, some: Some
) -> None:
    for number, case in enumerate(some(MADE)):
        field = Field.make(tmp_path / str(number), ["W"])
        case.spoil(field.folder("W"))

        ended = field.factory(
            "oneshot", "--plan", field.plan(), "--run-id", RUN, "--json", env=SETTINGS
        )

        assert (case.name, ended.exit_code) == (case.name, 3)
        assert (case.name, _codes_of(ended)["W"]) == (case.name, set(case.expected))
        assert (case.name, _artifact(field, "DIFF.patch")) == (case.name, b"")
        assert (case.name, ended.answer["commit"]) == (case.name, None)


def _capped(field: Field, cap: int) -> Ended:
    """Run the command as a process that may map no more than `cap` bytes.

    The time is no measure of anything: it ends a test that hangs.
    """
    words = ("oneshot", "--plan", field.plan(), "--run-id", RUN, "--json")
    exclude = {**SETTINGS, "FACTORY_INTEGRATE__ON_BLOCKED": "exclude"}
    done = subprocess.run(
        field.factory.argv(*words),
        cwd=field.repo.path,
        env=field.factory.environment(exclude),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=600,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (cap, cap)),
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode()[-2000:])


def _codes_of(ended: Ended) -> dict[str, set[str]]:
    """Return the codes of what blocks each worker alone."""
    found: dict[str, set[str]] = {row["worker_id"]: set() for row in ended.answer["workers"]}
    for finding in ended.answer["findings"]:
        worker = finding["subject"].partition(": ")[0]
        if worker in found and finding["severity"] == "blocks":
            found[worker].add(finding["code"])
    return found


def _artifact(field: Field, name: str) -> bytes:
    folder = field.repo.path / "tools" / "codex" / "runs" / RUN / "Z_integrator"
    return (folder / name).read_bytes()
