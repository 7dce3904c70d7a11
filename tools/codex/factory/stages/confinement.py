"""What confines workers, checks and the integrator here: asked by using each thing once."""

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.codex.factory.domain.confinement import Confinement, Role, Tier
from tools.codex.factory.domain.fitness import Row, noted, ok, unfit
from tools.codex.factory.errors import FactoryError
from tools.codex.factory.process.child import asked
from tools.codex.factory.process.kernel import seccomp_mode
from tools.codex.factory.process.landlock import landlock_version
from tools.codex.factory.process.listener import why_not_listening
from tools.codex.factory.sandbox.calls import ARCHITECTURES
from tools.codex.factory.sandbox.hindrance import ABSENT, CONTAINER, ELSEWHERE
from tools.codex.factory.sandbox.uncovered import uncovered
from tools.codex.factory.stages.tier import (
    Shortfall,
    bubblewrap_hindrance,
    bubblewrap_program,
    landlock_hindrance,
)

_SECONDS = 10.0
_WHO: Mapping[Role, str] = {
    "worker": "workers",
    "check": "checks",
    "integrator": "the integrator",
}
_DOCTOR = "the rows below say what helps"


def role_rows(proofs: Sequence[tuple[Confinement, tuple[Shortfall, ...]]]) -> tuple[Row, ...]:
    """Return a row for each role: the tier that a canary proved for it, and what fell short."""
    return tuple(_role_row(confinement, short) for confinement, short in proofs)


def confinement_rows(
    proofs: Sequence[tuple[Confinement, tuple[Shortfall, ...]]],
    variables: Mapping[str, str],
    *,
    groundless: bool,
) -> tuple[Row, ...]:
    """Return a row for each role, what their tiers leave open, and each means that is there.

    `groundless`: there is no repository to try them on.
    """
    said = "tried without a repository: what lies in it and in its runs is not asked about"
    return (
        *role_rows(proofs),
        *((noted("confinement", "tried on", said),) if groundless else ()),
        *_uncovered_rows([confinement for confinement, _ in proofs]),
        *_program_rows(variables),
        _landlock_row(),
        _seccomp_row(),
        _observation_row(),
    )


def _role_row(confinement: Confinement, short: tuple[Shortfall, ...]) -> Row:
    who = _WHO[confinement.role]
    if confinement.demand == "off":
        said = "off: the settings ask for no confinement, so the operator's rights are all theirs"
        hint = f"set sandbox.mode or sandbox.{confinement.role} to auto, or required"
        return noted("confinement", who, said, hint)
    said = _proof(confinement)
    if not short:
        return ok("confinement", who, said)
    said = f"{said}; no stronger: {confinement.weaker}"
    hint = next((one.remedy for one in short if one.remedy), _DOCTOR)
    if confinement.is_refused:
        less = f"{hint}; or ask for less (sandbox.least, sandbox.mode)"
        return unfit("confinement", who, f"required, and it would be {said}", less)
    return noted("confinement", who, said, hint)


def _proof(confinement: Confinement) -> str:
    if not confinement.is_kept:
        return "UNCONFINED: nothing keeps it from what the operator can write"
    network = "on" if confinement.network else "off"
    has_filter = platform.machine() in ARCHITECTURES
    means = f"{_named(confinement)} {'with seccomp' if has_filter else 'without seccomp'}"
    return f"{means}: a write outside was refused, network {network}"


def _named(confinement: Confinement) -> str:
    if confinement.tier == "landlock":
        return f"Landlock {landlock_version()}"
    return _version(confinement.program)


def _version(program: str) -> str:
    done = asked((program, "--version"), env={"LC_ALL": "C"}, cwd=Path("/"), seconds=_SECONDS)
    return done.stdout.decode("utf-8", "replace").strip() or "bubblewrap"


def _uncovered_rows(confinements: Sequence[Confinement]) -> tuple[Row, ...]:
    """Return a row for each way in which roles are kept, with what that leaves open."""
    machine, landlock = platform.machine(), landlock_version()
    kept: dict[tuple[Tier, tuple[str, ...]], list[str]] = {}
    for one in confinements:
        words = uncovered(one, machine=machine, landlock=landlock)
        kept.setdefault((one.tier, words), []).append(_WHO[one.role])
    return tuple(
        noted("confinement", f"left open by {tier}", f"{', '.join(who)}: {'; '.join(words)}")
        for (tier, words), who in kept.items()
    )


def _program_rows(variables: Mapping[str, str]) -> tuple[Row, Row]:
    """Return a row for bubblewrap, and one for the namespaces that it makes."""
    program, names = bubblewrap_program(variables), ("bubblewrap", "user namespaces")
    if sys.platform != "linux":
        first, second = (noted("confinement", n, ELSEWHERE.why, ELSEWHERE.remedy) for n in names)
        return first, second
    if not program:
        said, hint = "not asked: there is no bwrap", f"{ABSENT.remedy}, which makes one"
        return (
            noted("confinement", names[0], ABSENT.why, ABSENT.remedy),
            noted("confinement", names[1], said, hint),
        )
    root = ("--ro-bind", "/", "/")
    whole = (program, "--unshare-all", *root, "--dev", "/dev", "--proc", "/proc", "true")
    return (
        _program_row(names[0], whole, program),
        _program_row(names[1], (program, "--unshare-user", *root, "true"), "one was made"),
    )


def _program_row(what: str, argv: tuple[str, ...], good: str) -> Row:
    try:
        environment = {"PATH": os.defpath, "LC_ALL": "C"}
        done = asked(argv, env=environment, cwd=Path("/"), seconds=_SECONDS)
    except FactoryError as error:
        return noted("confinement", what, str(error), error.hint)
    if done.exit_code == 0:
        return ok("confinement", what, good)
    found = bubblewrap_hindrance(done.complaint) or CONTAINER
    return noted("confinement", what, f"{done.complaint}: {found.why}", found.remedy)


def _landlock_row() -> Row:
    found = landlock_hindrance()
    if found is None:
        return ok("confinement", "Landlock", f"interface {landlock_version()}")
    return noted("confinement", "Landlock", found.why, found.remedy)


def _seccomp_row() -> Row:
    mode, machine = seccomp_mode(), platform.machine()
    if mode is None:
        return noted("confinement", "seccomp", "the kernel does not offer it")
    if machine not in ARCHITECTURES:
        said = f"the numbers of system calls on {machine} are not known: nothing is filtered"
        return noted("confinement", "seccomp", said, f"run factory on {_machines()}")
    within = "; this process runs under a filter already" if mode else ""
    said = f"io_uring, keys, bpf, loading of modules and the like are refused on {machine}"
    return ok("confinement", "seccomp", f"{said}{within}")


def _machines() -> str:
    return " or ".join(sorted(ARCHITECTURES))


def _observation_row() -> Row:
    if sys.platform != "linux":
        return noted("confinement", "observation", ELSEWHERE.why, ELSEWHERE.remedy)
    why = why_not_listening()
    if why:
        said = f"what they try to write outside cannot be seen: {why}"
        hint = "Linux 5.7 and newer can tell of it; a container may keep that from factory"
        return noted("confinement", "observation", said, hint)
    return ok("confinement", "observation", "the kernel tells of what they try to write outside")
