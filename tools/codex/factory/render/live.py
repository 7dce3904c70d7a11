"""How far a run has come, as one frame of a screen of some size."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from tools.codex.factory.domain.event import EventType, LedgerLine
from tools.codex.factory.domain.progress import Ending, Progress, Stage
from tools.codex.factory.domain.wording import counted, kept
from tools.codex.factory.domain.work_progress import (
    ACTIVE,
    CheckProgress,
    WorkerProgress,
    WorkerState,
)
from tools.codex.factory.render.text import shown

WIDE = 100
"""From so many columns on, a worker's line says everything."""

_STYLE_OF = {
    **dict.fromkeys(("PASS", "passed"), "green"),
    **dict.fromkeys(("BLOCKED", "WAITING", "blocked", "waits", "flaky"), "yellow"),
    **dict.fromkeys(("FAIL", "INTERRUPTED", "failed", "interrupted"), "red"),
}
_ATTENTION = tuple(WorkerState)
_LEAST_WORKERS = 3
_MOST_NAMED = 5
_MOST_NAME = 40
_GAP = "  "
_WORKER = ("WORKER", "STATE", "TRY", "TIME", "HEARD", "FILES", "OUTSIDE", "FINDINGS", "SAYS")
_NARROW = (0, 1, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True)
class _Size:
    """How much room there is, and when it is."""

    width: int
    height: int | None
    at: datetime


def frame(
    progress: Progress,
    ending: Ending | None,
    *,
    width: int,
    height: int | None,
    now: datetime,
) -> Text:
    """Return the run on at most `height` lines (None: as many as it takes) of `width` cells.

    Where its workers do not fit they are counted, and those that need attention stand first.
    """
    # Of a run that goes on no more, the last event is the latest that is known.
    over = ending is not None and progress.last is not None
    size = _Size(width, height, progress.last if over and progress.last else now)
    head, tail = _head(progress, ending, size), _tail(progress, ending, size)
    room = None if height is None else max(_LEAST_WORKERS, height - len(head) - len(tail))
    lines = [*head, *_workers(progress, ending, size, room), *tail]
    return Text("\n").join(_fitted(line, width) for line in lines[:height])


def _head(progress: Progress, ending: Ending | None, size: _Size) -> list[Text]:
    status = ending.status if ending is not None else "RUNNING"
    took = _span(progress.started, size.at)
    title = Text(f"{shown(progress.run_id)}{_GAP}")
    title.append(status, style=_STYLE_OF.get(status, ""))
    title.append(f"{_GAP}{'after' if ending is not None else 'for'} {took}")
    last = "" if ending is not None else f", the last {_span(progress.last, size.at)} ago"
    base = f"base {shown(progress.base_commit[:12])}{_GAP}{progress.events} events{last}"
    return [title, Text(base), _stages(progress, ending), Text("")]


def _stages(progress: Progress, ending: Ending | None) -> Text:
    """Return the stages in a row; the one that the run is at stands in brackets."""
    is_done = ending is not None and not ending.status.startswith(("WAITING", "INTERRUPTED"))
    words = [
        f"[{stage}]" if stage is progress.stage and not is_done else str(stage) for stage in Stage
    ]
    return Text(" > ".join(words) + (" > ended" if is_done else ""))


def _workers(
    progress: Progress, ending: Ending | None, size: _Size, room: int | None
) -> list[Text]:
    workers = progress.workers
    is_left = ending is not None
    if room is None or len(workers) + 1 <= room:
        return _worker_table(workers, size, is_left=is_left)
    counts = Counter(_state(worker, is_left=is_left) for worker in workers)
    order = [_state_word(state, is_left=is_left) for state in _ATTENTION]
    said = ", ".join(f"{counts[word]} {word}" for word in dict.fromkeys(order) if counts[word])
    first = sorted(workers, key=_urgency)[: max(0, room - 3)]
    more = Text(f"... and {len(workers) - len(first)} more")
    summary = Text(f"{len(workers)} workers: {said}")
    return [summary, *_worker_table(first, size, is_left=is_left), more]


def _urgency(worker: WorkerProgress) -> tuple[int, float, str]:
    """Order workers: what needs attention first, and of those the one heard of least recently."""
    heard = worker.active.timestamp() if worker.active is not None else 0.0
    return _ATTENTION.index(worker.state), heard, worker.id


def _worker_table(workers: Sequence[WorkerProgress], size: _Size, *, is_left: bool) -> list[Text]:
    rows = [_WORKER, *(_worker_row(worker, size, is_left=is_left) for worker in workers)]
    if size.width < WIDE:
        rows = [tuple(row[place] for place in _NARROW) for row in rows]
    return _table(rows)


