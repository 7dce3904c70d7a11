"""Scopes and overlaps, held against answers that are slow and plainly right."""

import itertools
import unicodedata
from collections.abc import Mapping

import pytest
from hypothesis import strategies as st

from tests.builders import FILE, LINK, Files, Repo, a_patch, base_of, blob_id, proven, worker
from tests.properties.depth import holds
from tests.properties.drawn import Held, apart
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.identity import RepoPath, WorkerId
from tools.codex.factory.domain.overlap import Overlaps, overlaps
from tools.codex.factory.domain.pattern import pattern
from tools.codex.factory.domain.scope import lock, scope_findings
from tools.codex.factory.domain.tree import Entry

PIECES = (
    "a", "b", "ab", "*", "?", "**", "[ab]", "[!a]", "a*", "*b", "\\*", ".a", "a b", "[^b]",
    "[a-b]*", "\\a", "a**b", "{a}", "$", "(a)", "+", "\u00e9*", "?b", "*.*", "a.b",
)  # fmt: skip
PARTS = (
    "a", "b", "ab", "abb", "*", "a b", ".a", "..a", "ba", "c", "{a}", "$", "(a)", "+", "A", "a\r",
    "\u00e9clair", "a\n", "\udcff", "a.b", "-",
)  # fmt: skip
NAMES = (
    "a", "A", "b", "a/x", "A/x", "a/X", "b/x", "B/x", "b/x/z", "\u00e9", "e\u0301", "\u00c9/q",
    "c/d/e", "c/d", "stra\u00dfe", "STRASSE", "\u212a", "k", "k/\ufb01", "K/fi", ".gitattributes",
    "b/.gitattributes", "a/.GitAttributes", ".gitmodules",
)  # fmt: skip
GLOBAL = (".gitattributes", ".gitmodules", ".lfsconfig")
Pairs = set[tuple[str, frozenset[str]]]


def _is_pattern(text: str) -> bool:
    try:
        return pattern(text) == text
    except ValueError:
        return False


one_pattern = st.builds(
    lambda start, parts, end: start + "/".join(parts) + end,
    st.sampled_from(("", "", "/", "!")),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=3),
    st.sampled_from(("", "", "/")),
).filter(_is_pattern)
several = st.lists(one_pattern, max_size=3).map(tuple)
written_paths = st.lists(
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=3).map("/".join),
    min_size=1,
    max_size=15,
    unique=True,
).map(sorted)
held: st.SearchStrategy[Held] = st.sampled_from((b"1\n", b"2\n", (LINK, b"x")))
trees = st.dictionaries(st.sampled_from(NAMES), held, max_size=6).map(apart)


@st.composite
def bundles(draw: st.DrawFn) -> tuple[Files, dict[str, Files]]:
    """Draw a base, and what two to four workers make of it."""
    before = draw(trees)
    afters = {}
    for name in ("A", "B", "C", "D")[: draw(st.integers(2, 4))]:
        kept = {path: held for path, held in before.items() if draw(st.integers(0, 3))}
        afters[name] = apart({**kept, **draw(trees)})
    return before, afters


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    return Repo.make(tmp_path_factory.mktemp("meeting"))


@holds(60, allow=several, deny=several, shared=several, paths=written_paths)
def test_a_lock_allows_what_git_would_ignore_by_its_patterns(
    repo: Repo,
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    shared: tuple[str, ...],
    paths: list[str],
) -> None:
    held_to = lock(allow, deny, shared)
    allowed, denied, together = (_matched(repo, texts, paths) for texts in (allow, deny, shared))

    found = scope_findings(
        worker("A"),
        [_added(path) for path in paths],
        held_to,
        runs_root=None,
        requests={},
        granted=frozenset(),
    )

    may = (allowed | together) - denied
    assert {path for path in paths if held_to.allows(path)} == may
    assert {path for path in paths if held_to.shares(path)} == together - denied
    codes = ["scope.denied"] * len(denied) + ["scope.outside_lock"] * len(set(paths) - may - denied)
    assert sorted(finding.code for finding in found) == codes


@holds(150, made=bundles())
def test_bundles_meet_where_any_two_of_their_paths_do(
    made: tuple[Files, dict[str, Files]],
) -> None:
    before, afters = made

    met = _met(_overlaps(before, afters))

    by_name = {pair for pair in met if pair[0] == "overlap.name_collision"}
    must, may = _confused(before, afters)
    assert met - by_name == _meeting(before, afters)
    assert must <= by_name <= may


def _added(path: str) -> Change:
    entry = Entry(FILE, blob_id(b"1\n"))
    return Change(
        path=RepoPath(path),
        old=None,
        new=entry,
        content=b"1\n",
        body=None,
        binary=False,
        insertions=1,
        deletions=0,
    )


