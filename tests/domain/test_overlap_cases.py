"""Every way in which two or three bundles are known to meet, one by name."""

import itertools
from dataclasses import dataclass

import pytest

from tests.builders import EXECUTABLE, LINK, Files, Repo, a_patch, base_of, proven, worker
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.identity import ObjectId, WorkerId
from tools.codex.factory.domain.merge import Merged, merge
from tools.codex.factory.domain.overlap import Overlaps, overlaps
from tools.codex.factory.domain.plan import Plan, PlanFile, Policy, WorkerEntry, resolved
from tools.codex.factory.domain.scope import lock
from tools.codex.factory.domain.verdict import Judgement

TEXT = b"".join(b"line %d\n" % n for n in range(1, 21))
TWINS = b"".join(b"%c\n" % letter for letter in b"abcd" * 10)


@dataclass(frozen=True, slots=True)
class Case:
    """What each bundle makes of the base, and the codes of the rows where they meet."""

    name: str
    base: Files
    bundles: tuple[Files, ...]
    blocks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    allow_identical: bool = False


def _edit(old: str, new: str, text: bytes = TEXT) -> Files:
    assert old.encode() in text
    return {"f": text.replace(old.encode(), new.encode(), 1)}


F: Files = {"f": TEXT}
SHARED = ("/f",)
SAME, HUNKS, NAME = "overlap.same_path", "overlap.hunks", "overlap.name_collision"
BELOW, GLOBAL, EMPTIED = (
    "overlap.file_directory",
    "overlap.global_file",
    "overlap.emptied_directory",
)
DIR: Files = {"d/x": b"x\n", "d/y": b"y\n"}
KEEP: Files = {"keep": b"k\n"}