def _worker_row(worker: WorkerProgress, size: _Size, *, is_left: bool) -> tuple[str, ...]:
    is_going = worker.state in ACTIVE or worker.state is WorkerState.WAITS
    if worker.duration_ms is not None:
        time = _seconds(worker.duration_ms // 1000)
    else:
        time = _span(worker.started, size.at) if is_going else "-"
    return (
        shown(worker.id),
        _state(worker, is_left=is_left),
        shown(worker.attempt) or "-",
        time,
        f"{_span(worker.active, size.at)} ago" if worker.state in ACTIVE else "-",
        _count(worker.files),
        _count(worker.outside),
        _count(worker.findings),
        _says(worker),
    )


def _says(worker: WorkerProgress) -> str:
    if worker.state is WorkerState.WAITS:
        return shown(f"in {worker.checkout} {worker.why}".rstrip())
    if not worker.ended_badly:
        return ""
    code = f" {worker.rc}" if worker.how == "exited" else ""
    return shown(worker.how.replace("_", " ") + code)


def _state(worker: WorkerProgress, *, is_left: bool) -> str:
    return _state_word(worker.state, is_left=is_left)


def _state_word(state: WorkerState, *, is_left: bool) -> str:
    return "interrupted" if is_left and state in ACTIVE else str(state)


def _tail(progress: Progress, ending: Ending | None, size: _Size) -> list[Text]:
    """Return what stands below the workers: checks, findings, whom it waits for, how it ended."""
    most = len(progress.checks) if size.height is None else max(_LEAST_WORKERS, size.height // 5)
    lines = [Text("")]
    if progress.checks:
        by_urgency = sorted(progress.checks, key=_check_urgency)
        checks = by_urgency[:most] if most < len(progress.checks) else progress.checks
        rows = [("CHECK", "STATE", "TIME")]
        rows += [_check_row(check, size, is_over=ending is not None) for check in checks]
        lines += _table(rows)
        beyond = len(progress.checks) - most
        lines += [Text(f"... and {beyond} more")] if beyond > 0 else []
    lines.append(Text(_sum(progress)))
    lines += [Text(shown(kept(role, tier)), "yellow") for role, tier in progress.weaker]
    waiting = progress.waiting
    for worker in waiting[:_MOST_NAMED]:
        lines.append(Text(f"waits for {shown(worker.id)} in {shown(worker.checkout)}"))
    if len(waiting) > _MOST_NAMED:
        lines.append(Text(f"waits for {len(waiting) - _MOST_NAMED} more"))
    for line in progress.news[-_MOST_NAMED:]:
        lines.append(Text(shown(_news(line))))
    if ending is not None and ending.hint:
        lines.append(Text(ending.hint))
    return lines


def _news(line: LedgerLine) -> str:
    """Return what was done with the run as a whole."""
    if line.event_type == EventType.RUN_PRUNED:
        return "its folder was removed"
    commit = line.hashes.get("commit", "")[:12]
    return f"published as branch {line.details.get('branch', '?')}, commit {commit}"


def _sum(progress: Progress) -> str:
    """Return what was found and merged so far."""
    findings = progress.findings
    found = "not judged yet" if findings is None else counted(findings, "finding")
    met = [f"{count} blocking by {kind}" for kind, count in progress.blocking if count]
    found = ", ".join([found, *met])
    if progress.merged is None:
        return found
    paths, bundles = progress.merged
    proven = ", proven by git" if progress.is_proven else ""
    merged = f"{counted(paths, 'path')} of {counted(bundles, 'bundle')} merged"
    return f"{found}, {merged}{proven}"


def _check_row(check: CheckProgress, size: _Size, *, is_over: bool) -> tuple[str, str, str]:
    time = "-"
    if check.on and not is_over:
        time = _span(check.started, size.at)
    elif check.duration_ms is not None:
        time = _seconds(check.duration_ms // 1000)
    running = f"runs on {check.on}" if check.on and not is_over else ""
    state = "; ".join(word for word in (check.result, running) if word)
    idle = "not run" if is_over else "ran" if check.runs else "pending"
    return shown(check.name), shown(state or idle), time


def _check_urgency(check: CheckProgress) -> tuple[int, str]:
    is_bad = bool(check.result) and not check.result.startswith("passed")
    return (0 if is_bad else 1 if check.on else 2 if not check.result else 3), check.name


def _table(rows: Sequence[tuple[str, ...]]) -> list[Text]:
    """Return rows, the first of them headings, in columns as wide as they need."""
    widths = [
        min(_MOST_NAME, max(cell_len(row[place]) for row in rows)) for place in range(len(rows[0]))
    ]
    lines = []
    for row in rows:
        line = Text()
        last = len(row) - 1
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            # What stands last is cut by the screen, or by nothing.
            line.append(cell if place == last else _cut(cell, width), _style(cell))
            line.append(_GAP if place != last else "")
        line.rstrip()
        lines.append(line)
    return lines


def _style(cell: str) -> str:
    return _STYLE_OF.get(cell, "")


def _cut(cell: str, width: int) -> str:
    if cell_len(cell) <= width:
        return set_cell_size(cell, width)
    return set_cell_size(cell, width - 2) + ".."


def _fitted(line: Text, width: int) -> Text:
    if line.cell_len > width:
        line.truncate(width - 2)
        line.append("..")
    return line


def _count(number: int | None) -> str:
    return "-" if number is None else str(number)


def _span(start: datetime | None, end: datetime) -> str:
    return "-" if start is None else _seconds(int((end - start).total_seconds()))


def _seconds(whole: int) -> str:
    """Return a time in its two largest units; a clock that was set back took none."""
    whole = max(0, whole)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if not minutes:
        return f"{whole}s"
    if not hours:
        return f"{minutes}m {whole % 60:02}s"
    if not days:
        return f"{hours}h {minutes % 60:02}m"
    return f"{days}d {hours % 24:02}h"
