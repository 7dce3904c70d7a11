"""The program that reports writes, read as the kernel reads it, over all calls there are."""

import struct

import pytest

from tools.codex.factory.sandbox.calls import ARCHITECTURES
from tools.codex.factory.sandbox.observing import observing

ALLOW, NOTIFY = 0x7FFF0000, 0x7FC00000
ENOSYS, EPERM = 0x00050000 | 38, 0x00050000 | 1
WRONLY, RDWR, CREAT, TRUNC = 0o1, 0o2, 0o100, 0o1000
HARMLESS = (0, 0o4, 0o200, 0o400, 0o2000, 0o4000, 0o200000, 0o400000, 0o2000000, 0o10000000)
READING = {"x86_64": "open openat", "aarch64": "openat"}
# What a child does between fork and exec, by what CPython's _posixsubprocess calls; and exec.
BEFORE_EXEC = {
    "x86_64": {
        "read": 0, "write": 1, "close": 3, "rt_sigaction": 13, "rt_sigprocmask": 14, "dup2": 33,
        "execve": 59, "fcntl": 72, "chdir": 80, "fchdir": 81, "umask": 95, "setregid": 114,
        "setreuid": 113, "setgroups": 116, "setpgid": 109, "setsid": 112, "prctl": 157,
        "getdents64": 217, "exit_group": 231, "dup3": 292, "prlimit64": 302, "execveat": 322,
        "close_range": 436, "vfork": 58, "clone": 56, "clone3": 435, "capset": 126,
    },
    "aarch64": {
        "dup3": 24, "fcntl": 25, "chdir": 49, "fchdir": 50, "close": 57, "getdents64": 61,
        "read": 63, "write": 64, "capset": 91, "exit_group": 94, "rt_sigaction": 134,
        "rt_sigprocmask": 135, "setregid": 143, "setreuid": 145, "setpgid": 154, "setsid": 157,
        "setgroups": 159, "umask": 166, "prctl": 167, "clone": 220, "execve": 221,
        "prlimit64": 261, "execveat": 281, "clone3": 435, "close_range": 436,
    },
}  # fmt: skip
MACHINES = pytest.mark.parametrize("machine", sorted(ARCHITECTURES))


def answer(program: bytes, number: int, arguments: tuple[int, ...], audit_code: int) -> int:
    """Return what the kernel does with a call, by a program of the kind that it reads."""
    said = struct.pack("<IIQ6Q", number, audit_code, 0, *arguments, *[0] * (6 - len(arguments)))
    lines = list(struct.iter_unpack("=HBBI", program))
    value, at = 0, 0
    while True:
        code, then, otherwise, constant = lines[at]
        at += 1
        if code == 0x06:
            return int(constant)
        if code == 0x20:
            value = struct.unpack_from("<I", said, constant)[0]
            continue
        holds = {0x15: value == constant, 0x35: value >= constant, 0x45: bool(value & constant)}
        at += then if holds[code] else otherwise


def answers(machine: str, *arguments: int) -> dict[int, int]:
    """Return the answer to each call number there may be, with these arguments."""
    known = observing(machine)
    assert known is not None
    audit_code = ARCHITECTURES[machine].audit_code
    return {number: answer(known.program, number, arguments, audit_code) for number in range(1024)}


@MACHINES
def test_every_call_that_changes_files_is_reported_and_no_other(machine: str) -> None:
    known = observing(machine)
    names = {number: name for name, number in ARCHITECTURES[machine].numbers.items()}

    said = answers(machine, 1, 1, 1, 1, 1)

    assert known is not None
    reported = {number for number, what in said.items() if what == NOTIFY}
    assert reported == set(known.calls)
    assert {names[number] for number, what in said.items() if what not in (NOTIFY, ALLOW)} == {
        "io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd",
    }  # fmt: skip
    assert {said[number] for number in (425, 426, 427)} == {ENOSYS}
    assert said[ARCHITECTURES[machine].numbers["userfaultfd"]] == EPERM


def test_the_calls_are_those_that_the_kernel_has() -> None:
    new = {
        "openat", "openat2", "mkdirat", "unlinkat", "renameat", "renameat2", "linkat", "symlinkat",
        "mknodat", "truncate", "fchmodat", "fchmodat2", "fchownat", "utimensat", "setxattr",
        "lsetxattr", "removexattr", "lremovexattr", "setxattrat", "removexattrat", "file_setattr",
    }  # fmt: skip
    old = {
        "open", "creat", "mkdir", "rmdir", "unlink", "rename", "link", "symlink", "mknod", "chmod",
        "chown", "lchown", "utime", "utimes", "futimesat",
    }  # fmt: skip

    names = {
        machine: {name for name, number in one.numbers.items() if number in known.calls}
        for machine, one in ARCHITECTURES.items()
        if (known := observing(machine)) is not None
    }

    assert names == {"x86_64": new | old, "aarch64": new}


@MACHINES
@pytest.mark.parametrize("more", HARMLESS)
def test_a_file_opened_to_be_read_is_not_reported(machine: str, more: int) -> None:
    numbers = ARCHITECTURES[machine].numbers
    flags = {"open": (0, more, 0o777), "openat": (0, 0, more, 0o777)}

    said = {
        name: answers(machine, *flags[name])[numbers[name]] for name in READING[machine].split()
    }

    assert set(said.values()) == {ALLOW}


@MACHINES
@pytest.mark.parametrize("more", HARMLESS)
@pytest.mark.parametrize("writes", [WRONLY, RDWR, CREAT, TRUNC, WRONLY | CREAT | TRUNC])
def test_a_file_opened_to_be_written_is_reported(machine: str, writes: int, more: int) -> None:
    numbers = ARCHITECTURES[machine].numbers
    flags = {"open": (0, writes | more, 0), "openat": (0, 0, writes | more, 0)}

    said = {
        name: answers(machine, *flags[name])[numbers[name]] for name in READING[machine].split()
    }

    assert set(said.values()) == {NOTIFY}


@MACHINES
def test_nothing_between_a_fork_and_its_exec_is_reported(machine: str) -> None:
    every_bit = (1 << 64) - 1

    said = answers(machine, *[every_bit] * 6)

    assert {name: said[number] for name, number in BEFORE_EXEC[machine].items()} == dict.fromkeys(
        BEFORE_EXEC[machine], ALLOW
    )


@MACHINES
def test_calls_of_another_architecture_are_not_taken_for_ours(machine: str) -> None:
    known = observing(machine)
    assert known is not None

    said = {answer(known.program, number, (1, 1, 1), 0x40000003) for number in range(1024)}

    assert said == {ALLOW}


def test_an_architecture_without_numbers_has_no_program() -> None:
    assert observing("riscv64") is None
