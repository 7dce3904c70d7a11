"""Where bundles meet, held against the slow and obvious answer."""

import itertools
import unicodedata
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.builders import LINK, Files, a_patch, base_of, proven, worker
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.identity import WorkerId
from tools.codex.factory.domain.overlap import Overlaps, Row, matrix, overlaps
from tools.codex.factory.domain.scope import Lock, lock
from tools.codex.factory.domain.spelling import fold

NAMES = (
    "a",
    "A",
    "b",
    "B/x",
    "a/x",
    "A/x",
    "a/y",
    "b/x",
    "a/X",
    "b/x/z",
    "\u00e9",
    "e\u0301",
    "c/d/e",
)

held: st.SearchStrategy[bytes | tuple[str, bytes]] = st.sampled_from((b"1\n", b"2\n", (LINK, b"x")))
trees = st.dictionaries(st.sampled_from(NAMES), held, max_size=5)


@st.composite
def several_bundles(draw: st.DrawFn) -> tuple[Files, Mapping[str, Files]]:
    """Draw a base, and what two or three workers make of it."""
    before = _apart(draw(trees))
    # What the base already confuses is not the bundles' doing.
    assume(not _confusions(before))
    afters = {}
    for number in range(draw(st.integers(2, 3))):
        kept = {path: content for path, content in before.items() if draw(st.booleans())}
        afters[f"W{number}"] = _apart({**kept, **draw(trees)})
    return before, afters


@pytest.mark.slow
@settings(derandomize=True, max_examples=250, deadline=None)
@given(several_bundles())
def test_bundles_that_no_row_sets_against_each_other_fit_together(
    made: tuple[Files, Mapping[str, Files]],
) -> None:
    before, afters = made
    rows = _overlaps(before, afters).rows

    apart = [
        kept
        for size in range(1, len(afters) + 1)
        for kept in itertools.combinations(sorted(afters), size)
        if not any(_apart_in(row, worker(w), kept) for row in rows for w in kept)
    ]

    assert [k for k in apart if not _fit(before, [afters[w] for w in k])] == []


@pytest.mark.slow
@settings(derandomize=True, max_examples=250, deadline=None)
@given(several_bundles())
def test_no_row_sets_bundles_against_each_other_that_fit(
    made: tuple[Files, Mapping[str, Files]],
) -> None:
    before, afters = made

    rows = [row for row in _overlaps(before, afters).rows if row.blocks]

    met = [sides for row in rows for sides in itertools.combinations(row.sides, 2)]
    pairs = {pair for one, other in met for pair in itertools.product(one, other)}
    alone = {row.workers[0] for row in rows if len(row.sides) == 1}
    assert [p for p in pairs if not _near(before, *(afters[w] for w in p))] == []
    assert [w for w in alone if _fit(before, [afters[w]])] == []


@settings(derandomize=True, max_examples=60, deadline=None)
@given(trees, st.lists(trees, min_size=3, max_size=3))
def test_the_order_of_the_bundles_means_nothing(files: Files, wanted: list[Files]) -> None:
    before = _apart(files)
    afters = {f"W{n}": _apart(after) for n, after in enumerate(wanted)}

    met = [_overlaps(before, dict(order)) for order in itertools.permutations(afters.items())]

    assert all(one == met[0] for one in met)


def test_every_spelling_of_a_name_meets_every_other() -> None:
    afters: dict[str, Files] = {"A": {"lib/c": b"1"}, "B": {"LIB/a": b"1"}, "C": {"LIB/b": b"1"}}

    met = _overlaps({}, afters)

    assert [row.sides for row in met.rows] == [(("B", "C"), ("A",))]


def test_a_file_added_below_a_directory_that_another_spells_anew_meets_it() -> None:
    before: Files = {"lib/x": b"1"}
    afters: dict[str, Files] = {"A": {"Lib/x": b"1"}, "B": {"lib/x": b"1", "lib/new": b"2"}}

    met = _overlaps(before, afters)

    assert ("overlap.name_collision", ("A", "B")) in {(r.code, r.workers) for r in met.rows}


