"""What a hostile bundle is made from: one valid bundle, and one thing of it changed."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.builders import Files, a_patch, base_of, entries_of
from tests.hostile.patches import BASE, CHANGED, LINES
from tools.codex.factory.domain.artifact import WORKER_ARTIFACTS, Ending
from tools.codex.factory.domain.bundle import RawBundle
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.identity import (
    ObjectId,
    RunId,
    WorkerId,
    digest_of,
    object_id_of,
    run_id,
    worker_id,
)
from tools.codex.factory.domain.patch import scan
from tools.codex.factory.domain.plan import Plan, PlanFile, Policy, resolved
from tools.codex.factory.domain.proof import prove
from tools.codex.factory.domain.reader import PatchRefused
from tools.codex.factory.domain.tree import BaseTree, spliced
from tools.codex.factory.domain.verdict import Judgement, judge
from tools.codex.factory.stages.bundle import Made, bundle_files
from tools.codex.factory.storage.intake import take_in_folder
from tools.codex.factory.storage.run_directory import RunDirectory
from tools.codex.factory.storage.seal import seal, sealed

Document = dict[str, Any]
LOG = b"it ran\n"
LIMITS = Policy(patch_bytes=32 << 20, file_bytes=16 << 20, bundle_bytes=48 << 20)
"""Smaller than the factory's own, so that a test may reach them."""
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
ELSEWHERE = worker_id("Elsewhere")


def own(worker: str) -> str:
    """Return the folder of the base that one worker of the corpus may write."""
    return f"own/{worker}"


