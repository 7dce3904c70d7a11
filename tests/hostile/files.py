"""Bundles whose files are no files, or too many, too large, too deep, or oddly named."""

import os
import socket
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.hostile.ground import BundleCase, Folder
from tools.codex.factory.domain.artifact import WORKER_ARTIFACTS
from tools.codex.factory.storage.intake import MAX_DEPTH, MAX_FILES

MISSING, NO_FILE = "bundle.artifact_missing", "bundle.not_a_file"
TOO_LARGE, SCHEMA, LOGS = "bundle.too_large", "bundle.schema", "bundle.log_disagrees"
TERABYTE = 1 << 40
Put = Callable[[Folder, str], object]


def _link_inside(folder: Folder, name: str) -> None:
    target = folder.path / "LOGS" / "kept"
    folder.moved(name).symlink_to(target)
    (folder.outside / "moved").rename(target)


def _link_outside(folder: Folder, name: str) -> None:
    folder.moved(name).symlink_to(folder.outside / "moved")


def _link_nowhere(folder: Folder, name: str) -> None:
    folder.moved(name).symlink_to("nowhere")


def _link_to_itself(folder: Folder, name: str) -> None:
    place = folder.moved(name)
    place.symlink_to(place.name)


def _hard_link(folder: Folder, name: str) -> None:
    os.link(folder.outside / "moved", folder.moved(name))


def _pipe(folder: Folder, name: str) -> None:
    os.mkfifo(folder.moved(name))


def _socket(folder: Folder, name: str) -> None:
    os.mknod(folder.moved(name), stat.S_IFSOCK | 0o600)


def _device(folder: Folder, name: str) -> None:
    os.mknod(folder.moved(name), stat.S_IFCHR | 0o600, os.makedev(1, 5))


def _directory(folder: Folder, name: str) -> None:
    folder.moved(name).mkdir()


def _sparse(folder: Folder, name: str) -> None:
    os.truncate(folder.path / name, TERABYTE)


def _unreadable(folder: Folder, name: str) -> None:
    (folder.path / name).chmod(0)


def _gone(folder: Folder, name: str) -> None:
    (folder.path / name).unlink()


def _empty(folder: Folder, name: str) -> None:
    folder.write(name, b"")


KINDS: tuple[tuple[str, str, Put, tuple[str, ...]], ...] = (
    ("missing", "a bundle is eight artifacts", _gone, (MISSING,)),
    ("a link outside", "reads what the factory may and the worker may not", _link_outside,
     (MISSING, NO_FILE)),
    ("a dangling link", "what it leads to may come later", _link_nowhere, (MISSING, NO_FILE)),
    ("a link to itself", "who follows it never arrives", _link_to_itself, (MISSING, NO_FILE)),
    ("a hard link", "its bytes have another name, and another owner", _hard_link,
     (MISSING, NO_FILE)),
    ("a pipe", "who opens it waits for a writer that never comes", _pipe, (MISSING, NO_FILE)),
    ("a socket", "nothing that can be read", _socket, (MISSING, NO_FILE)),
    ("a device", "/dev/zero has no end", _device, (MISSING, NO_FILE)),
    ("a directory", "nothing that can be read", _directory, (MISSING,)),
    ("a terabyte of nothing", "sparse on disk, and not in memory", _sparse, (MISSING, TOO_LARGE)),
    ("unreadable", "made by a user who keeps it", _unreadable, (MISSING, NO_FILE)),
)  # fmt: skip


def _kinds() -> Iterable[BundleCase]:
    for number, (kind, why, put, codes) in enumerate(KINDS):
        # Every kind in four places, so that each artifact is each kind's turn.
        for turn in range(4):
            name = WORKER_ARTIFACTS[(number + 2 * turn) % len(WORKER_ARTIFACTS)]
            yield BundleCase(
                "kinds",
                f"{name} is {kind}",
                why,
                lambda f, put=put, name=name: put(f, name),  # type: ignore[misc]
                codes,
                needs_root=kind == "a device",
                needs_user=kind == "unreadable",
            )


def _bytes_name(folder: Folder, name: bytes) -> None:
    place = os.fsencode(folder.path) + b"/LOGS/" + name
    with open(place, "wb") as file:  # noqa: PTH123 (a name that is no text)
        file.write(b"x")


def _named(name: str, why: str, raw: bytes, *codes: str) -> BundleCase:
    return BundleCase("names", name, why, lambda f: _bytes_name(f, raw), codes)


def _many(folder: Folder, count: int, lead: str = "") -> None:
    for number in range(count):
        folder.write(f"LOGS/{lead}{number}", b"")


def _folders(folder: Folder, count: int) -> None:
    for number in range(count):
        (folder.path / "LOGS" / str(number)).mkdir()


def _deep(folder: Folder, depth: int) -> None:
    folder.path.joinpath(*["d"] * depth).mkdir(parents=True)


def _large_together(folder: Folder) -> None:
    for number in range(3):
        folder.write(f"LOGS/{number}", b"")
        os.truncate(folder.path / "LOGS" / str(number), 20 << 20)


