"""How one object store borrows from another: the line of its alternates file, and who lends."""

import os
from pathlib import Path

from tools.codex.factory.domain.path import quoted, unquoted_bytes
from tools.codex.factory.repository.git import Git


def loan(objects: Path) -> bytes:
    """Return the line of an alternates file that names `objects`."""
    text = str(objects)
    # git reads '#' as a comment, and a quote as the begin of its C quoting.
    shown = f'"{text}"' if text.startswith("#") else quoted(text)
    return shown.encode("utf-8", "surrogateescape") + b"\n"


def lenders(git: Git, git_dir: Path) -> tuple[str, ...]:
    """Return the real path of every store that the one in `git_dir` borrows from, however far."""
    said = git.out("count-objects", "-v", git_dir=git_dir)
    begin = b"alternate: "
    named = [row.removeprefix(begin) for row in said.splitlines() if row.startswith(begin)]
    plain = [unquoted_bytes(name) if name.startswith(b'"') else name for name in named]
    return tuple(os.path.realpath(os.fsdecode(name)) for name in plain)
