"""A renderable whose every piece of text is safe to show, whatever its cells hold."""

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment

from tools.codex.factory.render.text import shown_lines

_WIDE = 1_000_000
"""A table that is wider than the screen is wrapped by it: a column left out would be missed."""


@dataclass(frozen=True, slots=True)
class Plain:
    """What it holds, rendered; only styles of ours steer the screen."""

    renderable: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield each piece of text with its style and made safe; lines end where their text does.

        A screen that is narrower than a table would wrap the spaces, too.
        """
        safe = [
            Segment(shown_lines(segment.text), segment.style)
            for segment in console.render(self.renderable, options.update(width=_WIDE))
            if not segment.control
        ]
        for line in Segment.split_lines(safe):
            yield from _stripped(line)
            yield Segment.line()


def _stripped(line: list[Segment]) -> list[Segment]:
    """Return the pieces of a line without the blanks at its end."""
    kept = list(line)
    while kept and not kept[-1].text.strip(" "):
        kept.pop()
    if kept:
        kept[-1] = Segment(kept[-1].text.rstrip(" "), kept[-1].style)
    return kept
