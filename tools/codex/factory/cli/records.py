"""print-report, ledger, ledger-replay."""

import argparse

from tools.codex.factory.cli.command import Call, CliCommand, add_run_id


def run_print_report(call: Call) -> int:
    """Print a run's FINAL_REPORT.txt."""
    from tools.codex.factory.domain.answer import ReportAnswer, run_answer
    from tools.codex.factory.domain.path import quoted
    from tools.codex.factory.pipelines.record import (
        integrator_status,
        outdated_by,
        recorded_run,
        report_file,
        report_text,
    )

    ground = call.ground()
    run = recorded_run(ground, call.arguments.run_id)
    status, text = integrator_status(run.directory), report_text(run.directory)
    changed = outdated_by(run, status)
    if changed:
        name = run.directory.run
        call.screen.progress(
            f"note: {changed} after this report: `factory integrate --run-id {name}`"
        )
    call.screen.say(text.removesuffix("\n"))
    answer = run_answer("print-report", status, quoted(str(report_file(ground, status.run_id))))
    said = {**answer.model_dump(), "exit_code": 0, "text": text}
    call.screen.document(ReportAnswer.model_validate(said, strict=False))
    return 0


def _add_ledger(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", metavar="N", type=count, default=50, help="at most N rows (50)")
    parser.add_argument("--run-id", metavar="ID", help="only this run")
    parser.add_argument("--raw-events", action="store_true", help="events instead of runs")


def run_ledger(call: Call) -> int:
    """Show runs, or events, newest last."""
    from tools.codex.factory.domain.answer import LedgerAnswer
    from tools.codex.factory.pipelines.history import events, runs
    from tools.codex.factory.render.tables import event_table, run_table

    ground, limit, name = call.ground(), call.arguments.limit, call.arguments.run_id
    answer = LedgerAnswer(command="ledger", status="OK", exit_code=0)
    if call.arguments.raw_events:
        lines = events(ground, name, limit)
        call.screen.show(event_table(lines))
        call.screen.document(answer.model_copy(update={"events": lines}))
    else:
        rows = runs(ground, name, limit)
        call.screen.show(run_table(rows))
        call.screen.document(answer.model_copy(update={"runs": rows}))
    return 0


def _add_replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run-id", metavar="ID", help="only this run")
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="derive tree, verdict and report again from the bundles, and compare",
    )


def run_ledger_replay(call: Call) -> int:
    """Replay the ledger, verify chain and artifacts, and maybe rebuild."""
    from tools.codex.factory.domain.answer import ReplayAnswer
    from tools.codex.factory.pipelines.replay import replayed
    from tools.codex.factory.render.tables import replay_lines

    rebuilding = call.arguments.rebuild
    rows = replayed(call.ground(), call.arguments.run_id, rebuilding=rebuilding)
    for line in replay_lines(rows):
        call.screen.say(line)
    agrees = not any(row.disagreements for row in rows)
    call.screen.document(
        ReplayAnswer(
            command="ledger-replay",
            status="OK" if agrees else "FAIL",
            exit_code=0 if agrees else 1,
            runs=rows,
        )
    )
    return 0 if agrees else 1


def count(text: str) -> int:
    """Return a number from 1; raise what the parser says of anything else."""
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a count from 1")
    return int(text)


PRINT_REPORT = CliCommand(
    name="print-report",
    help="print a run's FINAL_REPORT",
    example="factory print-report",
    add_arguments=add_run_id,
    run=run_print_report,
)
LEDGER = CliCommand(
    name="ledger",
    help="show runs, or events, newest last",
    example="factory ledger --raw-events --limit 200",
    add_arguments=_add_ledger,
    run=run_ledger,
)
LEDGER_REPLAY = CliCommand(
    name="ledger-replay",
    help="verify the ledger's chain and every artifact; --rebuild derives the results again",
    example="factory ledger-replay --run-id spring-cleaning --rebuild",
    add_arguments=_add_replay,
    run=run_ledger_replay,
)
