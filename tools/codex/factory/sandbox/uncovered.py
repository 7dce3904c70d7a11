"""What a tier does not keep a command from, in words."""

from tools.codex.factory.domain.confinement import Confinement
from tools.codex.factory.sandbox.calls import ARCHITECTURES

# By the version of Landlock's interface that brought it.
_LANDLOCK = (
    (2, "moving files between folders (refused everywhere, its own among them)"),
    (3, "cutting off a file outside that it can write by its mode"),
    (4, "TCP, where the network is off"),
    (5, "ioctl on devices that it has open"),
    (6, "abstract sockets, and signals to processes of the same user"),
    (9, "unix sockets that lie outside, as of a container's daemon or an agent for keys"),
)
_LANDLOCK_ALWAYS = (
    "mode, owner, times and extended attributes of files outside that are the operator's",
    "the names and sizes of what is hidden",
    "/dev/shm and its semaphores are shared with all others",
    "the processes of others are seen",
)
_ALWAYS = ("whatever is not hidden can be read",)
_NETWORK = "other hosts can be reached"
_SHARED_NETWORK = "services on this host can be reached, abstract sockets among them"
_SOCKETS = "unix sockets outside /run and /tmp that are not hidden"
_NO_FILTER = "no filter on system calls is known for {machine}: keys, io_uring, bpf, the terminal"
_DATAGRAMS = "the network is refused for TCP alone"
_ALL = ("it can do whatever the operator can",)


def uncovered(confinement: Confinement, *, machine: str, landlock: int) -> tuple[str, ...]:
    """Return what `confinement` does not keep; `landlock` is the version that the kernel has."""
    if confinement.tier == "unconfined":
        return _ALL
    found = list(_ALWAYS)
    has_filter = machine in ARCHITECTURES
    if confinement.network:
        found.append(_NETWORK)
    if confinement.tier == "bubblewrap":
        found += [_SHARED_NETWORK] if confinement.network else []
        found.append(_SOCKETS)
    else:
        found += [words for version, words in _LANDLOCK if landlock < version]
        found += _LANDLOCK_ALWAYS
        if not (has_filter or confinement.network or landlock < 4):
            found.append(_DATAGRAMS)
    if not has_filter:
        found.append(_NO_FILTER.format(machine=machine))
    return tuple(found)
