"""The tiers that this machine keeps, for tests that run in each."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tools.codex.factory.domain.confinement import TIERS, Confinement, Tier
from tools.codex.factory.process.landlock import landlock_version
from tools.codex.factory.process.rules import Rules
from tools.codex.factory.sandbox.place import Place
from tools.codex.factory.sandbox.tiers import held

BWRAP = shutil.which("bwrap") or ""


def plain(tier: Tier) -> Confinement:
    """Return a confinement by `tier` that may write nothing."""
    program = BWRAP if tier == "bubblewrap" else ""
    return Confinement(role="worker", tier=tier, program=program, observes=False)


def missing(tier: Tier) -> str:
    """Return why a tier is not to be had here; "" where it is.

    It is not asked of the canary: one that complains of everything would leave every attack out.
    """
    if tier == "landlock" and not landlock_version():
        return "the kernel does not offer Landlock"
    if tier == "bubblewrap":
        rest = ("--cap-drop", "ALL", "--ro-bind", "/", "/", "--proc", "/proc", "true")
        words = (BWRAP, "--unshare-user", "--unshare-all", *rest)
        if not BWRAP:
            return "bwrap is not on PATH"
        done = subprocess.run(words, capture_output=True, check=False)
        return done.stderr.decode("utf-8", "replace").strip() if done.returncode else ""
    return ""


_MISSING = {tier: missing(tier) for tier in TIERS}
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
