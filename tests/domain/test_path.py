"""What is a repository path, and how git quotes it."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import Repo
from tools.codex.factory.domain.path import (
    MAX_PATH_BYTES,
    ancestors,
    path_bytes,
    path_from_bytes,
    quoted,
    repo_path,
    unquoted,
    unquoted_bytes,
)

ODD_NAMES = (
    b"plain", b"a b", b"a\tb", b'a"b', b"a\nb", b"\x01\x7f", b"\xff\xfe", "caf\u00e9".encode(),
    "\u0416/\u4e2d".encode(), b"'single'", b"$(x)", b"-dash", b"a\rb", b"...", b"x.git", b" lead",
    b"trail ", b"a\x08\x0b\x0cb", b'"', b"\xc3(", b"a\xe2\x80\xa8b", b"{}", b"#x", b"!x", b"~",
)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "", "/", "/a", "a/", "a//b", ".", "..", "a/..", "./a", "a/./b", "../a", "a\\b", "\\",
        "a\0b", ".git", ".git/config", "a/.git", "a/.git/hooks/x", ".GIT/config", ".Git", "git~1",
        "GIT~1/x", "git~2", ".git ", ".git.", ".git. .", ".git::$INDEX_ALLOCATION/x", ".git:x",
        ".g\u200cit/x", "\u200e.git", ".gi\ufefft", "git~1 /x", "\u202a.GIT.", "a/" * 2048 + "b",
    ],
)  # fmt: skip
def test_a_text_that_is_no_repository_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"NUL|backslash|not a repository path|longer|\.git"):
        repo_path(text)


@pytest.mark.parametrize(
    "text",
    ["a", "a/b", ".gitignore", ".github/x", "git", "a.git/x", "...", "..a", "a ", "x:y", "gitx~1",
     "git~", "git~x", "legit~1", ".gita", "caf\u00e9", "a\nb", '"', "\udcff", "-",
     "a" * 255, "d/" * 199 + "x"],
)  # fmt: skip
def test_a_text_that_is_a_repository_path_is_taken_as_it_is(text: str) -> None:
    assert repo_path(text) == text


def test_a_path_is_measured_in_bytes() -> None:
    text = "\u00e9" * MAX_PATH_BYTES

    with pytest.raises(ValueError, match="longer"):
        repo_path(text)


def test_a_refused_path_is_not_repeated_at_full_length() -> None:
    text = "a/../" * 10_000

    with pytest.raises(ValueError) as refused:
        repo_path(text)

    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\udc7f"])
def test_a_text_that_has_no_bytes_is_no_path(text: str) -> None:
    with pytest.raises(ValueError):
        repo_path(text)


@pytest.mark.parametrize("quote_path", ["false", "true"])
def test_a_name_is_quoted_as_git_quotes_it(tmp_path: Path, quote_path: str) -> None:
    repo = Repo.make(tmp_path)
    names = [name for name in ODD_NAMES if _is_utf8(name) == (quote_path == "false")]
    for number, name in enumerate(names):
        repo.store({name.decode("utf-8", "surrogateescape"): b"x"}, ref=f"refs/heads/n{number}")

    shown = [
        repo.git("-c", f"core.quotePath={quote_path}", "ls-tree", "-r", "--name-only", f"n{n}")
        for n in range(len(names))
    ]

    assert [quoted(path_from_bytes(name)).encode() + b"\n" for name in names] == shown


def test_what_git_quotes_with_quote_path_on_is_read_back(tmp_path: Path) -> None:
    repo = Repo.make(tmp_path)
    names = [name for name in ODD_NAMES if not name.isascii()]
    for number, name in enumerate(names):
        repo.store({name.decode("utf-8", "surrogateescape"): b"x"}, ref=f"refs/heads/n{number}")

    shown = [
        repo.git("-c", "core.quotePath=true", "ls-tree", "-r", "--name-only", f"n{number}")[:-1]
        for number in range(len(names))
    ]

    assert [unquoted_bytes(name) for name in shown] == names


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.binary(max_size=30))
def test_quoting_and_unquoting_is_nothing(raw: bytes) -> None:
    text = raw.decode("utf-8", "surrogateescape")

    back = unquoted(quoted(text))

    assert (back, path_bytes(back)) == (text, raw)


def test_a_path_has_one_quoted_form() -> None:
    alphabet = ['"', "\\", "a", "n", "3", "0", "1", "\u00e9"]
    words = (
        "".join(word) for size in range(6) for word in itertools.product(alphabet, repeat=size)
    )

    read = {word: plain for word in words if (plain := _unquoted_or_none(word)) is not None}

    assert {word: quoted(plain) for word, plain in read.items() if quoted(plain) != word} == {}


@pytest.mark.parametrize(
    "raw",
    [b"", b'"', b'"a', b'a"', b'"a"b"', b'"\\x41"', b'"\\8"', b'"\\400"', b'"\\777"', b'"\\1"',
     b'"\\"', b'"a\nb"', b'"\x7f"', b'"\\e"', b'"\\01"'],
)  # fmt: skip
def test_a_quoting_that_is_not_gits_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"quoted as git quotes|escape that git"):
        unquoted_bytes(raw)


def test_the_directories_above_a_path_come_nearest_first() -> None:
    assert ancestors("a/b/c/d") == ["a/b/c", "a/b", "a"]
    assert ancestors("a") == []


def _is_utf8(name: bytes) -> bool:
    return name.decode("utf-8", "replace").encode() == name


def _unquoted_or_none(word: str) -> str | None:
    try:
        return unquoted(word)
    except ValueError:
        return None
