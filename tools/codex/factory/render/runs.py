"""Runs and what they hold, as tables and lines for people."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from tools.codex.factory.domain.desk_answer import HeldRun, PruneAnswer, RunShowAnswer
from tools.codex.factory.domain.publication import checks_behind
from tools.codex.factory.domain.wording import sized
from tools.codex.factory.render.tables import plain_table, status_text
from tools.codex.factory.render.text import shown


def held_table(runs: Sequence[HeldRun]) -> Table:
    """Return runs with what each holds, newest last."""
    table = plain_table("RUN", "STATUS", "EXIT", "STARTED", "ON DISK", "HOLDS", "TITLE")
    for run in runs:
        table.add_row(
            shown(run.run_id),
            status_text(run.status),
            "-" if run.ended is None else str(run.ended),
            run.started[:19],
            sized(run.bytes),
            shown(_holds(run)),
            shown(run.title),
        )
    return table


def show_lines(answer: RunShowAnswer) -> Iterator[str]:
    """Yield one run as lines: state, bundles, checks, branches, and a commit's evidence."""
    if answer.commit is not None:
        yield f"commit     {answer.commit}"
    yield f"run        {shown(answer.run_id)}"
    if answer.run is None:
        yield "folder     not here: it was removed, or the run was made elsewhere"
    else:
        yield from _state(answer, answer.run)
    if answer.commit is not None:
        yield "evidence"
        for row in answer.evidence:
            yield f"  {'same' if row.is_here else 'NOT HERE':<8}  {row.name} {shown(row.said)}"


def prune_lines(answer: PruneAnswer) -> Iterator[str]:
    """Yield each run that was looked at, and what was gained."""
    word = "would go" if answer.dry_run else "removed"
    for row in answer.runs:
        yield f"{word if row.removed else 'stays':<8}  {shown(row.run_id)}: {shown(row.reason)}"
    gone = [row.bytes for row in answer.runs if row.removed]
    yield f"{len(gone)} of {len(answer.runs)} runs, {sized(sum(gone))}"


def _state(answer: RunShowAnswer, run: HeldRun) -> Iterator[str]:
    yield f"title      {shown(run.title)}"
    ended = "" if run.ended is None else f", exit {run.ended}"
    yield f"status     {run.status}{ended}, begun {run.started}"
    state = answer.state
    if state is not None:
        yield f"base       {state.base_commit}"
        yield f"tree       {state.tree or 'none'}"
        for row in state.workers:
            taken = "merged" if row.merged else "left out"
            seal = answer.seals.get(row.worker_id, "no seal")
            said = f"{row.status}, {row.changes} changed, {taken}, {seal}"
            yield f"worker     {row.worker_id}: {said}"
        for check in checks_behind(state):
            yield f"check      {shown(check.name)}: {check.result.replace('_', ' ')}"
    yield from (f"amended    {shown(line)}" for line in answer.amendments)
    for branch, commit in sorted(run.published.items()):
        yield f"published  {shown(branch)} at {commit}"
    yield f"holds      {sized(run.bytes)}; {shown(_holds(run))}"
    if answer.report is not None:
        yield f"report     {shown(answer.report)}"


def _holds(run: HeldRun) -> str:
    parts = [f"not captured: {name}" for name in run.uncaptured]
    if run.rehearsal:
        parts.append("a rehearsal")
    elif run.unpublished:
        parts.append(f"unpublished work of {', '.join(run.unpublished)}")
    parts += [f"published as {branch}" for branch in sorted(run.published)]
    return "; ".join(parts) or "no work"