def _shape(name: str, why: str, spoil: Callable[[Folder], object], *codes: str) -> BundleCase:
    return BundleCase("shape", name, why, spoil, codes)


def _logs_elsewhere(folder: Folder) -> None:
    folder.moved("LOGS").symlink_to(folder.outside / "moved")


def _device_log(folder: Folder) -> None:
    os.mknod(folder.path / "LOGS" / "zero", stat.S_IFCHR | 0o600, os.makedev(1, 5))


def _full_directory(folder: Folder) -> None:
    folder.moved("SUMMARY.md").mkdir()
    folder.write("SUMMARY.md/x", b"x")


def _nothing(folder: Folder) -> None:
    for name in (*WORKER_ARTIFACTS, "LOGS/worker.log"):
        (folder.path / name).unlink()


NOTHING_LEFT = (MISSING, TOO_LARGE)

CASES = (
    *_kinds(),
    BundleCase("kinds", "STATUS.json is a link inside", "one file by two names",
               lambda f: _link_inside(f, "STATUS.json"), (MISSING, NO_FILE, LOGS)),
    BundleCase("kinds", "a listening socket", "somebody answers at it",
               lambda f: _listening(f), (NO_FILE,)),
    BundleCase("kinds", "a log that is a device", "/dev/zero has no end", _device_log, (NO_FILE,),
               needs_root=True),
    BundleCase("kinds", "a log that is a link", "reads what the factory may",
               lambda f: (f.path / "LOGS" / "x").symlink_to("/etc/passwd"), (NO_FILE,)),
    BundleCase("kinds", "a log of a terabyte", "sparse on disk, and not in memory",
               lambda f: os.truncate(f.path / "LOGS/worker.log", TERABYTE), (LOGS, TOO_LARGE)),
    BundleCase("kinds", "an artifact that is a full directory", "its files would be logs",
               _full_directory,
               (MISSING, LOGS)),
    *(
        BundleCase("kinds", f"{name} is empty", "a file that was made and never written",
                   lambda f, name=name: _empty(f, name), codes)  # type: ignore[misc]
        for name, codes in (
            ("DIFF.patch", ("bundle.diff_disagrees", "bundle.tree_disagrees")),
            ("FILES_CHANGED.json", (SCHEMA,)),
            ("HANDOFF_NOTE.json", (SCHEMA,)),
            ("LOGS/INDEX.json", (SCHEMA,)),
            ("SCOPE_LOCK.json", (SCHEMA,)),
        )
    ),
    _named("a name of control characters", "steers the screen that lists it", b"\x1b[2J\x07", LOGS),
    _named("a name with a newline", "two lines of a list", b"a\nFORGED", LOGS),
    _named("a name that is not UTF-8", "no text holds it", b"\xff\xfe", NO_FILE),
    _named("half a character for a name", "a surrogate in bytes", b"\xed\xa0\x80", NO_FILE),
    _named("a very long name", "longer than what is written beside it may be", b"n" * 255, NO_FILE),
    _named("a hidden name", "the factory's own half-written files look so", b".x.new", NO_FILE),
    _named("git for a name", "a repository's own folder", b".git", NO_FILE),
    _named("a short name of git", "NTFS opens .git by it", b"GIT~1", NO_FILE),
    _named("a backslash in a name", "a separator on Windows", b"..\\x", NO_FILE),
    _named("a case twin of a log", "the same file where case is ignored", b"WORKER.LOG", LOGS),
    _named("a twin in another normal form", "the same file on some systems", b"cafe\xcc\x81", LOGS),
    _shape("too many files", "each is opened, sealed and listed",
           lambda f: _many(f, MAX_FILES + 1), *NOTHING_LEFT),
    _shape("too many bad names", "each would be a finding",
           lambda f: _many(f, 3 * MAX_FILES, "."), *NOTHING_LEFT),
    _shape("too many folders", "each is opened and listed",
           lambda f: _folders(f, 3 * MAX_FILES), *NOTHING_LEFT),
    _shape("too deep", "a path that outgrows every buffer",
           lambda f: _deep(f, MAX_DEPTH + 1), *NOTHING_LEFT),
    _shape("far too deep", "deeper than recursion goes", lambda f: _deep(f, 300), *NOTHING_LEFT),
    _shape("a folder that links to itself", "who walks it never ends",
           lambda f: (f.path / "again").symlink_to(f.path), NO_FILE),
    _shape("a folder that links to the root", "who walks it reads everything",
           lambda f: (f.path / "root").symlink_to("/"), NO_FILE),
    _shape("logs elsewhere", "a linked folder", _logs_elsewhere, MISSING, NO_FILE),
    _shape("too large together", "each log is small enough", _large_together, LOGS, TOO_LARGE),
    _shape("nothing at all", "an empty folder",
           _nothing,
           MISSING),
)  # fmt: skip


def _listening(folder: Folder) -> None:
    # A path of a socket may be only some hundred bytes long.
    here = Path.cwd()
    os.chdir(folder.path / "LOGS")
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("s")
    finally:
        os.chdir(here)
