"""The line that mends a run: typed in a shell, it means just that worker and that path."""

import shlex

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tools.codex.factory.domain.lever import allowing, dropping, either, permitting, sharing
from tools.codex.factory.domain.path import quoted, repo_path, unquoted
from tools.codex.factory.domain.pattern import naming, patterns
from tools.codex.factory.render.text import shown

HOSTILE = [
    "with space/a b.txt",
    "two spaces  ",
    " begins with one",
    "star*what?.txt",
    "brackets[0-9].txt",
    "open[only",
    "[[:alpha:]]x",
    "!bang",
    "#hash",
    "--reason",
    "-x",
    "a:b;c&d|e>f",
    "single'and\"double",
    "`touch mark` $HOME/$(id)",
    "` --reason WHY`",
    "tab\tnew\nline\r",
    "\n",
    "escape\x1b[31mred",
    "\u65e5\u672c\U0001f600.txt",
    "no\u00a0break",
    "right\u202eto left",
    "x/**/y",
    "~/home",
    "latin\udce9.txt",
    " ",
    "a/ ",
    "***",
]
_ODD = "*?[]!#\\'\"`$ \t\n\r~:;&|<>(){}-aA.\u00a0\u00e9\u202e\u2028\u200d\x1b\x7f\udc80\udcff"


def is_path(text: str) -> bool:
    """Return whether text is a repository path."""
    try:
        repo_path(text)
    except ValueError:
        return False
    return True


part = st.text(st.sampled_from(_ODD), min_size=1, max_size=6)
PATHS = st.one_of(
    st.sampled_from(HOSTILE), st.lists(part, min_size=1, max_size=3).map("/".join), st.text()
).filter(is_path)
WORKERS = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True)


def typed(lever: str) -> list[str]:
    """Return the words that a shell makes of a lever."""
    assert lever[0] == lever[-1] == "`"
    return shlex.split(lever[1:-1])


@settings(deadline=None)
@given(WORKERS, PATHS)
def test_a_path_that_is_granted_is_the_one_that_is_meant(worker: str, path: str) -> None:
    lever = allowing(worker, path)

    if naming(path) is None:
        assert lever == ""
    else:
        *words, said, flag, why = typed(lever)
        name, _, pattern = said.partition(":")
        assert [words, flag, why] == [["factory", "amend", "--allow"], "--reason", "WHY"]
        assert name == worker
        assert patterns((pattern,)).name(path)


@settings(deadline=None)
@given(PATHS, PATHS)
def test_a_pattern_that_names_one_path_matches_no_other(path: str, other: str) -> None:
    pattern = naming(path)

    assert pattern is None or patterns((pattern,)).match(other) == f"{other}/".startswith(
        f"{path}/"
    )


@settings(deadline=None)
@given(WORKERS, PATHS)
def test_a_denial_that_is_taken_back_holds_no_longer(worker: str, path: str) -> None:
    lever = permitting(worker, path)

    if naming(path) is None:
        assert lever == ""
    else:
        *words, said, flag, why = typed(lever)
        name, _, pattern = said.partition(":")
        assert [words, flag, why] == [["factory", "amend", "--deny"], "--reason", "WHY"]
        assert name == worker
        assert patterns(("*",)).match(path)
        assert not patterns(("*", pattern)).match(path)


@settings(deadline=None)
@given(PATHS)
def test_a_path_that_is_shared_is_the_one_that_is_meant(path: str) -> None:
    lever = sharing(path)

    if naming(path) is None:
        assert lever == ""
    else:
        *words, pattern, flag, why = typed(lever)
        assert [words, flag, why] == [["factory", "amend", "--share"], "--reason", "WHY"]
        assert patterns((pattern,)).name(path)


@settings(deadline=None)
@given(WORKERS, PATHS)
@example("A_worker", "a:b")
def test_every_path_can_be_left_out(worker: str, path: str) -> None:
    *words, said, flag, why = typed(dropping(worker, path))

    name, _, text = said.partition(":")
    assert [words, flag, why] == [["factory", "amend", "--drop-path"], "--reason", "WHY"]
    assert (name, unquoted(text)) == (worker, path)


@settings(deadline=None)
@given(WORKERS, PATHS)
def test_a_lever_read_off_a_screen_names_the_path_as_the_screen_does(
    worker: str, path: str
) -> None:
    said = typed(shown(dropping(worker, path)))[3]

    assert said == shown(f"{worker}:{quoted(path)}")


@settings(deadline=None)
@given(PATHS)
def test_a_pattern_is_the_same_on_the_screen(path: str) -> None:
    lever = sharing(path)

    assert shown(lever) == lever


def test_a_worker_is_left_out_by_its_name() -> None:
    assert dropping("A_worker") == "`factory amend --drop A_worker --reason WHY`"


def test_a_hint_names_only_levers_that_are_there() -> None:
    found = either((sharing("\n"), "unites"), (dropping("A"), "drops it"), (sharing("a"), "unites"))

    assert found == (
        "`factory amend --drop A --reason WHY` drops it; "
        "`factory amend --share /a --reason WHY` unites"
    )
    assert either() == ""
