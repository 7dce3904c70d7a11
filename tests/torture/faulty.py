"""A world that breaks at its N-th change of a disk: the real front door, one fork a command.

It reads one order a line from stdin, as JSON, and answers each with one line. What breaks is the
process that asks: its own system calls are counted, those of its children are not.
"""

import builtins
import errno
import importlib
import io
import json
import os
import pkgutil
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PLAIN = (
    "rename", "replace", "unlink", "remove", "mkdir", "rmdir", "link", "symlink",
    "fsync", "fdatasync", "ftruncate", "truncate",
)  # fmt: skip
_CREATING = os.O_CREAT | os.O_TRUNC
_real_write, _real_kill = os.write, os.kill


@dataclass(slots=True)
class Fault:
    """What happens at which change: `how` is before, after, torn, tree, or the name of an error.

    An error that ends with a plus is met by every later change, too: a disk stays full.
    """

    at: int = 0
    how: str = ""
    seen: list[str] = field(default_factory=list)

    def met(self, name: str, where: str, act: Callable[[], Any]) -> Any:
        """Let `act` change the disk, unless it is its turn to fail."""
        self.seen.append(f"{name} {where}")
        number = len(self.seen)
        error = self.how.rstrip("+").isupper() and self.how.rstrip("+")
        if error and (number == self.at or (self.how.endswith("+") and number > self.at > 0)):
            code = getattr(errno, error)
            raise OSError(code, os.strerror(code), where)
        if number != self.at or error:
            return act()
        if self.how == "after":
            act()
        elif self.how == "tree":
            _end(_below(os.getpid()))
        _real_kill(os.getpid(), signal.SIGKILL)
        return None

    def written(self, handle: int, content: bytes) -> int:
        """Write to a file, or half of it where that is the fault."""
        if self.how == "torn" and len(self.seen) + 1 == self.at:
            _real_write(handle, bytes(content)[: len(content) // 2])
        done: int = self.met("write", _name(handle), lambda: _real_write(handle, content))
        return done


def _arm(fault: Fault) -> None:
    """Put `fault` between this process and every call of its own that changes a disk."""
    for name in _PLAIN:
        setattr(os, name, _counted(fault, name, getattr(os, name)))
    real_open, real_file = os.open, io.open

    def opened(path: Any, flags: int, *more: Any, **named: Any) -> Any:
        def act() -> int:
            return real_open(path, flags, *more, **named)

        makes = flags & _CREATING and not flags & getattr(os, "O_TMPFILE", 0)
        return fault.met("open", _shown(path, named), act) if makes else act()

    def file_opened(file: Any, mode: str = "r", *more: Any, **named: Any) -> Any:
        def act() -> Any:
            return real_file(file, mode, *more, **named)

        writes = set(mode) & set("wxa") and not isinstance(file, int) and "opener" not in named
        return fault.met("file", _shown(file, {}), act) if writes else act()

    def written(handle: int, content: bytes) -> int:
        is_file = stat.S_ISREG(os.fstat(handle).st_mode)
        return fault.written(handle, content) if is_file else _real_write(handle, content)

    os.open, os.write = opened, written  # type: ignore[assignment]
    io.open = builtins.open = file_opened


def _counted(fault: Fault, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*words: Any, **named: Any) -> Any:
        shown = _name(words[0]) if isinstance(words[0], int) else _shown(words[0], named)
        return fault.met(name, shown, lambda: real(*words, **named))

    return call


def _shown(path: Any, named: dict[str, Any]) -> str:
    above = named.get("dir_fd", named.get("src_dir_fd"))
    place = os.fsdecode(path)
    return place if above is None else f"{_name(above)}/{place}"


def _name(handle: int) -> str:
    with suppress(OSError):
        return os.readlink(f"/proc/self/fd/{handle}")
    return "?"


def _below(pid: int) -> Iterator[int]:
    """Yield every process below `pid`, by what the kernel shows now."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError, IndexError):
                said = Path("/proc", name, "stat").read_bytes().rpartition(b")")[2].split()
                parents[int(name)] = int(said[1])
    waiting = [pid]
    while waiting:
        above = waiting.pop()
        found = [one for one, parent in parents.items() if parent == above]
        yield from found
        waiting += found


def _end(pids: Iterator[int]) -> None:
    """Stop all, then kill all: none sees another die."""
    found = list(pids)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in found:
            with suppress(ProcessLookupError):
                _real_kill(pid, number)


def _carried_out(order: dict[str, Any], out: int, err: int, tally: int) -> None:
    """Be the command that `order` names; never returns."""
    from tools.codex.factory.cli.main import main

    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, handle in enumerate((nothing, out, err)):
        os.dup2(handle, number)
    sys.stdin = os.fdopen(0)
    sys.stdout, sys.stderr = (os.fdopen(one, "w", encoding="utf-8") for one in (1, 2))
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    fault = Fault(**order["fault"])
    _arm(fault)
    try:
        code = main(order["words"])
    except SystemExit as end:
        code = int(end.code or 0)
    sys.stdout.flush()
    sys.stderr.flush()
    _real_write(tally, json.dumps(fault.seen).encode())
    os._exit(code)


def _answer(order: dict[str, Any]) -> dict[str, Any]:
    """Carry out one order in a fork; return its exit code (negative: a signal) and what it said."""
    files = [os.memfd_create(name) for name in ("out", "err", "tally")]
    child = os.fork()
    if child == 0:
        _carried_out(order, *files)
    _, status = os.waitpid(child, 0)
    said = []
    for handle in files:
        os.lseek(handle, 0, os.SEEK_SET)
        with os.fdopen(handle, "rb") as file:
            said.append(file.read().decode("utf-8", "replace"))
    code = os.waitstatus_to_exitcode(status)
    seen = json.loads(said[2]) if said[2] else []
    return {"code": code, "out": said[0], "err": said[1], "seen": seen}


def _warm() -> None:
    """Import the house once, for every fork."""
    import git
    import jsonschema
    import pathspec
    import pydantic
    import rich.live
    import rich.table

    import tools.codex.factory as house

    assert all((git, jsonschema, pathspec, pydantic, rich))
    for found in pkgutil.walk_packages(house.__path__, f"{house.__name__}."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)


def serve() -> None:
    """Answer orders until stdin ends."""
    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    _warm()
    for line in orders:
        answers.write(json.dumps(_answer(json.loads(line))).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    serve()
