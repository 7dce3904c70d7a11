"""Which known name was meant."""

from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the nearest of `known`, or all of them where none is near."""
    # Only a mistake needs it, and a start-up pays for every import.
    import difflib

    names = sorted(known)
    folded = {one.casefold(): one for one in reversed(names)}
    if name.casefold() in folded:
        return f"did you mean {folded[name.casefold()]!r}?"
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(names)}" if names else "there is none"
