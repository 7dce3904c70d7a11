"""What a command is: its name, its words, and what it runs."""

import argparse
import gc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tools.codex.factory.cli.screen import Screen
from tools.codex.factory.errors import ConfigurationError, FactoryError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tools.codex.factory.host import Host
    from tools.codex.factory.pipelines.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class CliCommand:
    """One command. `run` gets the parsed arguments and returns the exit code."""

    name: str
    help: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[["Call"], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One command being run: what was typed, what was around, where the answer goes."""

    arguments: argparse.Namespace
    host: "Host"
    screen: Screen
    parser: Callable[[], argparse.ArgumentParser]
    """Every command with its flags."""
    known: "list[Session]" = field(default_factory=list)
    """What the command stands on, once that is known."""

    def ground(self) -> "Session":
        """Return what the command stands on; the imports behind it are made only here."""
        from tools.codex.factory.pipelines.session import session

        gc.freeze()
        gc.enable()
        self.known.append(
            session(
                self.host, folder=self.folder(), config_file=self.config_file(), flags=self.flags()
            )
        )
        return self.known[-1]

    def hide(self, error: FactoryError) -> None:
        """Take every secret out of what an error says, as soon as it is known what is secret."""
        for ground in self.known[-1:]:
            from tools.codex.factory.pipelines.secrets import hide

            # A value that is too short is what the error says, by its name.
            with suppress(ConfigurationError):
                hide(error, ground.secrets)

    def folder(self) -> "Path":
        """Return where the operator stands."""
        from pathlib import Path

        try:
            return Path(self.arguments.directory).absolute()
        except FileNotFoundError:
            raise UsageError(
                "the folder that you stand in is gone", hint="go into one that is there"
            ) from None

    def config_file(self) -> "Path | None":
        """Return the configuration file that was named, if one was."""
        config = self.arguments.config
        return self.folder() / config if config is not None else None

    def flags(self) -> dict[str, object]:
        """Return the settings of the command line by key; None for what was not given."""
        return {
            "runs.root": self.arguments.runs_root,
            "work.jobs": _jobs(getattr(self.arguments, "jobs", None)),
            "work.keep": getattr(self.arguments, "keep", None) or None,
        }


def _jobs(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else text


def add_plan(parser: argparse.ArgumentParser) -> None:
    """Add what names a plan, its base and its workers, for every command that reads one."""
    parser.add_argument(
        "--base-ref", metavar="REF", default="HEAD", help="what the workers start from (HEAD)"
    )
    parser.add_argument("--plan", metavar="FILE", help="the plan (factory.plan.toml)")
    parser.add_argument("--workers", metavar="A,B", help="only these workers of the plan")
    parser.add_argument("--jobs", metavar="N", help="how many workers run at a time (work.jobs)")


def names(text: str | None, flag: str = "--workers") -> tuple[str, ...]:
    """Return the workers that a comma-separated text names."""
    if text is None:
        return ()
    found = tuple(name for name in text.split(",") if name)
    if not found:
        raise UsageError(f"{flag} {text!r} names no worker", hint=f"like {flag} A,B")
    return found


def add_run_id(parser: argparse.ArgumentParser) -> None:
    """Add --run-id, for commands that take the newest run without it."""
    parser.add_argument("--run-id", metavar="ID", help="which run (default: the newest)")
