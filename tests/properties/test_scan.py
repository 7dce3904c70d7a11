"""Whatever git writes is read whole, and applied it is what git has."""

import pytest
from hypothesis import assume
from hypothesis import strategies as st

from tests.builders import Files, Repo, base_of, blob_id, entries_of, worker
from tests.properties.depth import holds
from tests.properties.drawn import GITLINK, apart, becoming, plain, two_trees
from tests.properties.stored import stored
from tests.properties.written import Manner, unaccounted
from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.domain.patch import Patch, Section, scan
from tools.codex.factory.domain.proof import Proven, prove, touched_paths
from tools.codex.factory.domain.reader import PatchLimits, PatchRefused
from tools.codex.factory.domain.tree import around, spliced

MANNERS = {
    (): Manner(),
    ("core.quotePath=false",): Manner(quotes_high=False),
    ("diff.suppressBlankEmpty=true",): Manner(blanks_are_empty=True),
}
WAYS: tuple[tuple[str, ...], ...] = (
    ("--diff-algorithm=myers",), ("--patience",), ("--histogram",), ("--minimal",),
    ("--no-indent-heuristic",), ("--inter-hunk-context=9",), ("-W",), ("--text",),
)  # fmt: skip
DETECTIONS: tuple[tuple[str, ...], ...] = (
    ("--no-renames",), ("-M",), ("-M10%",), ("-C",), ("-C10%",), ("-C", "--find-copies-harder"),
    ("-C10%", "--find-copies-harder"), ("-B", "--no-renames"),
)  # fmt: skip
# With both, git may rename a file onto one of the base, of which it then says nothing: such a
# patch is read, and refused where it is to be proven.
BROKEN = (("-B", "-M"), ("-B10%", "-C"))
LOSSY = (
    "-w", "-b", "--ignore-blank-lines", "-D", "--no-prefix", "--src-prefix=x/", "--dst-prefix=y/",
    "--diff-filter=M", "--diff-filter=AD", "--color=always", "--word-diff", "--stat", "--raw",
    "--output-indicator-new=>", "--line-prefix=| ", "--submodule=log", "--submodule=diff",
    "--ignore-cr-at-eol", "--abbrev=7", "--summary", "--ignore-submodules",
    "--no-full-index", "--ws-error-highlight=all", "-S new", "-O/dev/null",
)  # fmt: skip


