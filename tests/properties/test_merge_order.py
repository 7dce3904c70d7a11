"""Bundles come in any order: what they come to is the same, byte for byte."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import event
from hypothesis import strategies as st

from tests.builders import Files, Repo, base_of, proven
from tests.conftest import git_for
from tests.properties.depth import holds
from tests.properties.drawn import Held, apart
from tests.properties.stored import patches
from tools.codex.factory.domain.bundle import RawBundle
from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.finding import Finding
from tools.codex.factory.domain.identity import ObjectId, RunId, WorkerId
from tools.codex.factory.domain.manifest import Manifest
from tools.codex.factory.domain.plan import Plan, PlanFile, Policy, WorkerEntry, resolved
from tools.codex.factory.domain.result import merged_files, overlap_document
from tools.codex.factory.domain.verdict import judge
from tools.codex.factory.render.documents import merge_plan
from tools.codex.factory.repository.objects import objects_of
from tools.codex.factory.repository.quarantine import open_store
from tools.codex.factory.stages.bundle import Made, bundle_files
from tools.codex.factory.stages.integrate import Tools, reached

pytestmark = pytest.mark.slow

RUN = RunId("order")
WHEN = datetime(2026, 11, 21, tzinfo=UTC)
SHARED = ("/shared/**",)
LINES = tuple(b"%d\n" % n for n in range(9))
NAMES = (
    "a", "A", "a/x", "b", "b/x", "b/X", "c/d/e", "c/d", "\u00e9", "e\u0301", ".gitattributes",
    "shared/f", "shared/g",
)  # fmt: skip
held: st.SearchStrategy[Held] = st.sampled_from(
    (b"", b"1\n", b"2\n", ("100755", b"1\n"), ("120000", b"a"), b"\0")
)


@st.composite
def edited(draw: st.DrawFn) -> bytes:
    """Draw the shared text with a line or two changed."""
    changed = draw(st.sets(st.integers(0, len(LINES) - 1), min_size=1, max_size=2))
    return b"".join(b"x\n" if n in changed else line for n, line in enumerate(LINES))


@dataclass(frozen=True, slots=True)
class Case:
    """A base, what each worker makes of it, by what policy, and two orders to come in."""

    before: Files
    afters: dict[str, Files]
    policy: Policy
    orders: tuple[tuple[str, ...], tuple[str, ...]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a base and two to five bundles, many of which meet."""
    text = b"".join(LINES)
    common = {"shared/f": text, "shared/g": text}
    before = apart({**draw(st.dictionaries(st.sampled_from(NAMES), held, max_size=4)), **common})
    afters = {}
    for name in ("A", "B", "C", "D", "E")[: draw(st.integers(2, 5))]:
        after = dict(before)
        for path in draw(st.lists(st.sampled_from(NAMES), max_size=2)):
            after[path] = draw(edited()) if path in common else draw(held)
        for path in draw(st.sets(st.sampled_from(sorted(before)), max_size=1)):
            after.pop(path)
        afters[name] = apart(after)
    policy = Policy(
        allow_identical=draw(st.booleans()),
        on_blocked=draw(st.sampled_from(("strict", "exclude", "exclude"))),
    )
    orders = (draw(st.permutations(sorted(afters))), draw(st.permutations(sorted(afters))))
    return Case(before, afters, policy, (tuple(orders[0]), tuple(orders[1])))


@dataclass(frozen=True, slots=True)
class Ground:
    """A user's repository, and the tools of an integrator whose store borrows from it."""

    user: Repo
    tools: Tools


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    yield from a_ground(tmp_path_factory.mktemp("order"))


def a_ground(top: Path) -> Iterator[Ground]:
    """Yield a ground below `top`."""
    user = Repo.make(top / "user")
    git, store, scratch = git_for(top), top / "objects.git", top / "scratch"
    scratch.mkdir()
    open_store(git, store, user.path / ".git" / "objects")
    with objects_of(git, store) as objects:
        yield Ground(user, Tools(git=git, store=store, objects=objects, scratch=scratch))


