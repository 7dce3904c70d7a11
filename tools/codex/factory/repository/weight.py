"""How much a checkout of a commit takes on disk."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.repository.git import Git


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes on disk, files and folders of one checkout; the paths of its files."""

    size: int
    files: int
    paths: frozenset[str]


def weight(git: Git, git_dir: Path, commit: ObjectId, on_disk: Callable[[int], int]) -> Weight:
    """Return the weight of a checkout of `commit`; `on_disk` says what a size takes there."""
    said = git.out("ls-tree", "-r", "-l", "-z", "--full-tree", commit, git_dir=git_dir)
    size = 0
    paths = []
    for row in said.split(b"\0")[:-1]:
        meta, _, path = row.partition(b"\t")
        length = meta.rpartition(b" ")[2]
        size += on_disk(int(length)) if length.isdigit() else 0
        paths.append(path.decode("utf-8", "surrogateescape"))
    folders = {path.rpartition("/")[0] for path in paths}
    size += len(folders) * on_disk(1)
    return Weight(size, len(paths) + len(folders), frozenset(paths))
