"""The second opinion: git itself applies the merged patch, and must reach the same tree."""

import tempfile
from pathlib import Path

from tools.codex.factory.domain.identity import ObjectId, object_id
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.quarantine import loan


def replayed(
    git: Git, store: Path, borrowed: Path, *, base_tree: ObjectId, patch: bytes, scratch: Path
) -> ObjectId | str:
    """Return the tree that git reaches from `base_tree` by `patch`, or git's reason why not.

    Git sees the user's objects and none of ours: what our engine made cannot help it along.
    `scratch` is a folder for the throw-away index and objects.
    """
    with tempfile.TemporaryDirectory(prefix="audit-", dir=scratch) as folder:
        objects = Path(folder) / "objects"
        (objects / "info").mkdir(parents=True)
        (objects / "info" / "alternates").write_bytes(loan(borrowed))
        own = {
            "GIT_INDEX_FILE": str(Path(folder) / "index"),
            "GIT_OBJECT_DIRECTORY": str(objects),
        }
        git.out("read-tree", base_tree, git_dir=store, cwd=Path(folder), env=own)
        if patch:
            done = git.call(
                "apply", "--cached", "--whitespace=nowarn", "-",
                git_dir=store, cwd=Path(folder), feed=patch, env=own,
            )  # fmt: skip
            if done.exit_code != 0:
                return done.complaint
        tree = git.call("write-tree", git_dir=store, cwd=Path(folder), env=own)
        if tree.exit_code != 0:
            return tree.complaint
        return object_id(tree.stdout.decode().strip())
