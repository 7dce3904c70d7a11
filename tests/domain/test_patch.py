"""The scanner takes all that git writes, and nothing else."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import (
    EXECUTABLE,
    FILE,
    LINK,
    Files,
    Repo,
    a_patch,
    blob_id,
    proven,
)
from tools.codex.factory.domain.body import NO_NEWLINE, BinaryBody, TextBody
from tools.codex.factory.domain.identity import RepoPath
from tools.codex.factory.domain.patch import Patch, scan
from tools.codex.factory.domain.proof import touched_paths
from tools.codex.factory.domain.reader import PatchLimits, PatchRefused
from tools.codex.factory.domain.tree import Entry

LINES = b"".join(b"line %d\n" % n for n in range(1, 31))


def test_what_git_writes_of_the_work_tree_is_taken(tmp_path: Path) -> None:
    repo = Repo.make(tmp_path)
    repo.write("keep", "1\n")
    repo.write("dir/edit", LINES)
    repo.write("gone", "x")
    repo.write("turns", "x\n")
    repo.commit()
    repo.write("dir/edit", LINES.replace(b"line 9\n", b""))
    repo.delete("gone")
    repo.link("turns", "keep")
    repo.write("tool", "#!/bin/sh\n", executable=True)

    patch = scan(repo.diff())

    assert [(s.kind, s.path, s.old_mode, s.new_mode) for s in patch.sections] == [
        ("modify", "dir/edit", FILE, FILE),
        ("delete", "gone", FILE, None),
        ("add", "tool", None, EXECUTABLE),
        ("delete", "turns", FILE, None),
        ("add", "turns", None, LINK),
    ]


def test_an_empty_patch_has_no_sections() -> None:
    assert scan(b"") == Patch(())


def test_every_line_of_a_patch_counts() -> None:
    lines = MIXED.splitlines(keepends=True)

    without = {n: b"".join(lines[:n] + lines[n + 1 :]) for n in range(len(lines))}

    assert [n for n, patch in without.items() if _outcome(patch) == _outcome(MIXED)] == []


def test_every_line_of_a_patch_stands_once() -> None:
    lines = MIXED.splitlines(keepends=True)

    doubled = {n: b"".join(lines[: n + 1] + lines[n:]) for n in range(len(lines))}

    assert [n for n, patch in doubled.items() if _outcome(patch) == _outcome(MIXED)] == []


@pytest.mark.slow
def test_every_byte_of_a_patch_counts() -> None:
    flips = (1, 32, 128)

    flipped = {
        (at, flip): MIXED[:at] + bytes([MIXED[at] ^ flip]) + MIXED[at + 1 :]
        for at in range(len(MIXED))
        for flip in flips
    }

    assert [at for at, patch in flipped.items() if _outcome(patch) == _outcome(MIXED)] == []


def test_every_cut_of_a_patch_is_refused_or_ends_between_files() -> None:
    ends = [0, *_section_starts(MIXED), len(MIXED)]

    taken = [end for end in range(len(MIXED)) if _outcome(MIXED[:end]) is not None]

    assert set(taken) <= set(ends)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.data())
def test_a_mangled_patch_is_refused_with_a_line_and_a_reason(data: st.DataObject) -> None:
    lines = MIXED.split(b"\n")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.lists(st.one_of(st.sampled_from(lines), st.binary(max_size=12)), max_size=2)
        )

    refused = _refusal(b"\n".join(lines))

    assert refused is None or (refused.line >= 1 and refused.reason != "")


@pytest.mark.parametrize(
    ("header", "number"),
    [(b"@@ -%s +1 @@\n-a\n+b\n", b"9" * 5000), (b"@@ -1,%s +1 @@\n-a\n+b\n", b"1" * 4301)],
)
def test_a_number_of_thousands_of_digits_in_a_hunk_is_refused(header: bytes, number: bytes) -> None:
    patch = b"%s--- a/f\n+++ b/f\n%s" % (_head(b"f"), header % number)

    with pytest.raises(PatchRefused):
        scan(patch)


def test_a_number_of_thousands_of_digits_in_a_binary_chunk_is_refused() -> None:
    patch = b"%sGIT binary patch\nliteral %s\n\n" % (_head(b"f"), b"9" * 5000)

    with pytest.raises(PatchRefused):
        scan(patch)


@pytest.mark.parametrize("number", [b"01", b"1,1", b"1,01"])
def test_a_hunk_number_is_written_as_git_writes_it(number: bytes) -> None:
    patch = b"%s--- a/f\n+++ b/f\n@@ -%s +1 @@\n-a\n+b\n" % (_head(b"f"), number)

    with pytest.raises(PatchRefused):
        scan(patch)


def test_a_dissimilarity_without_content_is_refused() -> None:
    patch = b"diff --git a/f b/f\ndissimilarity index 90%\n"

    with pytest.raises(PatchRefused):
        scan(patch)


def test_an_added_line_of_nothing_is_refused() -> None:
    patch = _head(b"f") + b"--- a/f\n+++ b/f\n@@ -1 +1,2 @@\n-a\n+b\n+\n" + NO_NEWLINE + b"\n"

    with pytest.raises(PatchRefused):
        scan(patch)


def test_a_chunk_larger_than_a_file_may_be_is_refused_before_it_is_read() -> None:
    patch = b"%sGIT binary patch\nliteral 101\nnothing" % _head(b"f")

    with pytest.raises(PatchRefused, match="a chunk of 101 bytes, more than 100"):
        scan(patch + b"\n", PatchLimits(file_bytes=100))


def test_a_patch_larger_than_allowed_is_refused_unread() -> None:
    with pytest.raises(PatchRefused, match="11 bytes, more than the 10 allowed"):
        scan(b"x" * 11, PatchLimits(patch_bytes=10))


def test_more_files_than_allowed_are_refused() -> None:
    patch = b"".join(_chmod(b"f%d" % n) for n in range(4))

    with pytest.raises(PatchRefused, match="line 10: more than 3 files"):
        scan(patch, PatchLimits(sections=3))


def test_a_binary_file_keeps_both_halves() -> None:
    patch = scan(BINARY)

    body = patch.sections[0].body

    assert isinstance(body, BinaryBody)
    assert (body.forward.method, body.forward.size, body.reverse.size) == ("literal", 4, 0)


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param(b"@@ -1 +1 @@\n" * 200_000, id="hunk headers"),
        pytest.param(b"old mode 100644\n" * 200_000, id="mode lines"),
        pytest.param(b"new file mode 100644\n" * 200_000, id="new file lines"),
        pytest.param(b"--- a/f\n+++ b/f\n@@ -1,2 +1 @@\n " + b"x" * 20_000_000 + b"\n", id="long"),
        pytest.param(b"--- a/f\n+++ b/f\n" + b"@@ -1 +1 @@\n-a\n+b\n" * 100_000, id="same hunk"),
    ],
)
def test_a_long_nonsense_is_refused_in_few_words(patch: bytes) -> None:

    with pytest.raises(PatchRefused) as refused:
        scan(_head(b"f") + patch)

    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    "name",
    [b'"' + b"ab" * 500_000, b'"' + b"\\001" * 250_000 + b'" "b/x"'],
    ids=["open", "escapes"],
)
def test_a_name_far_longer_than_a_path_is_refused_in_few_words(name: bytes) -> None:

    with pytest.raises(PatchRefused) as refused:
        scan(b"diff --git " + name + b"\n")

    assert len(str(refused.value)) < 500


@pytest.mark.slow
def test_a_hundred_thousand_hunks_are_read() -> None:
    old = [b"%d\n" % n for n in range(200_000)]
    hunks = b"".join(b"@@ -%d +%d @@\n-%d\n+x\n" % (n + 1, n + 1, n) for n in range(0, 200_000, 2))
    after = b"".join(line if n % 2 else b"x\n" for n, line in enumerate(old))
    ids = (blob_id(b"".join(old)).encode(), blob_id(after).encode())
    patch = b"diff --git a/f b/f\nindex %s..%s 100644\n--- a/f\n+++ b/f\n%s" % (*ids, hunks)

    made = proven({"f": b"".join(old)}, patch)

    assert ([c.content for c in made.changes], made.findings) == ([after], ())


def test_every_path_of_a_patch_is_touched() -> None:
    patch = scan(b"diff --git a/f b/g\nsimilarity index 100%\ncopy from f\ncopy to g\n" + MIXED)

    assert touched_paths(patch) == {"f", "g", "edit", "empty", "gone", "link", "tool", "z"}


def _outcome(patch: bytes) -> dict[RepoPath, Entry | None] | None:
    """Return what `patch` makes of MIXED_BEFORE, or None where it is refused."""
    try:
        made = proven(MIXED_BEFORE, patch)
    except PatchRefused:
        return None
    if made.findings:
        return None
    return {change.path: change.new for change in made.changes}


def _refusal(patch: bytes) -> PatchRefused | None:
    try:
        scan(patch)
    except PatchRefused as refused:
        return refused
    return None


def _section_starts(patch: bytes) -> list[int]:
    return [at for at in range(len(patch)) if patch.startswith(b"diff --git ", at)]


def _head(name: bytes) -> bytes:
    return b"diff --git a/%s b/%s\nindex %s..%s 100644\n" % (name, name, b"1" * 40, b"2" * 40)


def _chmod(name: bytes) -> bytes:
    return b"diff --git a/%s b/%s\nold mode 100644\nnew mode 100755\n" % (name, name)


BINARY = (
    b"diff --git a/z b/z\nnew file mode 100644\nindex %s..%s\nGIT binary patch\n"
    b"literal 4\nLc${NkWMT#Y01f~L\n\nliteral 0\nHcmV?d00001\n\n"
    % (b"0" * 40, blob_id(b"\0\1\2\3").encode())
)
MIXED_BEFORE: Files = {
    "edit": LINES,
    "gone": b"1\n2",
    "link": (LINK, b"edit"),
    "tool": b"x\n",
}
MIXED = (
    a_patch(
        MIXED_BEFORE,
        {
            "edit": LINES.replace(b"line 4\n", b"").replace(b"line 20\n", b"20\n"),
            "empty": b"",
            "link": b"edit\n",
            "tool": (EXECUTABLE, b"x\n"),
        },
    )
    + BINARY
)
assert isinstance(scan(MIXED).sections[0].body, TextBody)
