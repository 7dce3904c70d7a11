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
    """How much one patch may hold, in bytes: itself, one file of it, all that it inflates to."""

    patch_bytes: int = 256 << 20
    file_bytes: int = 100 << 20
    bundle_bytes: int = 512 << 20
    sections: int = 100_000


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