def _matched(repo: Repo, texts: tuple[str, ...], paths: list[str]) -> set[str]:
    """Return the paths that git would ignore by these patterns; but `!` takes back all that it
    matches (docs/plan.md), where git takes nothing back below a folder that is ignored whole."""
    if not any(text.startswith("!") for text in texts):
        return _ignored(repo, texts, paths)
    found: set[str] = set()
    for text in texts:
        alone = _ignored(repo, (text.removeprefix("!"),), paths)
        found = found - alone if text.startswith("!") else found | alone
    return found


def _ignored(repo: Repo, texts: tuple[str, ...], paths: list[str]) -> set[str]:
    """Return the paths that git ignores by these patterns; none of them is there."""
    (repo.path / ".git" / "info" / "exclude").write_text("\n".join(texts) + "\n", "utf-8")
    feed = b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in paths)
    ended = repo.run("check-ignore", "--no-index", "-z", "--stdin", feed=feed)
    assert ended.returncode in (0, 1), ended.stderr
    return set(ended.stdout.decode("utf-8", "surrogateescape").split("\0")) - {""}


def _overlaps(before: Files, afters: Mapping[str, Files]) -> Overlaps:
    changes_of: dict[WorkerId, tuple[Change, ...]] = {}
    for name, after in afters.items():
        one = proven(before, a_patch(before, after), name)
        assert one.findings == ()
        changes_of[worker(name)] = one.changes
    locks = dict.fromkeys(changes_of, lock(("*",), (), ()))
    return overlaps(changes_of, locks, base_of(before)[0], allow_identical=False)


def _met(found: Overlaps) -> Pairs:
    """Return, by code, who meets whom in the rows that block; or who meets the base."""
    pairs: Pairs = set()
    for row in found.rows:
        if row.blocks and len(row.sides) == 1:
            pairs.add((row.code, frozenset(row.sides[0])))
        for one, other in itertools.combinations(row.sides if row.blocks else (), 2):
            pairs |= {(row.code, frozenset(both)) for both in itertools.product(one, other)}
    return pairs


def _meeting(before: Files, afters: Mapping[str, Files]) -> Pairs:
    """Compare every path of every bundle with every path of every other."""
    pairs: Pairs = set()
    for one, other in itertools.permutations(afters, 2):
        both = frozenset((one, other))
        for mine, theirs in itertools.product(
            _written(before, afters[one]), _written(before, afters[other])
        ):
            if mine == theirs:
                pairs.add(("overlap.same_path", both))
            if _is_global(mine) is not None and _is_global(mine) == _is_global(theirs):
                pairs.add(("overlap.global_file", both))
            live = mine in afters[one] and theirs in afters[other]
            if live and theirs.startswith(mine + "/"):
                pairs.add(("overlap.file_directory", both))
    return pairs


def _confused(before: Files, afters: Mapping[str, Files]) -> tuple[Pairs, Pairs]:
    """Return whom new names of one folding must set apart, and whom they may.

    They must where the last parts differ: where only folders do, those collide in a row of theirs.
    """
    must, may = set(), set()
    code = "overlap.name_collision"
    there = _names(before)
    new = {name: _names(_added_by(before, after)) for name, after in afters.items()}
    for one, other in itertools.product(afters, repeat=2):
        both = (code, frozenset((one, other)))
        for mine, theirs in itertools.product(new[one], new[other]):
            if mine != theirs and _folded(mine) == _folded(theirs):
                may.add(both)
                if _last(mine) != _last(theirs) and not {mine, theirs} <= there:
                    must.add(both)
        for mine, theirs in itertools.product(new[one] - there, there):
            if one == other and mine != theirs and _folded(mine) == _folded(theirs):
                may.add(both)
                beside = mine.rpartition("/")[0] == theirs.rpartition("/")[0]
                if beside and theirs in _names(afters[one]):
                    must.add(both)
    return must, may


def _written(before: Files, after: Files) -> set[str]:
    return {path for path in {**before, **after} if before.get(path) != after.get(path)}


def _added_by(before: Files, after: Files) -> Files:
    return {path: entry for path, entry in after.items() if path not in before}


def _names(files: Files) -> set[str]:
    return {"/".join(path.split("/")[:n]) for path in files for n in range(1, path.count("/") + 2)}


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _is_global(path: str) -> str | None:
    name = _folded(_last(path))
    return name if name in GLOBAL else None


def _folded(name: str) -> str:
    """Return a name as Unicode matches it without case: canonical caseless matching, D145."""
    once = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFD", once)
