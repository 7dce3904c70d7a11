"""A patch is proven on the base: exact, or refused with the reason."""

import pytest

from tests.builders import EXECUTABLE, FILE, LINK, Files, a_patch, base_of, blob_id, proven, worker
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.identity import RepoPath
from tools.codex.factory.domain.patch import scan
from tools.codex.factory.domain.proof import prove, wanted_blobs
from tools.codex.factory.domain.reader import PatchLimits
from tools.codex.factory.domain.shape import emptied
from tools.codex.factory.domain.tree import Entry

TEXT = b"".join(b"line %d\n" % n for n in range(1, 21))
BASE: Files = {
    "f": TEXT,
    "empty": b"",
    "link": (LINK, b"f"),
    "dir/x": b"x\n",
    "dir/y": b"y\n",
    "sub": ("160000", b"1" * 40),
}
RENAME = b"diff --git a/%s b/%s\nsimilarity index 100%%\nrename from %s\nrename to %s\n"


@pytest.mark.parametrize(
    ("after", "types"),
    [
        ({**BASE, "f": TEXT + b"more\n"}, {"f": "modified"}),
        ({**BASE, "f": (EXECUTABLE, TEXT)}, {"f": "mode_changed"}),
        ({**BASE, "f": (EXECUTABLE, b"x\n")}, {"f": "modified"}),
        ({**BASE, "f": (LINK, b"dir")}, {"f": "type_changed"}),
        ({**BASE, "new": b""}, {"new": "added"}),
        ({**BASE, "empty": b"full"}, {"empty": "modified"}),
        ({**BASE, "sub": ("160000", b"2" * 40)}, {"sub": "modified"}),
        ({**BASE, "sub": b"no longer\n"}, {"sub": "type_changed"}),
        ({p: c for p, c in BASE.items() if p != "sub"}, {"sub": "deleted"}),
        ({p: c for p, c in BASE.items() if p != "empty"}, {"empty": "deleted"}),
        ({p: c for p, c in BASE.items() if p != "link"}, {"link": "deleted"}),
        (
            {**{p: c for p, c in BASE.items() if p[:4] != "dir/"}, "dir": b"now a file\n"},
            {"dir": "added", "dir/x": "deleted", "dir/y": "deleted"},
        ),
        (
            {**{p: c for p, c in BASE.items() if p != "f"}, "f/g": b"now below\n"},
            {"f": "deleted", "f/g": "added"},
        ),
    ],
)
def test_a_change_has_one_word(after: Files, types: dict[str, str]) -> None:
    made = proven(BASE, a_patch(BASE, after))

    assert made.findings == ()
    assert {change.path: change.change_type for change in made.changes} == types


def test_a_rename_is_a_deletion_and_an_addition() -> None:
    made = proven(BASE, RENAME % (b"f", b"g", b"f", b"g"))

    assert [(c.path, c.change_type, c.content) for c in made.changes] == [
        ("f", "deleted", None),
        ("g", "added", TEXT),
    ]


def test_a_rename_counts_its_lines_as_git_does_without_renames() -> None:
    after = TEXT.replace(b"line 3\n", b"three\n")
    body = a_patch({"f": TEXT}, {"f": after}).split(b"\n", 1)[1].replace(b"+++ b/f", b"+++ b/g")
    head = RENAME % (b"f", b"g", b"f", b"g")

    made = proven(BASE, head.replace(b"100%", b"95%") + body)

    assert [(c.path, c.insertions, c.deletions) for c in made.changes] == [
        ("f", 0, 20),
        ("g", 20, 0),
    ]


def test_an_exact_rename_counts_its_lines_as_git_does_without_renames() -> None:
    made = proven(BASE, RENAME % (b"f", b"g", b"f", b"g"))

    assert [(c.path, c.insertions, c.deletions) for c in made.changes] == [
        ("f", 0, 20),
        ("g", 20, 0),
    ]


def test_a_proven_change_carries_content_digest_and_counts() -> None:
    made = proven(BASE, a_patch(BASE, {**BASE, "dir/x": b"1\n2\n"}))

    change = made.changes[0]
    assert (change.content, change.insertions, change.deletions) == (b"1\n2\n", 2, 1)
    assert (change.old, change.new) == (
        Entry(FILE, blob_id(b"x\n")),
        Entry(FILE, blob_id(b"1\n2\n")),
    )
    assert (
        change.sha256 == "b97e8c6a4b0a5d2e1a0e9d36c1d6ea7a7b0b3e7a"
        or len(change.sha256 or "") == 64
    )


