"""Trees and what becomes of them, as hypothesis draws them: all that git can keep."""

import re
from collections.abc import Iterable, Mapping

from hypothesis import strategies as st

from tests.builders import EXECUTABLE, FILE, LINK, Files

Held = bytes | tuple[str, bytes]

LINES = b"".join(b"line %d\n" % n for n in range(1, 31))
NAMES = (
    "a", "b", "c", "d e", " f", "g ", "t\tab", 'q"uote', "new\nline", "\udcff\udcfe", "caf\u00e9",
    "b/x", "x b", "a b", "x b/x", "\x7f", "cr\r", "-", "-rf", "--", "a -> b", "{x}", "'", "$x",
    "*", ":x", "#", "!x", "\u4e2d\udc80", "\x01", 'a" "b', "a\t", "x/\u00e9/\n/y",
)  # fmt: skip
DIRECTORIES = (
    "", "", "", "dir/", "dir/sub/", "odd \u4e2d\t/", "a/", "b/", "-d/", "1/2/3/4/5/6/7/8/9/",
)  # fmt: skip
CONTENTS = (
    b"", b"x", b"x\n", b"\n", b"\n\n\n", b"\r\n", b"a\r\nb\r\n", b"no newline\nat end", b"nul\0\n",
    LINES, LINES.replace(b"\n", b"\r\n"), LINES[:-1], LINES * 3, LINES.replace(b"7", b"seven"),
    LINES.replace(b"line 5\n", b"").replace(b"line 20\n", b"line 20\nand\n"), LINES + b"more\n",
    bytes(range(256)), bytes(range(256)) + b"tail", b"\0" * 70_000,
    b"-- \n++ \n@@ -1 +1 @@\n", b"--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+y\n", b"GIT binary patch\n",
    b"diff --git a/x b/x\n--- a/x\n", b"\\ No newline at end of file\n", b" \n\t\n", b"\xff\xfe\n",
    bytes(range(255, -1, -1)), b"a\nb\na\nb\na\nb\n" * 8, b"a\nb\na\nb\n" * 9,
    b"int f(void)\n{\n" + LINES + b"}\n\xff g()\n" + LINES,
)  # fmt: skip
LINKED = (b"a", b"dir", b"../x", b"new\nline", b"\xff", b"/etc/passwd", b"x" * 300)
COMMITS = (b"1" * 40, b"2" * 40)
GITLINK = "160000"

some_lines = st.lists(st.sampled_from((b"a", b"b", b"", b"c d", b"e\r", b"\t")), max_size=30).map(
    lambda lines: b"".join(line + b"\n" for line in lines)
)
contents = st.one_of(st.sampled_from(CONTENTS), st.binary(max_size=40), some_lines)
held: st.SearchStrategy[Held] = st.one_of(
    contents,
    contents,
    st.tuples(st.just(EXECUTABLE), st.sampled_from(CONTENTS)),
    st.tuples(st.just(LINK), st.sampled_from(LINKED)),
    st.tuples(st.just(GITLINK), st.sampled_from(COMMITS)),
)
paths = st.builds(str.__add__, st.sampled_from(DIRECTORIES), st.sampled_from(NAMES))
trees = st.dictionaries(paths, held, max_size=7).map(lambda files: apart(files))


@st.composite
def becoming(draw: st.DrawFn, before: Files) -> Files:
    """Draw what becomes of a tree: kept, edited, moved, copied, deleted, another mode, added."""
    after = dict(before)
    for old in before:
        deed = draw(
            st.sampled_from(
                ("keep", "edit", "edit", "swap", "move", "copy", "delete", "mode", "below")
            )
        )
        if deed == "swap":
            after[old] = draw(held)
        elif deed == "edit":
            after[old] = draw(edited(before[old]))
        elif deed in ("move", "copy"):
            after[draw(paths)] = draw(edited(before[old])) if draw(st.booleans()) else before[old]
        elif deed == "below":
            after[f"{old}/under"] = before[old]
        elif deed == "mode":
            after[old] = _other_mode(before[old])
        if deed in ("move", "delete", "below"):
            after.pop(old, None)
    after |= draw(st.dictionaries(paths, held, max_size=2))
    return apart(after)


@st.composite
def edited(draw: st.DrawFn, entry: Held) -> Held:
    """Draw an entry of the same type, some lines of which are others."""
    mode, content = (FILE, entry) if isinstance(entry, bytes) else entry
    if mode == GITLINK:
        return mode, draw(st.sampled_from(COMMITS))
    if mode == LINK:
        return mode, draw(st.sampled_from(LINKED))
    lines = content.splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines)))
        fresh = draw(st.lists(st.sampled_from((b"a\n", b"new\n", b"x\r\n", b"\0\n")), max_size=2))
        lines[at : at + draw(st.integers(0, 2))] = fresh
    made = b"".join(lines)
    made = made.rstrip(b"\n") if draw(st.booleans()) else made
    return made if mode == FILE else (mode, made)


@st.composite
def two_trees(draw: st.DrawFn) -> tuple[Files, Files]:
    """Draw a tree and what becomes of it."""
    before = draw(trees)
    return before, draw(becoming(before))


def apart(files: Mapping[str, Held]) -> Files:
    """Return `files` without those that are folders of others."""
    folders = {path[: at.start()] for path in files for at in re.finditer("/", path)}
    return {path: entry for path, entry in files.items() if path not in folders}


def content_of(entry: Held) -> bytes:
    """Return what an entry holds."""
    return entry if isinstance(entry, bytes) else entry[1]


def mode_of(entry: Held) -> str:
    """Return the mode of an entry."""
    return FILE if isinstance(entry, bytes) else entry[0]


def plain(entries: Iterable[tuple[str, Held]]) -> dict[str, tuple[str, bytes]]:
    """Return entries as mode and content, whichever way they were told."""
    return {path: (mode_of(entry), content_of(entry)) for path, entry in entries}


def _other_mode(entry: Held) -> Held:
    if isinstance(entry, bytes):
        return EXECUTABLE, entry
    return entry[1] if entry[0] == EXECUTABLE else entry
