"""A command as its tier holds it."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from tools.codex.factory.domain.confinement import Confinement, Tier
from tools.codex.factory.domain.trespass import bounds
from tools.codex.factory.process.rules import Rules
from tools.codex.factory.sandbox import bubblewrap, landlock, unconfined
from tools.codex.factory.sandbox.observing import observing
from tools.codex.factory.sandbox.place import Place

Held = Callable[[tuple[str, ...], Confinement, Place], tuple[tuple[str, ...], Rules]]
SANDBOXES: Mapping[Tier, Held] = {
    "bubblewrap": bubblewrap.held,
    "landlock": landlock.held,
    "unconfined": unconfined.held,
}


def held(
    argv: tuple[str, ...], confinement: Confinement, place: Place
) -> tuple[tuple[str, ...], Rules]:
    """Return the command line to start in place of `argv`, and the rules to start it under."""
    words, rules = SANDBOXES[confinement.tier](argv, confinement, place)
    if not confinement.observes:
        return words, rules
    own = tuple(path for path in (*confinement.writable, place.temporary) if path)
    within = bounds(replace(confinement, writable=own))
    return words, replace(rules, observing=observing(place.machine), bounds=within)
