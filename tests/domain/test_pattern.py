"""Patterns mean what they mean to git."""

import random
from pathlib import Path

import pytest

from tests.builders import Repo
from tools.codex.factory.domain.pattern import pattern, patterns

PIECES = ("a", "b", "ab", "*", "?", "**", "[ab]", "[!a]", "a*", "*b", "\\*", ".a", "a b", "[^b]",
          "[a-b]*", "\\a", "a**b", "{a}", "$", "^a", "(a)", "+", "a|b", "\u00e9*")  # fmt: skip
PARTS = ("a", "b", "ab", "abb", "*", "a b", ".a", "..a", "ba", "c", "aXb", "{a}", "$", "^a", "(a)",
         "+", "a|b", "A", "a\r", "\u00e9clair")  # fmt: skip


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    return Repo.make(tmp_path_factory.mktemp("pattern"))


@pytest.mark.parametrize("seed", range(4))
def test_a_pattern_matches_what_git_matches(repo: Repo, seed: int) -> None:
    dice = random.Random(seed)
    lists = [(_pattern(dice),) for _ in range(40)]
    paths = sorted({_path(dice) for _ in range(150)})

    ours = {texts: [p for p in paths if patterns(texts).match(p)] for texts in lists}

    gits = {texts: _ignored(repo, texts, paths) for texts in lists}
    assert {t: sorted(set(ours[t]) ^ set(gits[t])) for t in lists if ours[t] != gits[t]} == {}


@pytest.mark.parametrize("seed", range(2))
def test_several_patterns_match_what_git_matches(repo: Repo, seed: int) -> None:
    dice = random.Random(seed)
    lists = [tuple(_pattern(dice) for _ in range(dice.randint(2, 4))) for _ in range(30)]
    paths = sorted({_path(dice) for _ in range(150)})

    ours = {texts: [p for p in paths if patterns(texts).match(p)] for texts in lists}

    gits = {texts: _ignored(repo, texts, paths) for texts in lists}
    assert {t: sorted(set(ours[t]) ^ set(gits[t])) for t in lists if ours[t] != gits[t]} == {}


@pytest.mark.parametrize(
    ("texts", "path", "matches"),
    [
        (("*.py",), "a/b.py", True),
        (("*.py", "!b.py"), "b.py", False),
        (("!b.py", "*.py"), "b.py", True),
        (("src/",), "src/a/b", True),
        (("src/",), "src", False),
        (("/src",), "lib/src", False),
        (("src/app",), "lib/src/app", False),
        (("src/app",), "src/app/deep", True),
        (("src/app",), "src/application", False),
        (("src/**",), "src", False),
        (("src/**/x",), "src/x", True),
        (("a/*", "!a/b"), "a/b", False),
        (("!b", "a/"), "a/b", True),
        (("b", "!b", "a*/"), "a/b", True),
        (("a/", "!b"), "a/b", False),
        (("*", "!#x"), "#x", False),
        (("*", "!!x"), "!x", False),
        (("*", "!\\!x"), "!x", False),
        (("a/b", "a/c"), "a/c/d", True),
        (("A/b",), "a/b", False),
        ((), "a", False),
    ],
)
def test_the_last_pattern_that_matches_decides(
    texts: tuple[str, ...], path: str, matches: bool
) -> None:
    assert patterns(texts).match(path) is matches


@pytest.mark.parametrize(
    ("text", "path"),
    [("*.txt", "x.txt\n"), ("a/?", "a/b\n"), ("[ab]", "a\n"), ("/a*c", "abc\n"), ("*/a", "x/a\n")],
)
def test_a_newline_at_the_end_of_a_name_is_part_of_the_name(
    repo: Repo, text: str, path: str
) -> None:
    assert ([], patterns((text,)).match(path)) == (_ignored(repo, (text,), [path]), False)


@pytest.mark.parametrize(
    ("text", "path"),
    [("**/x", "a\nb/x"), ("a/**/x", "a/\n/x"), ("secret/**", "secret/a\nb"), ("**/k/*", "\n/k/x")],
)
def test_a_newline_in_a_directory_hides_nothing(repo: Repo, text: str, path: str) -> None:
    assert (_ignored(repo, (text,), [path]), patterns((text,)).match(path)) == ([path], True)


