"""The calling thread gives up what rules name, for good, with all that it starts."""

import ctypes
import os
import struct
from contextlib import suppress
from pathlib import Path

from tools.codex.factory.process.kernel import prctl
from tools.codex.factory.process.landlock import is_known, restrict, ruleset
from tools.codex.factory.process.rules import Rules
from tools.codex.factory.process.seccomp import forgo_new_privileges, install

_DROP_FROM_BOUNDING_SET = 24
_CAPABILITY_VERSION = 0x20080522


def confine_thread(rules: Rules) -> None:
    """Hold this thread to `rules`; raise OSError where the kernel refuses one of them."""
    files = rules.files if rules.files is not None and is_known(rules.files) else None
    if not (rules.drops_capabilities or files or rules.filters):
        return
    if rules.drops_capabilities:
        _drop_capabilities()
    forgo_new_privileges()
    if files is not None:
        handle = ruleset(files)
        restrict(handle)
        os.close(handle)
    for program in rules.filters:
        install(program)


def _drop_capabilities() -> None:
    if os.geteuid() == 0:
        last = int(Path("/proc/sys/kernel/cap_last_cap").read_bytes())
        for capability in range(last + 1):
            # One that is gone already is refused; what is left after is what counts.
            with suppress(OSError):
                prctl(_DROP_FROM_BOUNDING_SET, capability)
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    library = ctypes.CDLL(None, use_errno=True)
    if library.capset(ctypes.c_char_p(header), ctypes.c_char_p(bytes(24))):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
