"""Git's own path patterns (as in .gitignore), case-sensitive, from the repository root."""

import functools
from dataclasses import dataclass

from pathspec import GitIgnoreSpec

from tools.codex.factory.domain.path import ancestors

_SPECIAL = frozenset("*?[]\\!")


def pattern(text: str) -> str:
    """Return `text` as a pattern; raise ValueError where it can match nothing."""
    if text.startswith("#"):
        raise ValueError(f"{text!r} is a comment in git's pattern rules (write '\\{text}')")
    if not text.strip("/ "):
        raise ValueError(f"{text!r} names no path")
    try:
        GitIgnoreSpec.from_lines([text])
    except ValueError as error:
        raise ValueError(f"{text!r} is not a pattern that git knows: {error}") from error
    return text


@dataclass(frozen=True, slots=True)
class Patterns:
    """A list of patterns; the last that matches decides, `!` takes back."""

    texts: tuple[str, ...]
    exact: frozenset[str]
    """Paths that a pattern without wildcards names, with all below them."""
    rest: tuple[str, ...]
    """What only the pattern matcher can answer."""

    def match(self, path: str) -> bool:
        """Return whether a pattern matches `path` or a directory above it."""
        if self.exact and (path in self.exact or not self.exact.isdisjoint(ancestors(path))):
            return True
        return bool(self.rest) and _spec(self.rest).match_file(path)

    def name(self, path: str) -> bool:
        """Return whether a pattern is this very path: no wildcard, no directory above it."""
        return any(text.removeprefix("/") == path for text in self.texts)


def patterns(texts: tuple[str, ...]) -> Patterns:
    """Return `texts` ready to match."""
    # Compiling a pattern costs 0.1 ms; a plan of exact paths needs none. `!` makes order matter.
    ordered = any(text.startswith("!") for text in texts)
    plain = () if ordered else tuple(text for text in texts if _is_exact(text))
    rest = tuple(text for text in texts if text not in plain)
    return Patterns(texts, frozenset(text.removeprefix("/") for text in plain), rest)


def _is_exact(text: str) -> bool:
    if text != text.strip() or text.endswith("/") or not _SPECIAL.isdisjoint(text):
        return False
    return "/" in text and "//" not in text


@functools.lru_cache(maxsize=1024)
def _spec(texts: tuple[str, ...]) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(texts)
