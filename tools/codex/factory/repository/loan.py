"""How one object store borrows from another: the line of its alternates file."""

from pathlib import Path

from tools.codex.factory.domain.path import quoted


def loan(objects: Path) -> bytes:
    """Return the line of an alternates file that names `objects`."""
    text = str(objects)
    # git reads '#' as a comment, and a quote as the begin of its C quoting.
    shown = f'"{text}"' if text.startswith("#") else quoted(text)
    return shown.encode("utf-8", "surrogateescape") + b"\n"
