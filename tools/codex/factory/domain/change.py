"""What one path of the base becomes."""

from dataclasses import dataclass
from typing import Literal

from tools.codex.factory.domain.body import Body
from tools.codex.factory.domain.identity import Digest, RepoPath, digest_of
from tools.codex.factory.domain.tree import Entry

ChangeType = Literal["added", "modified", "deleted", "type_changed", "mode_changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one path was in the base, and what it becomes.

    `content` is the proven new blob (None for deletions and gitlinks), `body` the text hunks or
    binary halves that made it from the same path's base blob.
    """

    path: RepoPath
    old: Entry | None
    new: Entry | None
    content: bytes | None
    body: Body | None
    binary: bool
    insertions: int
    deletions: int

    @property
    def change_type(self) -> ChangeType:
        """Return the one word for this change."""
        if self.old is None:
            return "added"
        if self.new is None:
            return "deleted"
        if self.old.mode[:3] != self.new.mode[:3]:
            return "type_changed"
        return "mode_changed" if self.old.id == self.new.id else "modified"

    @property
    def sha256(self) -> Digest | None:
        """Return the digest of the new content."""
        return digest_of(self.content) if self.content is not None else None