def test_a_new_name_meets_every_spelling_that_the_base_has() -> None:
    before: Files = {"README": b"1", "ReadMe": b"2"}
    afters: dict[str, Files] = {"A": {"ReadMe": b"2", "readme": b"3"}}

    met = _overlaps(before, afters)

    assert [(row.code, row.workers) for row in met.rows] == [("overlap.name_collision", ("A",))]


def test_a_file_may_change_its_spelling() -> None:
    met = _overlaps({"readme": b"1", "d/x": b"2"}, {"A": {"README": b"1", "D/x": b"2"}})

    assert met.rows == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A", "a"), ("\u00e9", "e\u0301"), ("\u00c9", "e\u0301"), ("stra\u00dfe", "STRASSE"),
        ("\u212a", "k"), ("\u03a3", "\u03c2"), ("\ufb01", "fi"), ("\u1e9e", "ss"),
        ("\u0390", "\u1fd3"),
    ],
)  # fmt: skip
def test_names_that_a_file_system_may_confuse_fold_to_one(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.text(max_size=6))
def test_folding_twice_is_folding_once_in_every_form(text: str) -> None:
    folded = {
        fold(text),
        fold(unicodedata.normalize("NFC", text)),
        fold(unicodedata.normalize("NFD", text)),
        fold(fold(text)),
    }

    assert len(folded) == 1


def test_a_matrix_counts_the_rows_that_name_both() -> None:
    met = _overlaps(
        {}, {"A": {"x": b"1", "y": b"1"}, "B": {"x": b"2", "y": b"2"}, "C": {"y": b"3"}}
    )

    assert matrix(met.rows) == {
        "A": {"B": 2, "C": 1},
        "B": {"A": 2, "C": 1},
        "C": {"A": 1, "B": 1},
    }


def test_a_row_is_a_finding_that_names_every_worker() -> None:
    met = _overlaps({"x": b"0"}, {"A": {"x": b"1"}, "B": {"x": b"2"}})

    assert [(f.code, f.subject, f.message) for f in met.findings()] == [
        (
            "overlap.same_path",
            "A, B: x",
            "modified by A, modified by B; not shared by A, B",
        )
    ]


@pytest.mark.parametrize(
    ("afters", "message", "lines"),
    [
        ({"A": b"1\n2\nx\n", "B": b"1\n2\ny\n"}, "edits touch at line 3 of the base", (3, 3)),
        (
            {"A": b"0\n1\n2\n3\n", "B": b"9\n1\n2\n3\n"},
            "lines are added at one place, at the top",
            (1, 1),
        ),
        (
            {"A": b"x\ny\n3\n", "B": b"1\n2\n3x\n"},
            "edits touch at lines 1 to 3 of the base",
            (1, 3),
        ),
        (
            {"A": b"1\n2\n3\n4\n", "B": b"1\n2\n3\n5\n"},
            "lines are added at one place, after line 3",
            (3, 3),
        ),
        (
            {"A": b"0\n1\n2\n3\n", "B": b"9\n1\n2\n3\n", "C": b"7\n1\n2\n3\n"},
            "lines are added at one place, at the top",
            (1, 1),
        ),
    ],
)
def test_a_clash_of_edits_says_where(
    afters: Mapping[str, bytes], message: str, lines: tuple[int, int]
) -> None:
    met = _overlaps({"f": b"1\n2\n3\n"}, {w: {"f": c} for w, c in afters.items()}, shared=("/f",))

    assert [(row.lines, row.message) for row in met.rows] == [(lines, message)]


