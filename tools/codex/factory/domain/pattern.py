"""Git's own path patterns (as in .gitignore), case-sensitive, from the repository root."""

import functools
import re
from dataclasses import dataclass

from pathspec import GitIgnoreSpec

from tools.codex.factory.domain.path import ancestors

_SPECIAL = frozenset("*?[\\")
_PLAIN = re.compile(r"[^*?\[\\]*")
SAMPLE = "factory-new-file"
_UNESCAPED = re.compile(r"\\(.)|([*?\[\\])", re.DOTALL)
# The matcher's regular expressions treat a newline as the end; no pattern can name this one.
_NEWLINE = str.maketrans("\n", "\x01")


def pattern(text: str) -> str:
    """Return `text` as a pattern; raise ValueError where it can match nothing, or means too much.

    Refused is also what git and the matcher read differently.
    """
    if text.startswith("#"):
        raise ValueError(f"{text!r} is a comment in git's pattern rules (write '\\{text}')")
    parts = text.removeprefix("!").removeprefix("/").removesuffix("/").split("/")
    if not "".join(parts).strip():
        raise ValueError(f"{text!r} names no path")
    if {"", ".", ".."} & set(parts):
        raise ValueError(f"{text!r} matches nothing: no path in git has such a part")
    if text.endswith("/**/") or "***" in text or "[[:" in text or text.count("[") > text.count("]"):
        raise ValueError(f"{text!r} is a pattern that programs read differently; write it plainer")
    if _is_exact(text):
        return text
    try:
        GitIgnoreSpec.from_lines([text])
    except ValueError as error:
        raise ValueError(f"{text!r} is not a pattern that git knows: {error}") from error
    return text


def naming(path: str) -> str | None:
    """Return the pattern that is just this path, or None where no pattern can be."""
    text = "/" + re.sub(r"([*?\[\\])", r"\\\1", path)
    if text.endswith(" "):
        text = text[:-1] + "\\ "
    if not text.isprintable():
        return None
    try:
        return pattern(text)
    except ValueError:
        return None


def is_anywhere(text: str) -> bool:
    """Return whether a pattern names what may lie in any folder."""
    text = _without_blanks(text).removesuffix("/")
    return "/" not in text or (text.startswith("**/") and "/" not in text.removeprefix("**/"))


def plain_start(text: str) -> str:
    """Return what every path begins with that a pattern matches; empty where that is nothing."""
    text = _without_blanks(text)
    if "/" not in text.removesuffix("/"):
        return ""
    found = _PLAIN.match(text.removeprefix("/"))
    return found[0] if found is not None else ""


def samples(text: str) -> tuple[str, ...]:
    """Return paths of files that are not there yet, as a pattern means them; none for some."""
    if not {"[", "\\"}.isdisjoint(text) or text.startswith("!"):
        return ()
    text = _without_blanks(text)
    parts = text.removeprefix("/").removesuffix("/").split("/")
    path = "/".join(re.sub(r"\*+", SAMPLE, part).replace("?", "x") for part in parts)
    below = f"{path}/{SAMPLE}"
    return (below,) if text.endswith("/") else (path, below)


def _without_blanks(text: str) -> str:
    """Return a pattern without the blanks at its end, which git drops where none is escaped."""
    bare = text.rstrip(" ")
    return text if bare.endswith("\\") else bare


@dataclass(frozen=True, slots=True)
class Patterns:
    """A list of patterns; the last that matches decides, `!` takes back."""

    exact: frozenset[str]
    """Paths that a pattern without wildcards names, with all below them."""
    rest: tuple[str, ...]
    """What only the pattern matcher can answer."""
    named: frozenset[str]
    """The paths that a pattern is, letter by letter."""

    def match(self, path: str) -> bool:
        """Return whether a pattern matches `path` or a directory above it."""
        if self.exact and (path in self.exact or not self.exact.isdisjoint(ancestors(path))):
            return True
        plain = path.translate(_NEWLINE)
        if not any(text.startswith("!") for text in self.rest):
            return bool(self.rest) and _spec(self.rest).match_file(plain)
        # The matcher lets a name win over a folder, whichever pattern stands last.
        matching = (t for t in reversed(self.rest) if _spec((_positive(t),)).match_file(plain))
        return not next(matching, "!").startswith("!")

    def name(self, path: str) -> bool:
        """Return whether a pattern is this very path: no wildcard, no directory above it."""
        return path in self.named and self.match(path)


def patterns(texts: tuple[str, ...]) -> Patterns:
    """Return `texts` ready to match."""
    # Compiling a pattern costs 0.1 ms; a plan of exact paths needs none. `!` makes order matter.
    ordered = any(text.startswith("!") for text in texts)
    exact = frozenset() if ordered else frozenset(text for text in texts if _is_exact(text))
    literals = (_literal(text.removeprefix("/")) for text in texts if not text.startswith("!"))
    return Patterns(
        exact=frozenset(text.removeprefix("/") for text in exact),
        rest=tuple(text for text in texts if text not in exact),
        named=frozenset(literal for literal in literals if literal is not None),
    )


def _positive(text: str) -> str:
    """Return a pattern as it is without the `!` that takes back."""
    bare = text.removeprefix("!")
    return f"\\{bare}" if bare != text and bare.startswith(("!", "#")) else bare


def _is_exact(text: str) -> bool:
    if text != text.strip() or text.endswith("/") or not _SPECIAL.isdisjoint(text):
        return False
    return "/" in text and "//" not in text


def _literal(text: str) -> str | None:
    """Return the one path that a pattern without wildcards is, its escapes taken back."""
    if any(match[2] is not None for match in _UNESCAPED.finditer(text)):
        return None
    return _UNESCAPED.sub(lambda match: match[1], text)


@functools.lru_cache(maxsize=1024)
def _spec(texts: tuple[str, ...]) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(texts)
