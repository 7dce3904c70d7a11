"""Which writes lie outside what a command may write."""

import pytest

from tools.codex.factory.domain.confined import Confined, confined_from
from tools.codex.factory.domain.confinement import Confinement, Tier
from tools.codex.factory.domain.trespass import (
    MOST_KEPT,
    Operation,
    Seen,
    Trespass,
    bounds,
    is_stopped,
    together,
)

OWN, OUTSIDE, CACHE = "own", "outside", "cache"


def kinds(tier: Tier, *paths: str) -> list[str]:
    """Return whose a write to each of `paths` is, to a worker with a few folders."""
    confinement = Confinement(
        role="worker",
        tier=tier,
        writable=("/work/a", "/home/me/.cache/x", "/runs/shown/own"),
        readable=("/work/a/.git/hooks", "/tmp/shown", "/runs"),
        hidden=("/home/me/.ssh", "/work/a/secret"),
    )
    where = bounds(confinement)
    return [where.kind(path) for path in paths]


def a_trespass(path: str, *, count: int = 1, operation: Operation = "write") -> Trespass:
    """Return a trespass of `sh`."""
    return Trespass(operation=operation, path=path, program="sh", count=count)


@pytest.mark.parametrize("tier", ["bubblewrap", "landlock"])
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/work/a", OWN),
        ("/work/a/b/c", OWN),
        ("/work/ab", OUTSIDE),
        ("/work", OUTSIDE),
        ("/", OUTSIDE),
        ("/work/a/.git/hooks", OUTSIDE),
        ("/work/a/.git/hooks/pre-commit", OUTSIDE),
        ("/work/a/.git/hooks2", OWN),
        ("/work/a/secret/x", OUTSIDE),
        ("/runs/ledger", OUTSIDE),
        ("/runs/shown", OUTSIDE),
        ("/runs/shown/own/x", OWN),
        ("/home/me/.ssh/id", OUTSIDE),
        ("/home/me/.cache/x/y", OWN),
        ("/tmp/shown/x", OUTSIDE),
        ("/dev/null", OWN),
        ("/dev/zero", OWN),
        ("/dev/full", OWN),
        ("/dev/random", OWN),
        ("/dev/urandom", OWN),
        ("/dev/tty", OWN),
        ("/dev/ptmx", OWN),
        ("/dev/pts/3", OWN),
        ("/proc/self/oom_score_adj", OWN),
        ("/proc/self/fd/1", OWN),
        ("/proc/thread-self/comm", OWN),
        ("/proc/selfish", OUTSIDE),
        ("/proc/sys/kernel/core_pattern", OUTSIDE),
        ("/proc/sysrq-trigger", OUTSIDE),
        ("/usr/lib/python3/x.py", OUTSIDE),
        ("/usr/lib/python3/__pycache__", CACHE),
        ("/usr/lib/python3/__pycache__/x.cpython-311.pyc.140231", CACHE),
        ("/usr/lib/python3/x.pyc", CACHE),
        ("/usr/lib/python3/x.pyo", CACHE),
        ("/usr/lib/python3/x.pyc.tar", OUTSIDE),
        ("/usr/lib/python3/x__pycache__/y", OUTSIDE),
        ("/work/a/__pycache__/x.pyc", OWN),
        ("/home/me/.ssh/__pycache__/x.pyc", OUTSIDE),
        ("/work/a\n/x", OUTSIDE),
        ("/work/a/\udcff", OWN),
        ("/?", OUTSIDE),
    ],
)
def test_the_innermost_folder_decides(tier: Tier, path: str, kind: str) -> None:
    assert kinds(tier, path) == [kind]


@pytest.mark.parametrize(
    "path",
    ["/tmp", "/tmp/x", "/var/tmp/x", "/run/x", "/dev/sda", "/proc/4711/comm"],
)
def test_only_bubblewrap_gives_folders_of_their_own(path: str) -> None:
    assert (kinds("bubblewrap", path), kinds("landlock", path)) == ([OWN], [OUTSIDE])


def test_a_semaphore_is_no_trespass_where_landlock_lets_it_be_made() -> None:
    tiers: tuple[Tier, ...] = ("bubblewrap", "landlock", "unconfined")

    assert [kinds(tier, "/dev/shm/sem.x") for tier in tiers] == [[OWN], [OWN], [OUTSIDE]]


