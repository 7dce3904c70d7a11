"""How long a merge takes, against git applying the same patches one process at a time.

python bench/integrate.py --repo DIR --bundles N [--base REV]
"""

import argparse
import cProfile
import json
import multiprocessing
import pstats
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.history import base_with, clone_of, disjoint, files_of, git, resolved, write_works
from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.domain.merge import merge
from tools.codex.factory.host import take_host
from tools.codex.factory.pipelines.record import RecordedRun, standing_run
from tools.codex.factory.pipelines.session import Session, session
from tools.codex.factory.repository.objects import objects_of
from tools.codex.factory.stages.integrate import Tools, proven
from tools.codex.factory.stages.validate import judged

APPLY = "apply --cached, one process each"
WORKTREE = "apply --3way --index in one worktree"
CHECKOUT = "checkout of that worktree"
MERGE = "validate + merge"
PROOF = "emit + audit"


@dataclass(frozen=True, slots=True)
class Round:
    """What one way took, by part, and the tree that it reached."""

    seconds: Mapping[str, float]
    tree: str


@dataclass(frozen=True, slots=True)
class Ground:
    """A clone with a launched run, and the patches that the run took in."""

    clone: Path
    head: str
    patches: tuple[Path, ...]
    paths: int
    session: Session
    run: RecordedRun
    launched: float

    def scratch(self) -> "tempfile.TemporaryDirectory[str]":
        return tempfile.TemporaryDirectory(prefix="round-", dir=self.clone.parent)


def prepared(asked: argparse.Namespace, folder: Path) -> Ground:
    """Return a clone of the base in `folder` with one run launched on it."""
    repo = asked.repo.resolve()
    base = resolved(repo, asked.base) if asked.base else base_with(repo, asked.bundles)
    works = disjoint(repo, base, asked.bundles, renames=asked.renames)
    plan = write_works(works, folder, f"{asked.bundles} commits on {base[:12]}")
    clone = folder / "clone"
    head = clone_of(repo, base, clone, copies=asked.copies, files=False)
    started = time.perf_counter()
    run = launched(clone, plan)
    ground = session(take_host(), folder=clone, config_file=None, flags={})
    return Ground(
        clone=clone,
        head=head,
        patches=tuple(folder / "patches" / f"{work.worker}.patch" for work in works),
        paths=len({path for work in works for path in work.paths}),
        session=ground,
        run=standing_run(ground, run),
        launched=time.perf_counter() - started,
    )


