"""Writes that a command tried outside what it may write: which those are, and their sum."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from tools.codex.factory.domain.confinement import (
    DEVICES,
    PRIVATE,
    SHARED_MEMORY,
    Confinement,
    Tier,
    is_within,
)

Operation = Literal[
    "write", "mkdir", "remove", "rename", "link", "symlink", "mknod", "truncate",
    "chmod", "chown", "utime", "xattr",
]  # fmt: skip
Kind = Literal["own", "cache", "outside"]
MOST_KEPT = 200
"""How many trespasses of one command are kept by name."""
MOST_PATH = 4096
MOST_PROGRAM = 255
_OF_ITSELF = ("/proc/self", "/proc/thread-self")
# What a tier lets each command write beside: its own copy, or what it shares with all others.
_BESIDE: dict[Tier, tuple[str, ...]] = {
    "bubblewrap": (*PRIVATE, "/dev"),
    "landlock": (SHARED_MEMORY,),
    "unconfined": (),
}
_PROCESS = re.compile(r"/proc/[0-9]+(?:/|$)")
_CACHE = re.compile(r"/__pycache__(?:/|$)|\.py[co](?:\.[0-9]+)?$")
# git renews the times of objects that it meets, in stores that it only borrows from too.
_OBJECT = re.compile(r"/objects/(?:[0-9a-f]{2}/[0-9a-f]{38}|pack/pack-[0-9a-f]{40}\.[a-z]+)$")
# Landlock has no right for these.
_ATTRIBUTES = frozenset({"chmod", "chown", "utime", "xattr"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trespass:
    """A write outside that was tried `count` times. `program` is the file that ran, by name."""

    operation: Operation
    path: str
    program: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was tried: trespasses, how many more beyond those that are kept, writes of caches."""

    trespasses: tuple[Trespass, ...] = ()
    beyond: int = 0
    caches: int = 0


NOTHING = Seen()
"""Nothing was tried, or seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Where a command may write: of folders that hold each other, the innermost decides.

    `hidden` look empty to it. `sees_only_own`: the processes below /proc are all its own.
    """

    is_own: Mapping[str, bool]
    hidden: tuple[str, ...] = ()
    sees_only_own: bool = False

    def kind(self, path: str, operation: Operation = "write") -> Kind:
        """Return whose a write to `path` is: its own, one that programs try by habit, or outside.

        By habit Python writes its caches, and git renews the times of objects.
        """
        if self._holds(path):
            return "own"
        by_habit = _CACHE.search(path) or (operation == "utime" and _OBJECT.search(path))
        return "cache" if by_habit and not self.hides(path) else "outside"

    def hides(self, path: str) -> bool:
        """Return whether `path` is, or lies in, what looks empty."""
        return is_within(path, self.hidden)

    def _holds(self, path: str) -> bool:
        folder = path
        while folder:
            if folder in self.is_own:
                return self.is_own[folder]
            folder = folder.rpartition("/")[0]
        if self.sees_only_own and _PROCESS.match(path):
            return True
        return self.is_own.get("/", False)


UNBOUND = Bounds(is_own={"/": True})
"""Whatever is written is the command's own."""


def bounds(confinement: Confinement) -> Bounds:
    """Return where a command of this confinement may write."""
    beside = _BESIDE[confinement.tier]
    own = dict.fromkeys((*DEVICES, *_OF_ITSELF, *beside), True)
    own |= dict.fromkeys(confinement.writable, True)
    own |= dict.fromkeys((*confinement.readable, *confinement.hidden), False)
    sees_only_own = confinement.tier == "bubblewrap"
    return Bounds(is_own=own, hidden=confinement.hidden, sees_only_own=sees_only_own)


def is_stopped(operation: Operation, tier: Tier) -> bool:
    """Return whether a tier stops such a write outside."""
    return tier == "bubblewrap" or (tier == "landlock" and operation not in _ATTRIBUTES)


def together(several: Iterable[Seen]) -> Seen:
    """Return what was seen of several commands as one."""
    kept: dict[tuple[str, str, str], Trespass] = {}
    beyond = caches = 0
    for seen in several:
        beyond += seen.beyond
        caches += seen.caches
        for one in seen.trespasses:
            key = (one.operation, one.path, one.program)
            if key in kept:
                kept[key] = replace(one, count=kept[key].count + one.count)
            elif len(kept) < MOST_KEPT:
                kept[key] = one
            else:
                beyond += one.count
    return Seen(trespasses=tuple(kept.values()), beyond=beyond, caches=caches)
