"""The lines of a patch, read one by one, and how much of them may be."""

from dataclasses import dataclass


class PatchRefused(ValueError):
    """The bytes are not in git's diff grammar. `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PatchLimits:
    """How much one patch may hold, in bytes: itself, one file of it, all that it inflates to.

    A line costs some hundred bytes of memory, however short it is.
    """

    patch_bytes: int = 256 << 20
    file_bytes: int = 100 << 20
    bundle_bytes: int = 512 << 20
    sections: int = 100_000
    lines: int = 10_000_000


def lines_of(content: bytes, limits: PatchLimits) -> list[bytes]:
    """Return the lines of a patch; raise PatchRefused for too much, or where the last is cut."""
    if len(content) > limits.patch_bytes:
        raise PatchRefused(1, f"{len(content)} bytes, more than the {limits.patch_bytes} allowed")
    count = content.count(b"\n")
    if count > limits.lines:
        raise PatchRefused(1, f"{count} lines, more than the {limits.lines} allowed")
    lines = content.split(b"\n")
    if lines.pop() != b"":
        raise PatchRefused(len(lines) + 1, "the last line is cut off")
    return lines


class Reader:
    """The lines of a patch and how far they have been read."""

    __slots__ = ("limits", "lines", "position")

    def __init__(self, lines: list[bytes], limits: PatchLimits) -> None:
        self.lines = lines
        self.limits = limits
        self.position = 0

    def refuse(self, reason: str) -> PatchRefused:
        """Return the refusal of the line that stands next."""
        return PatchRefused(self.position + 1, reason)

    def peek(self) -> bytes | None:
        """Return the line that stands next, or None at the end."""
        return self.lines[self.position] if self.position < len(self.lines) else None

    def next(self, wanted: str) -> bytes:
        """Return the line that stands next and go on; raise PatchRefused at the end."""
        if self.position >= len(self.lines):
            raise self.refuse(f"the patch ends where {wanted} should stand")
        line = self.lines[self.position]
        self.position += 1
        return line
