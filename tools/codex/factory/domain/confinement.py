"""What a command may write, read and reach, and what keeps it to that."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from tools.codex.factory.domain.finding import Code, Finding, blocking

Role = Literal["worker", "check", "integrator"]
Demand = Literal["required", "auto", "off"]
Tier = Literal["bubblewrap", "landlock", "unconfined"]
TIERS: tuple[Tier, ...] = ("bubblewrap", "landlock", "unconfined")
"""What can confine a command, the strongest first."""
PRIVATE = ("/tmp", "/var/tmp", "/run", "/dev/shm")
"""What bubblewrap makes anew for every command: what lies there else is not seen."""
SHARED_MEMORY = "/dev/shm"
"""Under Landlock it is shared with all others; without it there are no semaphores."""
DEVICES = (
    *("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"),
    *("/dev/tty", "/dev/ptmx", "/dev/pts"),
)
"""What every command may write that is no file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How much a command may take, with all that it starts; 0 stands for no limit.

    `memory_bytes` is what it may hold at once, `file_bytes` the size of one file, `checkout_bytes`
    what lies in its checkout and its own folders, `processes` how many run at a time.
    """

    memory_bytes: int = 0
    file_bytes: int = 0
    checkout_bytes: int = 0
    processes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What one command may do. Paths are absolute, links in them resolved.

    `demand` is what the operator asked; `weaker` says why no stronger tier keeps it, `is_refused`
    that it is too weak to begin. `program` is what the tier is made with, where it takes one;
    `unshare` is what keeps it apart from later mounts.

    Of two paths that hold each other the inner one decides. `writable` may be written; `readable`
    is shown, read-only, also where it lies in what is hidden or in a private folder; the folders
    in `hidden` and the files in `hidden_files` look empty, or cannot be opened. Anything else can
    be read. `network`: other hosts can be reached; without it only what listens within;
    `setup_network`: the same for what prepares the command. `nests`: it may confine what it starts
    itself. `has_home`: it gets a home and caches of its own. `observes`: what it tries to write
    outside is noted.
    """

    role: Role
    tier: Tier
    demand: Demand = "off"
    weaker: str = ""
    is_refused: bool = False
    program: str = ""
    unshare: str = ""
    writable: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    hidden_files: tuple[str, ...] = ()
    network: bool = True
    setup_network: bool = True
    has_home: bool = False
    nests: bool = True
    observes: bool = True
    quota: Quota = Quota()

    @property
    def is_kept(self) -> bool:
        """Return whether the kernel keeps it."""
        return self.tier != "unconfined"


FREE = Confinement(role="worker", tier="unconfined", observes=False)
"""Nothing is kept."""


def confinement_from(said: dict[str, Any]) -> Confinement:
    """Return the confinement that `dataclasses.asdict` made `said` of, after a way through JSON."""
    paths = ("writable", "readable", "hidden", "hidden_files")
    tuples = {name: tuple(said[name]) for name in paths}
    return Confinement(**{**said, **tuples, "quota": Quota(**said["quota"])})


def refusal(confinement: Confinement, who: str) -> tuple[Finding, ...]:
    """Return what blocks a run where nothing here keeps `who` as it is required."""
    if not confinement.is_refused:
        return ()
    message = f"it is to be confined, and here it would be {confinement.tier}"
    hint = (
        f"{confinement.weaker}; `factory doctor` says what helps; or take less "
        "(sandbox.least, sandbox.mode)"
    )
    return (blocking(Code.SANDBOX_WEAKER, f"{who}: confinement", message, hint),)


def is_weaker(tier: Tier, least: Tier) -> bool:
    """Return whether `tier` confines less than `least`."""
    return TIERS.index(tier) > TIERS.index(least)


def is_within(path: str, folders: Iterable[str]) -> bool:
    """Return whether `path` is one of `folders`, or lies below one."""
    return any(path == folder or path.startswith(f"{folder.rstrip('/')}/") for folder in folders)
