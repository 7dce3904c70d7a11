"""open-report, open-run."""

from typing import TYPE_CHECKING

from tools.codex.factory.cli.command import Call, CliCommand, add_run_id

if TYPE_CHECKING:
    from pathlib import Path


def run_open_report(call: Call) -> int:
    """Open a run's FINAL_REPORT.txt, or print where it lies."""
    from tools.codex.factory.pipelines.opening import report_to_open

    return _opened(call, *report_to_open(call.ground(), call.arguments.run_id))


def run_open_run(call: Call) -> int:
    """Open the folder of a run, or print where it lies."""
    from tools.codex.factory.pipelines.opening import run_to_open

    return _opened(call, *run_to_open(call.ground(), call.arguments.run_id))


def _opened(call: Call, run: str, path: "Path") -> int:
    from tools.codex.factory.domain.desk_answer import OpenAnswer
    from tools.codex.factory.domain.path import quoted
    from tools.codex.factory.pipelines.opening import shown_to_operator
    from tools.codex.factory.render.text import shown

    call.screen.say(shown(str(path)))
    if call.screen.is_terminal:
        why_not = shown_to_operator(call.host, path)
        if why_not:
            call.screen.progress(f"note: it was not opened: {why_not}")
    call.screen.document(
        OpenAnswer(
            command=call.arguments.command,
            status="OK",
            exit_code=0,
            run_id=run,
            path=quoted(str(path)),
        )
    )
    return 0


OPEN_REPORT = CliCommand(
    name="open-report",
    help="open a run's FINAL_REPORT, or print its path where there is no terminal",
    example="factory open-report --run-id spring-cleaning",
    add_arguments=add_run_id,
    run=run_open_report,
)
OPEN_RUN = CliCommand(
    name="open-run",
    help="open the folder of a run, or print its path where there is no terminal",
    example="factory open-run",
    add_arguments=add_run_id,
    run=run_open_run,
)
