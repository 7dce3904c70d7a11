"""What tests start from: real repositories, trees in memory, and the patches between them."""

import difflib
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.edit import split_lines
from tools.codex.factory.domain.identity import (
    NULL_ID,
    ObjectId,
    RepoPath,
    WorkerId,
    object_id_of,
    worker_id,
)
from tools.codex.factory.domain.patch import GITLINK, scan
from tools.codex.factory.domain.path import path_bytes
from tools.codex.factory.domain.proof import Proven, prove
from tools.codex.factory.domain.reader import PatchLimits
from tools.codex.factory.domain.tree import BaseTree, Entry, around, spliced

FILE = "100644"
EXECUTABLE = "100755"
LINK = "120000"
EMPTY_TREE = object_id_of("tree", b"")
WHEN = "2024-01-01T00:00:00+00:00"

Files = Mapping[str, bytes | tuple[str, bytes]]
"""What a tree holds: content of a plain file, or mode and content (a gitlink's is its commit)."""


@dataclass(frozen=True, slots=True)
class Repo:
    """A real repository, deaf to the configuration of whoever runs the tests."""

    path: Path

    @classmethod
    def make(cls, path: Path) -> "Repo":
        """Return a new empty repository at `path`, on branch main."""
        path.mkdir(parents=True, exist_ok=True)
        repo = cls(path)
        repo.git("init", "-q", "-b", "main")
        return repo

    def run(self, *words: str, feed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Return what became of `git words`, whatever its exit code."""
        return subprocess.run(
            ["git", *words],
            cwd=self.path,
            input=feed,
            capture_output=True,
            env=environment(self.path),
            check=False,
        )

    def git(self, *words: str, feed: bytes = b"") -> bytes:
        """Return what `git words` prints; raise where it fails."""
        ended = self.run(*words, feed=feed)
        assert ended.returncode == 0, (words, ended.stderr.decode("utf-8", "replace"))
        return ended.stdout

    def write(self, path: str, content: bytes | str, executable: bool = False) -> None:
        """Write a file of the work tree, with the directories above it."""
        place = self._place(path)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        place.chmod(0o755 if executable else 0o644)

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link in the work tree, in place of what is there."""
        place = self._place(path)
        place.unlink(missing_ok=True)
        place.symlink_to(target)

    def delete(self, path: str) -> None:
        """Delete a file or link of the work tree, and the directories that this empties."""
        place = self.path / path
        place.unlink()
        for above in place.parents:
            if above == self.path or any(above.iterdir()):
                return
            above.rmdir()

    def commit(self, message: str = "base") -> str:
        """Commit the work tree and return the commit's id."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").decode().strip()

    def tree(self, rev: str = "HEAD") -> str:
        """Return the id of the tree at `rev`."""
        return self.git("rev-parse", f"{rev}^{{tree}}").decode().strip()

    def diff(self, *extra: str) -> bytes:
        """Return the patch from HEAD to the work tree, which is added to the index."""
        self.git("add", "-A")
        return self.git("diff", "--cached", "--binary", "--full-index", "--no-renames", *extra)

    def reset(self) -> None:
        """Take the work tree and the index back to HEAD."""
        self.git("reset", "-q", "--hard")
        self.git("clean", "-q", "-ffdx")

    def store(self, files: Files, *, ref: str, parent: str | None = None) -> str:
        """Commit `files` as `ref`, a full name; return the id of their tree."""
        # One process for a whole tree: the work tree and the index stay as they are.
        said = [b"commit %s\ncommitter a <a> 0 +0000\ndata 0\n" % ref.encode()]
        said.append(b"from %s\ndeleteall\n" % parent.encode() if parent else b"deleteall\n")
        for path, entry in files.items():
            mode, content = _mode_and_content(entry)
            name = b'"' + b"".join(b"\\%03o" % byte for byte in path_bytes(path)) + b'"'
            if mode == GITLINK:
                said.append(b"M 160000 %s %s\n" % (content, name))
            else:
                said.append(b"M %s inline %s\n" % (mode.encode(), name))
                said.append(b"data %d\n%s\n" % (len(content), content))
        self.run("update-ref", "-d", ref)
        self.git("fast-import", "--quiet", "--force", feed=b"".join(said))
        return self.tree(ref)

    def merged(self, ours: str, theirs: str) -> tuple[str, frozenset[str]]:
        """Return git's merge of two commits: the tree, and the paths that conflict."""
        words = ("--write-tree", "--no-messages", "--name-only", "-z")
        ended = self.run("-c", "merge.directoryRenames=false", "merge-tree", *words, ours, theirs)
        assert ended.returncode in (0, 1), ended.stderr
        tree, *paths = ended.stdout.decode("utf-8", "surrogateescape").split("\0")
        return tree, frozenset(path for path in paths if path)

    def content(self, rev: str, paths: Iterable[str]) -> dict[str, bytes]:
        """Return the content of each of `paths` at `rev`."""
        asked = list(paths)
        feed = b"".join(rev.encode() + b":" + path_bytes(path) + b"\n" for path in asked)
        rest = self.git("cat-file", "--batch", feed=feed)
        found: dict[str, bytes] = {}
        for path in asked:
            header, _, rest = rest.partition(b"\n")
            size = int(header.split()[2])
            found[path], rest = rest[:size], rest[size + 1 :]
        return found

    def _place(self, path: str) -> Path:
        place = self.path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        return place


def environment(home: Path) -> dict[str, str]:
    """Return the environment of git that makes object ids constants."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "tester",
        "GIT_AUTHOR_EMAIL": "tester@localhost",
        "GIT_AUTHOR_DATE": WHEN,
        "GIT_COMMITTER_NAME": "tester",
        "GIT_COMMITTER_EMAIL": "tester@localhost",
        "GIT_COMMITTER_DATE": WHEN,
    }


def blob_id(content: bytes) -> ObjectId:
    """Return git's id of a blob."""
    return object_id_of("blob", content)


def entries_of(files: Files) -> dict[RepoPath, Entry]:
    """Return `files` as tree entries."""
    entries: dict[RepoPath, Entry] = {}
    for path, held in files.items():
        mode, content = _mode_and_content(held)
        oid = ObjectId(content.decode()) if mode == GITLINK else blob_id(content)
        entries[RepoPath(path)] = Entry(mode, oid)
    return entries


def base_of(files: Files) -> tuple[BaseTree, dict[ObjectId, bytes]]:
    """Return the tree of `files` with every directory loaded, and its blobs."""
    made = spliced(BaseTree(EMPTY_TREE, {"": {}}), entries_of(files))
    blobs = [content for mode, content in map(_mode_and_content, files.values()) if mode != GITLINK]
    objects = {EMPTY_TREE: b"", **made.objects}
    base = around(made.root, files, objects.__getitem__)
    return base, {blob_id(content): content for content in blobs}


def a_patch(before: Files, after: Files, *, context: int = 3) -> bytes:
    """Return a patch from `before` to `after` as git writes it without rename detection.

    For text and plain names; where lines are alike, git may choose another of them.
    """
    sections = []
    for path in sorted(before.keys() | after.keys()):
        old = _mode_and_content(before[path]) if path in before else None
        new = _mode_and_content(after[path]) if path in after else None
        if old is not None and new is not None and old[0][:3] != new[0][:3]:
            sections += [_section(path, old, None, context), _section(path, None, new, context)]
        elif old != new:
            sections.append(_section(path, old, new, context))
    return b"".join(sections)


def proven(before: Files, patch: bytes, worker: str = "A_worker") -> Proven:
    """Return `patch` as proven on `before`."""
    base, blobs = base_of(before)
    return prove(scan(patch), base, blobs, worker=worker_id(worker), limits=PatchLimits())


def worker(name: str) -> WorkerId:
    """Return `name` as a worker id."""
    return worker_id(name)


def _mode_and_content(entry: bytes | tuple[str, bytes]) -> tuple[str, bytes]:
    return (FILE, entry) if isinstance(entry, bytes) else entry


def _section(
    path: str, old: tuple[str, bytes] | None, new: tuple[str, bytes] | None, context: int
) -> bytes:
    name = path.encode()
    modes = _mode_lines(old, new)
    head = b"diff --git a/%s b/%s\n%s" % (name, name, modes)
    if old is not None and new is not None and old[1] == new[1]:
        return head
    same = b" " + old[0].encode() if old and new and old[0] == new[0] else b""
    head += b"index %s..%s%s\n" % (_id_of(old), _id_of(new), same)
    body = _hunks(_text_of(old), _text_of(new), context)
    tab = b"\t" if b" " in name else b""
    left = b"/dev/null" if old is None else b"a/" + name + tab
    right = b"/dev/null" if new is None else b"b/" + name + tab
    return head + (b"--- %s\n+++ %s\n%s" % (left, right, body) if body else b"")


def _mode_lines(old: tuple[str, bytes] | None, new: tuple[str, bytes] | None) -> bytes:
    if old is None:
        return b"new file mode %s\n" % (new or ("", b""))[0].encode()
    if new is None:
        return b"deleted file mode %s\n" % old[0].encode()
    if old[0] == new[0]:
        return b""
    return b"old mode %s\nnew mode %s\n" % (old[0].encode(), new[0].encode())


def _id_of(side: tuple[str, bytes] | None) -> bytes:
    if side is None:
        return NULL_ID.encode()
    return side[1] if side[0] == GITLINK else blob_id(side[1]).encode()


def _text_of(side: tuple[str, bytes] | None) -> list[bytes]:
    if side is None:
        return []
    if side[0] == GITLINK:
        return [b"Subproject commit %s\n" % side[1]]
    return split_lines(side[1])


def _hunks(old: list[bytes], new: list[bytes], context: int) -> bytes:
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    out = []
    for group in matcher.get_grouped_opcodes(context):
        first, last = group[0], group[-1]
        left, right = _span(first[1], last[2]), _span(first[3], last[4])
        out.append(b"@@ -%s +%s @@\n" % (left, right))
        for tag, i, j, k, m in group:
            if tag == "equal":
                out += [_line(b" ", line) for line in old[i:j]]
            else:
                out += [_line(b"-", line) for line in old[i:j]]
                out += [_line(b"+", line) for line in new[k:m]]
    return b"".join(out)


def _span(start: int, end: int) -> bytes:
    count = end - start
    at = start + 1 if count else start
    return b"%d" % at if count == 1 else b"%d,%d" % (at, count)


def _line(mark: bytes, line: bytes) -> bytes:
    return (
        mark + line if line.endswith(b"\n") else mark + line + b"\n\\ No newline at end of file\n"
    )
