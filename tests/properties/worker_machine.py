"""A worker that does whatever git and a shell let it do, and a model of what is captured of it.

The model is the specification's own sentence: the base, plus all that is committed, staged,
unstaged and untracked, plus ignored paths that are in the worker's index or HEAD.
"""

import itertools
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.builders import EXECUTABLE, LINK, Files, Repo, base_of, environment
from tests.properties.drawn import GITLINK, Held, plain
from tests.repository.checkouts import (
    IGNORE,
    NO_LIMITS,
    Ground,
    Site,
    a_site,
    blocks,
    ground_of,
)
from tools.codex.factory.repository.capture import capture

BASE: Files = {
    ".gitignore": b"*.o\n",
    "a": b"1\n",
    "b.txt": b"1\n2\n",
    "d/k.o": b"kept\n",
    "d/x": b"x\n",
    "e/f/g": b"g\n",
    "link": (LINK, b"a"),
    "run.sh": (EXECUTABLE, b"#!/bin/sh\n"),
}
NEST = "nest"
PATHS = (
    *BASE, "new", "new.o", "keep.o", "d", "d/y", "d/z.o", "e", "e/f", "e/n", "b.txt/under",
    "odd\n\"name\u00e9", "__pycache__/z", "-rf", "link/below",
)  # fmt: skip
IGNORED = ("", "*.o\n", "*.o\n!keep.o\n", "/b.txt\n/a\n", "d/\n", f"*\n!.gitignore\n/{NEST}/\n")
CONTENTS = (b"", b"1\n", b"2\n", b"1\r\n", b"\0\xff", b"no end")

paths = st.sampled_from(PATHS)
followed = st.sampled_from(sorted(BASE))


@dataclass(frozen=True, slots=True)
class Row:
    """An entry of the worker's index."""

    path: str
    mode: str
    oid: str
    is_hidden: bool
    is_unmerged: bool


