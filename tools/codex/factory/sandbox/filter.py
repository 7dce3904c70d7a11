"""Seccomp programs: rules over system calls become what the kernel reads."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

# include/uapi/linux: bpf_common.h, seccomp.h
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW = 0x7FFF0000
NOTIFY = 0x7FC00000
_ERRNO = 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32_BIT = 0x40000000
ENOSYS = 38


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of the lower 32 bits of one argument of a call.

    `is_any`: it holds where any of `values` is equal; else where none is. With `bits` alone it
    holds where any of those bits is set.
    """

    argument: int
    values: tuple[int, ...] = ()
    is_any: bool = True
    bits: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """What the kernel answers to a call: always, or where the one condition holds."""

    number: int
    action: int
    condition: Condition | None = None


def refused_with(error: int) -> int:
    """Return the action that refuses a call with an error number."""
    return _ERRNO | error


def program(audit_code: int, rules: Sequence[Rule], *, foreign: int = ALLOW) -> bytes:
    """Return the program of `rules` for one architecture; the first that fits a call decides.

    `foreign` is the answer to calls of another architecture, which have other numbers.
    """
    lines: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, audit_code),
        (_RETURN, 0, 0, foreign),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if foreign != ALLOW:
        # The 32-bit pointers variant of x86-64 says it is that architecture.
        lines += [(_IF_AT_LEAST, 0, 1, _X32_BIT), (_RETURN, 0, 0, foreign)]
    for rule in rules:
        body = _body(rule)
        lines += [(_IF_EQUAL, 0, len(body), rule.number), *body]
    lines.append((_RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _body(rule: Rule) -> list[tuple[int, int, int, int]]:
    condition, answer = rule.condition, (_RETURN, 0, 0, rule.action)
    if condition is None:
        return [answer]
    # Little-endian: the lower half of an argument comes first.
    load = (_LOAD, 0, 0, _ARGUMENTS + 8 * condition.argument)
    return [load, *_tests(condition), answer, (_LOAD, 0, 0, _NUMBER)]


def _tests(condition: Condition) -> list[tuple[int, int, int, int]]:
    """Return what lets a call through to the answer behind it, or leads past that."""
    if condition.bits:
        return [(_IF_ANY_BIT, 0, 1, condition.bits)]
    left = range(len(condition.values) - 1, -1, -1)
    pairs = list(zip(condition.values, left, strict=True))
    if condition.is_any:
        return [(_IF_EQUAL, more, 0 if more else 1, value) for value, more in pairs]
    return [(_IF_EQUAL, more + 1, 0, value) for value, more in pairs]
