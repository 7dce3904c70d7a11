"""Exact application, and the union of many writers' edits, with git as the judge."""

import base64
import itertools
import random
import zlib
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import Files, Repo, proven
from tools.codex.factory.domain.body import BinaryBody, BinaryChunk, Hunk, TextBody
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.edit import (
    Clash,
    DoesNotApply,
    Edit,
    applied,
    clashes,
    edits,
    split_lines,
    union,
)

CASES = 100
# merge-ort compares by histogram and does not slide a change to where indentation is natural;
# in a file of like lines another diff means another edit.
AS_MERGES_DIFF = ("-c", "diff.indentHeuristic=false", "-c", "diff.algorithm=histogram")
EMPTY = zlib.compress(b"")


@pytest.mark.parametrize("seed", range(3))
def test_two_writers_are_united_where_git_merges_and_as_git_merges(
    tmp_path: Path, seed: int
) -> None:
    repo = Repo.make(tmp_path)
    before, writers = _cases(random.Random(seed), writers=2)
    base, one, other = _stored(repo, before, writers)
    made = [_changes(repo, before, base, commit) for commit in (one, other)]

    united = {path: _united(before[path], [own.get(path) for own in made]) for path in before}

    tree, conflicts = repo.merged(one, other)
    merged = repo.content(tree, before)
    assert united == {path: None if path in conflicts else merged[path] for path in before}
    assert 0 < len(conflicts) < CASES


@pytest.mark.parametrize("seed", range(1))
def test_three_writers_are_united_as_git_merges_them_where_every_order_agrees(
    tmp_path: Path, seed: int
) -> None:
    repo = Repo.make(tmp_path)
    before, writers = _cases(random.Random(seed), writers=3)
    base, *commits = _stored(repo, before, writers)
    made = [_changes(repo, before, base, commit) for commit in commits]
    of_orders = [_chained(repo, base, order, before) for order in itertools.permutations(commits)]
    agreed = {p: of_orders[0][p] for p in before if len({of_one[p] for of_one in of_orders}) == 1}

    united = {path: _united(before[path], [own.get(path) for own in made]) for path in before}

    clean = {path: content for path, content in agreed.items() if content is not None}
    assert {path: united[path] for path in clean} == clean
    assert len(clean) > 10


@settings(derandomize=True, max_examples=80, deadline=None)
@given(st.data())
def test_the_order_of_the_writers_means_nothing(data: st.DataObject) -> None:
    before = data.draw(st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n"]), max_size=12))
    content = b"".join(before)
    edits_of = {name: data.draw(_own_edits(len(before))) for name in "ABC"}
    orders = [dict(order) for order in itertools.permutations(edits_of.items())]

    met = {clashes(order, allow_identical=True) for order in orders}
    made = {union(content, order) for order in orders} if met == {()} else set()

    assert (len(met), len(made)) in ((1, 0), (1, 1))
    assert met != {()} or made == {_one_by_one(before, edits_of)}


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.data())
def test_clashes_are_the_groups_of_edits_that_touch(data: st.DataObject) -> None:
    edits_of = {name: data.draw(_own_edits(10)) for name in "ABCD"}
    identical = data.draw(st.booleans())

    met = clashes(edits_of, allow_identical=identical)

    assert list(met) == _touching_groups(edits_of, identical)


def test_a_clash_names_every_owner() -> None:
    edits_of = {
        "A": (Edit(0, 5, (b"a\n",)),),
        "B": (Edit(5, 6, (b"b\n",)),),
        "C": (Edit(6, 6, (b"c\n",)),),
        "D": (Edit(8, 9, ()),),
    }

    met = clashes(edits_of, allow_identical=False)

    assert met == (Clash(0, 6, ("A", "B", "C")),)


def test_the_same_edit_of_several_owners_counts_once_only_where_it_may() -> None:
    same = (Edit(1, 2, (b"x\n",)),)

    strict = clashes({"A": same, "B": same}, allow_identical=False)
    lenient = clashes({"A": same, "B": same}, allow_identical=True)

    assert (strict, lenient) == ((Clash(1, 2, ("A", "B")),), ())
    assert union(b"1\n2\n3\n", {"A": same, "B": same}) == b"1\nx\n3\n"