def base_for(workers: Collection[str]) -> Files:
    """Return the base of all hostile patches, with a folder for each worker."""
    mine: dict[str, bytes | tuple[str, bytes]] = {}
    for worker in workers:
        mine[f"{own(worker)}/f"] = LINES
    return {**BASE, **mine}


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of a base in memory, as the judge reads them."""

    trees: Mapping[ObjectId, bytes]
    contents: Mapping[ObjectId, bytes]

    def tree(self, oid: ObjectId) -> bytes:
        return self.trees[oid]

    def blobs(self, oids: Collection[ObjectId], *, limit: int) -> Mapping[ObjectId, bytes]:
        return {oid: self.contents[oid] for oid in oids if len(self.contents[oid]) <= limit}


@dataclass(frozen=True, slots=True)
class Ground:
    """A run on a base in memory, and one worker of it, whose bundle comes from elsewhere."""

    run: RunId
    worker: WorkerId
    base: BaseTree
    objects: Objects
    commit: ObjectId
    policy: Policy

    @classmethod
    def of(
        cls,
        files: Files,
        *,
        run: str,
        worker: str,
        commit: str,
        policy: Policy | None = None,
    ) -> "Ground":
        """Return the ground that `files` make."""
        base, contents = base_of(files)
        empty = object_id_of("tree", b"")
        made = spliced(BaseTree(empty, {"": {}}), entries_of(files))
        objects = Objects({empty: b"", **made.objects}, contents)
        return cls(
            run_id(run), worker_id(worker), base, objects, ObjectId(commit), policy or LIMITS
        )

    def plan(self) -> Plan:
        """Return the plan of this one worker."""
        file = PlanFile.model_validate(
            {
                "schema_version": 1,
                "title": "Hostile bundles",
                "workers": ({"id": self.worker, "bundle": "x", **scope()},),
            }
        )
        return resolved(file, self.policy, {}, "tools/codex/runs")

    def honest_patch(self) -> bytes:
        """Return the edit of one file and the addition of another."""
        here = own(self.worker)
        before: Files = {f"{here}/f": LINES}
        return a_patch(before, {f"{here}/f": CHANGED, f"{here}/new": b"new\n"})

    def bundle(self, patch: bytes | None = None) -> dict[str, bytes]:
        """Return a valid bundle of `patch`, the honest one if none is given.

        Where the patch comes to nothing that can be, the bundle claims what the honest one does.
        """
        content = self.honest_patch() if patch is None else patch
        proven = self._proven(content)
        if proven is None:
            proven = self._proven(self.honest_patch()) or ()
        tree = spliced(self.base, {change.path: change.new for change in proven}).root
        entry = self.plan().workers[0]
        made = Made(
            patch=content,
            changes=proven,
            tree=tree,
            findings=(),
            times=(NOON, NOON),
            ended=Ending(how="exited", exit_code=0, signal=None),
            logs={"LOGS/worker.log": ("stdout", False, LOG)},
        )
        return bundle_files(
            self.run, entry, made, base_commit=self.commit, stamp=datetime.isoformat
        )

    def honest_tree(self) -> str:
        """Return the tree of the base and the honest work."""
        return str(json.loads(self.bundle()["STATUS.json"])["captured_tree"])

    def other(self, *, run: str | None = None, worker: str | None = None) -> "Ground":
        """Return the same ground for another worker, or in another run."""
        return replace(self, run=run_id(run or self.run), worker=worker_id(worker or self.worker))

    def judged(self, folder: Path, root: Path) -> Judgement:
        """Return what comes of a folder by the one door: taken in, sealed, read back, judged."""
        policy = self.policy
        taken = take_in_folder(
            folder,
            self.worker,
            patch_bytes=policy.patch_bytes,
            bundle_bytes=policy.bundle_bytes,
        )
        (root / self.run).mkdir(parents=True)
        directory = RunDirectory(root, self.run)
        seal(directory, self.worker, taken.files, taken.findings)
        most = {"patch_bytes": policy.patch_bytes, "bundle_bytes": policy.bundle_bytes}
        return self._of(sealed(directory, self.worker, **most))

    def judged_at_once(self, files: Mapping[str, bytes]) -> Judgement:
        """Return what comes of the files of a bundle, as if they had been sealed."""
        named = {name: files[name] for name in WORKER_ARTIFACTS if name in files}
        logs = {n: (digest_of(files[n]), len(files[n])) for n in files if n not in named}
        return self._of(RawBundle(worker=self.worker, artifacts=named, logs=logs, findings=()))

    def _of(self, raw: RawBundle) -> Judgement:
        return judge(
            [raw],
            self.plan(),
            run=self.run,
            base_commit=self.commit,
            base_root=self.base.root,
            objects=self.objects,
        )

    def _proven(self, patch: bytes) -> tuple[Change, ...] | None:
        try:
            scanned = scan(patch, self.policy.limits())
        except PatchRefused:
            return None
        found = prove(
            scanned, self.base, self.objects.contents,
            worker=self.worker, limits=self.policy.limits(),
        )  # fmt: skip
        return None if found.findings else found.changes


@dataclass(frozen=True, slots=True)
class Folder:
    """A valid bundle on disk, to be spoiled; `outside` holds what is not in it."""

    path: Path
    outside: Path
    ground: Ground

    @classmethod
    def make(cls, path: Path, outside: Path, ground: Ground) -> "Folder":
        """Write the valid bundle."""
        outside.mkdir(parents=True)
        (outside / "treasure").write_bytes(b"of somebody else\n")
        made = cls(path, outside, ground)
        made.replace(ground.bundle())
        return made

    def replace(self, files: Mapping[str, bytes]) -> None:
        """Write these files."""
        for name, content in files.items():
            self.write(name, content)

    def write(self, name: str, content: bytes) -> None:
        """Write one file."""
        place = self.path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def read(self, name: str) -> bytes:
        """Return the bytes of one file."""
        return (self.path / name).read_bytes()

    def document(self, name: str, change: Callable[[Document], object]) -> None:
        """Change a JSON document; it is canonical again."""
        document = json.loads(self.read(name))
        change(document)
        self.write(name, canonical(document))

    def text(self, name: str, old: bytes, new: bytes) -> None:
        """Replace bytes of a file that it holds."""
        content = self.read(name)
        assert old in content, (name, old)
        self.write(name, content.replace(old, new, 1))

    def moved(self, name: str) -> Path:
        """Move a file out of the bundle; return where its place was."""
        (self.path / name).rename(self.outside / "moved")
        return self.path / name


@dataclass(frozen=True, slots=True)
class BundleCase:
    """One bundle: what is wrong with it, and the codes of all that blocks it.

    `patch` gives the hostile patch where it is that, and `git_accepts` what `git apply --cached`
    does with it on the base.
    """

    family: str
    name: str
    why: str
    spoil: Callable[[Folder], object]
    expected: tuple[str, ...]
    git_accepts: bool | None = None
    needs_root: bool = False
    needs_user: bool = False


def scope() -> dict[str, tuple[str, ...]]:
    """Return the scope that every worker of the corpus has."""
    return {"allow": ("*",), "deny": ("private/",), "shared": ()}


def changed(**fields: object) -> Callable[[Document], object]:
    """Return a change of fields of a document."""
    return lambda document: document.update(fields)
