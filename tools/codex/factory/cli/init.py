"""init: what is shown and written of a first plan."""

import argparse

from tools.codex.factory.cli.command import Call, CliCommand
from tools.codex.factory.errors import UsageError


def _add_init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--with-config", action="store_true", help="write a configuration file too")
    parser.add_argument(
        "--print", action="store_true", dest="prints", help="print the plan and write nothing"
    )


def run_init(call: Call) -> int:
    """Look at the repository and write a first plan for it."""
    from tools.codex.factory.domain.desk_answer import (
        CheckSaid,
        InitAnswer,
        LanguageSaid,
        WorkerSaid,
    )
    from tools.codex.factory.domain.proposal import command_names
    from tools.codex.factory.pipelines.init import first_plan, write_first_plan
    from tools.codex.factory.render.plan_text import proposal_lines

    arguments = call.arguments
    if arguments.prints and arguments.with_config:
        raise UsageError("--print writes nothing, so not --with-config either", hint="take one")
    ground = call.ground()
    plan = first_plan(ground)
    files: tuple[str, ...] = ()
    if arguments.prints:
        call.screen.say(plan.text.removesuffix("\n"))
    else:
        files = write_first_plan(ground, plan, with_config=arguments.with_config)
        for line in proposal_lines(plan.proposal, files):
            call.screen.say(line)
    call.screen.document(
        InitAnswer(
            command="init",
            status="OK",
            exit_code=0,
            files=files,
            languages=tuple(
                LanguageSaid(language=name, files=count) for name, count in plan.proposal.languages
            ),
            checks=tuple(
                CheckSaid(name=name, command=one.command, missing=one.missing)
                for name, one in command_names(plan.proposal.checks).items()
            ),
            workers=tuple(
                WorkerSaid(worker_id=worker.id, allow=worker.share.allow)
                for worker in plan.proposal.workers
            ),
            plan=plan.text,
        )
    )
    return 0


INIT = CliCommand(
    name="init",
    help="look at the repository and write a commented plan for it",
    example="factory init --with-config",
    add_arguments=_add_init,
    run=run_init,
)
