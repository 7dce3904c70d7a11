"""Limits that a process sets on itself before it becomes another program."""

import os
import resource
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def set_limits(limits: Iterable[tuple[int, int]]) -> None:
    """Hold this process to `limits`, for good. One that it is held to already can only shrink."""
    for which, most in limits:
        hard = resource.getrlimit(which)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (allowed, allowed))


def tasks_of(user: int) -> int:
    """Return how many processes and threads `user` has, as the kernel counts them for a limit."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            said = dict(
                line.split(":", 1)
                for line in os.fsdecode((process / "status").read_bytes()).split("\n")
                if ":" in line
            )
            if int(said["Uid"].split()[0]) == user:
                count += int(said["Threads"])
    return count
