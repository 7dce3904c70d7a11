"""What differs from the base in a checkout, asked by an index and a git directory of our own."""

import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.repository.checkout import Fresh
from tools.codex.factory.repository.git import Git

# What a stranger left can make git wait; nothing honest takes this long.
_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """A git directory of our own that looks at a checkout. It borrows no objects: where git writes
    one that it borrows, it would renew the times of the user's files."""

    git: Git
    own: Path
    checkout: Path
    store: Path

    @property
    def base_index(self) -> Path:
        """Return an index of the base that stays as it is."""
        return self.own / "base-index"

    def ask(self, *words: str, feed: bytes = b"") -> bytes:
        """Return the output of a git command that reads the checkout, and writes only `own`."""
        return self.git.out(
            *words,
            git_dir=self.own,
            cwd=self.checkout,
            feed=feed,
            env={"GIT_WORK_TREE": str(self.checkout)},
        )

    def read(
        self,
        *words: str,
        feed: bytes = b"",
        more: Path | None = None,
        index: Path | None = None,
    ) -> bytes:
        """Return the output of a git command that reads objects: ours, the run's, those in `more`.

        It must write none.
        """
        lenders = [str(self.store / "objects"), *([str(more)] if more is not None else [])]
        env = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": os.pathsep.join(map(_lender, lenders))}
        named = {"GIT_INDEX_FILE": str(index)} if index is not None else {}
        return self.git.out(*words, git_dir=self.own, cwd=self.own, feed=feed, env={**env, **named})


@dataclass(frozen=True, slots=True)
class Listing:
    """Paths as bytes: changed or gone, new, and new folders that are repositories themselves."""

    changed: frozenset[bytes]
    new: frozenset[bytes]
    nested: tuple[bytes, ...]


@contextmanager
def lens(
    git: Git,
    checkout: Path,
    fresh: Fresh | None,
    base: ObjectId,
    *,
    store: Path,
    ignore: Collection[str],
    scratch: Path,
) -> Iterator[Lens]:
    """Yield what looks at `checkout` as it was made: by its index, or by `base` where that is lost.

    `ignore` are patterns of what is in no bundle, beside the repository's own .gitignore files.
    """
    with tempfile.TemporaryDirectory(prefix="lens-", dir=scratch) as folder:
        own = Path(folder)
        for made in ("objects/info", "refs/heads", "info"):
            (own / made).mkdir(parents=True)
        (own / "HEAD").write_text("ref: refs/heads/none\n", "ascii")
        (own / "config").write_text("[core]\n\trepositoryformatversion = 0\n", "ascii")
        (own / "info" / "exclude").write_text("".join(f"{one}\n" for one in ignore), "utf-8")
        made_lens = Lens(
            git=replace(git, patience=_PATIENCE_SECONDS), own=own, checkout=checkout, store=store
        )
        if fresh is not None:
            (own / "index").write_bytes(fresh.index)
            os.utime(own / "index", ns=fresh.index_time)
        else:
            made_lens.read("read-tree", base)
        shutil.copy2(own / "index", made_lens.base_index)
        yield made_lens


def listing(through: Lens) -> Listing:
    """Return what differs from the base, ignored paths aside."""
    said = through.ask("ls-files", "-z", "-t", "-m", "-d", "-o", "--exclude-standard")
    changed: set[bytes] = set()
    new: set[bytes] = set()
    for row in said.split(b"\0")[:-1]:
        (new if row.startswith(b"? ") else changed).add(row[2:])
    nested = sorted(path for path in new if path.endswith(b"/"))
    return Listing(frozenset(changed), frozenset(new.difference(nested)), tuple(nested))


def ignored(through: Lens) -> int:
    """Return how many ignored paths lie in the checkout; a folder that is ignored whole is one."""
    words = ("ls-files", "-z", "-o", "-i", "--directory", "--exclude-standard")
    return through.ask(*words).count(b"\0")


def sizes(checkout: Path, paths: Collection[bytes]) -> Mapping[bytes, os.stat_result]:
    """Return the state of each path that is there."""
    top = os.fsencode(checkout)
    found = {}
    for path in paths:
        try:
            found[path] = os.lstat(os.path.join(top, path))
        except OSError:
            continue
    return found


def is_plain(state: os.stat_result) -> bool:
    """Return whether git can keep what has this state: a file, a link, or a folder."""
    kinds = (stat.S_ISREG, stat.S_ISLNK, stat.S_ISDIR)
    return any(kind(state.st_mode) for kind in kinds)


def _lender(path: str) -> str:
    """Return a path as GIT_ALTERNATE_OBJECT_DIRECTORIES takes it: quoted where it needs to be."""
    if os.pathsep not in path and not path.startswith('"'):
        return path
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
