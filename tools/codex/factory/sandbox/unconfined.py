"""No confinement: a command runs as the operator does."""

from tools.codex.factory.domain.confinement import Confinement
from tools.codex.factory.process.rules import FREE, Rules
from tools.codex.factory.sandbox.place import Place


def held(
    argv: tuple[str, ...], _confinement: Confinement, _place: Place
) -> tuple[tuple[str, ...], Rules]:
    """Return the command as it is, and no rules."""
    return argv, FREE
