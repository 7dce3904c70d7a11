"""Any damage of a valid bundle is judged, and what passes is what git makes of its patch."""

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.builders import Repo
from tests.hostile.ground import Ground, base_for
from tools.codex.factory.domain.tree import spliced

pytestmark = pytest.mark.slow

WORKER = "A_worker"
BASE = base_for([WORKER])
GROUND = Ground.of(BASE, run="r1", worker=WORKER, commit="1" * 40)
NAMES = sorted(GROUND.bundle())
# A byte of no meaning is soon refused; one of the grammar's own gets further.
BYTES = st.one_of(
    st.binary(min_size=1, max_size=4),
    st.sampled_from([b" ", b"\n", b"+", b"-", b"0", b"1", b'"', b"\\", b",", b"}", b"/", b"@"]),
)
DAMAGE = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(["flip", "insert", "delete", "cut", "repeat"]),
        st.floats(0, 1, exclude_max=True),
        BYTES,
    ),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    repo = Repo.make(tmp_path_factory.mktemp("damage"))
    repo.store(BASE, ref="refs/heads/base")
    return repo


@given(damage=DAMAGE)
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_damage_is_judged_and_what_passes_is_what_git_makes_of_it(
    repo: Repo, damage: list[tuple[str, str, float, bytes]]
) -> None:
    files = GROUND.bundle()
    for name, kind, where, what in damage:
        files[name] = _damaged(files[name], kind, int(where * len(files[name])), what)

    judgement = GROUND.judged_at_once(files)

    event("passed" if judgement.included else "blocked")
    for worker in judgement.included:
        changes = judgement.changes_of[worker]
        made = spliced(judgement.base, {change.path: change.new for change in changes})
        assert made.root == _tree_by_git(repo, files["DIFF.patch"])


@given(
    where=st.floats(0, 1, exclude_max=True), what=BYTES, kind=st.sampled_from(["flip", "insert"])
)
@settings(deadline=None, max_examples=300)
def test_damage_of_the_patch_alone_never_makes_another_tree(
    where: float, what: bytes, kind: str
) -> None:
    files = GROUND.bundle()
    patch = files["DIFF.patch"]
    files["DIFF.patch"] = _damaged(patch, kind, int(where * len(patch)), what)

    judgement = GROUND.judged_at_once(files)

    trees = {
        spliced(judgement.base, {c.path: c.new for c in judgement.changes_of[w]}).root
        for w in judgement.included
    }
    assert trees <= {GROUND.honest_tree()}


def _damaged(content: bytes, kind: str, at: int, what: bytes) -> bytes:
    if kind == "flip":
        return content[:at] + what + content[at + len(what) :]
    if kind == "insert":
        return content[:at] + what + content[at:]
    if kind == "delete":
        return content[:at] + content[at + len(what) :]
    return content[:at] if kind == "cut" else content + content[at:]


def _tree_by_git(repo: Repo, patch: bytes) -> str:
    repo.git("read-tree", "base")
    repo.git("apply", "--cached", "--whitespace=nowarn", "--allow-empty", "-", feed=patch)
    return repo.git("write-tree").decode().strip()
