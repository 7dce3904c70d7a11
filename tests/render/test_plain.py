"""A table on any screen: every cell whole, and nothing that steers."""

import io
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console, RenderableType
from rich.text import Text

from tests.statuses import HOSTILE
from tools.codex.factory.render.plain import Plain
from tools.codex.factory.render.tables import plain_table, status_text
from tools.codex.factory.render.text import shown

CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
STEERING = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def printed(renderable: RenderableType, width: int = 20, *, color: bool = False) -> str:
    """Return what a screen of some width is sent, printed as the command line does."""
    said = io.StringIO()
    console = Console(
        file=said,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        markup=False,
        highlight=False,
        emoji=False,
    )
    console.print(Plain(renderable), crop=False, end="")
    return said.getvalue()


def table(*rows: tuple[str, ...]) -> RenderableType:
    """Return a table of three columns."""
    found = plain_table("RUN", "STATUS", "TITLE")
    for run, status, title in rows:
        found.add_row(run, status_text(status), title)
    return found


@pytest.mark.parametrize("width", [1, 20, 80, 10_000])
def test_a_table_is_the_same_on_every_screen(width: int) -> None:
    found = printed(table(("run-1", "PASS", "a long title " * 5), ("r2", "BLOCKED", "b")), width)

    assert found == (
        "RUN    STATUS   TITLE\n"
        "run-1  PASS     a long title a long title a long title a long title a long title\n"
        "r2     BLOCKED  b\n"
    )


@settings(deadline=None)
@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=4))
def test_every_cell_is_whole_and_no_line_ends_in_blanks(rows: list[tuple[str, ...]]) -> None:
    safe = [tuple(shown(cell) for cell in row) for row in rows]

    lines = printed(table(*safe)).splitlines()

    assert len(lines) == 1 + len(rows)
    assert [
        (row, line)
        for row, line in zip(safe, lines[1:], strict=True)
        if [cell.strip(" ") not in line for cell in row] != [False] * 3
    ] == []
    assert [line for line in lines if line.endswith(" ")] == []


@settings(deadline=None)
@given(st.text())
def test_nothing_that_a_cell_holds_steers_the_screen(text: str) -> None:
    found = printed(Text(text)) + printed(table((text, text, text)))

    assert [c for c in found.replace("\n", "") if unicodedata.category(c) in STEERING] == []


def test_hostile_text_is_shown_and_not_sent() -> None:
    safe = shown(HOSTILE)

    assert printed(table((safe, "FAIL", safe))) == (
        f"RUN{' ' * (len(safe) - 3)}  STATUS  TITLE\n{safe}  FAIL    {safe}\n"
    )


def test_colour_is_the_only_thing_that_a_terminal_gets_more() -> None:
    found = printed(table(("run-1", "PASS", "title")), color=True)

    assert found == "RUN    STATUS  TITLE\nrun-1  \x1b[32mPASS\x1b[0m    title\n"


@pytest.mark.parametrize("text", ["", "\n", "a\n\nb\n", "  a  \n  "])
def test_lines_end_where_their_text_does(text: str) -> None:
    found = printed(Text(text))

    assert [line for line in found.split("\n") if line != line.rstrip(" ")] == []
    assert found.endswith("\n")
    assert [line for line in found.split("\n") if line] == [
        line.rstrip() for line in text.split("\n") if line.strip()
    ]


def test_a_long_cell_is_not_cut() -> None:
    found = printed(table(("run-1", "PASS", "x" * 9_000)))

    assert found == f"RUN    STATUS  TITLE\nrun-1  PASS    {'x' * 9_000}\n"


def test_no_cell_is_so_long_that_its_table_is_cut() -> None:
    found = printed(table(("run-1", "PASS", "x" * 20_000)))

    assert found == f"RUN    STATUS  TITLE\nrun-1  PASS    {'x' * 20_000}\n"
