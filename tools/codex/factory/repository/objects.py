"""Objects by id: trees and commits by GitPython, blobs in batches. Nothing is written."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.errors import RepositoryError
from tools.codex.factory.repository.git import Git

if TYPE_CHECKING:
    import git as gitpython


class Objects:
    """Reads objects of a store and of the stores that it borrows from."""

    def __init__(self, git: Git, store: Path, reader: "gitpython.Git") -> None:
        self._git = git
        self._store = store
        self._reader = reader

    def tree(self, oid: ObjectId) -> bytes:
        """Return the content of tree `oid`; raise RepositoryError where there is none."""
        return self._read(oid, "tree")

    def commit(self, oid: ObjectId) -> bytes:
        """Return the content of commit `oid`; raise RepositoryError where there is none."""
        return self._read(oid, "commit")

    def blobs(self, oids: Collection[ObjectId], *, limit: int) -> Mapping[ObjectId, bytes]:
        """Return the blobs of at most `limit` bytes; a larger one is not in the answer.

        Asked for all at once: one by one, the way to the process and back costs more than reading.
        """
        if not oids:
            return {}
        small = [oid for oid, size in self._sizes(sorted(oids)) if size <= limit]
        feed = "".join(f"{oid}\n" for oid in small).encode()
        said = self._git.out("cat-file", "--batch", git_dir=self._store, feed=feed)
        found: dict[ObjectId, bytes] = {}
        position = 0
        for oid in small:
            end = said.index(b"\n", position)
            size = int(said[position:end].rpartition(b" ")[2])
            found[oid] = said[end + 1 : end + 1 + size]
            position = end + size + 2
        return found

    def _sizes(self, oids: Sequence[ObjectId]) -> list[tuple[ObjectId, int]]:
        feed = "".join(f"{oid}\n" for oid in oids).encode()
        said = self._git.out("cat-file", "--batch-check", git_dir=self._store, feed=feed)
        found = []
        for oid, line in zip(oids, said.decode("ascii").splitlines(), strict=True):
            _, kind, *size = line.split()
            if kind == "missing":
                raise _missing(oid)
            if kind != "blob":
                raise _other_kind(oid, kind, "blob")
            found.append((oid, int(size[0])))
        return found

    def _read(self, oid: ObjectId, kind: str) -> bytes:
        try:
            _, found, _, content = self._reader.stream_object_data(oid)
        except ValueError as error:
            raise _missing(oid) from error
        whole = bytes(content.read())
        # GitPython promises text here and gives bytes.
        named = found.decode() if isinstance(found, bytes) else found
        if named != kind:
            raise _other_kind(oid, named, kind)
        return whole


def _other_kind(oid: ObjectId, found: str, kind: str) -> RepositoryError:
    return RepositoryError(
        f"object {oid} is a {found}, not a {kind}",
        hint="`git fsck` shows what else is wrong; a fresh clone may have it right",
    )


def _missing(oid: ObjectId) -> RepositoryError:
    return RepositoryError(
        f"object {oid} is missing from the repository",
        hint="`git fsck` shows what else is; a fresh clone may have it",
    )


@contextmanager
def objects_of(git: Git, store: Path) -> Iterator[Objects]:
    """Yield the objects of the bare repository `store`; the git process ends with the block."""
    # Where there is no git this import fails, and that is said better by whoever asks for git.
    import git as gitpython

    reader = gitpython.Git(str(store))
    reader.update_environment(**git.environment, GIT_DIR=str(store))
    try:
        yield Objects(git, store, reader)
    finally:
        reader.clear_cache()