class Worker(RuleBasedStateMachine):
    """One worker in one checkout; whenever it ends, what is captured is what the model says."""

    ground: Ground
    top: Path
    number = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.place = self.top / str(next(self.number))
        self.site: Site = a_site(self.ground, self.place)

    def teardown(self) -> None:
        """Capture what there is in the end."""
        try:
            self.is_captured(is_known=True)
        finally:
            shutil.rmtree(self.place)

    @rule(path=paths, content=st.sampled_from(CONTENTS), is_program=st.booleans())
    def write(self, path: str, content: bytes, is_program: bool) -> None:
        place = self._cleared(path)
        place.write_bytes(content)
        place.chmod(0o755 if is_program else 0o644)

    @rule(path=paths, leads=st.sampled_from(("a", "d", "nowhere", "../b.txt", "/nowhere")))
    def make_link(self, path: str, leads: str) -> None:
        self._cleared(path).symlink_to(leads)

    @rule(patterns=st.sampled_from(IGNORED))
    def ignore(self, patterns: str) -> None:
        self._cleared(".gitignore").write_text(patterns, "utf-8")

    @rule(path=paths)
    def delete(self, path: str) -> None:
        _gone(self.site.folder / path)

    @rule(path=followed)
    def edit_in_place(self, path: str) -> None:
        """Change a byte, and put the time back: the size is what it was."""
        place = self.site.folder / path
        if place.is_file() and not place.is_symlink():
            times = (place.stat().st_atime_ns, place.stat().st_mtime_ns)
            place.write_bytes(bytes(byte ^ 1 for byte in place.read_bytes()))
            os.utime(place, ns=times)

    @rule(old=paths, new=paths)
    def rename(self, old: str, new: str) -> None:
        source = self.site.folder / old
        if os.path.lexists(source) and not f"{new}/".startswith(f"{old}/"):
            aside = self.site.folder / "aside"
            source.rename(aside)
            aside.rename(self._cleared(new))

    @rule(path=paths, is_program=st.booleans())
    def change_mode(self, path: str, is_program: bool) -> None:
        place = self.site.folder / path
        if place.is_file() and not place.is_symlink():
            place.chmod(0o755 if is_program else 0o600)

    @rule(path=paths)
    def make_folder(self, path: str) -> None:
        self._cleared(path).mkdir()

    @rule(has_commit=st.booleans())
    def make_repository(self, has_commit: bool) -> None:
        self._cleared(f"{NEST}/x").write_text("x", "utf-8")
        self._git("init", "-q", NEST)
        if has_commit:
            self._git("-C", NEST, "add", "x")
            self._git("-C", NEST, "commit", "-qm", "w")

    @rule(path=paths, flags=st.sampled_from(((), ("-f",), ("-N",), ("-N", "-f"))))
    def add(self, path: str, flags: tuple[str, ...]) -> None:
        self._git("add", *flags, "--", path)

    @rule(
        words=st.sampled_from((
            ("add", "-A"), ("add", "-u"), ("commit", "-qam", "w"), ("commit", "-qm", "w"),
            ("commit", "-q", "--amend", "--allow-empty", "-m", "v"), ("reset", "-q"),
            ("reset", "-q", "--hard"), ("reset", "-q", "--soft", "HEAD~"),
            ("reset", "-q", "HEAD~"), ("reset", "-q", "--hard", "HEAD@{1}"), ("stash", "-q"),
            ("stash", "-q", "-u"), ("stash", "-q", "-a"), ("stash", "pop", "-q"),
            ("checkout", "-q", "-b", "other"), ("checkout", "-q", "main"), ("clean", "-qfd"),
            ("clean", "-qfdx"), ("checkout", "-q", "--orphan", "alone"), ("gc", "-q"),
            ("checkout", "-q", "--detach"), ("read-tree", "--empty"), ("add", "-A", "-f"),
            ("sparse-checkout", "set", "--cone", "d"), ("sparse-checkout", "disable"),
            ("update-index", "--split-index"), ("pack-refs", "--all"),
            ("revert", "--no-edit", "HEAD"), ("merge", "-q", "other"), ("mv", "d", "moved"),
        ))
    )  # fmt: skip
    def call_git(self, words: tuple[str, ...]) -> None:
        self._git(*words)

    @rule(
        path=st.sampled_from(("new.o", "d/z.o", "keep.o", "__pycache__/z", "e/n")),
        is_committed=st.booleans(),
        is_unfollowed=st.booleans(),
    )
    def keep_ignored(self, path: str, is_committed: bool, is_unfollowed: bool) -> None:
        """Write a file that may be ignored and have it followed: by the index, or by HEAD alone."""
        self._cleared(path).write_bytes(b"kept\n")
        self._git("add", "-f", "--", path)
        if is_committed:
            self._git("commit", "-qm", "kept")
        if is_unfollowed:
            self._git("rm", "-q", "--cached", "--", path)

    @rule(path=st.sampled_from(("b.txt", "a", "d/x", "d/k.o")), patterns=st.sampled_from(IGNORED))
    def leave(self, path: str, patterns: str) -> None:
        """Follow a file of the base no longer, and perhaps ignore it."""
        self.ignore(patterns)
        self._git("rm", "-q", "--cached", "--", path)

    @rule(path=st.sampled_from(("d/x", "d/k.o", "e/f/g", "e/n")), is_link=st.booleans())
    def cover(self, path: str, is_link: bool) -> None:
        """Put a file or link in place of a folder that holds what is hidden."""
        self.hide(path, b"hidden")
        above = self._cleared(path.split("/")[0])
        if is_link:
            above.symlink_to("a")
        else:
            above.write_bytes(b"covers\n")

    @rule(path=paths)
    def unfollow(self, path: str) -> None:
        self._git("rm", "-q", "-r", "-f", "--cached", "--", path)

    @rule(path=paths)
    def restore(self, path: str) -> None:
        self._git("checkout", "-q", "HEAD", "--", path)

    @rule(
        path=followed.filter(lambda path: path != ".gitignore"),
        how=st.sampled_from((
            "--assume-unchanged", "--skip-worktree", "--no-skip-worktree", "--force-remove",
        )),
    )  # fmt: skip
    def tell_index(self, path: str, how: str) -> None:
        self._git("update-index", how, "--", path)

    @rule(path=followed.filter(lambda path: path != ".gitignore"), content=st.binary(max_size=3))
    def hide(self, path: str, content: bytes) -> None:
        """Stage another content, keep it out of the work tree, and take what lies there away."""
        oid = self._git("hash-object", "-w", "--stdin", feed=content).decode().strip()
        self._git("update-index", "--add", "--cacheinfo", f"100644,{oid},{path}")
        self._git("update-index", "--skip-worktree", "--", path)
        _gone(self.site.folder / path)

    @rule(is_known=st.booleans())
    def is_captured(self, is_known: bool) -> None:
        """Capture, whether or not it is known how the checkout was made, and ask the model."""
        subject = self.site.subject(self.site.fresh if is_known else None, NO_LIMITS, IGNORE)
        wanted, refused = self._model()

        captured = capture(self.ground.git, subject, scratch=self.site.scratch)

        event(f"{len(refused)} findings")
        assert blocks(captured) == sorted(refused)
        tree = base_of(wanted)[0].root
        assert self.site.tree(captured) == tree, (self.site.changes(captured), _changes(wanted))

    def _model(self) -> tuple[Files, list[str]]:
        """Return the files that must be captured, and each finding that must block."""
        here, nested = self._files()
        rows = self._index()
        known = {row.path for row in rows} | self._head()
        ignored = {path for path in [*here, NEST] if self._is_ignored(path)}
        dropped = {path for path in BASE if path not in known and path in ignored}
        files = {
            path: entry
            for path, entry in here.items()
            if path in known or (path in BASE and path not in dropped) or path not in ignored
        }
        for row in rows:
            if row.is_hidden and not _is_in_the_way(self.site.folder, row.path):
                files[row.path] = (row.mode, self._git("cat-file", "blob", row.oid))
        tip = (
            self._git("-C", NEST, "rev-parse", "-q", "--verify", "HEAD").strip() if nested else b""
        )
        if tip and NEST in known:
            # A repository that the worker's own git follows is a submodule, as scope will judge.
            files[NEST] = (GITLINK, tip)
        refused = {f"capture.unmerged {_shown(row.path)}" for row in rows if row.is_unmerged}
        if nested and NEST not in ignored:
            refused.add(f"capture.nested_repository {NEST}/")
        return files, sorted(refused)

    def _files(self) -> tuple[dict[str, Held], bool]:
        """Return what lies in the checkout, and whether a repository of its own is in it."""
        top = os.fsencode(self.site.folder)
        found: dict[str, Held] = {}
        nested = (self.site.folder / NEST / ".git").exists()
        apart = {b".git", NEST.encode()} if nested else {b".git"}
        for here, folders, names in os.walk(top):
            if here == top:
                folders[:] = [one for one in folders if one not in apart]
            links = [one for one in folders if os.path.islink(os.path.join(here, one))]
            for name in [*names, *links]:
                place = os.path.join(here, name)
                path = os.path.relpath(place, top).decode("utf-8", "surrogateescape")
                found[path] = _entry(place)
        return found, nested

    def _index(self) -> list[Row]:
        rows = []
        for said in self._git("ls-files", "-z", "-t", "-s").decode("utf-8").split("\0")[:-1]:
            meta, _, path = said.partition("\t")
            tag, mode, oid, stage = meta.split()
            rows.append(Row(path, mode, oid, tag == "S", stage != "0"))
        return rows

    def _head(self) -> set[str]:
        """Return the paths in HEAD, where the worker moved it."""
        if self._git("rev-parse", "-q", "--verify", "HEAD").decode().strip() == self.ground.base:
            return set()
        return {*self._git("ls-tree", "-r", "-z", "--name-only", "HEAD").decode().split("\0")}

    def _is_ignored(self, path: str) -> bool:
        """Return what the few patterns mean that this worker knows, said one by one."""
        place = self.site.folder / ".gitignore"
        patterns = place.read_bytes() if place.is_file() and not place.is_symlink() else b""
        parts = path.split("/")
        match patterns.decode("latin-1"):
            case "*.o\n":
                ignored = any(part.endswith(".o") for part in parts)
            case "*.o\n!keep.o\n":
                ignored = any(part.endswith(".o") and part != "keep.o" for part in parts)
            case "/b.txt\n/a\n":
                ignored = parts[0] in ("a", "b.txt")
            case "d/\n":
                ignored = "d" in parts[:-1]
            case said if said.startswith("*\n"):
                ignored = path != ".gitignore"
            case _:
                ignored = False
        return ignored or "__pycache__" in parts[:-1]

    def _git(self, *words: str, feed: bytes = b"") -> bytes:
        """Return what the worker's git prints; whether it does what it was asked is its affair."""
        return subprocess.run(
            ("git", *words),
            cwd=self.site.folder,
            env=environment(self.site.folder),
            input=feed,
            capture_output=True,
            check=False,
        ).stdout

    def _cleared(self, path: str) -> Path:
        """Return a place for a new file: folders above it, and nothing there."""
        above = self.site.folder
        for part in path.split("/")[:-1]:
            above /= part
            if above.is_symlink() or not above.is_dir():
                _gone(above)
                above.mkdir()
        _gone(self.site.folder / path)
        return self.site.folder / path


