"""completion: what a shell needs to complete this command line."""

import argparse
from collections.abc import Mapping

from tools.codex.factory.cli.command import Call, CliCommand

SHELLS = ("bash", "zsh", "tcsh")


def _add_completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="whose script is printed")


def run_completion(call: Call) -> int:
    """Print the completion script of a shell."""
    import shtab

    from tools.codex.factory.domain.desk_answer import CompletionAnswer

    parser, shell = call.parser(), call.arguments.shell
    _complete_paths(parser, {"FILE": shtab.FILE, "DIR": shtab.DIRECTORY})
    script = shtab.complete(parser, shell=shell)
    call.screen.say(script.removesuffix("\n"))
    call.screen.document(
        CompletionAnswer(command="completion", status="OK", exit_code=0, shell=shell, script=script)
    )
    return 0


def _complete_paths(parser: argparse.ArgumentParser, how: Mapping[str, object]) -> None:
    """Let every argument that is named FILE or DIR complete files or folders."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                _complete_paths(below, how)
        elif action.metavar in how:
            # The attribute that shtab looks for.
            setattr(action, "complete", how[str(action.metavar)])  # noqa: B010


COMPLETION = CliCommand(
    name="completion",
    help="print a script that lets your shell complete this command line",
    example='eval "$(factory completion bash)"',
    add_arguments=_add_completion,
    run=run_completion,
)
