"""Parse, dispatch; every ending becomes one exit code."""

import argparse
import gc
import io
import re
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal, NoReturn

from tools.codex.factory import __version__
from tools.codex.factory.cli.amend import AMEND
from tools.codex.factory.cli.command import Call, CliCommand
from tools.codex.factory.cli.completion import COMPLETION
from tools.codex.factory.cli.doctor import DOCTOR, PREFLIGHT
from tools.codex.factory.cli.init import INIT
from tools.codex.factory.cli.integration import (
    BUNDLE_VALIDATE,
    COLLECT,
    INTEGRATE,
    LAUNCH,
    ONESHOT,
)
from tools.codex.factory.cli.opening import OPEN_REPORT, OPEN_RUN
from tools.codex.factory.cli.plan import PLAN
from tools.codex.factory.cli.publish import PUBLISH
from tools.codex.factory.cli.records import LEDGER, LEDGER_REPLAY, PRINT_REPORT
from tools.codex.factory.cli.runs import RUNS
from tools.codex.factory.cli.screen import LEVELS, AnswerNotWritten, Screen, silence
from tools.codex.factory.cli.settings import CONFIG, SCHEMAS
from tools.codex.factory.cli.watch import WATCH
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.errors import (
    Bug,
    FactoryError,
    Interrupted,
    NoRoom,
    UsageError,
    is_spent,
)

