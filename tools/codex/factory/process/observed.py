"""Which system calls change files, as values: what each does, where, and to what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tools.codex.factory.domain.trespass import Operation

Needs = Literal["nothing", "there", "absent"]
# include/uapi: asm-generic/fcntl.h; the same on x86-64 and aarch64.
CREATES, EXCLUSIVE, PATH_ONLY = 0o100, 0o200, 0o10000000
WRITES = 0o1 | 0o2 | CREATES | 0o1000
"""O_WRONLY, O_RDWR, O_CREAT, O_TRUNC: what opens a file to change it."""


@dataclass(frozen=True, slots=True)
class PathArgument:
    """A path that a call names: its argument, and that of the folder it is relative to.

    Without such a folder it is the working directory. `needs` is what must be at the path, or the
    call changes nothing wherever it points. `follows`: a link there is followed, but where the
    argument `flags` has a bit of `but`.
    """

    path: int
    folder: int | None = None
    needs: Needs = "nothing"
    follows: bool = False
    flags: int | None = None
    but: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A call that changes what lies at its paths.

    `opens`: the argument that says like that of `open` whether it does; `is_pointed`: it only
    points to that.
    """

    operation: Operation
    paths: tuple[PathArgument, ...]
    opens: int | None = None
    is_pointed: bool = False


@dataclass(frozen=True, slots=True)
class Observing:
    """A seccomp program that reports calls, and what the calls are, by number."""

    program: bytes
    calls: Mapping[int, Call]
