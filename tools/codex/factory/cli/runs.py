"""runs list, show, prune: what there is, what stands behind it, what may go."""

import argparse
import re

from tools.codex.factory.cli.command import Call, CliCommand
from tools.codex.factory.cli.records import count
from tools.codex.factory.errors import UsageError

_HOURS = {"h": 1, "d": 24, "w": 168}


def _add_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", nargs="?", choices=("list", "show", "prune"), default="list")
    parser.add_argument(
        "--run-id", metavar="ID", action="append", default=[], help="which run; prune takes several"
    )
    parser.add_argument("--commit", metavar="C", help="show: the run behind a published commit")
    parser.add_argument("--limit", metavar="N", type=count, help="list: at most N runs (50)")
    parser.add_argument(
        "--older-than",
        metavar="AGE",
        help="prune: only runs that began before, like 12h, 30d (14d)",
    )
    parser.add_argument("--dry-run", action="store_true", help="prune: only say what would go")


def run_runs(call: Call) -> int:
    """List runs, show one, or remove old ones."""
    said = call.arguments
    taken = {
        "list": {"limit"},
        "show": {"run_id", "commit"},
        "prune": {"run_id", "older_than", "dry_run"},
    }[said.verb]
    given = {
        name
        for name in ("run_id", "commit", "limit", "older_than", "dry_run")
        if getattr(said, name) not in (None, [], False)
    }
    for name in sorted(given - taken):
        flag = "--" + name.replace("_", "-")
        raise UsageError(f"runs {said.verb} does not take {flag}", hint="`factory runs --help`")
    return {"list": _list, "show": _show, "prune": _prune}[said.verb](call)


def _list(call: Call) -> int:
    from tools.codex.factory.domain.desk_answer import RunsAnswer
    from tools.codex.factory.pipelines.holdings import holdings
    from tools.codex.factory.render.runs import held_table

    runs = holdings(call.ground(), call.arguments.limit or 50)
    call.screen.show(held_table(runs))
    call.screen.document(RunsAnswer(command="runs list", status="OK", exit_code=0, runs=runs))
    return 0


def _show(call: Call) -> int:
    from tools.codex.factory.domain.desk_answer import RunShowAnswer
    from tools.codex.factory.pipelines.provenance import of_commit, of_run
    from tools.codex.factory.render.runs import show_lines

    said = call.arguments
    if len(said.run_id) + (said.commit is not None) > 1:
        raise UsageError("runs show takes one run or one commit", hint="name one of them")
    ground = call.ground()
    if said.commit is not None:
        seen = of_commit(ground, said.commit)
    else:
        seen = of_run(ground, said.run_id[0] if said.run_id else None)
    answer = RunShowAnswer(
        command="runs show",
        status="OK",
        exit_code=0,
        run_id=seen.run_id,
        run=seen.run,
        state=seen.state,
        seals=dict(seen.seals),
        amendments=seen.amendments,
        report=seen.report,
        commit=seen.commit,
        evidence=seen.evidence,
    )
    for line in show_lines(answer):
        call.screen.say(line)
    call.screen.document(answer)
    return 0


def _prune(call: Call) -> int:
    from datetime import timedelta

    from tools.codex.factory.domain.desk_answer import PruneAnswer
    from tools.codex.factory.pipelines.prune import prune, would_go
    from tools.codex.factory.render.runs import prune_lines

    said = call.arguments
    if said.run_id and said.older_than:
        raise UsageError("runs prune takes --run-id or --older-than", hint="name one of them")
    age = timedelta(hours=_hours(said.older_than or "14d"))
    names = tuple(dict.fromkeys(said.run_id))
    rows = (would_go if said.dry_run else prune)(call.ground(), names, age=age)
    answer = PruneAnswer(
        command="runs prune", status="OK", exit_code=0, dry_run=said.dry_run, runs=rows
    )
    for line in prune_lines(answer):
        call.screen.say(line)
    call.screen.document(answer)
    return 0


def _hours(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,6})([hdw])", text)
    if found is None:
        raise UsageError(f"--older-than {text!r} is no age", hint="like 12h, 30d, 8w")
    return int(found[1]) * _HOURS[found[2]]


RUNS = CliCommand(
    name="runs",
    help="list runs with what they hold, show what stands behind one, remove old ones",
    example="factory runs prune --older-than 30d --dry-run",
    add_arguments=_add_runs,
    run=run_runs,
)
