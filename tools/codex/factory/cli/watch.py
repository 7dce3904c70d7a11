"""watch: frames or lines of a run, and its exit code at the end."""

import time
from typing import TYPE_CHECKING

from tools.codex.factory.cli.command import Call, CliCommand, add_run_id
from tools.codex.factory.cli.telling import named, told
from tools.codex.factory.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.text import Text

    from tools.codex.factory.pipelines.watching import Sight

_POLL_SECONDS = 0.5
_DRAW_SECONDS = 1.0


def run_watch(call: Call) -> int:
    """Show a run until it ends, and end with its exit code."""
    try:
        return _watched(call)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted; the run goes on", hint="`factory watch` shows it again"
        ) from None


def _watched(call: Call) -> int:
    from tools.codex.factory.pipelines.watching import sights
    from tools.codex.factory.render.live import WIDE

    seen = sights(call.ground(), call.arguments.run_id, pause=lambda: time.sleep(_POLL_SECONDS))
    if call.screen.json:
        return _streamed(call, seen)
    console = call.screen.console()
    if console.is_terminal and not console.is_dumb_terminal and console.width >= WIDE:
        return _drawn(console, seen)
    return _told(call, console, seen)


def _streamed(call: Call, seen: "Iterator[Sight]") -> int:
    """Write each event as the ledger has it, one a line."""
    from tools.codex.factory.domain.event import text_of

    code = 0
    for sight in seen:
        for line in sight.fresh:
            call.screen.tell(text_of(line))
        code = sight.exit_code
    return code


def _drawn(console: "Console", seen: "Iterator[Sight]") -> int:
    """Draw frame over frame while the run goes on; the last one stays."""
    from rich.live import Live

    sight = next(seen)
    if sight.ending is None:
        with Live(_frame(console, sight), console=console, screen=True, auto_refresh=False) as live:
            drawn = time.monotonic()
            for sight in seen:
                if sight.fresh or time.monotonic() - drawn >= _DRAW_SECONDS:
                    live.update(_frame(console, sight), refresh=True)
                    drawn = time.monotonic()
    console.print(_frame(console, sight), soft_wrap=True)
    return sight.exit_code


def _told(call: Call, console: "Console", seen: "Iterator[Sight]") -> int:
    """Tell of each event in a line while the run goes on; then how it stands."""
    is_first = True
    for sight in seen:
        if not (is_first and sight.ending is not None):
            for line in sight.fresh:
                words = told(line)
                if words is not None:
                    call.screen.tell(words)
                elif call.screen.level == "debug":
                    call.screen.tell(named(line))
        is_first = False
        if sight.ending is not None:
            console.print(_frame(console, sight), soft_wrap=True)
    return sight.exit_code


def _frame(console: "Console", sight: "Sight") -> "Text":
    from tools.codex.factory.render.live import frame
    from tools.codex.factory.wiring import clock

    # What is no screen has no height: all of it is said.
    height = console.height if console.is_terminal else None
    width = console.width
    return frame(sight.progress, sight.ending, width=width, height=height, now=clock())


WATCH = CliCommand(
    name="watch",
    help="show a run as it goes on, and end with its exit code",
    example="factory watch",
    add_arguments=add_run_id,
    run=run_watch,
)
