"""Secrets of the operator, and what looks like one: found in bytes, and taken out of them."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from tools.codex.factory.domain.secret_shape import shaped

LEAST_CHARACTERS = 6
"""A shorter value stands in many a text by chance."""
_LEAST_LINE = 16
_LEAST_PART = 3
_MARKED_ROUNDS = 3
_SAFE_IN_SCRIPTS = "!'()*"
_TELLING = ("TOKEN", "KEY", "SECRET", "PASSWORD", "PASSWD", "CREDENTIALS")
_NOT_SECRET = ("PUBLIC_KEY", "GOOGLE_APPLICATION_CREDENTIALS")
"""Names that end as secrets do, and hold what everybody may know, or the path of a file."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where a secret lies: the variable that holds it, or what it looks like; never its value."""

    name: str
    is_named: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Secrets:
    """What is looked for: values by the name of their variable, and every well-known shape."""

    named: Mapping[str, str] = field(default_factory=dict, repr=False)
    _needles: tuple[tuple[str, bytes], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        needles = tuple(
            (name, needle) for name in sorted(self.named) for needle in _forms(self.named[name])
        )
        object.__setattr__(self, "_needles", needles)

    def found(self, content: bytes) -> tuple[Found, ...]:
        """Return every secret in `content`, in order; those that overlap are one."""
        hits = [*self._named_in(content)]
        hits += [Found(name, False, *span) for name, span in shaped(content)]
        merged: list[Found] = []
        for hit in sorted(hits, key=lambda one: (one.start, -one.end, not one.is_named)):
            if merged and hit.start < merged[-1].end:
                last = merged.pop()
                named = hit if hit.is_named and not last.is_named else last
                hit = Found(named.name, named.is_named, last.start, max(last.end, hit.end))
            merged.append(hit)
        return tuple(merged)

    def names_in(self, content: bytes) -> tuple[str, ...]:
        """Return the named secrets whose values stand in `content`."""
        return tuple(dict.fromkeys(name for name, needle in self._needles if needle in content))

    def redacted(self, content: bytes) -> tuple[bytes, int]:
        """Return `content` with a mark in place of each secret, and how many there were."""
        count = rounds = 0
        while found := self.found(content):
            # A mark beside what was left can be a secret again, where its value is such a word.
            marked = rounds < _MARKED_ROUNDS
            pieces, at = [], 0
            for one in found:
                pieces += [content[at : one.start], _mark(one.name) if marked else b""]
                at = one.end
            content = b"".join([*pieces, content[at:]])
            count, rounds = count + (len(found) if marked else 0), rounds + 1
        return content, count

    def text(self, text: str) -> str:
        """Return `text` with a mark in place of each secret."""
        return self._text(text)[0]

    def document(self, document: object, but: Collection[str] = frozenset()) -> tuple[object, int]:
        """Return a JSON document with every text in it redacted, and how many secrets there were.

        In the bytes of a document a value may stand in escapes, and is not found there. A text
        that is one of `but` stays: a word of the factory, whatever the operator's secret is.
        """
        if isinstance(document, str):
            return (document, 0) if document in but else self._text(document)
        if isinstance(document, list):
            several = [self.document(one, but) for one in document]
            return [one for one, _ in several], sum(count for _, count in several)
        if isinstance(document, dict):
            keys = [(key, 0) if key in but else self._text(key) for key in document]
            values = [self.document(value, but) for value in document.values()]
            found = {key: value for (key, _), (value, _) in zip(keys, values, strict=True)}
            return found, sum(count for _, count in [*keys, *values])
        return document, 0

    def severed(self, head: bytes, tail: bytes) -> tuple[bytes, bytes, int]:
        """Return both sides of a cut without the part of a named value that stands at it."""
        parts = [(name, value) for name, value in self._needles]
        left = _longest(
            (name, size) for name, value in parts for size in _sizes(value, head, at_end=True)
        )
        right = _longest(
            (name, size) for name, value in parts for size in _sizes(value, tail, at_end=False)
        )
        if left is not None:
            head = head[: len(head) - left[1]] + _mark(left[0])
        if right is not None:
            tail = _mark(right[0]) + tail[right[1] :]
        return head, tail, (left is not None) + (right is not None)

    def _named_in(self, content: bytes) -> Iterator[Found]:
        for name, needle in self._needles:
            at = content.find(needle)
            while at >= 0:
                yield Found(name, True, at, at + len(needle))
                at = content.find(needle, at + len(needle))

    def _text(self, text: str) -> tuple[str, int]:
        try:
            content, errors = text.encode("utf-8", "surrogateescape"), "surrogateescape"
        except UnicodeEncodeError:
            content, errors = text.encode("utf-8", "surrogatepass"), "surrogatepass"
        redacted, count = self.redacted(content)
        return (redacted.decode("utf-8", errors), count) if count else (text, 0)


def is_telling(name: str) -> bool:
    """Return whether a variable of this name holds a secret, as its name says."""
    return name.upper().endswith(_TELLING) and not name.upper().endswith(_NOT_SECRET)


def _mark(name: str) -> bytes:
    return f"[factory: {name} redacted]".encode()


def _forms(value: str) -> Iterator[bytes]:
    """Yield what a value looks like: whole, line by line, as JSON writes it, and in an address."""
    lines = [line.strip() for line in value.splitlines()]
    # What every key begins and ends with is no secret.
    long = [line for line in lines if len(line) >= _LEAST_LINE and not line.startswith("-----")]
    plain = [value.strip(), *(long if len(lines) > 1 else ())]
    escaped = [
        json.dumps(text, ensure_ascii=form)[1:-1] for text in plain for form in (True, False)
    ]
    slashed = [text.replace("/", "\\/") for text in escaped]
    several = dict.fromkeys(
        text.encode("utf-8", "surrogateescape") for text in (*plain, *escaped, *slashed)
    )
    yield from dict.fromkeys([*several, *(form for text in plain for form in _in_address(text))])


def _in_address(text: str) -> Iterator[bytes]:
    """Yield a value with percent signs, as the usual programs write it."""
    content = text.encode("utf-8", "surrogateescape")
    for safe in ("", "/", _SAFE_IN_SCRIPTS):
        yield quote(content, safe=safe).encode()
    yield quote_plus(content).encode()


def _sizes(value: bytes, side: bytes, *, at_end: bool) -> Iterator[int]:
    """Yield how much of a value one side of a cut holds, where that is a telling part of it."""
    for size in range(len(value) - 1, _LEAST_PART - 1, -1):
        if side.endswith(value[:size]) if at_end else side.startswith(value[-size:]):
            yield size
            return


def _longest(parts: Iterable[tuple[str, int]]) -> tuple[str, int] | None:
    return max(parts, key=lambda part: part[1], default=None)