@pytest.mark.parametrize("files", [4_000])
def test_respelling_a_great_directory_collides_with_nothing(files: int) -> None:
    before: Files = {f"Lib/f{n}": b"1" for n in range(files)} | {"Lib/sub/x": b"1"}
    after: Files = {f"Lib/F{n}": b"1" for n in range(files)} | {"Lib/sub/x": b"1"}
    changes, base = proven(before, a_patch(before, after)).changes, base_of(before)[0]

    met = overlaps({worker("A"): changes}, {worker("A"): ANYTHING}, base, allow_identical=False)

    assert met.rows == ()


def test_a_deep_new_path_collides_with_nothing() -> None:
    after: Files = {f"{n}/" + "d/" * 190 + "x": b"1" for n in range(20)}
    changes = proven({}, a_patch({}, after)).changes

    met = overlaps(
        {worker("A"): changes}, {worker("A"): ANYTHING}, base_of({})[0], allow_identical=False
    )

    assert met.rows == ()


@pytest.mark.slow
def test_a_thousand_bundles_are_compared() -> None:
    afters: dict[str, Files] = {
        f"W{n}": {f"d{n % 50}/e{n}/f{m}": b"1" for m in range(20)} for n in range(1000)
    }
    changes = _changes({}, afters)

    met = overlaps(changes, dict.fromkeys(changes, ANYTHING), base_of({})[0], allow_identical=False)

    assert met.rows == ()


ANYTHING: Lock = lock(("*",), (), ())


def _changes(before: Files, afters: Mapping[str, Files]) -> dict[WorkerId, tuple[Change, ...]]:
    made = {worker(w): proven(before, a_patch(before, after), w) for w, after in afters.items()}
    assert [one.findings for one in made.values() if one.findings] == []
    return {w: one.changes for w, one in made.items()}


def _overlaps(
    before: Files, afters: Mapping[str, Files], *, shared: tuple[str, ...] = ()
) -> Overlaps:
    changes = _changes(before, afters)
    held_by_all = lock(("*",), (), shared)
    return overlaps(
        changes, dict.fromkeys(changes, held_by_all), base_of(before)[0], allow_identical=False
    )


def _fit(before: Files, several: list[Files]) -> bool:
    """The slow way: no path twice, and the merged tree is one that every file system can hold."""
    written = [_written(before, after) for after in several]
    if sum(map(len, written)) > len(set().union(*written)):
        return False
    merged = {p: c for p, c in before.items() if not any(p in own for own in written)}
    for own, after in zip(written, several, strict=True):
        merged |= {p: after[p] for p in own if p in after}
    return merged == _apart(merged) and _confusions(merged) <= _confusions(before)


def _near(before: Files, one: Files, other: Files) -> bool:
    """Whether the two do not fit, or write names that some file system takes for each other."""
    mine, theirs = (
        {p: c for p, c in after.items() if before.get(p) != c} for after in (one, other)
    )
    confused = _confusions({**mine, **theirs}) - _confusions(before)
    spelled = [pair for names in confused for pair in itertools.permutations(names)]
    near = any(p in _names(mine) and q in _names(theirs) for p, q in spelled)
    return near or not _fit(before, [one, other])


def _written(before: Files, after: Files) -> set[str]:
    return {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)}


def _confusions(files: Files) -> set[frozenset[str]]:
    """Return every two names, of files or directories, that differ and fold to one."""
    return {
        frozenset(pair)
        for pair in itertools.combinations(sorted(_names(files)), 2)
        if fold(pair[0]) == fold(pair[1])
    }


def _names(files: Files) -> set[str]:
    return {"/".join(p.split("/")[:n]) for p in files for n in range(1, p.count("/") + 2)}


def _apart(files: Files) -> Files:
    return {p: c for p, c in files.items() if not any(q.startswith(p + "/") for q in files)}


def _apart_in(row: Row, one: WorkerId, kept: Iterable[str]) -> bool:
    """Whether this row forbids that `one` is merged beside the others of `kept`."""
    if not row.blocks or not any(one in side for side in row.sides):
        return False
    against = {other for side in row.sides if one not in side for other in side}
    return len(row.sides) == 1 or not against.isdisjoint(kept)
