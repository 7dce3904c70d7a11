"""The seccomp program that reports calls which change files; which arguments are their paths."""

from dataclasses import replace

from tools.codex.factory.domain.trespass import Operation
from tools.codex.factory.process.observed import WRITES, Call, Observing, PathArgument
from tools.codex.factory.sandbox.calls import ARCHITECTURES
from tools.codex.factory.sandbox.filter import (
    ENOSYS,
    NOTIFY,
    Condition,
    Rule,
    program,
    refused_with,
)

# include/uapi: fcntl.h
_AT_NOFOLLOW = 0x100
_EPERM = 1
# They would change files unseen, or make whoever reads the paths wait for ever.
_BLINDING = {
    "io_uring_setup": ENOSYS, "io_uring_enter": ENOSYS, "io_uring_register": ENOSYS,
    "userfaultfd": _EPERM,
}  # fmt: skip


def _made(path: int, folder: int | None = None) -> tuple[PathArgument, ...]:
    return (PathArgument(path, folder, needs="absent"),)


def _there(path: int, folder: int | None = None) -> tuple[PathArgument, ...]:
    return (PathArgument(path, folder, needs="there"),)


def _behind(
    path: int, folder: int | None = None, flags: int | None = None
) -> tuple[PathArgument, ...]:
    but = _AT_NOFOLLOW if flags is not None else 0
    return (PathArgument(path, folder, needs="there", follows=True, flags=flags, but=but),)


def _moved(source: PathArgument, target: PathArgument) -> tuple[PathArgument, ...]:
    return (replace(source, needs="there"), target)


_OPENED = PathArgument(0)
_OPENED_AT = PathArgument(1, 0)
# By which argument they open; the program can look into none that only points there.
_FLAGS_OF = {"open": 1, "openat": 2, "openat2": 2}
_POINTED = {"openat2"}
_PATHS: dict[str, tuple[Operation, tuple[PathArgument, ...]]] = {
    "open": ("write", (_OPENED,)),
    "openat": ("write", (_OPENED_AT,)),
    "openat2": ("write", (_OPENED_AT,)),
    "creat": ("write", (_OPENED,)),
    "mkdir": ("mkdir", _made(0)),
    "mkdirat": ("mkdir", _made(1, 0)),
    "rmdir": ("remove", _there(0)),
    "unlink": ("remove", _there(0)),
    "unlinkat": ("remove", _there(1, 0)),
    "rename": ("rename", _moved(PathArgument(0), PathArgument(1))),
    "renameat": ("rename", _moved(PathArgument(1, 0), PathArgument(3, 2))),
    "renameat2": ("rename", _moved(PathArgument(1, 0), PathArgument(3, 2))),
    # A new name inside for a file outside changes nothing outside.
    "link": ("link", _made(1)),
    "linkat": ("link", _made(3, 2)),
    "symlink": ("symlink", _made(1)),
    "symlinkat": ("symlink", _made(2, 1)),
    "mknod": ("mknod", _made(0)),
    "mknodat": ("mknod", _made(1, 0)),
    "truncate": ("truncate", _behind(0)),
    "chmod": ("chmod", _behind(0)),
    "fchmodat": ("chmod", _behind(1, 0)),
    "fchmodat2": ("chmod", _behind(1, 0, flags=3)),
    "chown": ("chown", _behind(0)),
    "lchown": ("chown", _there(0)),
    "fchownat": ("chown", _behind(1, 0, flags=4)),
    "utime": ("utime", _behind(0)),
    "utimes": ("utime", _behind(0)),
    "futimesat": ("utime", _behind(1, 0)),
    "utimensat": ("utime", _behind(1, 0, flags=3)),
    "setxattr": ("xattr", _behind(0)),
    "lsetxattr": ("xattr", _there(0)),
    "removexattr": ("xattr", _behind(0)),
    "lremovexattr": ("xattr", _there(0)),
    "setxattrat": ("xattr", _behind(1, 0, flags=2)),
    "removexattrat": ("xattr", _behind(1, 0, flags=2)),
    "file_setattr": ("xattr", _behind(1, 0, flags=4)),
}


def observing(machine: str) -> Observing | None:
    """Return what reports writes on an architecture; None for one without a filter.

    What runs between a fork and its exec is never reported: who answers may wait for the exec.
    """
    architecture = ARCHITECTURES.get(machine)
    if architecture is None:
        return None
    numbers = architecture.numbers
    rules = [
        Rule(numbers[name], refused_with(error))
        for name, error in _BLINDING.items()
        if name in numbers
    ]
    calls = {}
    for name, (operation, paths) in _PATHS.items():
        if name not in numbers:
            continue
        opens, is_pointed = _FLAGS_OF.get(name), name in _POINTED
        calls[numbers[name]] = Call(operation, paths, opens, is_pointed)
        is_tested = opens is not None and not is_pointed
        condition = Condition(opens, bits=WRITES) if opens is not None and is_tested else None
        rules.append(Rule(numbers[name], NOTIFY, condition))
    return Observing(program(architecture.audit_code, rules), calls)
