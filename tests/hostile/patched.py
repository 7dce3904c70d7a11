"""Bundles whose patch is hostile, and whose every claim fits it: only the patch is wrong."""

import base64
import zlib
from collections.abc import Callable, Iterable

from tests.builders import a_patch, blob_id
from tests.hostile.ground import BundleCase, Folder, own
from tests.hostile.patches import BASE, LINES, PIXELS, ZERO, added, binary
from tests.hostile.patches import CASES as PATCHES

GRAMMAR, SHAPE, DIFFERS = "patch.grammar", "patch.tree_shape", "patch.base_differs"
APPLIES, TWICE, TOO_LARGE = "patch.does_not_apply", "patch.path_twice", "bundle.too_large"
SENSITIVE, NAME = "scope.sensitive_path", "overlap.name_collision"
Made = Callable[[Folder], bytes]


def _case(name: str, why: str, made: Made, git_accepts: bool, *codes: str) -> BundleCase:
    return BundleCase(
        "patch",
        name,
        why,
        lambda f: f.replace(f.ground.bundle(made(f))),
        codes,
        git_accepts=git_accepts,
    )


def _large(name: str, why: str, made: Callable[[], bytes], git_accepts: bool) -> BundleCase:
    """Return a case whose patch is too large to be read twice only to know what it claims."""
    spoil = lambda f: f.write("DIFF.patch", made())  # noqa: E731
    return BundleCase("patch", name, why, spoil, (GRAMMAR,), git_accepts=git_accepts)


def _plain(name: str, why: str, patch: bytes, git_accepts: bool, *codes: str) -> BundleCase:
    return _case(name, why, lambda f: patch, git_accepts, *codes)


def delta(before: bytes, operations: bytes, target: int) -> bytes:
    """Return a pack delta: the two sizes, and operations that may keep to them or not."""
    return _size(len(before)) + _size(target) + operations


def binary_edit(
    name: str, before: bytes, *, forward: tuple[bytes, bytes], reverse: tuple[bytes, bytes],
    oid: bytes,
) -> bytes:  # fmt: skip
    """Return a section that edits a binary file by these two halves: method and content."""
    head = b"diff --git a/%s b/%s\nindex %s..%s 100644\nGIT binary patch\n" % (
        name.encode(), name.encode(), blob_id(before).encode(), oid,
    )  # fmt: skip
    return head + _half(*forward) + _half(*reverse)


def _half(method: bytes, content: bytes) -> bytes:
    deflated = zlib.compress(content, 9)
    lines = [
        _line(deflated[at : at + 52]) for at in range(0, len(deflated), 52)
    ]  # fmt: skip
    return b"%s %d\n%s\n" % (method, len(content), b"".join(lines))


def _line(part: bytes) -> bytes:
    length = len(part) + 64 if len(part) <= 26 else len(part) + 70
    return bytes([length]) + base64.b85encode(part + b"\0" * (-len(part) % 4)) + b"\n"


