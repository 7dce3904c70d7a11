"""The second opinion: git itself applies the merged patch, and must reach the same tree."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId, object_id
from tools.codex.factory.repository.git import Git


def replayed(
    git: Git,
    store: Path,
    *,
    base_tree: ObjectId,
    blobs: Iterable[ObjectId],
    patch: bytes,
    scratch: Path,
) -> ObjectId | str:
    """Return the tree that git reaches from `base_tree` by `patch`, or git's reason why not.

    Git works in a store of its own in `scratch`, which holds the trees of the base and the base
    `blobs` that the patch starts from, and nothing else: no object that we or anyone else made
    can help it along. It also must not borrow: where git writes an object that a borrowed store
    has, it renews the times of the user's own files.
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
        git.out("index-pack", "--stdin", git_dir=own, feed=pack)
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
