"""stdout is the answer, stderr is progress; with --json stdout is one document and nothing else."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from tools.codex.factory.render.text import shown, shown_lines

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console, RenderableType

_WIDE = 10_000
LEVELS = ("quiet", "info", "debug")


class AnswerNotWritten(OSError):
    """The answer cannot be written where it is wanted: a full disk, a terminal that is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Where a command's words go. `level` says how much progress is told.

    Whatever is written for people is made safe here, once more or for the first time: no text of
    a worker, a repository, a plan or an error steers a screen.
    """

    json: bool
    color: bool
    level: str

    @property
    def is_terminal(self) -> bool:
        """Return whether the answer goes to someone who looks at a terminal."""
        return not self.json and sys.stdout.isatty()

    def say(self, text: str) -> None:
        """Write a line of the answer, or several, for people."""
        if not self.json:
            with _whoever_hears(sys.stdout):
                sys.stdout.write(shown_lines(text) + "\n")

    def tell(self, text: str) -> None:
        """Write a line of an answer that goes on, at once."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def show(self, renderable: "RenderableType") -> None:
        """Write a table or styled text of the answer, for people."""
        if not self.json:
            from tools.codex.factory.render.plain import Plain

            with _whoever_hears(sys.stdout):
                self.console().print(Plain(renderable), crop=False, end="")

    def document(self, document: "BaseModel") -> None:
        """Write the answer for machines."""
        if self.json:
            from tools.codex.factory.domain.document import canonical

            with _whoever_hears(sys.stdout):
                sys.stdout.write(canonical(document).decode("ascii"))

    def progress(self, text: str, *, level: str = "info") -> None:
        """Write a line about what happens, on stderr."""
        if LEVELS.index(level) <= LEVELS.index(self.level):
            with _whoever_hears(sys.stderr):
                sys.stderr.write(shown(text) + "\n")
                sys.stderr.flush()

    def complain(self, message: str, hint: str) -> None:
        """Write why the command cannot go on, and what to do."""
        with _whoever_hears(sys.stderr):
            sys.stderr.write(f"factory: {shown(message)}\n")
            if hint:
                sys.stderr.write(f"  -> {shown(hint)}\n")
            sys.stderr.flush()

    def console(self) -> "Console":
        """Return what draws on stdout."""
        from rich.console import Console

        terminal = sys.stdout.isatty()
        return Console(
            file=sys.stdout,
            # A pipe has no width: what is cut off there is lost to the reader.
            width=None if terminal else _WIDE,
            no_color=not (self.color and terminal),
            markup=False,
            highlight=False,
            emoji=False,
        )


def silence(stream: TextIO) -> None:
    """Let what is written to a stream that nobody hears go nowhere, also what waits in it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


@contextmanager
def _whoever_hears(stream: TextIO) -> Iterator[None]:
    """Let nobody who went away stop a run: its end, and the exit code, do not depend on them.

    An answer that cannot be written for another reason is an error still.
    """
    try:
        yield
    except OSError as error:
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            raise AnswerNotWritten(*error.args) from error
        silence(stream)
