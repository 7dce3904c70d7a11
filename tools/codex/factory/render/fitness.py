"""Rows of doctor and preflight: a table for each group, and the sum."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from tools.codex.factory.domain.fitness import Row
from tools.codex.factory.render.text import shown

_STYLE_OF = {"ok": "green", "note": "yellow", "unfit": "red"}


def fitness_tables(rows: Sequence[Row]) -> list[Table]:
    """Return a table for each group, in the order of the rows."""
    groups = dict.fromkeys(row.group for row in rows)
    return [_table(group, [row for row in rows if row.group == group]) for group in groups]


def sum_of(rows: Sequence[Row]) -> Text:
    """Return the last line: fit or unfit, and how many rows say what."""
    count = {verdict: sum(row.verdict == verdict for row in rows) for verdict in _STYLE_OF}
    said = "UNFIT" if count["unfit"] else "FIT"
    line = Text(said, style=_STYLE_OF["unfit" if count["unfit"] else "ok"])
    return line.append(f"  {', '.join(f'{count[one]} {one}' for one in _STYLE_OF)}", style="")


def _table(group: str, rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="", show_edge=False, padding=(0, 2, 0, 0))
    for heading in (group.upper(), "", ""):
        table.add_column(heading, no_wrap=True, overflow="ignore")
    for row in rows:
        verdict = Text(row.verdict, style=_STYLE_OF[row.verdict])
        table.add_row(shown(row.what), verdict, shown(row.message))
        if row.remedy:
            table.add_row("", "", shown(f"-> {row.remedy}"))
    return table
