"""A renderable whose every piece of text is safe to show, whatever its cells hold."""

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment

from tools.codex.factory.render.text import shown_lines


@dataclass(frozen=True, slots=True)
class Plain:
    """What it holds, rendered; only styles of ours steer the screen."""

    renderable: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield each piece of text with its style and made safe."""
        for segment in console.render(self.renderable, options):
            if not segment.control:
                yield Segment(shown_lines(segment.text), segment.style)
