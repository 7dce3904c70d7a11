"""Objects by id, through one git process that stays open. GitPython reads; nothing is written."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import git as gitpython

from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.errors import RepositoryError
from tools.codex.factory.repository.git import Git

_CHUNK = 1 << 20


class Objects:
    """Reads objects of a store and of the stores that it borrows from."""

    def __init__(self, reader: gitpython.Git) -> None:
        self._reader = reader

    def tree(self, oid: ObjectId) -> bytes:
        """Return the content of tree `oid`; raise RepositoryError where there is none."""
        return self._read(oid, "tree")

    def commit(self, oid: ObjectId) -> bytes:
        """Return the content of commit `oid`; raise RepositoryError where there is none."""
        return self._read(oid, "commit")

    def blobs(self, oids: Collection[ObjectId], *, limit: int) -> Mapping[ObjectId, bytes]:
        """Return the blobs of at most `limit` bytes; a larger one is not in the answer."""
        found: dict[ObjectId, bytes] = {}
        for oid in sorted(oids):
            size, content = self._open(oid, "blob")
            if size <= limit:
                found[oid] = content.read()
            _drain(content)
        return found

    def _read(self, oid: ObjectId, kind: str) -> bytes:
        return bytes(self._open(oid, kind)[1].read())

    def _open(self, oid: ObjectId, kind: str) -> "tuple[int, gitpython.Git.CatFileContentStream]":
        try:
            _, found, size, content = self._reader.stream_object_data(oid)
        except ValueError as error:
            raise RepositoryError(
                f"object {oid} is missing from the repository",
                hint="`git fsck` shows what else is; a fresh clone may have it",
            ) from error
        # GitPython promises text here and gives bytes.
        named = found.decode() if isinstance(found, bytes) else found
        if named != kind:
            _drain(content)
            raise RepositoryError(f"object {oid} is a {named}, not a {kind}")
        return size, content


def _drain(content: "gitpython.Git.CatFileContentStream") -> None:
    """Read what is left: the next answer stands behind it in the pipe."""
    while content.read(_CHUNK):
        pass


@contextmanager
def objects_of(git: Git, store: Path) -> Iterator[Objects]:
    """Yield the objects of the bare repository `store`; the git process ends with the block."""
    reader = gitpython.Git(str(store))
    reader.update_environment(**git.environment, GIT_DIR=str(store))
    try:
        yield Objects(reader)
    finally:
        reader.clear_cache()
