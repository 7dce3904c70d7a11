"""A tree divided among workers: no path in two scopes, whatever the tree looks like."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.codex.factory.domain.division import MOST_WORKERS, anchored, division, spelled
from tools.codex.factory.domain.language import is_log_of_changes, is_prose, languages
from tools.codex.factory.domain.pattern import pattern, patterns
from tools.codex.factory.domain.plan import WorkerEntry

NAMES = st.text(st.sampled_from("ab*?[]\\!#. -ü\t\udcff"), min_size=1, max_size=4).filter(
    lambda name: name not in (".", "..")
)
FILES = st.builds(
    lambda folders, name, end: "/".join([*folders, name + end]),
    st.lists(NAMES, max_size=3),
    NAMES,
    st.sampled_from([".py", ".md", ".c", ".png", ""]),
)


@pytest.mark.parametrize(
    ("files", "allow"),
    [
        (["src/io/a.py", "src/net/b.py"], [["src/io/**"], ["src/net/**"]]),
        (["src/pkg/__init__.py", "src/pkg/io/a.py"], [["src/**"]]),
        (
            ["src/pkg/__init__.py", "src/pkg/io/a.py", "src/pkg/net/b.py"],
            [["src/pkg/*.py"], ["src/pkg/io/**"], ["src/pkg/net/**"]],
        ),
        (["src/a/x.py", "src/b/.gitattributes", "src/.gitignore"], [["src/a/**"], ["src/b/**"]]),
        (["a/x.py", "top.py"], [["/*.py"], ["a/**"]]),
        (["x.py/y.c", "top.py"], [["/top.py"], ["x.py/**"]]),
        (["a.py", "b.PY", "c.md"], [["/*.py", "/*.PY"], ["/*.md"]]),
        (["a/x.py", "guide/y.md", "Docs/z.png"], [["a/**"], ["Docs/**", "guide/**"]]),
        (["a/x.py", "README", "NEWS.txt", "x.txt"], [["a/**"], ["/NEWS.txt", "/README"]]),
        (["vendor/x.py", "node_modules/y.js", "_lib/z.py"], [["_lib/**"]]),
        ([".hidden/x.py", ".x.py"], [["src/**"]]),
        (["Src", "WORK/.keep"], [["WORK/**"]]),
        (["a/" * 201 + "x.py", "b/.git/x.py"], [["src/**"]]),
    ],
)  # fmt: skip
def test_a_tree_is_divided_by_its_folders(files: list[str], allow: list[list[str]]) -> None:
    divided = division(files, [])

    assert [list(share.allow) for share in divided.shares] == allow


def test_many_folders_make_four_shares_of_about_one_size() -> None:
    files = [f"f{n:02}/{m}.go" for n in range(12) for m in range(n + 1)]

    divided = division([*files, "docs/x.md"], [])

    assert [share.files for share in divided.shares] == [18, 19, 20, 21, 1]
    assert [len(share.allow) for share in divided.shares] == [3, 3, 3, 3, 1]


@given(st.lists(FILES, max_size=12, unique=True), st.lists(NAMES, max_size=3))
def test_no_path_is_in_two_scopes_and_every_pattern_can_stand_in_a_plan(
    files: list[str], others: list[str]
) -> None:
    divided = division(files, [name for name in others if name not in files])
    workers = [
        WorkerEntry(id=f"W{n}", allow=share.allow, external=True)
        for n, share in enumerate(divided.shares)
    ]
    scopes = [patterns(worker.allow) for worker in workers]

    assert 1 <= len(workers) <= MOST_WORKERS + 1
    assert not [
        (path, one, other)
        for path in (*files, *others)
        for one, other in combinations(scopes, 2)
        if one.match(path) and other.match(path)
    ]


@given(NAMES, st.lists(NAMES, max_size=4))
def test_a_name_is_spelled_so_that_it_means_none_of_its_siblings(
    name: str, siblings: list[str]
) -> None:
    text = spelled(name, [*siblings, name])

    if text is not None:
        meant = patterns((pattern(anchored(f"{text}/**")),))
        assert [other for other in {name, *siblings} if meant.match(f"{other}/x")] == [name]


def test_languages_are_counted_by_extension_the_most_used_first() -> None:
    files = ["a.py", "b.PY", "c.rs", "Makefile", "d.tar.gz", ".py", "x/e.ts", "f.c", "README.md"]

    assert languages(files) == (("Python", 2), ("C", 1), ("Rust", 1), ("TypeScript", 1))


@pytest.mark.parametrize(
    ("path", "prose", "log"),
    [
        ("README", True, False),
        ("CHANGELOG.md", True, True),
        ("docs/News.txt", True, True),
        ("requirements.txt", False, False),
        ("history.py", False, False),
        ("a.RST", True, False),
    ],
)
def test_text_for_people_is_told_by_its_name(path: str, prose: bool, log: bool) -> None:
    assert (is_prose(path), is_log_of_changes(path)) == (prose, log)