@holds(25, case=cases())
def test_bundles_in_any_order_come_to_the_same_bytes(ground: Ground, case: Case) -> None:
    made = patches(ground.user, case.before, [case.afters[name] for name in sorted(case.afters)])
    patch_of = dict(zip(sorted(case.afters), made, strict=True))

    one, other = (_come_to(ground, case, patch_of, order) for order in case.orders)

    event(f"{one.status}, {len(one.merged)} of {len(case.afters)} merged")
    assert one == other
    assert one.tree in (None, base_of(_model(case, one.merged))[0].root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """All that bundles come to."""

    status: str
    findings: tuple[Finding, ...]
    merged: tuple[WorkerId, ...]
    tree: ObjectId | None
    commit: ObjectId | None
    artifacts: dict[str, bytes]


def _come_to(ground: Ground, case: Case, patch_of: dict[str, bytes], order: Sequence[str]) -> Came:
    plan = _plan(case.policy, order)
    base, commit = (
        ObjectId(oid)
        for oid in ground.user.git("rev-parse", "t0^{tree}", "t0^{commit}").decode().split()
    )
    tools = ground.tools
    raws = [_raw(plan, name, patch_of[name], case, commit) for name in order]
    judgement = judge(
        raws, plan, run=RUN, base_commit=commit, base_root=base, objects=tools.objects
    )
    manifest = _manifest(plan, base, commit)
    integration = reached(judgement, plan, manifest, tools=tools)
    merged = integration.merged
    assert [f for f in integration.extra if f.blocks] == []
    return Came(
        status=integration.status,
        findings=integration.findings,
        merged=merged.workers if merged else (),
        tree=merged.tree if merged else None,
        commit=merged.commit if merged else None,
        artifacts={
            "DIFF.patch": integration.patch,
            "FILES_CHANGED.json": canonical(merged_files(integration, RUN)),
            "MERGE_PLAN.md": merge_plan(plan, integration, commit).encode(),
            "OVERLAP.json": canonical(overlap_document(judgement, commit)),
        },
    )


def _plan(policy: Policy, order: Sequence[str]) -> Plan:
    workers = tuple(
        WorkerEntry(id=name, patch="p", allow=("*", "/.gitattributes"), shared=SHARED)
        for name in order
    )
    return resolved(PlanFile(schema_version=1, title="order", workers=workers), policy, {}, None)


def _raw(plan: Plan, name: str, patch: bytes, case: Case, commit: ObjectId) -> RawBundle:
    """Return the bundle that the house makes of a patch that was made elsewhere."""
    entry = next(entry for entry in plan.workers if entry.id == name)
    after, _ = base_of(case.afters[name])
    one = proven(case.before, patch, name)
    made = Made(patch=patch, changes=one.changes, tree=after.root, findings=(), times=(WHEN, WHEN))
    files = bundle_files(RUN, entry, made, base_commit=commit, stamp=str)
    return RawBundle(worker=WorkerId(name), artifacts=files, logs={}, findings=())


def _manifest(plan: Plan, base: ObjectId, commit: ObjectId) -> Manifest:
    return Manifest(
        schema_version=1,
        run_id=RUN,
        kind="factory",
        created_at="",
        base_ref="t0",
        base_commit=commit,
        base_tree=base,
        workers=tuple(entry.id for entry in plan.workers),
        rehearsal=False,
        plan_sha256="0" * 64,
        config_sha256="0" * 64,
        versions={},
    )


def _model(case: Case, merged: Sequence[str]) -> Files:
    """Return the base with what each merged bundle wrote; one line a turn in what is shared."""
    files = dict(case.before)
    for name in merged:
        after = case.afters[name]
        for path in {**case.before, **after}:
            if case.before.get(path) == after.get(path):
                continue
            if path.startswith("shared/") and path in files and path in after:
                files[path] = _line_by_line(files[path], after[path])
            elif path in after:
                files[path] = after[path]
            else:
                files.pop(path, None)
    return files


def _line_by_line(here: bytes | tuple[str, bytes], there: bytes | tuple[str, bytes]) -> bytes:
    assert isinstance(here, bytes)
    assert isinstance(there, bytes)
    pairs = zip(LINES, here.splitlines(True), there.splitlines(True), strict=True)
    return b"".join(mine if yours == line else yours for line, mine, yours in pairs)
