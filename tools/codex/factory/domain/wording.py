"""How numbers, sizes and lists of names are said, everywhere alike."""

from collections.abc import Sequence

FEW = 5
"""How many names of a list are said; the others are counted."""


def counted(number: int, noun: str) -> str:
    """Return a number of things: `1 file`, `2 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def few(names: Sequence[str], most: int = FEW) -> str:
    """Return the first `most` of some names, and how many more there are."""
    beyond = len(names) - most
    return ", ".join(names[:most]) + (f" and {beyond} more" if beyond > 0 else "")


def brief(value: object, most: int = 120) -> str:
    """Return a value as it stands in a message: a stranger's may be of any length."""
    if isinstance(value, str | bytes):
        return repr(value) if len(value) <= most else repr(value[: most - 20]) + "..."
    said = repr(value)
    return said if len(said) <= most else said[: most - 20] + "..."


def sized(count: int) -> str:
    """Return a number of bytes in the unit that people read it in."""
    if count < 1024:
        return f"{count} B"
    number = count / 1024
    for unit in ("KiB", "MiB", "GiB"):
        # What would be rounded up to 1024 of a unit is one of the next.
        if round(number, 1) < 1024:
            return f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


_ROLES = {"worker": "workers are", "check": "checks are", "integrator": "the integrator is"}
_TIERS = {
    "bubblewrap": "confined by bubblewrap",
    "landlock": "confined by Landlock alone",
    "unconfined": "UNCONFINED",
}


def kept(role: str, tier: str) -> str:
    """Return how a role is confined, as an event says it; another version may know more of both."""
    return f"{_ROLES.get(role, role)} {_TIERS.get(tier, tier)}"