CASES = (
    Case("rename and edit of one file", {"a": TEXT}, ({"b": TEXT}, {"a": TEXT + b"z\n"}), (SAME,)),
    Case("deletion and edit of one file", F, ({}, _edit("line 3\n", "3\n")), (SAME,)),
    Case("a file and a file below it", {}, ({"lib": b"1\n"}, {"lib/x": b"2\n"}), (BELOW,)),
    Case("a directory becomes a link while another adds in it", DIR,
         ({"d": (LINK, b"e")}, {**DIR, "d/new": b"n\n"}), (BELOW,), (EMPTIED,)),
    Case("a directory is moved while another adds in it", DIR,
         ({"e/x": b"x\n", "e/y": b"y\n"}, {**DIR, "d/new": b"n\n"}), (), (EMPTIED,)),
    Case("two cases of one name", {}, ({"README.md": b"1\n"}, {"readme.md": b"2\n"}), (NAME,)),
    Case("two forms of one name", {}, ({"caf\u00e9": b"1\n"}, {"cafe\u0301": b"2\n"}), (NAME,)),
    Case("two cases of one directory", {}, ({"Lib/a": b"1\n"}, {"lib/b": b"2\n"}), (NAME,)),
    Case("a new case of a name of the base", {"README": b"1\n"},
         ({"README": b"1\n", "readme": b"2\n"}, {"README": b"1\n", "x": b""}), (NAME,)),
    Case("the same new file twice", {}, ({"n": b"1\n"}, {"n": b"1\n"}), (SAME,)),
    Case("the same new file twice where that may be", {}, ({"n": b"1\n"}, {"n": b"1\n"}),
         shared=("/n",), allow_identical=True),
    Case("the same deletion twice where that may be", F, ({}, {}), shared=SHARED,
         allow_identical=True),
    Case("two new files of one name", {}, ({"n": b"1\n"}, {"n": b"2\n"}), (SAME,)),
    Case("two new files of one name though shared", {}, ({"n": b"1\n"}, {"n": b"2\n"}), (SAME,),
         shared=("/n",)),
    Case("two renames to one name", {"a": b"1\n", "b": b"2\n"},
         ({"c": b"1\n", "b": b"2\n"}, {"a": b"1\n", "c": b"2\n"}), (SAME,)),
    Case("two renames of one file", {"a": TEXT}, ({"b": TEXT}, {"c": TEXT}), (SAME,)),
    Case("mode and edit of one file", F, ({"f": (EXECUTABLE, TEXT)}, _edit("line 3\n", "3\n")),
         shared=SHARED),
    Case("two binary edits of one file", {"f": b"\0" * 9}, ({"f": b"\1"}, {"f": b"\2"}), (SAME,)),
    Case("two targets of one link", {"l": (LINK, b"a")}, ({"l": (LINK, b"b")}, {"l": (LINK, b"c")}),
         (SAME,), shared=("/l",)),
    Case("attributes and an edit that they concern", {"w.txt": b"1\r\n"},
         ({"w.txt": b"1\r\n", ".gitattributes": b"*.txt eol=lf\n"}, {"w.txt": b"2\r\n"})),
    Case("attributes by two", {},
         ({".gitattributes": b"1\n"}, {"d/.gitattributes": b"2\n"}), (GLOBAL,)),
    Case("attributes by two in one file", {}, ({".gitattributes": b"1\n"},
         {".gitattributes": b"2\n"}), (GLOBAL, SAME)),
    Case("attributes that would unite, and two edits", F,
         ({**_edit("line 3\n", "3\n"), ".gitattributes": b"f merge=union\n"},
          _edit("line 3\n", "three\n")), (HUNKS,), shared=SHARED),
    Case("a submodule's path and a file there", {},
         ({".gitmodules": b'[submodule "s"]\n\tpath = s\n\turl = u\n'}, {"s/file": b"1\n"})),
    Case("a submodule and a file below it", {}, ({"s": ("160000", b"1" * 40)}, {"s/x": b"1\n"}),
         (BELOW,)),
    Case("a directory loses a file while another makes a file of it", {"d/x": b"1\n", **KEEP},
         (KEEP, {"d": b"2\n", **KEEP}), (SAME,)),
    Case("a link is turned while another adds where it points", {"s": (LINK, b"a"), "d/x": b"1\n"},
         ({"s": (LINK, b"d"), "d/x": b"1\n"}, {"s": (LINK, b"a"), "d/x": b"1\n", "d/y": b"2\n"})),
    Case("a module is renamed while another edits its importer", {"m.py": b"1\n", "i.py": b"m\n"},
         ({"n.py": b"1\n", "i.py": b"m\n"}, {"m.py": b"1\n", "i.py": b"import m\n"})),
    Case("edits far apart", F, (_edit("line 3\n", "3\n"), _edit("line 9\n", "9\n")),
         shared=SHARED),
    Case("edits far apart though not shared", F,
         (_edit("line 3\n", "3\n"), _edit("line 9\n", "9\n")), (SAME,)),
    Case("edits two lines apart", F, (_edit("line 3\n", "3\n"), _edit("line 6\n", "6\n")),
         shared=SHARED),
    Case("edits one line apart", F, (_edit("line 3\n", "3\n"), _edit("line 5\n", "5\n")),
         shared=SHARED),
    Case("edits of adjacent lines", F, (_edit("line 3\n", "3\n"), _edit("line 4\n", "4\n")),
         (HUNKS,), shared=SHARED),
    Case("insertions at one place", F,
         (_edit("line 3\n", "line 3\nA\n"), _edit("line 3\n", "line 3\nB\n")), (HUNKS,),
         shared=SHARED),
    Case("an insertion beside an edit", F,
         (_edit("line 3\n", "line 3\nA\n"), _edit("line 4\n", "4\n")), (HUNKS,), shared=SHARED),
    Case("an insertion beside a deletion", F,
         (_edit("line 3\n", "line 3\nA\n"), _edit("line 4\n", "")), (HUNKS,), shared=SHARED),
    Case("the same edit twice", F, (_edit("line 3\n", "3\n"), _edit("line 3\n", "3\n")),
         (HUNKS,), shared=SHARED),
    Case("the same edit twice where that may be", F,
         (_edit("line 3\n", "3\n"), _edit("line 3\n", "3\n")), shared=SHARED,
         allow_identical=True),
    Case("the same edit twice and one more where that may be", F,
         ({"f": TEXT.replace(b"line 3\n", b"3\n").replace(b"line 9\n", b"9\n")},
          _edit("line 3\n", "3\n")), shared=SHARED, allow_identical=True),
    Case("both append", F, ({"f": TEXT + b"A\n"}, {"f": TEXT + b"B\n"}), (HUNKS,), shared=SHARED),
    Case("both change a last line without newline", {"f": TEXT[:-1]},
         ({"f": TEXT}, {"f": TEXT + b"more\n"}), (HUNKS,), shared=SHARED),
    Case("one ends the last line, one edits the first", {"f": TEXT[:-1]},
         ({"f": TEXT}, {"f": b"first\n" + TEXT[:-1]}), shared=SHARED),
    Case("like lines are moved and edited", {"f": TWINS},
         ({"f": b"1\n2\n3\n4\n" + TWINS}, {"f": TWINS[:68] + b"X\n" + TWINS[70:]}), shared=SHARED),
    Case("three edits of one file", F, (_edit("line 3\n", "3\n"), _edit("line 9\n", "9\n"),
         _edit("line 15\n", "15\n")), shared=SHARED),
    Case("two of three edits touch", F, (_edit("line 3\n", "3\n"), _edit("line 4\n", "4\n"),
         _edit("line 15\n", "15\n")), (HUNKS,), shared=SHARED),
    Case("nothing in common", KEEP, ({**KEEP, "a": b"1\n"}, {**KEEP, "b": b"2\n"}, {})),
    Case("a file becomes a directory beside another's work", {"f": b"1\n", **KEEP},
         ({"f/x": b"1\n", **KEEP}, {"f": b"1\n", "keep": b"K\n"})),
    Case("a directory becomes a file beside another's work", {**DIR, **KEEP},
         ({"d": b"1\n", **KEEP}, {**DIR, "keep": b"K\n"})),
)  # fmt: skip


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    return Repo.make(tmp_path_factory.mktemp("cases"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bundles_meet_as_their_case_says(case: Case) -> None:
    met = _met(case)

    blocks = {str(row.code) for row in met.rows if row.blocks}
    notes = {str(row.code) for row in met.rows if not row.blocks}
    assert (blocks, notes) == (set(case.blocks), set(case.notes))


@pytest.mark.parametrize(
    "case", [case for case in CASES if not case.blocks], ids=lambda case: case.name
)
def test_bundles_that_fit_make_the_tree_that_git_makes(repo: Repo, case: Case) -> None:
    repo.store(case.base, ref="refs/heads/base")
    base = repo.git("rev-parse", "base").decode().strip()
    for number, files in enumerate(case.bundles):
        repo.store(files, ref=f"refs/heads/w{number}", parent=base)

    merged = _merged(case)

    tip = "w0"
    for number in range(1, len(case.bundles)):
        tree, conflicts = repo.merged(tip, f"w{number}")
        assert conflicts == frozenset()
        tip = repo.git("commit-tree", "-p", base, "-m", "merged", tree).decode().strip()
    assert merged.tree == repo.tree(tip)


@pytest.mark.parametrize(
    "case", [case for case in CASES if not case.blocks], ids=lambda case: case.name
)
def test_the_order_of_bundles_that_fit_means_nothing(case: Case) -> None:
    orders = list(itertools.permutations(range(len(case.bundles))))

    merged = {_merged(case, order).commit for order in orders}

    assert len(merged) == 1


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def _changes(case: Case, order: tuple[int, ...] = ()) -> dict[WorkerId, tuple[Change, ...]]:
    found = {}
    for number in order or range(len(case.bundles)):
        name = f"W{number}"
        made = proven(case.base, a_patch(case.base, case.bundles[number]), name)
        assert made.findings == ()
        found[worker(name)] = made.changes
    return found


def _met(case: Case, order: tuple[int, ...] = ()) -> Overlaps:
    changes = _changes(case, order)
    held = lock(("*",), (), case.shared)
    base, _ = base_of(case.base)
    locks = dict.fromkeys(changes, held)
    return overlaps(changes, locks, base, allow_identical=case.allow_identical)


def _merged(case: Case, order: tuple[int, ...] = ()) -> Merged:
    base, blobs = base_of(case.base)
    changes = _changes(case, order)
    judgement = Judgement(
        base=base,
        blobs=blobs,
        bundles={},
        changes_of=changes,
        overlaps=_met(case, order),
        findings=(),
        included=tuple(sorted(changes)),
        own_findings={},
    )
    return merge(
        judgement,
        _plan(case),
        base_commit=ObjectId("1" * 40),
        base_commit_content=b"committer x <x> 1 +0000\n",
    )


def _plan(case: Case) -> Plan:
    entries = tuple(
        WorkerEntry(id=f"W{number}", allow=("*",), shared=case.shared, command=("true",))
        for number in range(len(case.bundles))
    )
    file = PlanFile(schema_version=1, title="cases", workers=entries)
    return resolved(file, Policy(allow_identical=case.allow_identical), {}, None)
