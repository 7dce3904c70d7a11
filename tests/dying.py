"""`python -m tests.dying LOG AT words...`: the command, killed right after one durable moment.

Each rename, sync, removal and appended event is a moment, and has a line in LOG. AT is the number
of the moment that is the last one, or its line; a line that never comes lets the command end.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> int:
    """Run the command; return its exit code where it lives that long."""
    log, at, words = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    said: list[str] = []

    def moment(line: str) -> None:
        said.append(line)
        with log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        if at in (str(len(said)), line):
            os.kill(os.getpid(), signal.SIGKILL)

    _watch("rename", lambda old, new, *_, **__: f"rename {new}", moment)
    _watch("unlink", lambda name, *_, **__: f"unlink {name}", moment)
    _watch("fsync", lambda handle: f"sync {_open(handle)}", moment)
    _watch("fdatasync", lambda handle: f"append {_event(handle)}", moment)

    from tools.codex.factory.cli.main import main as factory

    return factory(words)


def _watch(name: str, line: Callable[..., str], moment: Callable[[str], None]) -> None:
    real = getattr(os, name)

    def watched(*given: Any, **more: Any) -> Any:
        done = real(*given, **more)
        moment(line(*given, **more))
        return done

    setattr(os, name, watched)


def _open(handle: int) -> str:
    return Path(os.readlink(f"/proc/self/fd/{handle}")).name


def _event(handle: int) -> str:
    last = Path(os.readlink(f"/proc/self/fd/{handle}")).read_bytes().splitlines()[-1]
    return last.decode().partition('"event_type":"')[2].partition('"')[0]


if __name__ == "__main__":
    sys.exit(main())
