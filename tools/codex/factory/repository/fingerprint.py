"""What the user's repository is just now, as a value: refs, settings, hooks, index, work tree.

Nothing is written there, not even times. What git ignores is not looked at, nor files that the
index was told to assume unchanged, nor the files of other work trees of the same repository.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.escape import Changed, Part
from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.repository.discovery import UserRepository
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.work_tree import unclean

_CONFIGS = ("config", "config.worktree", "commondir", "gitdir")
_ALTERNATES = ("alternates", "http-alternates")
_LARGEST = 256 << 20
_MOST_FILES = 20_000
_LONGEST_REF = 1 << 16
_CHUNK = 1 << 20

Said = Iterator[tuple[Part, str, str]]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What each named thing of a repository is, by its part and name: the same where it is."""

    stamps: Mapping[tuple[Part, str], str]


def fingerprint(
    git: Git,
    repository: UserRepository,
    *,
    near: ObjectId | None,
    beside: str | None = None,
) -> Fingerprint:
    """Return what the repository is now.

    `near` is a commit that its index is about, if any; `beside` a folder of the work tree that is
    no part of it: the runs root.
    """
    own = repository.git_dir
    common = _common(own)
    stamps = {(part, name): said for part, name, said in _of_folder(common, "")}
    link = repository.work_tree / ".git"
    if not _is_folder(link):
        stamps[Part.CONFIG, ".git of the work tree"] = _stamp(link)
    stamps |= {(part, name): said for part, name, said in _set_up(git, repository)}
    for name in _ALTERNATES:
        path = repository.objects / "info" / name
        if os.path.lexists(path):
            stamps[Part.ALTERNATES, f"objects/info/{name}"] = _stamp(path)
    rows = unclean(git, repository, near)
    stamps |= {(Part.WORK_TREE, name): said for name, said in _files_of(repository, rows, beside)}
    return Fingerprint(stamps)


def difference(before: Fingerprint, after: Fingerprint) -> tuple[Changed, ...]:
    """Return each thing that is new, gone or another, sorted."""
    names = before.stamps.keys() | after.stamps.keys()
    return tuple(
        sorted(
            Changed(*named)
            for named in names
            if before.stamps.get(named) != after.stamps.get(named)
        )
    )


def _common(git_dir: Path) -> Path:
    """Return the git directory that linked work trees share; their own where there is none."""
    try:
        said = (git_dir / "commondir").read_bytes()
    except OSError:
        return git_dir
    return Path(os.path.realpath(git_dir / os.fsdecode(said).rstrip("\n")))


def _of_folder(folder: Path, prefix: str) -> Said:
    """Yield what one git directory is, with the work trees and submodules that it keeps."""
    yield from ((part, f"{prefix}{name}", said) for part, name, said in _plain(folder))
    for name in _names(folder / "worktrees"):
        yield from _of_folder(folder / "worktrees" / name, f"{prefix}worktrees/{name}/")
    waiting = ["modules"]
    while waiting:
        here = waiting.pop()
        for name in _names(folder / here):
            inner = f"{here}/{name}"
            if (folder / inner / "HEAD").exists():
                yield from _of_folder(folder / inner, f"{prefix}{inner}/")
            elif _is_folder(folder / inner):
                waiting.append(inner)


def _plain(folder: Path) -> Said:
    for name in _names(folder):
        path = folder / name
        if name in _CONFIGS:
            yield Part.CONFIG, name, _stamp(path)
        elif name == "index" or name.startswith("sharedindex."):
            yield Part.INDEX, name, _stamp(path)
        elif name == "HEAD":
            yield Part.REF, name, _content(path)
        elif name == "shallow":
            yield Part.INFO, name, _content(path)
        elif name.isupper() and not path.is_dir():
            yield Part.STATE, name, _content(path)
    refs = {**dict(_packed(folder)), **dict(_loose(folder))}
    for name, said in refs.items():
        yield Part.STASH if name == "refs/stash" else Part.REF, name, said
    # Tables that git compacts are others, with the same refs.
    yield from ((Part.REF, f"reftable/{n}", said) for n, said in _below(folder / "reftable"))
    if (log := folder / "logs" / "refs" / "stash").exists():
        yield Part.STASH, "logs/refs/stash", _content(log)
    yield from ((Part.HOOK, f"hooks/{n}", said) for n, said in _below(folder / "hooks"))
    # `info/refs` is made anew from the refs, for servers.
    info = ((n, said) for n, said in _below(folder / "info") if n != "refs")
    yield from ((Part.INFO, f"info/{n}", said) for n, said in info)