@pytest.mark.parametrize(
    ("text", "path"), [("***/b", "a/c/b"), ("a/**/", "a/b"), ("a/**/", "a/b/c"), ("***", "a/b")]
)
def test_a_run_of_stars_is_refused_or_matches_as_in_git(repo: Repo, text: str, path: str) -> None:
    try:
        ours = patterns((pattern(text),)).match(path)
    except ValueError:
        return

    assert ours == (_ignored(repo, (text,), [path]) == [path])


@pytest.mark.parametrize("text", ["[[:alpha:]]x", "[[:digit:]]", "a[[:space:]]b"])
def test_a_class_of_letters_is_refused_or_matches_as_in_git(repo: Repo, text: str) -> None:
    paths = ["ax", "1", "a b", "a", "x", ":x"]

    try:
        ours = [p for p in paths if patterns((pattern(text),)).match(p)]
    except ValueError:
        return

    assert ours == _ignored(repo, (text,), paths)


@pytest.mark.parametrize(
    ("text", "path", "named"),
    [
        ("/Jenkinsfile", "Jenkinsfile", True),
        ("Jenkinsfile", "Jenkinsfile", True),
        ("Jenkinsfile", "a/Jenkinsfile", False),
        (".github/workflows/ci.yml", ".github/workflows/ci.yml", True),
        (".github/workflows/", ".github/workflows/ci.yml", False),
        (".github/workflows/*.yml", ".github/workflows/ci.yml", False),
        (".github/workflows/*.yml", ".github/workflows/*.yml", False),
        (".github/workflows/?.yml", ".github/workflows/?.yml", False),
        (".github/workflows/[a].yml", ".github/workflows/[a].yml", False),
        ("!Jenkinsfile", "!Jenkinsfile", False),
    ],
)
def test_only_a_pattern_without_wildcards_names_a_path(text: str, path: str, named: bool) -> None:
    assert patterns((text,)).name(path) is named


def test_a_path_that_is_taken_back_is_not_named() -> None:
    held = patterns(("/Jenkinsfile", "!/Jenkinsfile"))

    assert (held.match("Jenkinsfile"), held.name("Jenkinsfile")) == (False, False)


@pytest.mark.parametrize("text", ["", " ", "/", "//", "# comment", "#", "!", "\\", "a\\"])
def test_a_pattern_that_can_match_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        pattern(text)


@pytest.mark.parametrize(
    "text", ["*", "**", "a b", "\\#a", "\\!a", "src/", "*.py", "!a", "a\\ ", "é"]
)
def test_a_pattern_that_git_knows_is_taken_as_it_is(text: str) -> None:
    assert pattern(text) == text


def test_many_exact_paths_are_matched_without_compiling_each(tmp_path: Path) -> None:
    held = patterns(tuple(f"src/f{n}" for n in range(20_000)))

    answers = [held.match(f"src/f{n}/deep") for n in range(0, 40_000, 10_000)]

    assert (answers, held.rest) == ([True, True, False, False], ())


def _pattern(dice: random.Random) -> str:
    while True:
        parts = [dice.choice(PIECES) for _ in range(dice.choice((1, 1, 2, 2, 3)))]
        end = dice.choice(("", "", "/")) if parts[-1] != "**" else ""
        text = dice.choice(("", "", "/")) + "/".join(parts) + end
        try:
            return pattern(text)
        except ValueError:
            continue


def _path(dice: random.Random) -> str:
    return "/".join(dice.choice(PARTS) for _ in range(dice.choice((1, 2, 2, 3))))


def _ignored(repo: Repo, texts: tuple[str, ...], paths: list[str]) -> list[str]:
    """Return the paths that git ignores; nothing of them is in the work tree."""
    (repo.path / ".git" / "info" / "exclude").write_text("\n".join(texts) + "\n", "utf-8")
    feed = b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in paths)
    ended = repo.run("check-ignore", "--no-index", "-z", "--stdin", feed=feed)
    assert ended.returncode in (0, 1), ended.stderr
    said = set(ended.stdout.decode("utf-8", "surrogateescape").split("\0"))
    return [path for path in paths if path in said]