@pytest.mark.parametrize(
    ("first", "second", "clean"),
    [
        (Edit(2, 3, (b"x\n",)), Edit(4, 5, (b"y\n",)), True),
        (Edit(2, 3, (b"x\n",)), Edit(3, 4, (b"y\n",)), False),
        (Edit(2, 2, (b"x\n",)), Edit(2, 2, (b"y\n",)), False),
        (Edit(2, 2, (b"x\n",)), Edit(3, 3, (b"y\n",)), True),
        (Edit(2, 3, ()), Edit(3, 3, (b"y\n",)), False),
        (Edit(2, 2, (b"x\n",)), Edit(2, 3, ()), False),
        (Edit(0, 0, (b"x\n",)), Edit(0, 1, ()), False),
        (Edit(0, 9, ()), Edit(3, 4, (b"y\n",)), False),
    ],
)
def test_edits_are_apart_where_an_untouched_line_lies_between(
    first: Edit, second: Edit, clean: bool
) -> None:
    met = clashes({"A": (first,), "B": (second,)}, allow_identical=False)

    assert (met == ()) is clean


def test_edits_have_no_context() -> None:
    hunk = Hunk(4, (b"a\n", b"b\n", b"c\n"), (b"x\n", b"a\n", b"c\n", b"y\n"), b"+ - +")

    found = edits(TextBody((hunk,)))

    assert found == (Edit(4, 4, (b"x\n",)), Edit(5, 6, ()), Edit(7, 7, (b"y\n",)))


@pytest.mark.parametrize("content", [b"", b"a", b"a\n", b"\n", b"a\n\nb", b"\r\n", b"a\rb\x0c\n"])
def test_lines_joined_are_the_content(content: bytes) -> None:
    assert b"".join(split_lines(content)) == content


@pytest.mark.parametrize(
    ("before", "hunk"),
    [
        (b"a\nb\n", Hunk(1, (b"a\n",), (b"x\n",), b"-+")),
        (b"a\nb\n", Hunk(2, (b"c\n",), (), b"-")),
        (b"a\nb\n", Hunk(3, (), (b"c\n",), b"+")),
        (b"a\nb", Hunk(2, (), (b"c\n",), b"+")),
        (b"a\nb\n", Hunk(0, (b"a\n",), (b"x",), b"-+")),
        (b"a\nb", Hunk(1, (b"b\n",), (), b"-")),
        (b"", Hunk(10**30, (), (b"c\n",), b"+")),
        (b"", Hunk(0, (b"",), (b"x\n",), b"-+")),
    ],
)
def test_a_hunk_that_does_not_fit_does_not_apply(before: bytes, hunk: Hunk) -> None:
    with pytest.raises(DoesNotApply):
        applied(before, TextBody((hunk,)), file_bytes=100)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_binary_patch_leads_there_and_back(before: bytes, after: bytes) -> None:
    body = BinaryBody(_literal(after), _literal(before))

    assert applied(before, body, file_bytes=200) == after


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(BinaryChunk("literal", 3, 4, b"!!!!!"), id="not deflated"),
        pytest.param(BinaryChunk("literal", 3, 4, b'"""""'), id="not base 85"),
        pytest.param(BinaryChunk("literal", 3, 4, b"~~~~~"), id="beyond 32 bits"),
        pytest.param(BinaryChunk("literal", 0, 0, b""), id="nothing"),
    ],
)
def test_a_chunk_that_is_damaged_does_not_apply(chunk: BinaryChunk) -> None:
    with pytest.raises(DoesNotApply):
        applied(b"", BinaryBody(chunk, chunk), file_bytes=100)


@pytest.mark.parametrize("size", [0, 1, 2, 4, 5, 1 << 40])
def test_a_chunk_that_lies_about_its_size_does_not_apply(size: int) -> None:
    chunk = _chunk("literal", b"abc", size=size)

    with pytest.raises(DoesNotApply, match=f"does not inflate to the {size} bytes it names"):
        applied(b"", BinaryBody(chunk, _literal(b"")), file_bytes=100)


@pytest.mark.parametrize(
    "extra", [b"\0", b"x", EMPTY], ids=["a zero", "a letter", "a second stream"]
)
def test_bytes_after_the_end_of_a_chunk_do_not_apply(extra: bytes) -> None:
    deflated = zlib.compress(b"abc") + extra
    chunk = BinaryChunk("literal", 3, len(deflated), _base85(deflated))

    with pytest.raises(DoesNotApply, match="bytes after its end"):
        applied(b"", BinaryBody(chunk, _literal(b"")), file_bytes=100)