def _packed(folder: Path) -> Iterator[tuple[str, str]]:
    for line in (_read(folder / "packed-refs") or b"").splitlines():
        oid, _, name = line.partition(b" ")
        # A line with `^` says again what the tag above it is of.
        if name and not line.startswith((b"#", b"^")):
            yield os.fsdecode(name), os.fsdecode(oid)


def _loose(folder: Path) -> Iterator[tuple[str, str]]:
    for path in _walk(folder / "refs", None):
        # No ref ends so: git is about to write one.
        if not path.endswith(".lock"):
            yield f"refs/{path}", _value(folder / "refs" / path)


def _value(path: Path) -> str:
    """Return what a loose ref says, as it would be said where refs are packed."""
    if path.is_symlink():
        return f"link to {os.readlink(path)}"
    try:
        is_small = path.is_file() and path.lstat().st_size <= _LONGEST_REF
        return os.fsdecode(path.read_bytes().strip()) if is_small else _content(path)
    except OSError as error:
        return error.strerror or "unreadable"


def _below(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield all below a folder with what it is; past a number that no folder of hooks reaches,
    only that there is more."""
    for number, path in enumerate(_walk(folder, _MOST_FILES)):
        if number == _MOST_FILES:
            return
        yield path, _stamp(folder / path)


def _set_up(git: Git, repository: UserRepository) -> Said:
    """Yield what the configuration says, files included from elsewhere with it, and the hooks
    that it leads to."""
    if not (_common(repository.git_dir) / "config").is_file():
        return
    done = git.call("config", "--list", "--includes", "--show-origin", "-z",
                    git_dir=repository.git_dir)  # fmt: skip
    fields = [os.fsdecode(field) for field in done.stdout.split(b"\0")]
    rows = [
        (origin.removeprefix("file:"), *said.partition("\n")[::2])
        for origin, said in zip(fields[::2], fields[1::2], strict=False)
        if origin.startswith("file:")
    ]
    own = {os.path.realpath(repository.git_dir), os.path.realpath(_common(repository.git_dir))}
    for place in dict.fromkeys(origin for origin, _, _ in rows):
        if os.path.realpath(os.path.dirname(place)) in own and os.path.basename(place) in _CONFIGS:
            continue
        said = repr([row[1:] for row in rows if row[0] == place])
        yield Part.CONFIG, place, _digest(os.fsencode(said))
    led = [value for _, name, value in rows if name == "core.hookspath"]
    if led and led[-1] != os.devnull:
        folder = repository.work_tree / led[-1]
        yield Part.HOOK, "core.hooksPath", os.path.realpath(folder)
        yield from ((Part.HOOK, f"{led[-1]}/{n}", said) for n, said in _below(folder))


def _files_of(
    repository: UserRepository, rows: list[str] | None, beside: str | None
) -> Iterator[tuple[str, str]]:
    """Yield each file that the index does not have as it is, by what the system knows of it."""
    if rows is None:
        yield "(git cannot list it)", ""
        return
    for name in rows:
        if beside is None or not f"{name}/".startswith(f"{beside}/"):
            yield name, _seen(repository.work_tree / name)


def _seen(path: Path) -> str:
    try:
        found = path.lstat()
    except OSError as error:
        return error.strerror or "gone"
    times = f"{found.st_mtime_ns} {found.st_ctime_ns}"
    return f"{found.st_mode:o} {found.st_ino} {found.st_size} {times}"


def _stamp(path: Path) -> str:
    """Return mode and content of a file; of a link where it leads, and what is there."""
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            led = os.fsdecode(os.readlink(path))
            return f"link to {led}: {_content(path)}"
    except OSError as error:
        return error.strerror or "gone"
    return f"{found.st_mode:o} {_content(path)}"


def _content(path: Path) -> str:
    """Return the digest of a plain file's content, or why there is none; links are followed."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return error.strerror or "unreadable"
    with os.fdopen(handle, "rb", buffering=0) as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return f"no plain file {found.st_mode:o}"
        if found.st_size > _LARGEST:
            return f"large {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
        made = hashlib.sha256()
        while block := file.read(_CHUNK):
            made.update(block)
        return made.hexdigest()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError:
        return None


def _walk(folder: Path, most: int | None) -> Iterator[str]:
    """Yield the path of each file, link or other thing below a folder, folders in them sorted."""
    number = 0
    for here, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(here, name))]
        folders[:] = sorted(set(folders) - set(links))
        for name in sorted([*files, *links]):
            number += 1
            if most is not None and number > most + 1:
                return
            yield os.path.relpath(os.path.join(here, name), folder)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
