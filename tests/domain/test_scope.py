"""What a worker may write, and what only a pattern of its own allows."""

import pytest

from tests.builders import EXECUTABLE, LINK, Files, a_patch, proven, worker
from tools.codex.factory.domain.finding import Finding
from tools.codex.factory.domain.scope import global_file, lock, scope_findings, sensitive

BASE: Files = {"src/app.py": b"1\n", "docs/index.md": b"1\n", "old": b"1\n2\n3\n4\n"}
W = worker("A_worker")
RENAME = b"diff --git a/old b/src/new\nsimilarity index 100%\nrename from old\nrename to src/new\n"


def test_a_path_outside_the_lock_blocks() -> None:
    found = _found({"src/app.py": b"2\n", "docs/index.md": b"2\n"}, allow=("src/",))

    assert found == [("scope.outside_lock", "A_worker: docs/index.md", True)]


def test_an_empty_lock_allows_nothing() -> None:
    found = _found({"src/app.py": b"2\n"})

    assert found == [("scope.outside_lock", "A_worker: src/app.py", True)]


def test_denied_wins_over_allowed() -> None:
    found = _found({"src/app.py": b"2\n"}, allow=("*",), deny=("src/",))

    assert found == [("scope.denied", "A_worker: src/app.py", True)]


def test_denied_wins_over_shared() -> None:
    held = lock((), ("src/",), ("*",))

    assert (held.shares("src/app.py"), held.shares("x")) == (False, True)


def test_a_shared_path_may_be_written() -> None:
    assert _found({"src/app.py": b"2\n"}, shared=("src/app.py",)) == []


def test_a_rename_is_judged_at_both_ends() -> None:
    changes = proven(BASE, RENAME).changes

    found = scope_findings(
        W, changes, lock(("src/",), (), ()), runs_root=None, requests={}, granted=frozenset()
    )

    assert _short(found) == [("scope.outside_lock", "A_worker: old", True)]


def test_the_runs_root_is_nobodys_whatever_the_lock_says() -> None:
    found = _found({"runs/1/x": b"1", "runs2": b"1"}, allow=("*", "/runs/1/x"), runs_root="runs")

    assert found == [("scope.always_denied", "A_worker: runs/1/x", True)]


def test_a_path_that_was_asked_for_blocks_with_the_reason() -> None:
    found = _found({"docs/index.md": b"2\n"}, allow=("src/",), requests={"docs/index.md": "it"})

    assert found == [("scope.requested", "A_worker: docs/index.md", True)]


def test_a_path_that_was_granted_is_a_note() -> None:
    found = _found(
        {"docs/index.md": b"2\n"},
        allow=("src/",),
        requests={"docs/index.md": "it"},
        granted=frozenset({"docs/index.md"}),
    )

    assert found == [("scope.granted", "A_worker: docs/index.md", False)]


@pytest.mark.parametrize(
    "path",
    [".github/workflows/ci.yml", "Jenkinsfile", "ops/Jenkinsfile", ".gitlab-ci.yml",
     ".gitattributes", "a/.gitattributes", ".gitmodules", ".lfsconfig", ".GITMODULES",
     ".husky/pre-commit",
     ".pre-commit-config.yaml", ".GitHub/Workflows/x.yml", ".gitmodules ", ".gitmodules::$DATA",
     ".gitm\u200codules", ".gitattribute\u200ds", "gitmod~1", "gitatt~1"],
)  # fmt: skip
def test_a_sensitive_path_needs_a_pattern_that_names_it(path: str) -> None:
    wide = _found({path: b"1\n"}, allow=("*",))
    named = _found({path: b"1\n"}, allow=("*", f"/{path.rstrip()}"))

    assert [code for code, _, _ in wide] == ["scope.sensitive_path"]
    assert path.endswith(" ") or [code for code, _, _ in named] == ["scope.sensitive_allowed"]


def test_a_wildcard_does_not_name_a_sensitive_path_spelled_like_it() -> None:
    text = ".github/workflows/*.yml"

    found = _found({text: b"1\n"}, allow=(text,))

    assert [code for code, _, _ in found] == ["scope.sensitive_path"]


def test_a_granted_path_that_is_sensitive_is_not_given_away() -> None:
    found = _found(
        {".github/workflows/ci.yml": b"1\n"},
        allow=("src/",),
        requests={".github/workflows/ci.yml": "please"},
        granted=frozenset({".github/workflows/ci.yml"}),
    )

    assert [blocks for _, _, blocks in found].count(True) == 1


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("l", "/etc/passwd"), ("l", ".."), ("l", "../x"), ("d/l", "../../x"), ("l", "\\\\x"),
        ("d/l", "../x/../../y"), ("l", ".git/config"), ("d/l", "../.git"), ("l", ".GIT/config"),
        ("l", "C:/x"), ("l", ".git./config"), ("l", "git~1/config"), ("l", ".g\u200cit/config"),
        ("l", ".git "), ("l", "x/../../y"), ("l", "a/b/../c"), ("l", ""),
    ],
)  # fmt: skip
def test_a_link_that_may_leave_the_tree_is_sensitive(path: str, target: str) -> None:
    change = proven({}, a_patch({}, {path: (LINK, target.encode())})).changes[0]

    assert sensitive(change) is not None


@pytest.mark.parametrize(("path", "target"), [("l", "x"), ("d/l", "../x"), ("d/e/l", "../../x/y")])
def test_a_link_within_the_tree_is_not_sensitive(path: str, target: str) -> None:
    change = proven({}, a_patch({}, {path: (LINK, target.encode())})).changes[0]

    assert sensitive(change) is None


def test_a_submodule_is_sensitive_coming_and_going() -> None:
    submodule: Files = {"sub": ("160000", b"1" * 40)}

    comes = proven({}, a_patch({}, submodule)).changes[0]
    goes = proven(submodule, a_patch(submodule, {"sub": b"x\n"})).changes[0]

    assert (sensitive(comes), sensitive(goes)) == ("a submodule", "a submodule")


def test_an_executable_bit_gained_is_a_note() -> None:
    found = _found({"src/app.py": (EXECUTABLE, b"1\n")}, allow=("src/",))

    assert found == [("scope.executable_bit", "A_worker: src/app.py", False)]


@pytest.mark.parametrize("path", ["gitattributes", ".gitignore", "x.gitmodules", ".gitmodules2"])
def test_a_common_file_is_not_global(path: str) -> None:
    assert global_file(path) is None


def _found(
    files: Files,
    *,
    allow: tuple[str, ...] = (),
    deny: tuple[str, ...] = (),
    shared: tuple[str, ...] = (),
    runs_root: str | None = None,
    requests: dict[str, str] | None = None,
    granted: frozenset[str] = frozenset(),
) -> list[tuple[str, str, bool]]:
    changes = proven(BASE, a_patch(BASE, {**BASE, **files})).changes
    found = scope_findings(
        W,
        changes,
        lock(allow, deny, shared),
        runs_root=runs_root,
        requests=requests or {},
        granted=granted,
    )
    return _short(found)


def _short(found: list[Finding]) -> list[tuple[str, str, bool]]:
    return [(finding.code, finding.subject, finding.blocks) for finding in found]