def test_a_chunk_cut_off_does_not_apply() -> None:
    deflated = zlib.compress(b"abc")[:-1]
    chunk = BinaryChunk("literal", 3, len(deflated), _base85(deflated))

    with pytest.raises(DoesNotApply, match="does not inflate"):
        applied(b"", BinaryBody(chunk, _literal(b"")), file_bytes=100)


def test_a_way_back_that_leads_elsewhere_does_not_apply() -> None:
    body = BinaryBody(_literal(b"new"), _literal(b"other"))

    with pytest.raises(DoesNotApply, match="way back does not lead back"):
        applied(b"old", body, file_bytes=100)


@pytest.mark.parametrize(
    ("delta", "said"),
    [
        (b"", "cut off"),
        (b"\x03", "cut off"),
        (b"\x02\x03\x03abc", "another size"),
        (b"\x03\x65", "101 bytes, more than 100"),
        (b"\x03\x03\x00", "unknown operation"),
        (b"\x03\x03\x03ab", "cut off"),
        (b"\x03\x03\x90", "cut off"),
        (b"\x03\x03\x91\x01\x03", "beyond the blob"),
        (b"\x03\x03\x80", "beyond the blob"),
        (b"\x03\x03\x90\x02", "fewer bytes"),
        (b"\x03\x02\x90\x03", "more bytes"),
        (b"\xff" * 20, "a size that no blob has"),
        (b"\x03" + b"\x80" * 20, "a size that no blob has"),
    ],
)
def test_a_damaged_delta_does_not_apply(delta: bytes, said: str) -> None:
    body = BinaryBody(_chunk("delta", delta), _literal(b"old"))

    with pytest.raises(DoesNotApply, match=said):
        applied(b"old", body, file_bytes=100)


def test_a_delta_copies_64_kib_where_it_names_no_size() -> None:
    before = bytes(range(256)) * 256
    delta = b"\x80\x80\x04\x80\x80\x04\x80"
    body = BinaryBody(_chunk("delta", delta), _literal(before))

    assert applied(before, body, file_bytes=1 << 20) == before


def test_a_bomb_is_not_inflated_beyond_what_it_names() -> None:
    deflated = zlib.compress(b"\0" * 20_000_000, 9)
    chunk = BinaryChunk("literal", 9, len(deflated), _base85(deflated))

    with pytest.raises(DoesNotApply):
        applied(b"", BinaryBody(chunk, _literal(b"")), file_bytes=100)


def test_a_delta_bomb_makes_no_more_than_a_file_may_hold() -> None:
    before = b"\0" * 1_000_000
    copies = b"\xf0\x40\x42\x0f" * 10_000
    delta = _varint(1_000_000) + _varint(2_000_000) + copies
    body = BinaryBody(_chunk("delta", delta), _literal(before))

    with pytest.raises(DoesNotApply, match="more bytes than it names"):
        applied(before, body, file_bytes=2_000_000)


@pytest.mark.slow
def test_many_edits_of_many_owners_are_united() -> None:
    before = b"".join(b"%d\n" % n for n in range(200_000))
    edits_of = {
        f"W{owner}": tuple(Edit(n, n + 1, (b"x\n",)) for n in range(owner * 2, 200_000, 20))
        for owner in range(10)
    }

    met = clashes(edits_of, allow_identical=False)
    made = union(before, edits_of)

    assert (met, made.count(b"x\n")) == ((), 100_000)


def _cases(dice: random.Random, *, writers: int) -> tuple[Files, list[Files]]:
    """Return files, and for each writer what it makes of them; many of them periodic."""
    before: dict[str, bytes] = {}
    after: list[dict[str, bytes]] = [{} for _ in range(writers)]
    for number in range(CASES):
        alike = dice.random() < 0.5
        lines = [
            b"%c\n" % (97 + n % 4) if alike else b"line %d\n" % n
            for n in range(dice.randint(3, 30))
        ]
        if dice.random() < 0.2:
            lines[-1] = lines[-1][:-1]
        path = f"f{number}"
        before[path] = b"".join(lines)
        for own in after:
            own[path] = _mutated(dice, lines)
    return before, list[Files](after)


def _mutated(dice: random.Random, lines: list[bytes]) -> bytes:
    made = list(lines)
    for _ in range(dice.randint(1, 2)):
        at, deed = dice.randrange(len(made) + 1), dice.random()
        fresh = [b"%c\n" % dice.choice(b"abcdXYZ") for _ in range(dice.randint(1, 3))]
        if deed < 0.35:
            made[at : at + 1] = fresh[:1]
        elif deed < 0.6:
            del made[at : at + len(fresh)]
        else:
            made[at:at] = fresh
    whole = [line if line.endswith(b"\n") else line + b"\n" for line in made[:-1]]
    return b"".join(whole + made[-1:])


