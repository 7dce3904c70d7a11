"""Git's own patch of the merge, read back: does it say what was merged, and how much is that?"""

from collections.abc import Iterator

from tools.codex.factory.domain.body import BinaryBody
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.identity import ObjectId, RepoPath
from tools.codex.factory.domain.merge import Merged
from tools.codex.factory.domain.patch import Patch
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.proof import counted
from tools.codex.factory.domain.tree import DIRECTORY, BaseTree, Entry


def differing(said: Patch, merged: Merged) -> str:
    """Return the paths on which git's patch and the merge do not agree."""
    entries: dict[RepoPath, tuple[str | None, ObjectId | None]] = {}
    for section in said.sections:
        gone = section.new is None
        if not gone or section.path not in entries:
            entries[section.path] = (section.new_mode, None if gone else section.new_id)
    apart = [
        quoted(path)
        for path in sorted(entries.keys() | merged.entries.keys())
        if not _agree(entries.get(path), merged.entries.get(path), path in merged.entries)
    ]
    return ", ".join(apart[:5])


def _agree(
    said: tuple[str | None, ObjectId | None] | None, entry: Entry | None, is_merged: bool
) -> bool:
    if said is None or not is_merged:
        return False
    if entry is None:
        return said == (None, None)
    # A change of mode alone has no index line, so no id.
    return said[0] == entry.mode and said[1] in (None, entry.id)


def computed(said: Patch, merged: Merged) -> dict[ObjectId, tuple[str, bytes]]:
    """Return the merged trees and text blobs: what git computes itself in any case."""
    given = {s.new_id for s in said.sections if isinstance(s.body, BinaryBody)}
    return {
        oid: held
        for oid, held in merged.objects.items()
        if held[0] == "tree" or (held[0] == "blob" and oid not in given)
    }


def reported(said: Patch, merged: Merged, base: BaseTree) -> Iterator[Change]:
    """Yield what FILES_CHANGED.json says: the merged entries, counted as git's patch counts."""
    counts: dict[RepoPath, tuple[int, int, bool]] = {}
    for section in said.sections:
        plus, minus, binary = counts.get(section.path, (0, 0, False))
        more, less = counted(section.body)
        is_binary = binary or isinstance(section.body, BinaryBody)
        counts[section.path] = (plus + more, minus + less, is_binary)
    for path, entry in merged.entries.items():
        plus, minus, binary = counts[path]
        old = base.entry(path)
        yield Change(
            path=path,
            old=old if old is not None and old.mode != DIRECTORY else None,
            new=entry,
            content=merged.contents[path],
            body=None,
            binary=binary,
            insertions=plus,
            deletions=minus,
        )
