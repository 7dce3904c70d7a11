"""Patches that lie, by name: what git makes of each, and what the factory answers."""

import base64
import zlib
from dataclasses import dataclass

from tests.builders import EXECUTABLE, LINK, Files, a_patch, blob_id
from tools.codex.factory.domain.edit import split_lines

LINES = b"".join(b"line %d\n" % n for n in range(1, 31))
CHANGED = LINES.replace(b"line 10\n", b"LINE\n")
CRLF, CRLF_CHANGED = LINES.replace(b"\n", b"\r\n"), CHANGED.replace(b"\n", b"\r\n")
PIXELS = bytes(range(256)) * 4
ZERO = b"0" * 40
ONES = b"1" * 40

BASE: Files = {
    "bin": PIXELS,
    "crlf": CRLF,
    "dir/x": b"x\n",
    "e": b"",
    "f": LINES,
    "ln": (LINK, b"dir"),
    "out": (LINK, b"/tmp"),
    "twins": b"".join(b"%c\n" % letter for letter in b"abcd" * 10),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One patch. `expected` is the code that blocks it, or None where it is taken."""

    name: str
    why: str
    patch: bytes
    git_accepts: bool
    expected: str | None


def added(
    name: bytes, content: bytes = b"evil\n", mode: bytes = b"100644", oid: bytes = b""
) -> bytes:
    """Return a section that adds `name`, written as it is after a/ and b/, quotes and all."""
    left, right = (_prefixed(side, name) for side in (b"a/", b"b/"))
    made = oid or blob_id(content).encode()
    lines = split_lines(content)
    count = b"" if len(lines) == 1 else b",%d" % len(lines)
    body = b"".join(b"+" + line for line in lines)
    end = b"" if content.endswith(b"\n") else b"\n\\ No newline at end of file\n"
    tab = b"\t" if b" " in name else b""
    return b"diff --git %s %s\nnew file mode %s\nindex %s..%s\n" % (
        left,
        right,
        mode,
        ZERO,
        made,
    ) + b"--- /dev/null\n+++ %s%s\n@@ -0,0 +1%s @@\n%s%s" % (right, tab, count, body, end)


def binary(name: bytes, content: bytes, *, size: int | None = None, oid: bytes = b"") -> bytes:
    """Return a section that adds a binary file."""
    made = oid or blob_id(content).encode()
    held = len(content) if size is None else size
    return (
        b"diff --git a/%s b/%s\nnew file mode 100644\n" % (name, name)
        + b"index %s..%s\nGIT binary patch\nliteral %d\n" % (ZERO, made, held)
        + _base85(zlib.compress(content, 9))
        + b"\nliteral 0\nHcmV?d00001\n\n"
    )


def _prefixed(side: bytes, name: bytes) -> bytes:
    return b'"' + side + name[1:] if name.startswith(b'"') else side + name


def _base85(deflated: bytes) -> bytes:
    lines = []
    for at in range(0, len(deflated), 52):
        part = deflated[at : at + 52]
        length = len(part) + 64 if len(part) <= 26 else len(part) + 70
        padded = part + b"\0" * (-len(part) % 4)
        lines.append(bytes([length]) + base64.b85encode(padded) + b"\n")
    return b"".join(lines)


def _moved(kind: bytes, old: bytes, new: bytes) -> bytes:
    head = b"diff --git a/%s b/%s\nsimilarity index 100%%\n" % (old, new)
    return head + b"%s from %s\n%s to %s\n" % (kind, old, kind, new)


def _gitlink(name: bytes) -> bytes:
    return added(name, b"Subproject commit %s\n" % ONES, b"160000", ONES)


EDIT = a_patch({"f": LINES}, {"f": CHANGED})
EDIT_ID = blob_id(CHANGED).encode()
CRLF_EDIT = a_patch({"crlf": CRLF}, {"crlf": CRLF_CHANGED})
LINK_TO = b"diff --git a/e b/e\ndeleted file mode 100644\nindex %s..%s\n" % (
    blob_id(b"").encode(),
    ZERO,
)
TWIN = a_patch(
    {"twins": b"".join(b"%c\n" % letter for letter in b"abcd" * 10)},
    {"twins": b"".join(b"%c\n" % letter for letter in b"abcd" * 8 + b"abXcd" + b"abcd")},
)
SECOND = (
    b"diff --git a/f b/f\nindex %s..%s 100644\n--- a/f\n+++ b/f\n" % (EDIT_ID, ONES)
    + b"@@ -20,3 +20,4 @@\n line 20\n+more\n line 21\n line 22\n"
)
GRAMMAR, SENSITIVE = "patch.grammar", "scope.sensitive_path"
SHAPE, DIFFERS = "patch.tree_shape", "patch.base_differs"

CASES = (
    # Paths
    Case("git config", "writes the repository's own config", added(b".git/config"), False, GRAMMAR),
    Case("git config in capitals", "opens .git where case is ignored", added(b".GIT/config"),
         False, GRAMMAR),
    Case("nested git hook", "runs in a checkout of sub", added(b"sub/.git/hooks/x"), False,
         GRAMMAR),
    Case("short name of git", "NTFS opens .git by git~1", added(b"git~1/config"), False, GRAMMAR),
    Case("git with a space", "NTFS drops the space", added(b".git /x"), False, GRAMMAR),
    Case("git with a stream", "NTFS opens the directory itself",
         added(b".git::$INDEX_ALLOCATION/x"), False, GRAMMAR),
    Case("git with an ignored character", "HFS+ drops U+200C",
         added(b'".g\\342\\200\\214it/x"'), True, GRAMMAR),
    Case("backslash", "a separator on Windows", added(b'"a\\\\b"'), True, GRAMMAR),
    Case("parent directory", "leaves the tree", added(b"../evil"), False, GRAMMAR),
    Case("parent within", "leaves the tree after all", added(b"a/../../evil"), False, GRAMMAR),
    Case("absolute", "git strips the slash and writes tmp/evil",
         added(b"x").replace(b"a/x", b"/tmp/evil").replace(b"b/x", b"/tmp/evil"), True, GRAMMAR),
    Case("double slash", "an empty name", added(b"a//b"), False, GRAMMAR),
    Case("dot", "a name that is no name", added(b"./a"), False, GRAMMAR),
    Case("below a link of the base", "writes through the link", added(b"ln/y"), False, SHAPE),
    Case("below a link that leaves", "writes to /tmp", added(b"out/evil"), False, SHAPE),
    Case("link and a file below it", "CVE-2023-23946",
         added(b"s", b"dir", b"120000") + added(b"s/x"), False, SHAPE),
    Case("file and a file below it", "no tree holds both", added(b"s") + added(b"s/x"), False,
         SHAPE),
    Case("below a file of the base", "no tree holds both", added(b"f/x"), False, SHAPE),
    Case("over a directory of the base", "no tree holds both", added(b"dir"), False, SHAPE),
    Case("bad escape", "no byte has this number", added(b'"\\777"'), True, GRAMMAR),
    Case("NUL in a name", "git cuts the name off there", added(b'"a\\000b"'), True, GRAMMAR),
    # Links, submodules and global files
    Case("file becomes a link out", "reads /etc/passwd in the next tool",
         LINK_TO + added(b"e", b"/etc/passwd", b"120000"), True, SENSITIVE),
    Case("new link out", "reads /etc/passwd in the next tool",
         added(b"abs", b"/etc/passwd", b"120000"), True, SENSITIVE),
    Case("new link up", "leaves the tree", added(b"dir/up", b"../../x", b"120000"), True,
         SENSITIVE),
    Case("link into git", "hands out the config", added(b"l", b".git/config", b"120000"), True,
         SENSITIVE),
    Case("gitmodules as a link", "CVE-2018-11235 and its kin",
         added(b".gitmodules", b"x", b"120000"), False, SENSITIVE),
    Case("submodule", "fetches what it names", _gitlink(b"sm"), True, SENSITIVE),
    Case("submodule named git", "CVE-2019-1387", _gitlink(b"x/.git"), False, GRAMMAR),
    Case("attributes", "a filter runs at checkout",
         added(b".gitattributes", b"* filter=evil\n"), True, SENSITIVE),
    Case("attributes below", "a filter runs at checkout",
         added(b"dir/.gitattributes", b"* merge=union\n"), True, SENSITIVE),
    Case("gitmodules with an option", "CVE-2018-17456, CVE-2025-48384",
         added(b".gitmodules", b'[submodule "x"]\n\tpath = "s\r"\n\turl = -u./p\n'), True,
         SENSITIVE),
    Case("workflow", "runs with the project's secrets", added(b".github/workflows/x.yml"), True,
         SENSITIVE),
    # Modes
    Case("group-writable", "git makes 100644 of it", added(b"m664", mode=b"100664"), True, GRAMMAR),
    Case("directory mode", "git drops the file without a word", added(b"mdir", mode=b"040000"),
         True, GRAMMAR),
    Case("setuid", "git makes 100755 of it", added(b"suid", mode=b"104755"), True, GRAMMAR),
    Case("wrong old mode", "the worker looked at another tree",
         b"diff --git a/f b/f\nold mode 100755\nnew mode 100644\n", True, DIFFERS),
    Case("only one mode", "half of a change", b"diff --git a/f b/f\nnew mode 100755\n", False,
         GRAMMAR),
    Case("index mode lies", "the worker looked at another tree",
         EDIT.replace(b" 100644\n", b" 100755\n"), True, DIFFERS),
    # Names that are good
    Case("quoted unicode", "core.quotePath on", added(b'"caf\\303\\251"'), True, None),
    Case("plain unicode", "core.quotePath off", added("caf\u00e9".encode()), True, None),
    Case("newline in a name", "git quotes it", added(b'"a\\nb"'), True, None),
    Case("tab and quote in a name", "git quotes it", added(b'"a\\tb\\"c"'), True, None),
    Case("space in a name", "git ends it with a tab", added(b"a b/c"), True, None),
    Case("space without the tab", "not as git writes", added(b"a b/c").replace(b"\t\n", b"\n"),
         True, GRAMMAR),
    Case("name that is not UTF-8", "git quotes it", added(b'"\\377\\376"'), True, None),
    # Ids
    Case("plain edit", "the honest case", EDIT, True, None),
    Case("wrong pre-image", "the worker looked at another file",
         EDIT.replace(blob_id(LINES).encode(), ONES), True, DIFFERS),
    Case("wrong post-image", "the id is a lie", EDIT.replace(EDIT_ID, b"2" * 40), True,
         "patch.result_differs"),
    Case("short ids", "ids that prove nothing",
         EDIT.replace(blob_id(LINES).encode(), blob_id(LINES).encode()[:7]).replace(
             EDIT_ID, EDIT_ID[:7]), True, GRAMMAR),
    Case("no ids", "nothing to prove by",
         b"".join(line for line in EDIT.splitlines(keepends=True) if line[:5] != b"index"), True,
         GRAMMAR),
    Case("same id twice", "a change that is none", EDIT.replace(EDIT_ID, blob_id(LINES).encode()),
         True, GRAMMAR),
    # Hunks
    Case("hunk at another line", "git searches for the context",
         EDIT.replace(b"@@ -7,7 +7,7 @@", b"@@ -17,7 +17,7 @@"), True, "patch.does_not_apply"),
    Case("hunk at the wrong twin", "git takes the nearest place that looks alike",
         TWIN.replace(b"@@ -32", b"@@ -28").replace(b" +32", b" +28"), True,
         "patch.result_differs"),
    Case("two positions that disagree", "the second is never checked by git",
         EDIT.replace(b"+7,7 @@", b"+9,7 @@"), True, GRAMMAR),
    Case("count too large", "swallows what follows", EDIT.replace(b"-7,7 +7,7", b"-7,9 +7,9"),
         False, GRAMMAR),
    Case("count too small", "git ignores the rest", EDIT.replace(b"-7,7 +7,7", b"-7,6 +7,6"), True,
         GRAMMAR),
    Case("context only", "a hunk that changes nothing",
         EDIT.replace(b"-line 10\n+LINE\n", b" line 10\n"), False, GRAMMAR),
    Case("cut off", "the last newline is missing", EDIT[:-1], False, GRAMMAR),
    Case("broken hunk header", "no number", EDIT.replace(b"@@ -7", b"@@ -x"), False, GRAMMAR),
    Case("number of many digits", "an integer that Python will not read",
         EDIT.replace(b"@@ -7", b"@@ -" + b"7" * 5000), True, GRAMMAR),
    Case("line of nothing", "a plus that adds no byte",
         added(b"nothing", b"a\n").replace(b"+1 @@", b"+1,2 @@")
         + b"+\n\\ No newline at end of file\n", True, GRAMMAR),
    Case("deletion that leaves lines", "the file would not be gone",
         b"diff --git a/f b/f\ndeleted file mode 100644\nindex %s..%s\n--- a/f\n+++ /dev/null\n"
         b"@@ -1,2 +0,0 @@\n-line 1\n-line 2\n" % (blob_id(LINES).encode(), ZERO), False,
         "patch.does_not_apply"),
    # Structure
    Case("labels name another file", "git takes the labels: f is renamed unseen",
         EDIT.replace(b"+++ b/f", b"+++ b/dir/y"), True, GRAMMAR),
    Case("header names two files", "git takes the labels",
         EDIT.replace(b"diff --git a/f b/f", b"diff --git a/f b/dir/x"), True, GRAMMAR),
    Case("same file twice", "the second stands on the first", EDIT + EDIT, False,
         "patch.path_twice"),
    Case("same file in two steps", "git applies one on top of the other", EDIT + SECOND, True,
         DIFFERS),
    Case("junk between files", "git skips what it does not know",
         EDIT + b"this is junk\nmore junk\n" + added(b"n"), True, GRAMMAR),
    Case("junk at the end", "git skips what it does not know", EDIT + b"junk\n", True, GRAMMAR),
    Case("mail with a diff inside", "git applies what looks like prose",
         b"From: x\nSubject: y\n\n" + added(b"hidden") + b"\n---\n" + EDIT, True, GRAMMAR),
    Case("traditional diff", "no header, no ids", EDIT.split(b"\n", 2)[2], True, GRAMMAR),
    Case("rename header lies", "the header names a third file",
         _moved(b"rename", b"f", b"g").replace(b"a/f b/g", b"a/q b/q"), True, GRAMMAR),
    Case("rename onto a file", "takes the other file away",
         _moved(b"rename", b"f", b"e"), False, DIFFERS),
    Case("adds what is there", "takes the other file away", added(b"f"), False, DIFFERS),
    Case("dissimilarity and no more", "a section that says nothing",
         b"diff --git a/f b/f\ndissimilarity index 90%\n", False, GRAMMAR),
    Case("no prefixes", "a directory named a would be lost",
         EDIT.replace(b"a/f", b"f").replace(b"b/f", b"f"), False, GRAMMAR),
    Case("CRLF patch", "a mail gateway was here", EDIT.replace(b"\n", b"\r\n"), False, GRAMMAR),
    Case("LF patch of a CRLF file", "lines that the base does not have",
         CRLF_EDIT.replace(b"\r\n", b"\n"), False, "patch.does_not_apply"),
    # Good, though odd
    Case("CRLF file", "the carriage returns are content", CRLF_EDIT, True, None),
    Case("no newline at the end", "git says so", added(b"nn", b"abc"), True, None),
    Case("empty file comes", "no hunk at all", a_patch({}, {"n": b""}), True, None),
    Case("empty file goes", "no hunk at all", LINK_TO, True, None),
    Case("mode only", "no ids at all", a_patch({"f": LINES}, {"f": (EXECUTABLE, LINES)}), True,
         None),
    Case("rename", "no ids at all", _moved(b"rename", b"f", b"g"), True, None),
    Case("copy", "no ids at all", _moved(b"copy", b"f", b"g"), True, None),
    Case("NUL in a text hunk", "text by attribute", added(b"nul", b"a\0b\n"), True, None),
    Case("empty patch", "nothing was changed", b"", False, None),
    # Binaries
    Case("binary file", "the honest case", binary(b"nb", PIXELS[:256]), True, None),
    Case("binary with a wrong id", "the id is a lie", binary(b"nb", PIXELS[:256], oid=b"3" * 40),
         False, "patch.result_differs"),
    Case("binary with a wrong size", "the size is a lie", binary(b"nb", PIXELS[:256], size=9),
         False, "patch.does_not_apply"),
    Case("binary bomb", "kilobytes that become megabytes", binary(b"nb", b"\0" * 5_000_000), True,
         GRAMMAR),
    Case("binary bomb that lies", "kilobytes that become megabytes",
         binary(b"nb", b"\0" * 5_000_000, size=9), False, "patch.does_not_apply"),
    Case("binary without content", "made without --binary",
         b"diff --git a/bin b/bin\nindex %s..%s 100644\nBinary files a/bin and b/bin differ\n"
         % (blob_id(PIXELS).encode(), b"4" * 40), False, GRAMMAR),
    Case("binary with one half", "no way back", binary(b"nb", PIXELS[:256]).split(b"literal 0")[0],
         True, GRAMMAR),
    # Scope
    Case("outside the lock", "the honest mistake", added(b"private/x"), True, "scope.denied"),
    Case("renamed into the lock", "the old path is written too",
         _moved(b"rename", b"dir/x", b"y") + added(b"elsewhere", b"1\n"), True, None),
)  # fmt: skip
