"""What bounds a worker on this host: each limit, and what enforces it, asked by setting it once."""

import os
import sys

from tools.codex.factory.domain.confinement import Quota
from tools.codex.factory.domain.fitness import Row, noted, ok
from tools.codex.factory.domain.wording import sized
from tools.codex.factory.process.cgroup import Bound, grouped

_ASKED = Quota(memory_bytes=1 << 30, processes=64)
_SCOPE = (
    "systemd-run {user}--scope -p Delegate=yes sh -c 'cd /sys/fs/cgroup$(cut -d: -f3 "
    "/proc/self/cgroup) && mkdir main && echo $$ > main/cgroup.procs && echo +pids +memory > "
    'cgroup.subtree_control; cd "$OLDPWD"; exec "$SHELL"\' starts a shell that may bound what it '
    "starts; in a container, its runtime must let /sys/fs/cgroup be written"
)
_NO_GROUP = "only Linux has control groups"


def limit_rows(quota: Quota, *, log_bytes: int) -> tuple[Row, ...]:
    """Return a row for each limit on what one worker or check may take, and what enforces it."""
    group = grouped(processes=_ASKED.processes, memory_bytes=_ASKED.memory_bytes)
    processes, memory = group.processes, group.memory
    group.remove()
    watched = "its supervisor looks every 2 seconds, or less often where a look takes long"
    return (
        _processes_row(_limit(f"{quota.processes:,}", "sandbox.processes"), processes),
        _memory_row(_limit(sized(quota.memory_bytes), "sandbox.memory_bytes"), memory),
        _row("a file", f"RLIMIT_FSIZE: {_limit(sized(quota.file_bytes), 'sandbox.file_bytes')}"),
        _row(
            "the checkout",
            f"{watched}, and ends a worker that fills the disk too: "
            f"{_limit(sized(quota.checkout_bytes), 'sandbox.checkout_bytes')}",
        ),
        _row("logs", f"its supervisor drops the middle: {sized(log_bytes)} (work.log_bytes)"),
        _row("the outbox", "only three texts are taken from it, each of at most 1.0 MiB"),
    )


def _processes_row(limit: str, bound: Bound) -> Row:
    if bound.by:
        return _row("processes", f"{bound.by}: {limit}")
    if os.geteuid() == 0:
        remedy = f"run as a user who is not root, whom RLIMIT_NPROC holds; or {_remedy()}"
        return _unkept("processes", f"nothing enforces it: {bound.why_not}", remedy)
    alone = "RLIMIT_NPROC alone, which counts all that this user runs"
    return _unkept("processes", f"{alone}: {limit}; {bound.why_not}", _remedy())


def _memory_row(limit: str, bound: Bound) -> Row:
    if bound.by:
        return _row("memory", f"{bound.by}, and RLIMIT_DATA of each process: {limit}")
    if sys.platform != "linux":
        return _unkept("memory", f"nothing enforces it: {_NO_GROUP}", "")
    alone = "RLIMIT_DATA of each process, and nothing for all together"
    return _unkept("memory", f"{alone}: {limit}; {bound.why_not}", _remedy())


def _remedy() -> str:
    if sys.platform != "linux":
        return _NO_GROUP
    return _SCOPE.format(user="" if os.geteuid() == 0 else "--user ")


def _limit(shown: str, setting: str) -> str:
    return f"no limit is set ({setting})" if shown in ("0", "0 B") else f"{shown} ({setting})"


def _row(what: str, said: str) -> Row:
    return ok("confinement", f"limit on {what}", said)


def _unkept(what: str, said: str, remedy: str) -> Row:
    return noted("confinement", f"limit on {what}", said, remedy)
