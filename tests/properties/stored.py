"""Trees in a real repository, by as few processes as can be: properties ask hundreds of times."""

import re
from collections.abc import Sequence

from tests.builders import EMPTY_TREE, Files, Repo
from tests.properties.drawn import GITLINK, content_of, mode_of

_IMPORT = ("fast-import", "--quiet", "--force")
_SAID = b"commit refs/heads/t%d\nmark :%d\ncommitter a <a> 0 +0000\ndata 0\ndeleteall\n"
# What git says before each patch; no line of a patch is two ids.
_PAIR = re.compile(rb"^[0-9a-f]{40} [0-9a-f]{40}\n", re.MULTILINE)
# merge-file compares so, and does not slide a change to where indentation is natural; in a file of
# like lines another diff means another edit.
_AS_MERGE_FILE = ("-c", "diff.indentHeuristic=false", "-c", "diff.algorithm=myers")


def stored(repo: Repo, several: Sequence[Files]) -> list[str]:
    """Return the ids of these trees, which lie in the repository now."""
    said = [part for number, files in enumerate(several) for part in _commit(number, files)]
    told = repo.git("-c", "core.fsync=none", *_IMPORT, feed=b"".join(said)).decode()
    # Of an empty tree git says that it is missing.
    return [line.split()[2] if "tree" in line else EMPTY_TREE for line in told.splitlines()]


def patches(repo: Repo, before: Files, afters: Sequence[Files]) -> list[bytes]:
    """Return git's patch from `before` to each of `afters`."""
    base, *trees = stored(repo, [before, *afters])
    words = ("diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames", "--stdin")
    feed = "".join(f"{base} {tree}\n" for tree in trees).encode()
    return _PAIR.split(repo.git(*_AS_MERGE_FILE, *words, feed=feed))[1:]


def _commit(number: int, files: Files) -> list[bytes]:
    said = [_SAID % (number, number + 1)]
    for path, entry in files.items():
        raw = path.encode("utf-8", "surrogateescape")
        name = b'"' + b"".join(b"\\%03o" % byte for byte in raw) + b'"'
        mode, content = mode_of(entry).encode(), content_of(entry)
        if mode == GITLINK.encode():
            said.append(b"M %s %s %s\n" % (mode, content, name))
        else:
            said.append(b"M %s inline %s\ndata %d\n%s\n" % (mode, name, len(content), content))
    return [*said, b'\nls :%d ""\n' % (number + 1)]
