"""doctor, preflight: rows of what was asked, and the exit code that they add up to."""

import argparse
from typing import TYPE_CHECKING

from tools.codex.factory.cli.command import Call, CliCommand, add_plan, names

if TYPE_CHECKING:
    from tools.codex.factory.domain.fitness import Row
    from tools.codex.factory.pipelines.standing import Standing


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fix", action="store_true", help="do first what is safe, and say what was done"
    )


def run_doctor(call: Call) -> int:
    """Ask whether host, repository and configuration are fit."""
    _refuse_missing_packages()
    from tools.codex.factory.pipelines.doctor import doctor

    rows, tidied = doctor(_standing(call), fixing=call.arguments.fix)
    return _answer(call, rows, tidied.done, tidied.troubles)


def run_preflight(call: Call) -> int:
    """Ask whether one plan could run here."""
    _refuse_missing_packages()
    from tools.codex.factory.pipelines.doctor import preflight
    from tools.codex.factory.pipelines.prepare import Request

    request = Request(
        base_ref=call.arguments.base_ref,
        plan_file=call.arguments.plan,
        run_id=None,
        workers=names(call.arguments.workers),
    )
    return _answer(call, preflight(_standing(call), request), (), ())


def _refuse_missing_packages() -> None:
    """Raise UnfitHost where a package is missing that even the rows are made with."""
    from tools.codex.factory.process.packages import PACKAGES, package_version

    # GitPython has a row: it cannot be imported where there is no git, either.
    for name in PACKAGES:
        if name != "GitPython":
            package_version(name)


def _standing(call: Call) -> "Standing":
    from tools.codex.factory.pipelines.standing import standing

    return standing(
        call.host, folder=call.folder(), config_file=call.config_file(), flags=call.flags()
    )


def _answer(
    call: Call, rows: "tuple[Row, ...]", fixed: tuple[str, ...], notes: tuple[str, ...]
) -> int:
    from tools.codex.factory.domain.fitness import doctor_answer
    from tools.codex.factory.render.fitness import fitness_tables, sum_of
    from tools.codex.factory.render.text import shown

    answer = doctor_answer(call.arguments.command, rows, fixed, notes)
    for one in answer.fixed:
        call.screen.say(f"fixed: {shown(one)}")
    for note in answer.notes:
        call.screen.progress(f"note: {shown(note)}")
    for table in fitness_tables(rows):
        call.screen.show(table)
        call.screen.say("")
    call.screen.show(sum_of(rows))
    call.screen.document(answer)
    return answer.exit_code


DOCTOR = CliCommand(
    name="doctor",
    help="is this host, repository and configuration fit; --fix does what is safe",
    example="factory doctor --fix",
    add_arguments=_add_doctor,
    run=run_doctor,
)
PREFLIGHT = CliCommand(
    name="preflight",
    help="could this plan run here: what doctor asks that it needs, its programs, its room",
    example="factory preflight --plan factory.plan.toml",
    add_arguments=add_plan,
    run=run_preflight,
)
