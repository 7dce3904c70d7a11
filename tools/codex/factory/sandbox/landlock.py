"""A confinement as a Landlock ruleset and a seccomp program."""

from tools.codex.factory.domain.confinement import DEVICES, SHARED_MEMORY, Confinement
from tools.codex.factory.process.rules import FileRules, Rules
from tools.codex.factory.sandbox.place import Place
from tools.codex.factory.sandbox.refusals import refusals

# LANDLOCK_ACCESS_FS_*: all that changes something. Devices can be made nowhere, and reading is
# handled only where something is hidden.
_WRITE_FILE, _MAKE_CHARACTER, _MAKE_BLOCK, _TRUNCATE, _DEVICE_CONTROL = (
    1 << 1,
    1 << 6,
    1 << 11,
    1 << 14,
    1 << 15,
)
_CHANGES = _WRITE_FILE | sum(1 << bit for bit in range(4, 14)) | _TRUNCATE | _DEVICE_CONTROL
_GRANTED = _CHANGES & ~(_MAKE_CHARACTER | _MAKE_BLOCK)
_READS = 1 << 0 | 1 << 2 | 1 << 3
_ON_DEVICES = _WRITE_FILE | _TRUNCATE | _DEVICE_CONTROL | 1 << 2
_BIND_AND_CONNECT, _ABSTRACT_SOCKETS_AND_SIGNALS = 3, 3


def held(
    argv: tuple[str, ...], confinement: Confinement, place: Place
) -> tuple[tuple[str, ...], Rules]:
    """Return the command as it is, and the rules that hold it."""
    own = (*confinement.writable, place.temporary, SHARED_MEMORY)
    allowed = [(path, _GRANTED | _READS) for path in own if path]
    allowed += [(path, _READS) for path in confinement.readable]
    allowed += [(path, _ON_DEVICES) for path in DEVICES]
    files = FileRules(
        handled=_CHANGES,
        allowed=tuple(allowed),
        hidden=(*confinement.hidden, *confinement.hidden_files),
        network=0 if confinement.network else _BIND_AND_CONNECT,
        scopes=_ABSTRACT_SOCKETS_AND_SIGNALS,
    )
    filters = refusals(confinement, place.machine, has_own_network=False, has_own_processes=False)
    return argv, Rules(files=files, filters=filters, drops_capabilities=True)
