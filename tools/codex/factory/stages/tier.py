"""Which tier keeps a command to its confinement here: the strongest that a canary proves."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tools.codex.factory.domain.confinement import (
    TIERS,
    Confinement,
    Demand,
    Tier,
    is_weaker,
)
from tools.codex.factory.errors import FactoryError
from tools.codex.factory.process.child import asked
from tools.codex.factory.process.kernel import landlock_version
from tools.codex.factory.sandbox.place import Place
from tools.codex.factory.sandbox.tiers import held

BUBBLEWRAP = "bwrap"
_SECONDS = 20.0
# Its own folder can be written, what must be read can be, and what is outside cannot be written.
_CANARY = 'echo a > "$1/inside" && ls "$3" > /dev/null && { ! echo b > "$2"; } 2> /dev/null'


def with_tier(
    wanted: Confinement,
    *,
    demand: Demand,
    least: Tier,
    variables: Mapping[str, str],
    outside: Path,
    needed: Path,
) -> Confinement:
    """Return a confinement with the strongest tier that this host proves for it.

    The canary runs under the very same rules, in a folder of its own: it tries to write into
    `outside`, which is ours, and must fail; and to list `needed`, and must not.
    """
    if demand == "off":
        return replace(wanted, tier="unconfined", demand=demand, observes=False)
    reasons: list[str] = []
    for tier in TIERS:
        program = _program(tier, variables)
        tried = replace(wanted, tier=tier, demand=demand, program=program)
        why = _why_not(tried, outside=outside, needed=needed)
        if not why:
            is_refused = demand == "required" and is_weaker(tier, least)
            return replace(tried, weaker="; ".join(reasons), is_refused=is_refused)
        reasons.append(f"{tier}: {why}")
    raise AssertionError("nothing speaks against no confinement")


def _program(tier: Tier, variables: Mapping[str, str]) -> str:
    if tier != "bubblewrap":
        return ""
    return shutil.which(BUBBLEWRAP, path=variables.get("PATH", os.defpath)) or ""


def _why_not(confinement: Confinement, *, outside: Path, needed: Path) -> str:
    """Return why a tier cannot keep a confinement here; "" where it does."""
    if confinement.tier == "unconfined":
        return ""
    if confinement.tier == "bubblewrap" and not confinement.program:
        return f"program {BUBBLEWRAP!r} is not on PATH"
    if confinement.tier == "landlock" and not landlock_version():
        return "the kernel does not offer it"
    try:
        with tempfile.TemporaryDirectory(prefix="factory-canary-") as folder:
            return _canary(confinement, Path(os.path.realpath(folder)), outside, needed)
    except FactoryError as error:
        return str(error)
    except OSError as error:
        return f"the canary cannot be tried: {error.strerror}"


def _canary(confinement: Confinement, folder: Path, outside: Path, needed: Path) -> str:
    mark = outside / folder.name
    writable = (*confinement.writable, str(folder))
    tried = replace(confinement, writable=writable, observes=False)
    place = Place(
        machine=os.uname().machine,
        is_root=os.geteuid() == 0,
        folder=str(folder),
        temporary="",
    )
    words = ("sh", "-c", _CANARY, "sh", str(folder), str(mark), str(needed))
    argv, rules = held(words, tried, place)
    environment = {"PATH": os.defpath, "LC_ALL": "C"}
    done = asked(argv, env=environment, cwd=folder, seconds=_SECONDS, rules=rules)
    if mark.exists():
        mark.unlink()
        return "it lets a write outside through"
    if done.exit_code != 0 or not (folder / "inside").exists():
        return done.complaint
    return ""
