"""Runs, events and settings as tables; events as one line."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from tools.codex.factory.domain.answer import ReplayRow, RunRow, SettingSaid
from tools.codex.factory.domain.event import LedgerLine
from tools.codex.factory.render.text import shown

STYLE_OF = {"PASS": "green", "BLOCKED": "yellow", "WAITING": "yellow", "FAIL": "red"}


def status_text(status: str) -> Text:
    """Return a status word; the colour only repeats what the word says."""
    return Text(status, style=STYLE_OF.get(status, ""))


def run_table(runs: Sequence[RunRow]) -> Table:
    """Return runs, newest last."""
    table = plain_table("RUN", "STATUS", "EXIT", "STARTED", "LAST EVENT", "EVENTS")
    for run in runs:
        ended = "-" if run.ended is None else str(run.ended)
        table.add_row(
            shown(run.run_id),
            status_text(run.status),
            ended,
            run.started,
            run.last,
            str(run.events),
        )
    return table


def event_table(lines: Sequence[LedgerLine]) -> Table:
    """Return ledger events, newest last."""
    table = plain_table("TIME", "RUN", "ACTOR", "EVENT", "RC", "DETAILS")
    for line in lines:
        counts = {name: str(count) for name, count in line.file_counts.items()}
        said = " ".join(f"{name}={value}" for name, value in {**counts, **line.details}.items())
        code = "-" if line.rc is None else str(line.rc)
        table.add_row(
            line.ts_utc, shown(line.run_id), shown(line.actor), line.event_type, code, shown(said)
        )
    return table


def setting_table(settings: Sequence[SettingSaid]) -> Table:
    """Return settings with value and layer."""
    table = plain_table("SETTING", "VALUE", "LAYER")
    for setting in settings:
        value = str(setting.value).lower() if isinstance(setting.value, bool) else setting.value
        table.add_row(setting.key, shown(str(value)), shown(setting.layer))
    return table


def replay_lines(rows: Sequence[ReplayRow]) -> list[str]:
    """Return each run, and below it each file that disagrees."""
    lines = []
    for row in rows:
        answer = "disagrees" if row.disagreements else "rebuilt" if row.rebuilt else "verified"
        lines.append(f"{shown(row.run_id)}  {row.status}  {row.events} events  {answer}")
        lines += [f"  {shown(one.name)}: {shown(one.reason)}" for one in row.disagreements]
    return lines


def plain_table(*headings: str) -> Table:
    """Return an empty table without lines, whose cells are never cut."""
    table = Table(box=None, pad_edge=False, header_style="", show_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=True, overflow="ignore")
    return table