def test_the_root_may_be_writable() -> None:
    where = bounds(Confinement(role="worker", tier="landlock", writable=("/",), readable=("/etc",)))

    assert [where.kind(path) for path in ("/", "/opt/x", "/etc/passwd")] == [OWN, OWN, OUTSIDE]


@pytest.mark.parametrize("operation", ["chmod", "chown", "utime", "xattr"])
def test_landlock_does_not_stop_a_change_of_attributes(operation: Operation) -> None:
    tiers: tuple[Tier, ...] = ("bubblewrap", "landlock", "unconfined")

    assert [is_stopped(operation, tier) for tier in tiers] == [True, False, False]


@pytest.mark.parametrize("operation", ["write", "mkdir", "remove", "rename", "truncate"])
def test_landlock_stops_a_change_of_content(operation: Operation) -> None:
    tiers: tuple[Tier, ...] = ("bubblewrap", "landlock", "unconfined")

    assert [is_stopped(operation, tier) for tier in tiers] == [True, True, False]


def test_what_several_commands_tried_is_one_sum() -> None:
    first = Seen(trespasses=(a_trespass("/a", count=2), a_trespass("/b")), beyond=3, caches=1)
    second = Seen(trespasses=(a_trespass("/c"), a_trespass("/a", count=5)), beyond=4, caches=1)

    assert together([first, second]) == Seen(
        trespasses=(a_trespass("/a", count=7), a_trespass("/b"), a_trespass("/c")),
        beyond=7,
        caches=2,
    )


def test_of_many_only_so_many_are_kept_and_the_rest_is_counted() -> None:
    several = [Seen(trespasses=(a_trespass(f"/{n}", count=2),)) for n in range(MOST_KEPT + 5)]

    sum_of_all = together(several)

    assert len(sum_of_all.trespasses) == MOST_KEPT
    assert sum_of_all.beyond == 10


GOOD = {
    "tier": "landlock",
    "demand": "auto",
    "weaker": "bwrap is not on PATH",
    "observed": True,
    "unobserved": "",
    "trespasses": [{"operation": "write", "path": "/x", "program": "sh", "count": 2}],
    "beyond": 1,
    "caches": 0,
}
A_WRITE = GOOD["trespasses"][0]  # type: ignore[index]


def test_what_a_supervisor_says_is_read_back() -> None:
    assert confined_from(GOOD) == Confined(
        tier="landlock",
        demand="auto",
        weaker="bwrap is not on PATH",
        observed=True,
        trespasses=(a_trespass("/x", count=2),),
        beyond=1,
    )
    assert confined_from(None) is None


@pytest.mark.parametrize(
    "more",
    [
        {"tier": "chroot"},
        {"tier": ["landlock"]},
        {"demand": "please"},
        {"weaker": 3},
        {"weaker": "x" * 2001},
        {"weaker": "half a character: \ud800"},
        {"observed": 1},
        {"observed": False},
        {"unobserved": "EBUSY"},
        {"observed": False, "unobserved": "EBUSY"},
        {"beyond": -1},
        {"beyond": True},
        {"beyond": 1 << 54},
        {"caches": "0"},
        {"trespasses": None},
        {"trespasses": [A_WRITE] * 201},
        {"trespasses": [{**A_WRITE, "operation": "open"}]},
        {"trespasses": [{**A_WRITE, "operation": []}]},
        {"trespasses": [{**A_WRITE, "path": "x"}]},
        {"trespasses": [{**A_WRITE, "path": ""}]},
        {"trespasses": [{**A_WRITE, "path": "/\0"}]},
        {"trespasses": [{**A_WRITE, "path": "/" * 4097}]},
        {"trespasses": [{**A_WRITE, "path": "/\ud800"}]},
        {"trespasses": [{**A_WRITE, "path": None}]},
        {"trespasses": [{**A_WRITE, "program": "x" * 256}]},
        {"trespasses": [{**A_WRITE, "count": 0.5}]},
        {"trespasses": [{**A_WRITE, "more": 1}]},
        {"trespasses": ["write"]},
        {"more": 1},
    ],
)
def test_what_no_supervisor_says_is_refused(more: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        confined_from({**GOOD, **more})