@pytest.mark.parametrize(
    ("patch", "code", "message"),
    [
        (
            RENAME % (b"f", b"empty", b"f", b"empty"),
            "patch.base_differs",
            "the base already has this path",
        ),
        (RENAME % (b"no", b"g", b"no", b"g"), "patch.base_differs", "the base has no 'no'"),
        (
            RENAME % (b"dir", b"g", b"dir", b"g"),
            "patch.base_differs",
            "the base has a directory there",
        ),
        (
            a_patch({}, {"f": b"evil\n"}),
            "patch.base_differs",
            "the base already has this path",
        ),
        (
            a_patch({}, {"f/below": b"evil\n"}),
            "patch.tree_shape",
            "'f' above it is a file, link or submodule",
        ),
        (
            a_patch({}, {"link/below": b"evil\n"}),
            "patch.tree_shape",
            "'link' above it is a file, link or submodule",
        ),
        (
            a_patch({}, {"sub/below": b"evil\n"}),
            "patch.tree_shape",
            "'sub' above it is a file, link or submodule",
        ),
        (
            a_patch({}, {"dir": b"evil\n"}),
            "patch.tree_shape",
            "the base has a directory there that keeps files",
        ),
        (
            a_patch({}, {"f": (LINK, b"evil")}),
            "patch.tree_shape",
            "the base already has this path",
        ),
        (
            a_patch({"f": TEXT}, {"f": b"1\n"}) * 2,
            "patch.path_twice",
            "the patch writes this path twice",
        ),
        (
            a_patch({"f": TEXT}, {}) + a_patch({}, {"f": b"evil\n"}),
            "patch.base_differs",
            "the base already has this path",
        ),
        (
            b"diff --git a/f b/f\nold mode 100755\nnew mode 100644\n",
            "patch.base_differs",
            "the patch names mode 100755, the base has 100644",
        ),
    ],
)
def test_a_patch_that_does_not_fit_the_base_is_refused(
    patch: bytes, code: str, message: str
) -> None:
    made = proven(BASE, patch)

    assert [(f.code, f.message) for f in made.findings] == [(code, message)]


@pytest.mark.parametrize("before", [0, 5, 19])
def test_a_hunk_at_another_line_is_refused_though_git_would_shift_it(before: int) -> None:
    lines = b"".join(b"own %d\n" % n for n in range(before))
    patch = a_patch({"f": TEXT}, {"f": TEXT.replace(b"line 9\n", b"nine\n")})
    there = lines + TEXT if before else TEXT + b"after\n"

    made = proven({"f": there}, patch)

    assert [finding.code for finding in made.findings] == ["patch.base_differs"]


def test_only_the_blobs_of_changed_files_are_wanted() -> None:
    base, _ = base_of(BASE)
    patch = scan(
        a_patch(BASE, {**BASE, "f": b"1\n", "new": b"2\n", "sub": ("160000", b"2" * 40)})
        + RENAME % (b"dir", b"g", b"dir", b"g")
    )

    wanted = wanted_blobs(patch, base)

    assert wanted == {blob_id(TEXT)}


def test_a_base_file_larger_than_allowed_is_too_large() -> None:
    base, _ = base_of(BASE)
    patch = scan(a_patch(BASE, {**BASE, "f": b"1\n"}))

    made = prove(patch, base, {}, worker=worker("A_worker"), limits=PatchLimits())

    assert [(f.code, f.subject) for f in made.findings] == [("bundle.too_large", "A_worker: f")]


def test_a_result_larger_than_allowed_is_too_large() -> None:
    base, blobs = base_of({})
    patch = scan(a_patch({}, {"new": b"0123456789\n"}))

    made = prove(patch, base, blobs, worker=worker("A_worker"), limits=PatchLimits(file_bytes=10))

    assert [(f.code, f.message) for f in made.findings] == [
        ("bundle.too_large", "11 bytes, more than the 10 allowed")
    ]


def test_a_submodule_names_its_commit_at_the_first_line() -> None:
    patch = a_patch({}, {"new": ("160000", b"3" * 40)})
    moved = patch.replace(b"@@ -0,0 +1 @@", b"@@ -6,0 +7 @@")

    made = proven({}, moved)

    assert [finding.code for finding in made.findings] == ["patch.does_not_apply"]


def test_a_directory_is_emptied_when_all_below_it_goes() -> None:
    base, _ = base_of({"d/a": b"1", "d/e/b": b"2"})
    one, both = _deletions("d/a"), _deletions("d/a", "d/e/b")

    answers = [emptied("d", one, base), emptied("d", both, base), emptied("d/e", both, base)]

    assert answers == [False, True, True]


def test_a_directory_as_deep_as_paths_go_can_be_emptied() -> None:
    deep = "/".join("d" for _ in range(199))
    base, _ = base_of({f"{deep}/x": b"1"})

    assert emptied("d", _deletions(f"{deep}/x"), base)


@pytest.mark.slow
def test_twenty_thousand_files_are_proven() -> None:
    after: Files = {f"d{n % 97}/s{n % 89}/f{n}": b"%d\n" % n for n in range(20_000)}
    patch = a_patch({}, after)

    made = proven({}, patch)

    assert (len(made.changes), made.findings) == (20_000, ())


def _deletions(*paths: str) -> dict[RepoPath, Change]:
    entry = Entry(FILE, blob_id(b"1"))
    return {
        RepoPath(path): Change(
            path=RepoPath(path),
            old=entry,
            new=None,
            content=None,
            body=None,
            binary=False,
            insertions=0,
            deletions=1,
        )
        for path in paths
    }