def _gone(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    elif os.path.lexists(place) and place.parent.resolve() == place.parent:
        place.unlink()


def _entry(place: bytes) -> Held:
    state = os.lstat(place)
    if stat.S_ISLNK(state.st_mode):
        return LINK, os.readlink(place)
    content = Path(os.fsdecode(place)).read_bytes()
    return (EXECUTABLE, content) if state.st_mode & stat.S_IXUSR else content


def _is_in_the_way(top: Path, path: str) -> bool:
    """Return whether something lies at `path`, or where a folder above it would be."""
    place = top / path
    above = [one for one in place.parents if one.is_relative_to(top) and one != top]
    return os.path.lexists(place) or any(
        os.path.lexists(one) and (one.is_symlink() or not one.is_dir()) for one in above
    )


def _shown(path: str) -> str:
    return '"odd\\n\\"name\u00e9"' if path.startswith("odd") else path


def _changes(files: Mapping[str, Held]) -> dict[str, tuple[str, bytes] | None]:
    """Return what differs from the base, as captures are compared."""
    before, after = plain(BASE.items()), plain(files.items())
    return {
        path: after.get(path)
        for path in sorted({**before, **after})
        if before.get(path) != after.get(path)
    }


def a_worker(top: Path) -> type[Worker]:
    """Return a worker whose checkouts lie below `top`."""
    user = Repo.make(top / "repo")
    for path, (mode, content) in plain(BASE.items()).items():
        if mode == LINK:
            user.link(path, content.decode())
        else:
            user.write(path, content, executable=mode == EXECUTABLE)
    user.git("add", "-A", "-f")
    user.commit()
    return type("WorkerHere", (Worker,), {"ground": ground_of(user, top), "top": top / "sites"})
