"""A confinement as the command line of bubblewrap, and the seccomp program that it loads."""

from collections.abc import Iterator

from tools.codex.factory.domain.confinement import PRIVATE, Confinement, is_within
from tools.codex.factory.process.rules import FileRules, Rules
from tools.codex.factory.sandbox.place import Place
from tools.codex.factory.sandbox.refusals import refusals

_KERNEL = (
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/mtrr",
    "/proc/scsi",
    "/proc/fs",
    "/proc/driver",
)
"""What the kernel lets root change by its number alone, without any capability. `--proc` covers
some of it, and not these: it asks with rights that root has given up by then."""
_ABSTRACT_SOCKETS = FileRules(handled=0, allowed=(), scopes=1)
"""With the host's network go the host's sockets that have no place in any folder: not these."""
_FILTER, _STATUS = "{seccomp}", "{status}"
# Nobody's number outside: a program that finds itself root, and without its rights, is confused.
_USER = "1000"


def held(
    argv: tuple[str, ...], confinement: Confinement, place: Place
) -> tuple[tuple[str, ...], Rules]:
    """Return the command as bubblewrap starts it, and what it is fed."""
    filters = refusals(confinement, place.machine, has_own_network=True, has_own_processes=True)
    words = (
        *_apart(confinement, place),
        confinement.program,
        *_namespaces(confinement, place, is_filtered=bool(filters)),
        *_mounts(confinement, place),
        *(("--seccomp", _FILTER) if filters else ()),
        *("--json-status-fd", _STATUS, "--chdir", place.folder, "--", *argv),
    )
    fed = dict.fromkeys([_FILTER], filters[0]) if filters else {}
    files = _ABSTRACT_SOCKETS if confinement.network else None
    return words, Rules(
        files=files, fed=fed, status=_STATUS, wraps=argv[0], wrapper=confinement.program
    )


def _apart(confinement: Confinement, place: Place) -> tuple[str, ...]:
    """Return what starts bubblewrap where no mount arrives that the host makes meanwhile.

    bubblewrap itself keeps receiving them, and they come with the rights that they have.
    """
    if not confinement.unshare:
        return ()
    mapped = () if place.is_root else ("--user", "--map-current-user")
    return (confinement.unshare, *mapped, "--mount", "--propagation", "private", "--")


def _namespaces(confinement: Confinement, place: Place, *, is_filtered: bool) -> Iterator[str]:
    # All of them, the user's own too: without that one root keeps rights to undo mounts.
    yield from ("--unshare-user", "--unshare-all", "--cap-drop", "ALL")
    yield from ("--die-with-parent", "--new-session")
    if place.is_root:
        yield from ("--uid", _USER, "--gid", _USER)
    if confinement.network:
        yield "--share-net"
    if not (confinement.nests or is_filtered):
        # The filter refuses the same, and versions before 0.8 do not know this.
        yield "--disable-userns"


def _mounts(confinement: Confinement, place: Place) -> Iterator[str]:
    """Yield all read-only, then each folder that is otherwise: the inner after the outer."""
    yield from ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")
    # For others it needs no cover, and their own bubblewrap could mount no /proc over one.
    for path in _KERNEL if place.is_root else ():
        yield from ("--ro-bind-try", path, path)
    covered = (*PRIVATE, *confinement.hidden, *confinement.writable)
    steps: list[tuple[str, tuple[str, ...]]] = [
        (path, _private(path, place.temporary)) for path in PRIVATE
    ]
    steps += [(path, ("--tmpfs", path)) for path in confinement.hidden]
    steps += [(path, ("--ro-bind", "/dev/null", path)) for path in confinement.hidden_files]
    steps += [
        (path, ("--ro-bind", path, path))
        for path in confinement.readable
        if is_within(path, [one for one in covered if one != path])
    ]
    steps += [(path, ("--bind", path, path)) for path in confinement.writable]
    for _, words in sorted(steps, key=lambda step: step[0].count("/")):
        yield from words
    # What is hidden is not to be written either: it would look as if it were.
    for path in confinement.hidden:
        yield from ("--remount-ro", path)


def _private(path: str, temporary: str) -> tuple[str, ...]:
    if temporary and path in ("/tmp", "/var/tmp"):
        # On the disk: a large file is not to take memory.
        return ("--bind", temporary, path)
    return ("--perms", "1777" if path != "/run" else "0755", "--tmpfs", path)