def _stored(repo: Repo, before: Files, writers: list[Files]) -> list[str]:
    """Return the commits of the base and of each writer upon it."""
    repo.store(before, ref="refs/heads/base")
    base = repo.git("rev-parse", "base").decode().strip()
    commits = [base]
    for number, files in enumerate(writers):
        repo.store(files, ref=f"refs/heads/w{number}", parent=base)
        commits.append(repo.git("rev-parse", f"w{number}").decode().strip())
    return commits


def _changes(repo: Repo, before: Files, base: str, commit: str) -> dict[str, Change]:
    words = ("diff", "--binary", "--full-index", "--no-renames", base, commit)
    made = proven(before, repo.git(*AS_MERGES_DIFF, *words))
    assert made.findings == ()
    return {change.path: change for change in made.changes}


def _united(before: bytes | tuple[str, bytes], made: list[Change | None]) -> bytes | None:
    """Return what the writers make of one file as the house does it, or None where they clash."""
    assert isinstance(before, bytes)
    wrote = [change for change in made if change is not None]
    if len({change.content for change in wrote}) == 1:
        return wrote[0].content
    texts = {
        str(number): edits(change.body)
        for number, change in enumerate(wrote)
        if isinstance(change.body, TextBody)
    }
    return None if clashes(texts, allow_identical=True) else union(before, texts)


def _chained(
    repo: Repo, base: str, order: tuple[str, ...], paths: Files
) -> dict[str, bytes | None]:
    """Return what git makes when it merges one after the other; None where it ever conflicts."""
    tip, conflicts = order[0], frozenset[str]()
    for commit in order[1:]:
        tree, met = repo.merged(tip, commit)
        conflicts |= met
        tip = repo.git("commit-tree", "-p", base, "-m", "merged", tree).decode().strip()
    merged = repo.content(tip, paths)
    return {path: None if path in conflicts else merged[path] for path in paths}


@st.composite
def _own_edits(draw: st.DrawFn, lines: int) -> tuple[Edit, ...]:
    """Draw the edits of one owner: apart from each other, each of them a change."""
    found = []
    at = 0
    while at <= lines and draw(st.booleans()):
        start = draw(st.integers(at, lines))
        end = draw(st.integers(start, min(lines, start + 3)))
        fresh = draw(st.lists(st.sampled_from([b"x\n", b"y\n"]), max_size=2))
        if fresh or end > start:
            found.append(Edit(start, end, tuple(fresh)))
            at = end + 1
    return tuple(found)


def _touching_groups(edits_of: dict[str, tuple[Edit, ...]], identical: bool) -> list[Clash]:
    """The slow way: join groups as long as any two of them touch."""
    groups = [{(edit, owner)} for owner, own in edits_of.items() for edit in own]
    while pair := next((p for p in itertools.combinations(groups, 2) if _touch(*p)), None):
        groups = [group for group in groups if group not in pair] + [pair[0] | pair[1]]
    found = [
        Clash(
            min(edit.start for edit, _ in group),
            max(edit.end for edit, _ in group),
            tuple(sorted({owner for _, owner in group})),
        )
        for group in groups
        if len({owner for _, owner in group}) > 1
        and not (identical and len({edit for edit, _ in group}) == 1)
    ]
    return sorted(found, key=lambda clash: clash.start)


def _touch(one: set[tuple[Edit, str]], other: set[tuple[Edit, str]]) -> bool:
    return any(a.start <= b.end and b.start <= a.end for a, _ in one for b, _ in other)


def _one_by_one(before: list[bytes], edits_of: dict[str, tuple[Edit, ...]]) -> bytes:
    """Make the edits from the last line to the first, so that none moves another."""
    lines = list(before)
    for edit in sorted({edit for own in edits_of.values() for edit in own}, reverse=True):
        lines[edit.start : edit.end] = edit.lines
    return b"".join(lines)


def _base85(content: bytes) -> bytes:
    return base64.b85encode(content + b"\0" * (-len(content) % 4))


def _chunk(
    method: Literal["literal", "delta"], content: bytes, size: int | None = None
) -> BinaryChunk:
    deflated = zlib.compress(content)
    held = len(content) if size is None else size
    return BinaryChunk(method, held, len(deflated), _base85(deflated))


def _literal(content: bytes) -> BinaryChunk:
    return _chunk("literal", content)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))
