"""The second opinion: git itself applies the merged patch, and must reach the same tree."""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId, object_id
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.quarantine import pack_of


def replayed(
    git: Git,
    store: Path,
    *,
    base_tree: ObjectId,
    blobs: Iterable[ObjectId],
    patch: bytes,
    known: Mapping[ObjectId, tuple[str, bytes]],
    scratch: Path,
) -> ObjectId | str:
    """Return the tree that git reaches from `base_tree` by `patch`, or git's reason why not.

    Git works in a store of its own in `scratch`, which holds the trees of the base and the base
    `blobs` that the patch starts from. It must not borrow: where git writes an object that a
    borrowed store has, it renews the times of the user's own files.

    `known` are objects that git may reach, so that it need not write each into a file of its own.
    It computes every tree and every text blob all the same, and only skips the writing. The blob
    of a binary section must not be among them: git would take it as given.
    """
    with tempfile.TemporaryDirectory(prefix="audit-", dir=scratch) as folder:
        own = Path(folder) / "audit.git"
        own.mkdir()
        git.out("init", "--quiet", "--bare", "--template=", ".", git_dir=own)
        trees = git.out(
            "rev-list", "--objects", "--filter=blob:none", "--no-object-names", base_tree,
            git_dir=store,
        )  # fmt: skip
        wanted = trees + "".join(f"{blob}\n" for blob in sorted(blobs)).encode()
        pack = git.out(
            "pack-objects", "--quiet", "--stdout", "--window=0", git_dir=store, feed=wanted
        )
        for content in (pack, pack_of(known, level=0)):
            git.out("index-pack", "--stdin", git_dir=own, feed=content)
        git.out("read-tree", base_tree, git_dir=own)
        if patch:
            done = git.call(
                "apply", "--cached", "--whitespace=nowarn", "-", git_dir=own, feed=patch
            )
            if done.exit_code != 0:
                return done.complaint
        tree = git.call("write-tree", "--missing-ok", git_dir=own)
        if tree.exit_code != 0:
            return tree.complaint
        return object_id(tree.stdout.decode().strip())
