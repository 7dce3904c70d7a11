"""The last words about a run: what comes next, or its verdict and where its report lies."""

from typing import TYPE_CHECKING, Literal

from tools.codex.factory.cli.command import Call

if TYPE_CHECKING:
    from tools.codex.factory.domain.evidence import IntegratorStatus
    from tools.codex.factory.pipelines.oneshot import Launched
    from tools.codex.factory.pipelines.session import Session


def answer_launched(call: Call, launched: "Launched", notes: tuple[str, ...]) -> int:
    """Say who is waited for and what comes next; return the exit code."""
    from tools.codex.factory.domain.answer import RunAnswer
    from tools.codex.factory.domain.path import quoted
    from tools.codex.factory.errors import EXIT_CODE_OF_STATUS

    run = launched.run
    status: Literal["WAITING", "PENDING"] = "WAITING" if launched.waiting else "PENDING"
    code = EXIT_CODE_OF_STATUS["WAITING"] if launched.waiting else 0
    _tell_next(call, launched)
    call.screen.say(f"{status}  {run.directory.run}")
    call.screen.document(
        RunAnswer(
            command=call.arguments.command,
            status=status,
            exit_code=code,
            run_id=run.directory.run,
            base_commit=run.manifest.base_commit,
            rehearsal=run.manifest.rehearsal,
            waiting={name: quoted(str(path)) for name, path in launched.waiting.items()},
            notes=notes,
        )
    )
    return code


def answer_ended(
    call: Call, ground: "Session", status: "IntegratorStatus", notes: tuple[str, ...]
) -> int:
    """Say what blocks, the verdict and where the report lies; return the exit code."""
    from tools.codex.factory.domain.answer import run_answer
    from tools.codex.factory.domain.path import quoted
    from tools.codex.factory.pipelines.record import report_file
    from tools.codex.factory.render.tables import status_text
    from tools.codex.factory.render.text import shown

    report = report_file(ground, status.run_id)
    for finding in status.findings[:20]:
        if finding.severity == "blocks":
            call.screen.say(f"{shown(finding.subject)}: {shown(finding.message)}")
    line = status_text(status.status)
    marks = {"NOOP": status.noop, "PARTIAL": status.partial, "REHEARSAL": status.rehearsal}
    line.append("".join(f" {mark}" for mark, is_so in marks.items() if is_so))
    line.append(f"  {shown(str(report))}")
    call.screen.show(line)
    answer = run_answer(call.arguments.command, status, quoted(str(report)))
    call.screen.document(answer.model_copy(update={"notes": notes}))
    return status.exit_code


def tell_notes(call: Call, notes: tuple[str, ...]) -> None:
    """Say what is no finding, and good to know."""
    for note in notes:
        call.screen.progress(f"note: {note}")


def _tell_next(call: Call, launched: "Launched") -> None:
    from tools.codex.factory.render.text import shown

    run = launched.run.directory.run
    for worker, checkout in launched.waiting.items():
        call.screen.say(f"{worker} waits for work in {shown(str(checkout))}")
    if launched.waiting:
        call.screen.say(f"then: factory collect --run-id {run}")
    elif launched.left:
        call.screen.say(f"no bundle yet: {', '.join(launched.left)}")
        call.screen.say(f"then: factory oneshot --run-id {run} with the same plan")
    else:
        call.screen.say(f"then: factory integrate --run-id {run}")
