"""The calling thread gives up what rules name, for good, with all that it starts."""

import ctypes
import os
import struct
import threading
from pathlib import Path

from tools.codex.factory.process.kernel import called
from tools.codex.factory.process.landlock import is_known, restrict, ruleset
from tools.codex.factory.process.rules import Rules

_SET_NO_NEW_PRIVILEGES, _DROP_FROM_BOUNDING_SET = 38, 24
_CAPABILITY_VERSION = 0x20080522
_SET_MODE_FILTER = 1
_WITH_LISTENER = 1 << 3
_LETS_ALL_THROUGH = struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)
# seccomp(2) and capset(2) by machine.
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_CAPSET = {"x86_64": 126, "aarch64": 91}


def confine_thread(rules: Rules) -> None:
    """Hold this thread to `rules`; raise OSError where the kernel refuses one of them."""
    files = rules.files if rules.files is not None and is_known(rules.files) else None
    if not (rules.drops_capabilities or files or rules.filters):
        return
    machine = os.uname().machine
    if rules.drops_capabilities:
        _drop_capabilities(_CAPSET[machine])
    forgo_new_privileges()
    if files is not None:
        handle = ruleset(files)
        restrict(handle)
        os.close(handle)
    for program in rules.filters:
        install(program, _SECCOMP[machine])


def forgo_new_privileges() -> None:
    """Let nothing that this thread starts gain rights, as a setuid program would."""
    _prctl(_SET_NO_NEW_PRIVILEGES, 1)


def why_not_told() -> str:
    """Return why the kernel does not tell of the calls of a child; "" where it does.

    A thread of its own is held to a program that lets all through and tells of nothing.
    """
    machine = os.uname().machine
    if machine not in _SECCOMP:
        return f"the number of the call is not known on {machine}"
    found: list[str] = []

    def ask() -> None:
        try:
            forgo_new_privileges()
            os.close(install(_LETS_ALL_THROUGH, _SECCOMP[machine], _WITH_LISTENER))
        except OSError as error:
            found.append(str(error.strerror))

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join()
    return found[0] if found else ""


def install(program: bytes, number: int, flags: int = 0) -> int:
    """Hold this thread to a seccomp program; return what the call says (0, or an open file)."""
    lines = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(lines))
    return called(number, _SET_MODE_FILTER, flags, ctypes.c_char_p(described))


def _drop_capabilities(number: int) -> None:
    if os.geteuid() == 0:
        last = int(Path("/proc/sys/kernel/cap_last_cap").read_bytes())
        for capability in range(last + 1):
            # One that is gone already is refused; what is left after is what counts.
            ctypes.CDLL(None, use_errno=True).prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    called(number, ctypes.c_char_p(header), ctypes.c_char_p(bytes(24)))


def _prctl(option: int, value: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
