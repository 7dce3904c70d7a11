"""What differs from the base in a checkout, asked by an index and a git directory of our own."""

import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.errors import RepositoryError
from tools.codex.factory.repository.checkout import Fresh
from tools.codex.factory.repository.git import Git

# Git only warns of a folder that it cannot open, as where it has too many open, and ends well.
_PASSED_OVER = b"warning: could not open directory "
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

    def ask(self, *words: str, feed: bytes = b"", lent: bool = False, whole: bool = False) -> bytes:
        """Return the output of a git command that reads the checkout, and writes only `own`.

        Only one that writes no object may be `lent` those of the run. `whole`: raises
        RepositoryError where git passed over a folder that it could not open.
        """
        borrowed = self._lenders(None) if lent else {}
        return self.git.out(
            *words,
            git_dir=self.own,
            cwd=self.checkout,
            feed=feed,
            env={"GIT_WORK_TREE": str(self.checkout), **borrowed},
            refused=_PASSED_OVER if whole else b"",
        )

    def read(
        self,
        *words: str,
        feed: bytes = b"",
        more: Path | None = None,
        index: Path | None = None,
        work_tree: Path | None = None,
    ) -> bytes:
        """Return the output of a git command that reads objects: ours, the run's, those in `more`.

        It must write none; where it writes files, it does so in `work_tree`.
        """
        named = {"GIT_INDEX_FILE": str(index)} if index is not None else {}
        placed = {"GIT_WORK_TREE": str(work_tree)} if work_tree is not None else {}
        env = {**self._lenders(more), **named, **placed}
        folder = work_tree or self.own
        return self.git.out(*words, git_dir=self.own, cwd=folder, feed=feed, env=env)

    def borrow(self, oids: Collection[str], *, more: Path | None = None) -> None:
        """Copy objects of the run, or of `more`, into `own`; git holds their content to their ids.

        Raises RepositoryError where one is missing or is not what its id says.
        """
        if not oids:
            return
        feed = "".join(f"{oid}\n" for oid in sorted(oids)).encode()
        pack = self.read("pack-objects", "--quiet", "--stdout", "--window=0", feed=feed, more=more)
        self.ask("index-pack", "--stdin", feed=pack)

    def _lenders(self, more: Path | None) -> dict[str, str]:
        lenders = [str(self.store / "objects"), *([str(more)] if more is not None else [])]
        return {"GIT_ALTERNATE_OBJECT_DIRECTORIES": os.pathsep.join(map(_lender, lenders))}


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


@dataclass(frozen=True, slots=True)
class Row:
    """An entry of an index. `is_hidden`: git keeps it out of the work tree on purpose."""

    mode: str
    oid: ObjectId
    stage: str
    is_hidden: bool


def rows_of(said: bytes) -> list[tuple[bytes, Row]]:
    """Return the entries that `git ls-files -z -t -s` listed, each with its path."""
    found = []
    for row in said.split(b"\0")[:-1]:
        meta, _, path = row.partition(b"\t")
        tag, mode, oid, stage = meta.decode("ascii").split()
        found.append((path, Row(mode, ObjectId(oid), stage, tag == "S")))
    return found


def base_rows(through: Lens) -> dict[bytes, Row]:
    """Return the entries of the base by path."""
    return dict(rows_of(through.read("ls-files", "-z", "-t", "-s", index=through.base_index)))


def listing(through: Lens) -> Listing:
    """Return what differs from the base, ignored paths aside."""
    # Nothing is written here, so objects may be borrowed: a link is compared by its blob.
    words = ("ls-files", "-z", "-t", "-m", "-d", "-o", "--exclude-standard")
    said = through.ask(*words, lent=True, whole=True)
    changed: set[bytes] = set()
    new: set[bytes] = set()
    for row in said.split(b"\0")[:-1]:
        (new if row.startswith(b"? ") else changed).add(row[2:])
    nested = sorted(path for path in new if path.endswith(b"/"))
    return Listing(frozenset(changed), frozenset(new.difference(nested)), tuple(nested))


def ignored_among(through: Lens, paths: Collection[bytes]) -> frozenset[bytes]:
    """Return those of `paths` that a pattern ignores, whether they are in the index or not."""
    if not paths:
        return frozenset()
    feed = b"".join(path.rstrip(b"/") + b"\0" for path in sorted(paths))
    said = through.git.call(
        "check-ignore", "-z", "--stdin", "--no-index",
        git_dir=through.own,
        cwd=through.checkout,
        feed=feed,
        env={"GIT_WORK_TREE": str(through.checkout)},
    )  # fmt: skip
    if said.exit_code not in (0, 1):
        raise RepositoryError(
            f"git check-ignore failed: {said.complaint}",
            hint="look at the .gitignore files of the checkout",
        )
    found = frozenset(said.stdout.split(b"\0")[:-1])
    return frozenset(path for path in paths if path.rstrip(b"/") in found)


def ignored(through: Lens) -> int:
    """Return how many ignored paths lie in the checkout; a folder that is ignored whole is one."""
    words = ("ls-files", "-z", "-o", "-i", "--directory", "--exclude-standard")
    return through.ask(*words).count(b"\0")


def sizes(checkout: Path, paths: Collection[bytes]) -> Mapping[bytes, os.stat_result]:
    """Return the state of each path that is there; what is behind a link is not."""
    top = os.fsencode(checkout)
    real: dict[bytes, bool] = {b"": True}
    found = {}
    for path in paths:
        if _is_real(top, path.rpartition(b"/")[0], real):
            with suppress(OSError):
                found[path] = os.lstat(os.path.join(top, path))
    return found


def _is_real(top: bytes, folder: bytes, known: dict[bytes, bool]) -> bool:
    """Return whether `folder` and all above it are folders, and no links to some."""
    if folder not in known:
        above = _is_real(top, folder.rpartition(b"/")[0], known)
        try:
            here = stat.S_ISDIR(os.lstat(os.path.join(top, folder)).st_mode)
        except OSError:
            here = False
        known[folder] = above and here
    return known[folder]


def is_plain(state: os.stat_result) -> bool:
    """Return whether git can keep what has this state: a file, a link, or a folder."""
    kinds = (stat.S_ISREG, stat.S_ISLNK, stat.S_ISDIR)
    return any(kind(state.st_mode) for kind in kinds)


def _lender(path: str) -> str:
    """Return a path as GIT_ALTERNATE_OBJECT_DIRECTORIES takes it: quoted where it needs to be."""
    if os.pathsep not in path and not path.startswith('"'):
        return path
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