COMMANDS: dict[str, CliCommand] = {
    command.name: command
    for command in (
        PLAN,
        ONESHOT,
        LAUNCH,
        COLLECT,
        BUNDLE_VALIDATE,
        INTEGRATE,
        AMEND,
        PUBLISH,
        WATCH,
        PRINT_REPORT,
        OPEN_REPORT,
        OPEN_RUN,
        LEDGER,
        LEDGER_REPLAY,
        RUNS,
        INIT,
        SCHEMAS,
        CONFIG,
        COMPLETION,
        DOCTOR,
        PREFLIGHT,
    )
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if sys.platform == "win32":
        sys.stderr.write("factory: Windows lacks the file locks that factory stands on\n")
        return 20
    if sys.stdout is None or sys.stderr is None:
        # Closed by whoever started us: what is said goes nowhere, and the exit code stays.
        sys.stdout = sys.stdout or io.StringIO()
        sys.stderr = sys.stderr or sys.stdout
    # A path may hold bytes that are no text; an answer that shows one must not fail on it.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # What is imported stays: it is not looked at for garbage, neither now nor later.
    gc.disable()
    code = 0
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except OSError as error:
        silence(sys.stdout)
        if isinstance(error, BrokenPipeError):
            # The reader of our answer went away; that is its right, and changes no verdict.
            return code
        screen = Screen(json=False, color=False, level="info")
        screen.complain(f"cannot write the answer: {error.strerror}", "")
        return code or 1


def _run(words: list[str]) -> int:
    screen = Screen(json="--json" in words, color=False, level="info")
    command = _command_in(words)
    try:
        arguments = _parsed(words)
        from tools.codex.factory.host import take_host

        host = take_host()
        # A run that is told to stop says so in its report, whoever tells it.
        for stop in (signal.SIGTERM, signal.SIGHUP):
            # nohup means it: what is ignored stays so.
            if signal.getsignal(stop) is not signal.SIG_IGN:
                signal.signal(stop, signal.default_int_handler)
        color = not arguments.no_color and not host.variables.get("NO_COLOR")
        screen = Screen(json=arguments.json, color=color, level=arguments.log_level)
        call = Call(arguments=arguments, host=host, screen=screen, parser=_parser)
        return _ended(call)
    except KeyboardInterrupt:
        return _refused(screen, command, Interrupted("interrupted", hint="run the command again"))
    except FactoryError as error:
        return _refused(screen, command, error)
    except (BrokenPipeError, AnswerNotWritten):
        raise
    except Exception as bug:
        if isinstance(bug, OSError) and is_spent(bug):
            return _refused(screen, command, NoRoom("cannot go on", str(bug)))
        return _refused(screen, command, _bug(bug))


def _ended(call: Call) -> int:
    """Return how a command ended; an error of it says no secret."""
    try:
        return COMMANDS[call.arguments.command].run(call)
    except FactoryError as error:
        call.hide(error)
        raise


def _bug(bug: Exception) -> FactoryError:
    """Return a bug as the one line that an operator sees; no run is there to keep its traceback."""
    import tempfile
    import traceback

    message = f"a bug: {type(bug).__name__}: {bug}"
    said = traceback.format_exc()
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="factory-bug-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(said)
    except OSError as error:
        return NoRoom(f"{message}, and its traceback cannot be written", str(error))
    return Bug(message, hint=f"the traceback is in {file.name}; please report it")


def _command_in(words: list[str]) -> str:
    """Return the command that was meant, before anything is parsed; options' values are none."""
    taking = ("-C", "--config", "--runs-root", "--log-level")
    values = {n + 1 for n, word in enumerate(words) if word in taking}
    named = (word for n, word in enumerate(words) if n not in values and not word.startswith("-"))
    first = next(named, "")
    return first if first in COMMANDS else ""


def _parsed(words: list[str]) -> argparse.Namespace:
    parser = _parser()
    arguments, rest = parser.parse_known_args(words)
    if arguments.command is None:
        raise UsageError("no command was named", hint=f"one of {', '.join(COMMANDS)}")
    if rest:
        raise UsageError(
            f"{arguments.command} does not take {rest[0]!r}",
            hint=f"`factory {arguments.command} --help` shows what it takes",
        )
    return arguments


def _refused(screen: Screen, command: str, error: FactoryError) -> int:
    screen.complain(str(error), error.hint)
    for more in getattr(error, "__notes__", ()):
        screen.complain(more, "")
    with suppress(AnswerNotWritten):
        # The exit code says it still.
        _answer_of(screen, command, error)
    return error.exit_code


def _answer_of(screen: Screen, command: str, error: FactoryError) -> None:
    """Write the answer of a command that ends with an error."""
    failed = error.failed
    if failed is not None:
        screen.say(f"FAIL  {failed.report}")
    if screen.json:
        from tools.codex.factory.domain.answer import Answer, ErrorSaid, RunAnswer
        from tools.codex.factory.domain.path import quoted

        said = ErrorSaid(message=str(error), hint=error.hint)
        code = error.exit_code
        status: Literal["BLOCKED", "FAIL"] = "BLOCKED" if code == 3 else "FAIL"
        answer = Answer(command=command, status=status, exit_code=code, error=said)
        if failed is not None:
            run = {"run_id": failed.run_id, "base_commit": failed.base_commit}
            report = quoted(failed.report)
            answer = RunAnswer.model_validate({**dict(answer), **run, "report": report})
        screen.document(answer)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong as an error of ours, so that it ends like every other."""

    def error(self, message: str) -> NoReturn:
        unknown = re.search(r"argument COMMAND: invalid choice: '(.*?)' \(choose", message)
        if unknown:
            name = unknown[1]
            raise UsageError(f"there is no command {name!r}", hint=did_you_mean(name, COMMANDS))
        raise UsageError(message, hint=f"`{self.prog} --help` shows what it takes")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="factory",
        description="Many workers on one base commit, one proven merge.",
        epilog="example: factory oneshot --plan factory.plan.toml",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"factory {__version__}")
    _add_global(parser, top=True)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for command in COMMANDS.values():
        one = commands.add_parser(
            command.name,
            help=command.help,
            description=command.help,
            epilog=f"example: {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        _add_global(one, top=False)
        command.add_arguments(one)
    return parser


def _add_global(parser: argparse.ArgumentParser, *, top: bool) -> None:
    """Add what every command takes, before its name or after it."""

    def default(value: object) -> object:
        return value if top else argparse.SUPPRESS

    group = parser.add_argument_group("for every command")
    group.add_argument(
        "-C", dest="directory", metavar="DIR", default=default("."), help="work in DIR"
    )
    group.add_argument(
        "--json", action="store_true", default=default(False), help="answer with one JSON document"
    )
    group.add_argument("--config", metavar="FILE", default=default(None), help="configuration file")
    group.add_argument(
        "--runs-root", metavar="DIR", default=default(None), help="where runs are kept"
    )
    group.add_argument(
        "--no-color", action="store_true", default=default(False), help="words without colour"
    )
    group.add_argument(
        "--log-level", choices=LEVELS, default=default("info"), help="how much progress is told"
    )
