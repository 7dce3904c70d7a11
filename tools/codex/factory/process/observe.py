"""What a command tries to write outside: each such call looked at, and always let go on."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from tools.codex.factory.domain.trespass import (
    MOST_KEPT,
    MOST_PROGRAM,
    Bounds,
    Operation,
    Seen,
    Trespass,
)
from tools.codex.factory.process.listener import Notice, Notices
from tools.codex.factory.process.observed import (
    CREATES,
    EXCLUSIVE,
    PATH_ONLY,
    WRITES,
    Call,
    Needs,
    PathArgument,
)
from tools.codex.factory.process.reach import MemoryRefused, Reach, is_ours, program_of, reach

_MOST_ROUNDS = 64
_UNREADABLE = "the kernel lets nobody read what the calls point to"


@dataclass(frozen=True, slots=True)
class _Aim:
    """What one call does where, by its flags too."""

    argument: PathArgument
    follows: bool
    needs: Needs


class Observer:
    """Looks at the calls that are reported to it, and lets each go on.

    It never decides: what the kernel refuses it refuses anyway. `wrapper` is the device and inode
    of the program that sets up the confinement, whose own calls are none of the command's.
    """

    def __init__(
        self,
        handle: int,
        *,
        calls: Mapping[int, Call],
        bounds: Bounds,
        wrapper: tuple[int, int] | None = None,
    ) -> None:
        self._notices = Notices(handle)
        self._calls = calls
        self._bounds = bounds
        self._wrapper = wrapper
        self._counts: dict[tuple[Operation, str, str], int] = {}
        self._beyond = 0
        self._caches = 0
        self._read = 0
        self._refused = 0

    def fileno(self) -> int:
        """Return what becomes readable once a call waits for an answer."""
        return self._notices.fileno()

    def answer(self) -> bool:
        """Answer what waits, and return whether any more can come.

        Rounds are counted: a flood has no end, and whoever calls has other things to look after.
        """
        for _ in range(_MOST_ROUNDS):
            waits, is_over = self._notices.state()
            if not waits:
                return not is_over
            notice = self._notices.next()
            if notice is not None:
                try:
                    self._look_at(notice)
                finally:
                    self._notices.let_go_on(notice)
        return True

    def seen(self) -> Seen:
        """Return what was tried so far."""
        return Seen(
            trespasses=tuple(
                Trespass(operation=operation, path=path, program=program, count=count)
                for (operation, path, program), count in self._counts.items()
            ),
            beyond=self._beyond,
            caches=self._caches,
        )

    def unobserved(self) -> str:
        """Return why nothing was observed though calls were reported; "" where it was."""
        return _UNREADABLE if self._refused and not self._read else ""

    def close(self) -> None:
        """Stop. Only once nobody is left: who is still observed can write nothing from now on."""
        self._notices.close()

    def _look_at(self, notice: Notice) -> None:
        call = self._calls.get(notice.number)
        if call is None:
            return
        try:
            # Whoever waits may be killed, or point nowhere.
            with suppress(OSError, ValueError), reach(notice.task) as process:
                found = _outside(call, notice, process, self._bounds)
                self._read += 1
                if found and self._notices.is_waiting(notice):
                    self._count(call.operation, found, notice.task)
        except MemoryRefused:
            self._refused += 1

    def _count(self, operation: Operation, paths: list[str], task: int) -> None:
        program, file = program_of(task)
        if file == self._wrapper or is_ours(task):
            return
        for path in paths:
            if self._bounds.kind(path, operation) == "cache":
                self._caches += 1
                continue
            key = (operation, path, program[:MOST_PROGRAM])
            if key in self._counts or len(self._counts) < MOST_KEPT:
                self._counts[key] = self._counts.get(key, 0) + 1
            else:
                self._beyond += 1


def _outside(call: Call, notice: Notice, process: Reach, bounds: Bounds) -> list[str]:
    """Return the paths outside that a call would change something at."""
    found = []
    for aim in _aims(call, notice, process):
        named = aim.argument
        folder = None if named.folder is None else notice.arguments[named.folder]
        path = process.path(notice.arguments[named.path], folder, follows=aim.follows)
        if path is None or bounds.kind(path) == "own":
            continue
        if bounds.hides(path) or _has_effect(aim.needs, path, process):
            found.append(path)
    return found


def _has_effect(needs: Needs, path: str, process: Reach) -> bool:
    """Return whether a call would change anything if it were let: `mkdir -p` asks for all above."""
    if needs == "there":
        return process.has(path)
    is_there = process.has(path)
    if needs == "absent" and is_there:
        return False
    return is_there or process.has(path.rpartition("/")[0])


def _aims(call: Call, notice: Notice, process: Reach) -> list[_Aim]:
    arguments = notice.arguments
    if call.opens is None:
        return [_Aim(named, _follows(named, arguments), named.needs) for named in call.paths]
    flags = arguments[call.opens]
    if call.is_pointed:
        flags = process.number(flags)
    if not flags & WRITES or flags & PATH_ONLY:
        return []
    needs: Needs = "there"
    if flags & CREATES:
        needs = "absent" if flags & EXCLUSIVE else "nothing"
    # What must be new follows no link either.
    follows = needs != "absent" and not flags & os.O_NOFOLLOW
    return [_Aim(named, follows, needs) for named in call.paths]


def _follows(named: PathArgument, arguments: tuple[int, ...]) -> bool:
    return named.follows and (named.flags is None or not arguments[named.flags] & named.but)
