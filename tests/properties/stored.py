"""Trees in a real repository, as few processes as can be: properties ask thousands of times."""

from collections.abc import Sequence

from tests.builders import Files, Repo
from tests.properties.drawn import GITLINK, content_of, mode_of

_SAID = b"commit refs/heads/t%d\ncommitter a <a> 0 +0000\ndata 0\ndeleteall\n"


def stored(repo: Repo, several: Sequence[Files]) -> list[str]:
    """Return the ids of these trees, which lie in the repository now."""
    said = [part for number, files in enumerate(several) for part in _commit(number, files)]
    repo.git("fast-import", "--quiet", "--force", feed=b"".join(said))
    revisions = [f"refs/heads/t{number}^{{tree}}" for number in range(len(several))]
    return repo.git("rev-parse", *revisions).decode().split()


def patches(repo: Repo, pairs: Sequence[tuple[str, str]], *settings: str) -> list[bytes]:
    """Return git's patch between each pair of trees."""
    config = [word for setting in settings for word in ("-c", setting)]
    words = ("diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames", "--stdin")
    said = repo.git(*config, *words, feed="".join(f"{a} {b}\n" for a, b in pairs).encode())
    found = []
    for one, other in pairs:
        head = f"{one} {other}\n".encode()
        assert said.startswith(head)
        said = said.removeprefix(head)
        # The next pair begins where a line is one: no line of a patch looks like it.
        end = next((at for at in _heads(said, pairs) if at >= 0), len(said))
        found.append(said[:end])
        said = said[end:]
    return found


def _heads(said: bytes, pairs: Sequence[tuple[str, str]]) -> list[int]:
    places = (f"{a} {b}\n".encode() for a, b in pairs)
    return sorted(
        0 if said.startswith(head) else at + 1 if (at := said.find(b"\n" + head)) >= 0 else -1
        for head in places
    )


def _commit(number: int, files: Files) -> list[bytes]:
    said = [_SAID % number]
    for path, entry in files.items():
        raw = path.encode("utf-8", "surrogateescape")
        name = b'"' + b"".join(b"\\%03o" % byte for byte in raw) + b'"'
        mode, content = mode_of(entry).encode(), content_of(entry)
        if mode == GITLINK.encode():
            said.append(b"M %s %s %s\n" % (mode, content, name))
        else:
            said.append(b"M %s inline %s\ndata %d\n%s\n" % (mode, name, len(content), content))
    return said
