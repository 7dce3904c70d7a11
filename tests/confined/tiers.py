"""The tiers that this machine keeps, for tests that run in each."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tools.codex.factory.domain.confinement import TIERS, Confinement, Tier
from tools.codex.factory.process.rules import Rules
from tools.codex.factory.sandbox.place import Place
from tools.codex.factory.sandbox.tiers import held
from tools.codex.factory.stages.canary import complaint_of

BWRAP = shutil.which("bwrap") or ""


def plain(tier: Tier) -> Confinement:
    """Return a confinement by `tier` that may write nothing."""
    program = BWRAP if tier == "bubblewrap" else ""
    return Confinement(role="worker", tier=tier, program=program, observes=False)


def _why_not(tier: Tier) -> str:
    if tier == "unconfined":
        return ""
    if tier == "bubblewrap" and not BWRAP:
        return "there is no bwrap"
    return complaint_of(plain(tier), outside=None, needed=None)


_MISSING = {tier: _why_not(tier) for tier in TIERS}
HAD = [tier for tier, why in _MISSING.items() if not why]
EVERY = [
    pytest.param(tier, marks=pytest.mark.skipif(bool(why), reason=f"{tier}: {why}"))
    for tier, why in _MISSING.items()
]
KEPT = EVERY[:2]


def under(tier: Tier, *argv: str, folder: Path, **changed: object) -> tuple[tuple[str, ...], Rules]:
    """Return the command as `tier` starts it, with `folder` its own, and the rules."""
    writable = (os.path.realpath(folder),)
    confinement = replace(plain(tier), writable=writable, **changed)  # type: ignore[arg-type]
    place = Place(
        machine=os.uname().machine,
        is_root=os.geteuid() == 0,
        folder=os.path.realpath(folder),
        temporary="",
    )
    return held(argv, confinement, place)
