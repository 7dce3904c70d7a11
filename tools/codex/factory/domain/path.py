"""Repository paths: which text is one, and how git quotes it."""

import re

from tools.codex.factory.domain.identity import RepoPath
from tools.codex.factory.domain.wording import brief

# HFS+ drops these when it compares names, so `.g<U+200C>it` opens `.git` there (CVE-2014-9390).
_HFS_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_NTFS_SHORT_GIT = re.compile(r"git~[0-9]+")
_ESCAPE = {
    "a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92,
}  # fmt: skip
_LETTER = {code: letter for letter, code in _ESCAPE.items()}
_QUOTED_TOKEN = re.compile(rb'\\([abtnvfr"\\]|[0-3][0-7]{2})|([^"\\\x00-\x1f\x7f]+)')
_NEEDS_QUOTES = re.compile('[\x00-\x1f\x7f"\\\\\udc80-\udcff]')
MAX_PATH_BYTES = 4096
MAX_NAME_BYTES = 255
MAX_PARTS = 200


def repo_path(text: str) -> RepoPath:
    """Return `text` as a repository path; raise ValueError saying why it is none.

    Undecodable bytes stand in `text` as `surrogateescape` leaves them.
    """
    said = brief(text)
    if "\0" in text:
        raise ValueError(f"{said} holds a NUL byte")
    if "\\" in text:
        raise ValueError(f"{said} holds a backslash, a separator on Windows")
    parts = text.split("/")
    if "" in parts or "." in parts or ".." in parts:
        raise ValueError(f"{said} is not a repository path (relative, like 'src/app.py')")
    if len(parts) > MAX_PARTS or len(text) > MAX_PATH_BYTES:
        raise ValueError(f"{said} is longer than {MAX_PARTS} folders or {MAX_PATH_BYTES} bytes")
    try:
        size = max(len(part.encode("utf-8", "surrogateescape")) for part in parts)
    except UnicodeEncodeError:
        raise ValueError(f"{said} holds half a character") from None
    if size > MAX_NAME_BYTES:
        raise ValueError(f"{said} holds a name longer than {MAX_NAME_BYTES} bytes")
    if _may_hide_git(text) and any(opens_git(part) for part in parts):
        raise ValueError(f"{said} lies inside .git, or would on some file system")
    return RepoPath(text)


def path_from_bytes(raw: bytes) -> RepoPath:
    """Return git's bytes as a repository path; raise ValueError if they are none."""
    return repo_path(raw.decode("utf-8", "surrogateescape"))


def path_bytes(path: str) -> bytes:
    """Return the bytes that git keeps for `path`."""
    return path.encode("utf-8", "surrogateescape")


def quoted(path: str) -> str:
    """Return `path` as artifacts show it: plain, or in git's C quotes where it must be.

    Quoted are control characters, quotes, backslashes and bytes that are not UTF-8. A plain name
    never begins with a quote, so the two forms cannot be taken for each other.
    """
    if not _NEEDS_QUOTES.search(path):
        return path
    return '"' + _NEEDS_QUOTES.sub(_escaped, path) + '"'


def unquoted(text: str) -> str:
    """Return what `quoted` was given; raise ValueError where `text` is not in its grammar."""
    path = text
    if text.startswith('"'):
        raw = unquoted_bytes(text.encode("utf-8", "replace"))
        path = raw.decode("utf-8", "surrogateescape")
    if quoted(path) != text:
        raise ValueError(f"{brief(text)} is not quoted as it should be: one path, one text")
    return path


def unquoted_bytes(raw: bytes) -> bytes:
    """Return the bytes inside git's C quotes; raise ValueError where the quoting is not git's."""
    if len(raw) < 2 or raw[:1] != b'"' or raw[-1:] != b'"':
        raise ValueError(f"{brief(raw)} is not quoted as git quotes")
    out = bytearray()
    position, end = 1, len(raw) - 1
    while position < end:
        token = _QUOTED_TOKEN.match(raw, position, end)
        if token is None:
            raise ValueError(f"{brief(raw)} holds an escape that git does not write")
        escape, plain = token.groups()
        if plain is not None:
            out += plain
        elif len(escape) == 3:
            out.append(int(escape, 8))
        else:
            out.append(_ESCAPE[escape.decode()])
        position = token.end()
    return bytes(out)


def ancestors(path: str) -> list[str]:
    """Return the directories above `path`, nearest first, without the root."""
    found = []
    cut = path.rfind("/")
    while cut > 0:
        path = path[:cut]
        found.append(path)
        cut = path.rfind("/")
    return found


def plain_name(part: str) -> str:
    """Return what HFS+ and NTFS may take the name of one file for."""
    return _HFS_IGNORED.sub("", part).lower().split(":")[0].rstrip(" .")


def opens_git(part: str) -> bool:
    """Return whether git's own rules for HFS+ and NTFS would open `.git` by this name."""
    name = plain_name(part)
    return name == ".git" or _NTFS_SHORT_GIT.fullmatch(name) is not None


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code >= 0xDC80:
        return f"\\{code - 0xDC00:03o}"
    return "\\" + _LETTER[code] if code in _LETTER else f"\\{code:03o}"


def _may_hide_git(text: str) -> bool:
    return not text.isascii() or "git" in text.lower()