def launched(clone: Path, plan: Path) -> str:
    """Launch the plan with a factory of its own, and return the run's id."""
    words = ("-m", "tools.codex.factory", "-C", str(clone), "--json", "launch", "--plan", str(plan))
    done = subprocess.run((sys.executable, *words), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return str(json.loads(done.stdout)["run_id"])


def one_by_one(ground: Ground) -> Round:
    """Let one process per patch change a full index of the base."""
    with ground.scratch() as scratch:
        own = {
            "GIT_INDEX_FILE": f"{scratch}/index",
            "GIT_OBJECT_DIRECTORY": f"{scratch}/objects",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(ground.clone / ".git" / "objects"),
        }
        Path(scratch, "objects").mkdir()
        started = time.perf_counter()
        git(ground.clone, "read-tree", ground.head, env=own)
        for patch in ground.patches:
            git(ground.clone, "apply", "--cached", "--whitespace=nowarn", str(patch), env=own)
        tree = git(ground.clone, "write-tree", env=own).decode().strip()
        return Round({APPLY: time.perf_counter() - started}, tree)


def in_worktree(ground: Ground) -> Round:
    """Let one process per patch change a checkout of the base."""
    with ground.scratch() as scratch:
        folder = Path(scratch, "worktree")
        folder.mkdir()
        git(folder, "init", "--quiet", "--template=")
        borrowed = ground.clone / ".git" / "objects"
        (folder / ".git" / "objects" / "info").mkdir(parents=True, exist_ok=True)
        (folder / ".git" / "objects" / "info" / "alternates").write_text(f"{borrowed}\n")
        begun = time.perf_counter()
        git(folder, "read-tree", "-u", "-m", ground.head)
        started = time.perf_counter()
        for patch in ground.patches:
            git(folder, "apply", "--3way", "--index", "--whitespace=nowarn", str(patch))
        tree = git(folder, "write-tree").decode().strip()
        return Round({WORKTREE: time.perf_counter() - started, CHECKOUT: started - begun}, tree)


def by_factory(ground: Ground) -> Round:
    """Let the factory judge, merge and prove the sealed bundles, in a process with cold caches."""
    with ground.scratch() as scratch:
        # The store as launch left it: each round adds the merged pack to its own copy.
        store = Path(scratch, "objects.git")
        shutil.copytree(ground.run.directory.store, store)
        return in_child(lambda: merged_and_proven(ground, store, Path(scratch)))


def merged_and_proven(ground: Ground, store: Path, scratch: Path) -> Round:
    """Return what judging and merging took, and apart what emitting and auditing took."""
    run, manifest, plan = ground.run.directory, ground.run.manifest, ground.run.plan
    base = ObjectId(manifest.base_commit)
    started = time.perf_counter()
    with objects_of(ground.session.git, store) as objects:
        tools = Tools(
            git=ground.session.git,
            store=store,
            objects=objects,
            scratch=scratch,
        )
        judgement = judged(run, plan, manifest, objects)
        if not judgement.included:
            raise SystemExit("\n".join(f"{f.subject}: {f.message}" for f in judgement.findings))
        content = objects.commit(base)
        merged = merge(judgement, plan, base_commit=base, base_commit_content=content)
        between = time.perf_counter()
        integration = proven(judgement, merged, plan, manifest, tools=tools)
        ended = time.perf_counter()
    if integration.proof is None:
        raise SystemExit(f"no proof: {integration.findings}")
    seconds = {MERGE: between - started, PROOF: ended - between}
    return Round(seconds, integration.proof.audited_tree)


def in_child(work: Callable[[], Round]) -> Round:
    """Return what `work` returns in a forked process."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=_answering, args=(work, there))
    child.start()
    there.close()
    try:
        answer = here.recv()
    except EOFError:
        raise SystemExit("the factory's round ended without an answer") from None
    child.join()
    if not isinstance(answer, Round):
        raise SystemExit(answer)
    return answer


def profiled(ground: Ground, part: str) -> None:
    """Print where validate + merge and emit + audit spend their time."""
    with ground.scratch() as scratch:
        store = Path(scratch, "objects.git")
        shutil.copytree(ground.run.directory.store, store)
        profile = cProfile.Profile()
        profile.runcall(merged_and_proven, ground, store, Path(scratch))
        pstats.Stats(profile).sort_stats(part).print_stats(45)


def measured(ground: Ground, rounds: int) -> tuple[dict[str, float], set[str]]:
    """Return the median of each part over `rounds`, the ways in turn, and every tree reached."""
    ways = (by_factory, one_by_one, in_worktree)
    done = [way(ground) for _ in range(rounds) for way in ways]
    parts = {part for one in done for part in one.seconds}
    return (
        {part: median(o.seconds[part] for o in done if part in o.seconds) for part in parts},
        {one.tree for one in done},
    )


def table(seconds: Mapping[str, float]) -> str:
    """Return the parts with how many times longer git's two ways take."""
    both = seconds[MERGE] + seconds[PROOF]
    slow = {"a": seconds[APPLY], "b": seconds[WORKTREE]}
    whole = slow["b"] + seconds[CHECKOUT]
    lines = [f"{'':44}{'seconds':>9}{'(a) is':>9}{'(b) is':>9}{'(b) with checkout':>19}"]
    lines += [f"{'(a) ' + APPLY:44}{slow['a']:9.3f}"]
    lines += [f"{'(b) ' + WORKTREE:44}{slow['b']:9.3f}"]
    lines += [f"{'    ' + CHECKOUT:44}{seconds[CHECKOUT]:9.3f}"]
    rows = ((MERGE, seconds[MERGE]), (PROOF, seconds[PROOF]), (f"{MERGE} + {PROOF}", both))
    for name, took in rows:
        ratios = f"{slow['a'] / took:8.1f}x{slow['b'] / took:8.1f}x{whole / took:18.1f}x"
        lines.append(f"{name:44}{took:9.3f}{ratios}")
    return "\n".join(lines)


def _answering(work: Callable[[], Round], there: Connection) -> None:
    try:
        there.send(work())
    except SystemExit as stop:
        there.send(str(stop))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repo", type=Path, required=True, help="any repository with a history")
    parser.add_argument("--bundles", type=int, required=True)
    parser.add_argument("--base", help="the base (nearest to HEAD that is far enough back)")
    parser.add_argument("--renames", action="store_true", help="write the patches with -M")
    parser.add_argument("--copies", type=int, default=0, help="graft the base this often more")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is measured")
    parser.add_argument("--scratch", type=Path, help="where to work (the folder for such files)")
    parser.add_argument(
        "--profile", choices=("tottime", "cumtime"), help="only say where the factory's time goes"
    )
    return parser.parse_args()


def main() -> int:
    """Measure, print, and fail where two ways reach two trees."""
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=asked.scratch) as folder:
        ground = prepared(asked, Path(folder).resolve())
        if asked.profile:
            profiled(ground, asked.profile)
            return 0
        seconds, trees = measured(ground, asked.rounds)
        size = sum(patch.stat().st_size for patch in ground.patches)
        files = len(files_of(ground.clone, ground.head).entries)
    print(f"repository  {asked.repo}, base {ground.head[:12]} with {files} files")
    print(
        f"bundles     {len(ground.patches)}, {ground.paths} paths, {size / 1e6:.1f} MB of patches"
    )
    print(f"git         {ground.session.git_version}")
    print(f"launch      {ground.launched:.3f} s in a process of its own")
    print(f"rounds      {asked.rounds}, the ways in turn; seconds are medians\n")
    print(table(seconds))
    print(f"\ntree        {', '.join(sorted(trees))}{'' if len(trees) == 1 else '  NOT ONE TREE'}")
    return 0 if len(trees) == 1 else 1


if __name__ == "__main__":
    raise SystemExit(main())
