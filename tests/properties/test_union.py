"""Several writers of one shared file: their union is what `git merge-file` makes of them."""

import itertools
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import event
from hypothesis import strategies as st

from tests.builders import Files, Repo, base_of, proven
from tests.properties.depth import holds
from tests.properties.stored import patches
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.identity import ObjectId, RepoPath, WorkerId
from tools.codex.factory.domain.merge import merge
from tools.codex.factory.domain.overlap import overlaps
from tools.codex.factory.domain.plan import Integration, Plan, Policy, WorkerEntry
from tools.codex.factory.domain.scope import lock
from tools.codex.factory.domain.verdict import Judgement

pytestmark = pytest.mark.slow

SHARED = lock((), (), ("/f",))
FRESH = (b"a\n", b"b\n", b"x\n", b"x\r\n", b"\n", b"x")


@st.composite
def bases(draw: st.DrawFn) -> list[bytes]:
    """Draw lines: numbered, or ever the same few, as in tables; with either line end, or none."""
    end = draw(st.sampled_from((b"\n", b"\n", b"\r\n")))
    period = draw(st.sampled_from((1, 2, 3, 4, 1000)))
    count = draw(st.integers(0, 24))
    lines = [b"%d%s" % (n % period, end) for n in range(count)]
    is_cut = draw(st.booleans())
    if lines and is_cut:
        lines[-1] = lines[-1].rstrip(b"\r\n")
    return lines


@st.composite
def rewritten(draw: st.DrawFn, lines: Sequence[bytes]) -> bytes:
    """Draw what one writer makes of these lines by an edit or two."""
    made = list(lines)
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(made)))
        fresh = [*lines[at : at + 2], *FRESH]
        taken = draw(st.integers(0, 3))
        made[at : at + taken] = draw(st.lists(st.sampled_from(fresh), max_size=3))
    whole = [line if line.endswith(b"\n") else line + b"\n" for line in made[:-1]]
    return b"".join(whole + made[-1:])


@st.composite
def writers(draw: st.DrawFn, count: int) -> tuple[bytes, list[bytes]]:
    """Draw a file and what several writers make of it; a quarter of them does as another does."""
    lines = draw(bases())
    made: list[bytes] = []
    for _ in range(count):
        again = made and draw(st.integers(0, 3)) == 0
        made.append(made[0] if again else draw(rewritten(lines)))
    return b"".join(lines), made


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    return Repo.make(tmp_path_factory.mktemp("union"))


@holds(100, drawn=writers(2))
def test_two_writers_are_united_where_git_merges_and_as_git_merges(
    repo: Repo, drawn: tuple[bytes, list[bytes]]
) -> None:
    before, afters = drawn
    merged = _merged_by_git(repo, before, *afters)
    event("clean" if merged is not None else "conflict")

    united = _united(repo, before, afters)

    assert united == merged


@holds(40, drawn=writers(3))
def test_three_writers_are_united_as_some_order_of_git_and_refused_where_some_order_is(
    repo: Repo, drawn: tuple[bytes, list[bytes]]
) -> None:
    before, afters = drawn
    orders = [_chained(repo, before, order) for order in itertools.permutations(afters)]
    clean = {made for made in orders if made is not None}
    event(f"clean by {len(orders) - orders.count(None)} of 6 orders, to {len(clean)} ends")

    united = _united(repo, before, afters)

    # In a file of like lines git itself may take one order and refuse another.
    assert united in clean if united is not None else None in orders


@holds(40, drawn=writers(2))
def test_identical_edits_conflict_unless_they_may_be_made_and_change_nothing_else(
    repo: Repo, drawn: tuple[bytes, list[bytes]]
) -> None:
    before, afters = drawn

    strict = _united(repo, before, afters, allow_identical=False)

    lenient = _united(repo, before, afters)
    assert strict in (None, lenient)
    assert strict is None or afters[0] != afters[1] or afters[0] == before


def _united(
    repo: Repo, before: bytes, afters: Sequence[bytes], *, allow_identical: bool = True
) -> bytes | None:
    """Return what the house makes of one file of several writers, or None where it refuses."""
    files: Files = {"f": before}
    made = {
        WorkerId(f"W{number}"): proven(files, patch, f"W{number}")
        for number, patch in enumerate(patches(repo, files, [{"f": after} for after in afters]))
    }
    assert [one.findings for one in made.values()] == [()] * len(afters)
    changes_of = {name: one.changes for name, one in made.items()}
    base, blobs = base_of(files)
    met = overlaps(
        changes_of, dict.fromkeys(changes_of, SHARED), base, allow_identical=allow_identical
    )
    if any(row.blocks for row in met.rows):
        return None
    judgement = Judgement(
        base=base,
        blobs=blobs,
        bundles={},
        changes_of=changes_of,
        overlaps=met,
        findings=(),
        included=tuple(changes_of),
        own_findings={},
    )
    return _merged(judgement, _plan(changes_of, allow_identical)).get(RepoPath("f"), before)


def _merged(judgement: Judgement, plan: Plan) -> Mapping[RepoPath, bytes]:
    """Return the content of each path that is merged; none goes away here."""
    commit = ObjectId("1" * 40)
    whole = merge(judgement, plan, base_commit=commit, base_commit_content=b"")
    contents = {path: content for path, content in whole.contents.items() if content is not None}
    assert len(contents) == len(whole.contents)
    return contents


def _plan(changes_of: dict[WorkerId, tuple[Change, ...]], allow_identical: bool) -> Plan:
    return Plan(
        schema_version=1,
        revision=1,
        title="union",
        workers=tuple(WorkerEntry(id=name, patch="p", shared=("/f",)) for name in changes_of),
        pins={},
        integration=Integration(),
        checks=(),
        policy=Policy(allow_identical=allow_identical),
        runs_root=None,
    )


def _merged_by_git(repo: Repo, before: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """Return what `git merge-file` makes of two versions, or None where they conflict."""
    for name, content in (("base", before), ("ours", ours), ("theirs", theirs)):
        (repo.path / name).write_bytes(content)
    ended = repo.run("merge-file", "-p", "ours", "base", "theirs")
    assert ended.returncode <= 127, ended.stderr
    return ended.stdout if ended.returncode == 0 else None


def _chained(repo: Repo, before: bytes, order: Sequence[bytes]) -> bytes | None:
    """Return what git makes of one after the other, or None where it ever conflicts."""
    tip: bytes | None = order[0]
    for after in order[1:]:
        tip = _merged_by_git(repo, before, tip, after) if tip is not None else None
    return tip