def written(*detections: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    """Return how git may be told to write."""
    contexts = st.one_of(st.just(3), st.integers(0, 10)).map(lambda lines: (f"-U{lines}",))
    drawn = st.tuples(st.sampled_from(WAYS), st.sampled_from(detections), contexts)
    return drawn.map(lambda parts: tuple(word for part in parts for word in part))


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    return Repo.make(tmp_path_factory.mktemp("scan"))


@holds(60, trees=two_trees(), setting=st.sampled_from(tuple(MANNERS)), how=written(*DETECTIONS))
def test_what_git_writes_is_read_whole_and_makes_what_git_has(
    repo: Repo, trees: tuple[Files, Files], setting: tuple[str, ...], how: tuple[str, ...]
) -> None:
    before, after = trees
    wanted = stored(repo, [before, after])
    content = _diff(repo, *wanted, *how, config=setting)

    patch = scan(content)

    made = _proven(before, patch)
    assert unaccounted(content, patch, MANNERS[setting]) == []
    assert [_root(before, {}), _root(before, made)] == wanted
    assert _contents(made) == _blobs(before, after)


@holds(60, trees=two_trees(), how=written(*DETECTIONS, *BROKEN), data=st.data())
def test_a_patch_is_taken_only_where_all_that_it_touches_is_as_it_was(
    repo: Repo, trees: tuple[Files, Files], how: tuple[str, ...], data: st.DataObject
) -> None:
    before, after = trees
    other = data.draw(st.one_of(becoming(before), st.just(_in_the_way(before, after))))
    patch = scan(_diff(repo, *stored(repo, [before, after]), *how))

    made = _proven(other, patch)

    fitting = _fitting(plain(after.items()), plain(other.items()), patch)
    assert (made.findings == ()) is (fitting is not None)
    assert fitting is None or _root(other, made) == base_of(fitting)[0].root


@holds(40, trees=two_trees(), way=st.sampled_from(LOSSY), found=st.sampled_from(DETECTIONS))
def test_what_loses_something_is_refused_or_is_what_git_makes_of_it(
    repo: Repo, trees: tuple[Files, Files], way: str, found: tuple[str, ...]
) -> None:
    before, after = trees
    old, new = stored(repo, [before, after])
    content = _diff(repo, old, new, way, *found)
    try:
        made = _proven(before, scan(content))
    except PatchRefused:
        return
    assume(made.findings == () and content)

    repo.git("read-tree", old)
    words = ("apply", "--cached", "--whitespace=nowarn", "--unidiff-zero")
    # git refuses some that it makes itself: a link renamed to a name below its own.
    assume(repo.run(*words, feed=content).returncode == 0)

    assert _root(before, made) == repo.git("write-tree").decode().strip()


def _diff(repo: Repo, old: str, new: str, *how: str, config: tuple[str, ...] = ()) -> bytes:
    said = [word for setting in config for word in ("-c", setting)]
    return repo.git(*said, "diff", "--binary", "--full-index", *how, old, new)


def _proven(files: Files, patch: Patch) -> Proven:
    """Prove a patch on `files`, only the folders on the way to its paths loaded."""
    whole, blobs = base_of(files)
    empty, _ = base_of({})
    objects = {**spliced(empty, entries_of(files)).objects, empty.root: b""}
    base = around(whole.root, touched_paths(patch), objects.__getitem__)
    return prove(patch, base, blobs, worker=worker("A_worker"), limits=PatchLimits())


def _root(files: Files, made: Proven | dict[str, None]) -> ObjectId:
    changes = made.changes if isinstance(made, Proven) else ()
    base, _ = base_of(files)
    return spliced(base, {change.path: change.new for change in changes}).root


def _contents(made: Proven) -> dict[str, bytes | None]:
    return {change.path: change.content for change in made.changes}


def _blobs(before: Files, after: Files) -> dict[str, bytes | None]:
    """Return the content of each path that is another; None where it is gone or a gitlink."""
    old, new = plain(before.items()), plain(after.items())
    touched = [path for path in {**old, **new} if old.get(path) != new.get(path)]
    kept = {path: entry[1] for path, entry in new.items() if entry[0] != GITLINK}
    return {path: kept.get(path) for path in touched}


def _in_the_way(before: Files, after: Files) -> Files:
    """Return the base with a folder wherever the patch adds a file."""
    added = [path for path in after if path not in before]
    return apart({**before, **{f"{path}/under": b"1\n" for path in added}})


def _fitting(
    after: dict[str, tuple[str, bytes]], here: dict[str, tuple[str, bytes]], patch: Patch
) -> Files | None:
    """Return what `here` becomes where it has all that the sections name, and no more; else None.

    A section without ids names a mode at most: it is about whatever content lies there.
    """
    gone: set[str] = set()
    come: dict[str, tuple[str, bytes]] = {}
    for section in patch.sections:
        old = here.get(section.old) if section.old is not None else None
        if section.old is not None and (old is None or not _is_named(section, old)):
            return None
        if section.new is not None and section.new_id is not None:
            come[section.new] = after[section.new]
        elif section.new is not None and old is not None:
            come[section.new] = (section.new_mode or old[0], old[1])
        if section.old is not None and section.kind != "copy":
            gone.add(section.old)
    made = {path: entry for path, entry in here.items() if path not in gone}
    if not made.keys().isdisjoint(come):
        return None
    made |= come
    return made if apart(made) == made else None


def _is_named(section: Section, entry: tuple[str, bytes]) -> bool:
    oid = entry[1].decode("latin-1") if entry[0] == GITLINK else blob_id(entry[1])
    return section.old_mode in (None, entry[0]) and section.old_id in (None, oid)
