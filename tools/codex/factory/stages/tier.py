"""Which tier keeps a command to its confinement here: the strongest that a canary proves."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tools.codex.factory.domain.confinement import (
    TIERS,
    Confinement,
    Demand,
    Tier,
    is_weaker,
)
from tools.codex.factory.process.kernel import kernel_setting
from tools.codex.factory.process.landlock import landlock_is_switched_off, landlock_version
from tools.codex.factory.sandbox.hindrance import (
    ABSENT,
    BUBBLEWRAP,
    CLOSING,
    ELSEWHERE,
    LANDLOCK_OFF,
    NO_LANDLOCK,
    Hindrance,
    hindrance,
)
from tools.codex.factory.stages.canary import complaint_of


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A tier that cannot keep a confinement here: why, and what helps, as far as that is known."""

    tier: Tier
    why: str
    remedy: str


def proven(
    wanted: Confinement,
    *,
    demand: Demand,
    least: Tier,
    variables: Mapping[str, str],
    outside: Path | None,
    needed: Path | None,
) -> tuple[Confinement, tuple[Shortfall, ...]]:
    """Return a confinement with the strongest tier that a canary proves, and what fell short.

    The canary runs under the very same rules: it must not write into `outside`, which is ours,
    and must be able to read `needed`.
    """
    if demand == "off":
        return replace(wanted, tier="unconfined", demand=demand, observes=False), ()
    short: list[Shortfall] = []
    for tier in TIERS:
        for tried in _ways(replace(wanted, tier=tier, demand=demand), variables):
            found = _shortfall(tried, outside=outside, needed=needed)
            if found is None:
                break
        if found is None:
            weaker = "; ".join(f"{one.tier}: {one.why}" for one in short)
            is_refused = demand == "required" and is_weaker(tier, least)
            return replace(tried, weaker=weaker, is_refused=is_refused), tuple(short)
        short.append(found)
    raise AssertionError("nothing speaks against no confinement")


def _ways(wanted: Confinement, variables: Mapping[str, str]) -> Iterator[Confinement]:
    """Yield a confinement in each way in which its tier can be had, the best first.

    Where only bubblewrap may make namespaces, nothing can keep mounts away that the host makes
    while a command runs.
    """
    if wanted.tier != "bubblewrap":
        yield wanted
        return
    known = replace(wanted, program=bubblewrap_program(variables))
    apart = _program("unshare", variables)
    if known.program and apart:
        yield replace(known, unshare=apart)
    yield known


def bubblewrap_program(variables: Mapping[str, str]) -> str:
    """Return where bubblewrap lies; "" where it is not on PATH."""
    return _program(BUBBLEWRAP, variables)


def _program(name: str, variables: Mapping[str, str]) -> str:
    # A relative folder of PATH is another one in every folder, and none of ours.
    folders = variables.get("PATH", os.defpath).split(os.pathsep)
    absolute = os.pathsep.join(one for one in folders if os.path.isabs(one))
    return shutil.which(name, path=absolute) or ""


def landlock_hindrance() -> Hindrance | None:
    """Return what keeps Landlock from being used here; None where it can be."""
    if landlock_version():
        return None
    if sys.platform != "linux":
        return ELSEWHERE
    return LANDLOCK_OFF if landlock_is_switched_off() else NO_LANDLOCK


def bubblewrap_hindrance(said: str) -> Hindrance | None:
    """Return what `said` by bubblewrap comes from on this host; None where nobody knows."""
    closed = [name for name, value in CLOSING.items() if kernel_setting(name) == value]
    return hindrance(said, closed)


def _shortfall(
    confinement: Confinement, *, outside: Path | None, needed: Path | None
) -> Shortfall | None:
    """Return why a tier cannot keep a confinement here; None where it does."""
    tier = confinement.tier
    if tier == "unconfined":
        return None
    known = _known_hindrance(confinement)
    if known is not None:
        return Shortfall(tier, known.why, known.remedy)
    said = complaint_of(confinement, outside=outside, needed=needed)
    if not said:
        return None
    found = bubblewrap_hindrance(said) if tier == "bubblewrap" else None
    return (
        Shortfall(tier, f"{found.why} ({said})", found.remedy)
        if found
        else _plain(tier, said, needed)
    )


def _plain(tier: Tier, said: str, needed: Path | None) -> Shortfall:
    """Return a shortfall that the canary told of itself."""
    is_anothers = needed is not None and any(
        one.stat().st_uid != 0 for one in (needed, *needed.parents)
    )
    if is_anothers and "cannot be read" in said and os.geteuid() == 0:
        why = f"{said}: a confined command has none of root's rights"
        return Shortfall(tier, why, "run factory as the owner of that folder, or let all read it")
    return Shortfall(tier, said, "")


def _known_hindrance(confinement: Confinement) -> Hindrance | None:
    """Return what needs no canary to be known."""
    if confinement.tier == "landlock":
        return landlock_hindrance()
    if sys.platform != "linux":
        return ELSEWHERE
    if not confinement.program:
        return ABSENT
    return None