def _size(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


# Copies 64 KiB of a blob: an operation without arguments means offset 0, size 0x10000.
_WHOLE = b"x" * 0x10000


def _delta_bomb(folder: Folder, *, sections: int, target: int) -> bytes:
    """Return edits of blobs of the base by deltas that copy without end."""
    copies = delta(PIXELS, (b"\xb0\x00\x04") * (target // 1024), target)
    back = (b"literal", b"not what was there")
    one = binary_edit("bin", PIXELS, forward=(b"delta", copies), reverse=back, oid=b"5" * 40)
    copied = [one]
    for number in range(sections - 1):
        head = b"diff --git a/bin b/c%d\nsimilarity index 1%%\ncopy from bin\ncopy to c%d\n"
        copied.append(head % (number, number) + one.split(b"\n", 1)[1])
    return b"".join(copied)


def _literals(count: int, size: int) -> bytes:
    content = b"\0" * size
    return b"".join(binary(b"z%03d" % n, content) for n in range(count))


def _deletions(count: int) -> bytes:
    gone = b"diff --git a/g%d b/g%d\ndeleted file mode 100644\nindex %s..%s\n"
    oid = blob_id(b"").encode()
    return b"".join(gone % (n, n, oid, ZERO) for n in range(count))


def _additions(count: int) -> bytes:
    head = b"diff --git a/g%d b/g%d\nnew file mode 100644\nindex %s..%s\n"
    oid = blob_id(b"").encode()
    return b"".join(head % (n, n, ZERO, oid) for n in range(count))


def _hunks(count: int) -> bytes:
    head = b"diff --git a/f b/f\nindex %s..%s 100644\n--- a/f\n+++ b/f\n"
    made = (b"@@ -%d +%d @@\n-a\n+b\n" % (3 * n + 1, 3 * n + 1) for n in range(count))
    return head % (blob_id(LINES).encode(), b"6" * 40) + b"".join(made)


def _mine(folder: Folder, name: str) -> bytes:
    return f"{own(folder.ground.worker)}/{name}".encode()


def _twins(first: str, second: str) -> Made:
    return lambda f: added(_mine(f, first)) + added(_mine(f, second))


def _kept_and_gone(folder: Folder) -> bytes:
    path = f"{own(folder.ground.worker)}/f"
    edit = a_patch({path: LINES}, {path: LINES + b"more\n"})
    return edit + a_patch({path: LINES}, {})


def _directory_becomes_a_link(folder: Folder) -> bytes:
    return a_patch({"dir/x": BASE["dir/x"]}, {}) + added(b"dir", b"/etc", b"120000")


def _brought() -> Iterable[BundleCase]:
    """Yield every patch of the corpus that something speaks against, as a whole bundle."""
    for case in PATCHES:
        # That one is judged by a smaller limit there.
        if case.expected is not None and case.name != "binary bomb":
            yield _plain(case.name, case.why, case.patch, case.git_accepts, case.expected)


CASES = (
    *_brought(),
    # Bombs
    _case("sixty megabytes of zero", "sixty kilobytes of patch",
          lambda f: binary(b"zero", b"\0" * (60 << 20)), True, GRAMMAR),
    _case("a size of two hundred megabytes", "a size that nothing stands behind",
          lambda f: binary(b"zero", b"x", size=200 << 20), False, GRAMMAR),
    _case("many bombs", "each is small enough, together they are not",
          lambda f: _literals(12, 8 << 20), True, TOO_LARGE),
    _case("a delta that makes too much", "kilobytes that become megabytes",
          lambda f: _delta_bomb(f, sections=1, target=32 << 20), False, APPLIES),
    _case("forty deltas for nothing", "each is made, and then refused; git is at that for minutes",
          lambda f: _delta_bomb(f, sections=40, target=8 << 20), False, APPLIES),
    _case("a delta from beyond", "reads what lies behind the blob",
          lambda f: binary_edit("bin", PIXELS, oid=b"5" * 40, reverse=(b"literal", PIXELS),
                                forward=(b"delta", delta(PIXELS, b"\xb1\xff\x04", 1024))),
          False, APPLIES),
    _case("a delta for another blob", "made for a file that is not the base's",
          lambda f: binary_edit("bin", PIXELS, oid=b"5" * 40, reverse=(b"literal", PIXELS),
                                forward=(b"delta", delta(b"x", b"\x01y", 1))), False, APPLIES),
    _case("no way back", "the reverse half says something else",
          lambda f: binary_edit("bin", PIXELS, oid=blob_id(b"\0x").encode(),
                                forward=(b"literal", b"\0x"), reverse=(b"literal", b"\0hidden")),
          True, APPLIES),
    _case("a line of twenty megabytes", "a file that is too large, in one line",
          lambda f: added(b"long", b"x" * (20 << 20) + b"\n"), True, TOO_LARGE),
    _case("a header of a megabyte", "a name that no system has",
          lambda f: added(b"n" * (1 << 20)), True, GRAMMAR),
    _case("a path of many folders", "each is a tree to be made",
          lambda f: added(b"/".join([b"d"] * 1000)), True, GRAMMAR),
    _large("ten million lines", "each costs more memory than it holds bytes",
           lambda: b"\n" * 10_000_001, False),
    _case("a hundred thousand hunks", "none of them fits", lambda f: _hunks(100_000), False,
          APPLIES),
    _case("twenty thousand deletions", "of files that are not there",
          lambda f: _deletions(20_000), False, DIFFERS),
    _large("more files than there may be", "each is a section",
           lambda: _additions(100_001), True),
    BundleCase("patch", "a patch over its limit", "larger than any patch may be",
               lambda f: f.write("DIFF.patch", b"x" * ((32 << 20) + 1)),
               ("bundle.artifact_missing", TOO_LARGE)),
    # Names
    _plain("outside the lock, in quotes", "an escape that git would not write",
           added(b'"\\160rivate/x"'), True, "scope.denied"),
    _plain("in the runs root", "the factory's own records",
           added(b"tools/codex/runs/r1/PLAN.json"), True, "scope.always_denied"),
    _plain("the ledger", "the factory's own records",
           added(b"tools/codex/runs/factory_ledger.jsonl"), True, "scope.always_denied"),
    _case("names that differ in case", "one file where case is ignored",
          _twins("a", "A"), True, NAME),
    _case("names in two normal forms", "one file on macOS", _twins("caf\u00e9", "cafe\u0301"), True,
          NAME),
    _case("the case twin of a folder", "one folder where case is ignored",
          lambda f: added(b"DIR/y"), True, NAME),
    _plain("the case twin of the base", "takes the other file's place", added(b"F"), True, NAME),
    _plain("short name of gitmodules", "NTFS opens .gitmodules by it",
           added(b"GITMOD~1"), True, SENSITIVE),
    _plain("gitmodules in capitals", "git opens it where case is ignored",
           added(b".GitModules", b'[submodule "x"]\n'), True, SENSITIVE),
    _plain("large files' configuration", "where content is fetched from",
           added(b".lfsconfig", b"[lfs]\n\turl = http://x\n"), True, SENSITIVE),
    _plain("a hook of the project", "runs at the next commit", added(b".githooks/pre-commit"), True,
           SENSITIVE),
    _plain("a link into a submodule's git", "leads to a repository's own folder",
           added(b"l2", b"sub/.git/hooks", b"120000"), True, SENSITIVE),
    _plain("a link that goes up in the middle", "a name before it may be a link itself",
           added(b"l3", b"dir/../../x", b"120000"), True, SENSITIVE),
    _case("a folder becomes a link", "all below it is elsewhere", _directory_becomes_a_link, True,
          SENSITIVE),
    # Structure
    _case("kept and gone", "one path, two ends", _kept_and_gone, False, TWICE),
    _plain("two renames of one file", "git keeps both",
           b"diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n"
           b"diff --git a/f b/h\nsimilarity index 100%\nrename from f\nrename to h\n", True, TWICE),
    _plain("a rename that hides an edit", "the similarity is a lie, the ids are not there",
           b"diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n"
           b"--- a/f\n+++ b/g\n@@ -1,2 +1,2 @@\n-line 1\n+LINE 1\n line 2\n", True, GRAMMAR),
    _plain("renamed away from the lock", "the old path is written too",
           b"diff --git a/private/x b/y\nsimilarity index 100%\nrename from private/x\n"
           b"rename to y\n", False, DIFFERS),
    _plain("touching hunks", "two that are one", a_patch({"f": LINES}, {"f": LINES + b"x\n"})
           + b"@@ -31,0 +32 @@\n+y\n", True, GRAMMAR),
)  # fmt: skip
