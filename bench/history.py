"""Real concurrent work out of a repository's own later commits: patches, a plan, a clone.

python bench/history.py --repo DIR --base REV --bundles N --kind disjoint --out DIR
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tools.codex.factory.domain.path import path_from_bytes

NULL = b"0" * 40
# One commit that moves the whole tree would leave nothing for the others.
MOST_PATHS = 400
MOST_SHARED_PATHS = 6
GLOBAL = (b".gitattributes", b".gitmodules", b".lfsconfig")
_SETTINGS = (
    "diff.algorithm=myers", "diff.context=3", "diff.interHunkContext=0", "diff.noprefix=false",
    "diff.mnemonicPrefix=false", "diff.indentHeuristic=true", "diff.suppressBlankEmpty=false",
    "diff.orderFile=/dev/null", "core.attributesFile=/dev/null", "gc.auto=0",
)  # fmt: skip
_COMMIT_LINE = re.compile(rb"^([0-9a-f]{40})\n", re.MULTILINE)


class NotEnough(SystemExit):
    """The history has fewer fitting commits than asked for."""


class Raw(NamedTuple):
    """One path of `git diff-tree --raw`."""

    old_mode: bytes
    new_mode: bytes
    old_id: bytes
    new_id: bytes
    path: bytes


@dataclass(frozen=True, slots=True)
class Candidate:
    """A later commit and all that it changes."""

    commit: str
    changes: tuple[Raw, ...]

    @property
    def paths(self) -> frozenset[bytes]:
        return frozenset(change.path for change in self.changes)


@dataclass(frozen=True, slots=True)
class Work:
    """A later commit as a worker's patch on the base."""

    worker: str
    commit: str
    paths: frozenset[bytes]
    patch: bytes


@dataclass(frozen=True, slots=True)
class BaseFiles:
    """Every file of the base, and every directory."""

    entries: Mapping[bytes, tuple[bytes, bytes]]
    directories: frozenset[bytes]
    folded: frozenset[bytes]


def git(
    folder: Path,
    *words: str,
    feed: bytes = b"",
    env: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """Return what `git words` says in `folder`; raise CalledProcessError where it fails."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    flags = tuple(part for setting in _SETTINGS for part in ("-c", setting))
    done = subprocess.run(
        ("git", "-C", str(folder), *flags, *words),
        input=feed,
        capture_output=True,
        env={**clean, "LC_ALL": "C", **env},
        check=False,
    )
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
    return done.stdout


def resolved(repo: Path, rev: str) -> str:
    """Return the id of the commit that `rev` names in `repo`."""
    return git(repo, "rev-parse", "--verify", f"{rev}^{{commit}}").decode().strip()


def base_with(repo: Path, bundles: int) -> str:
    """Return the nearest first-parent ancestor of HEAD that `bundles` later commits fit on."""
    back = 2 * bundles
    while True:
        try:
            base = resolved(repo, f"HEAD~{back}")
        except subprocess.CalledProcessError:
            raise NotEnough(f"no base of {repo} has {bundles} disjoint later commits") from None
        if len(_disjoint(repo, base, bundles)) == bundles:
            return base
        back *= 2


def disjoint(repo: Path, base: str, bundles: int, *, renames: bool) -> tuple[Work, ...]:
    """Return later commits that fit on `base` together: no path of one meets a path of another."""
    chosen = _disjoint(repo, base, bundles)
    if len(chosen) < bundles:
        raise NotEnough(f"{len(chosen)} of {bundles} disjoint commits fit on {base}")
    patches = _patches(repo, [candidate.commit for candidate in chosen], renames)
    return tuple(
        _work(number, candidate.commit, candidate.paths, patches[candidate.commit])
        for number, candidate in enumerate(chosen)
    )


def shared(repo: Path, base: str, bundles: int, *, renames: bool) -> tuple[Work, ...]:
    """Return later commits that each apply to `base` alone, and each touch a file of another."""
    chosen: list[Work] = []
    lonely: list[Work] = []
    taken: set[bytes] = set()
    for work in _applying(repo, base, renames):
        partners = [other for other in lonely if other.paths & work.paths]
        room = bundles - len(chosen)
        if work.paths & taken or (partners and room > 1):
            joined = [work, *partners][:room]
            chosen += joined
            lonely = [other for other in lonely if other not in joined]
            taken |= {path for one in joined for path in one.paths}
        else:
            lonely.append(work)
        if len(chosen) == bundles:
            ordered = sorted(chosen, key=lambda one: one.worker)
            return tuple(_work(n, o.commit, o.paths, o.patch) for n, o in enumerate(ordered))
    raise NotEnough(f"{len(chosen)} of {bundles} overlapping commits apply to {base}")


def later(repo: Path, base: str) -> list[Candidate]:
    """Return the commits after `base` that are no merges, oldest first."""
    commits = git(
        repo, "rev-list", "--no-merges", "--topo-order", "--reverse", f"{base}..HEAD"
    )  # fmt: skip
    said = git(
        repo, "diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames", "--no-abbrev",
        feed=commits,
    )  # fmt: skip
    found: dict[str, list[Raw]] = {}
    parts = iter(said.split(b"\0"))
    commit = ""
    for part in parts:
        if part.startswith(b":"):
            old_mode, new_mode, old_id, new_id, _ = part[1:].split()
            found[commit].append(Raw(old_mode, new_mode, old_id, new_id, next(parts)))
        elif part:
            commit = part.decode().strip()
            found[commit] = []
    return [
        Candidate(commit, tuple(changes))
        for commit, changes in found.items()
        if changes and all(_is_taken_in(change.path) for change in changes)
    ]


def files_of(repo: Path, base: str) -> BaseFiles:
    """Return the files of commit `base`."""
    entries: dict[bytes, tuple[bytes, bytes]] = {}
    directories: set[bytes] = set()
    for row in git(repo, "ls-tree", "-r", "-z", base).split(b"\0")[:-1]:
        meta, _, path = row.partition(b"\t")
        mode, _, oid = meta.split()
        entries[path] = (mode, oid)
        directories.update(_above(path))
    return BaseFiles(entries, frozenset(directories), frozenset(_folded(p) for p in entries))


def plan_text(works: Iterable[Work], title: str) -> str:
    """Return a plan: exact paths in `allow`, those that several write in `shared` of each."""
    works = tuple(works)
    writers = Counter(path for work in works for path in work.paths)
    lines = ["schema_version = 1", f"title = {_quoted(title)}"]
    for work in works:
        own = sorted(path for path in work.paths if writers[path] == 1)
        several = sorted(path for path in work.paths if writers[path] > 1)
        lines += ["", "[[workers]]", f"id = {_quoted(work.worker)}"]
        lines += [f"allow = {_patterns(own)}"] if own else []
        lines += [f"shared = {_patterns(several)}"] if several else []
        lines += [f"patch = {_quoted(f'patches/{work.worker}.patch')}"]
    return "\n".join(lines) + "\n"


def exact_pattern(path: bytes) -> str:
    """Return the git pattern that names `path`; `?` stands where a plan cannot hold the byte."""
    text = path.decode("utf-8", "surrogateescape")
    escaped = re.sub(r"([*?\[\]\\!])", r"\\\1", text)
    if escaped.endswith(" "):
        escaped = f"{escaped[:-1]}\\ "
    return "/" + re.sub("[\x00-\x1f\x7f\udc80-\udcff]", "?", escaped)


def write_works(works: Iterable[Work], out: Path, title: str) -> Path:
    """Write the patches and the plan below `out`, and return where the plan lies."""
    works = tuple(works)
    (out / "patches").mkdir(parents=True, exist_ok=True)
    for work in works:
        (out / "patches" / f"{work.worker}.patch").write_bytes(work.patch)
    plan = out / "factory.plan.toml"
    plan.write_text(plan_text(works, title), "utf-8")
    return plan


def clone_of(repo: Path, base: str, folder: Path, *, copies: int = 0, files: bool = True) -> str:
    """Make a repository at `folder` that holds only the objects of `base`; return its HEAD.

    With `copies` the base tree stands in it that many times more, as subtrees, and HEAD is a new
    commit. Without `files` nothing is checked out.
    """
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--template=")
    # A later commit's blob in the clone would spare `git apply` the writing of it.
    serve = "git -c uploadpack.allowAnySHA1InWant=true upload-pack"
    source = git(repo, "rev-parse", "--absolute-git-dir").decode().strip()
    git(folder, "fetch", "--quiet", "--depth=1", f"--upload-pack={serve}", f"file://{source}", base)
    head = _grafted(folder, base, copies) if copies else base
    git(folder, "update-ref", "--no-deref", "HEAD", head)
    (folder / ".git" / "FETCH_HEAD").unlink(missing_ok=True)
    git(folder, "reset", "--quiet", "--hard") if files else git(folder, "read-tree", head)
    return head


def _disjoint(repo: Path, base: str, bundles: int) -> list[Candidate]:
    files = files_of(repo, base)
    chosen: list[Candidate] = []
    taken: set[bytes] = set()
    taken_above: set[bytes] = set()
    for candidate in later(repo, base):
        names = {_folded(path) for path in candidate.paths}
        above = {directory for name in names for directory in _above(name)}
        if len(chosen) == bundles:
            break
        if len(names) > MOST_PATHS or not _fits(candidate, files):
            continue
        if names & taken or names & taken_above or above & taken:
            continue
        chosen.append(candidate)
        taken |= names
        taken_above |= above
    return chosen


def _fits(candidate: Candidate, files: BaseFiles) -> bool:
    """Whether the commit's pre-images are the base's, and its new paths are free there."""
    return all(
        files.entries.get(change.path) == (change.old_mode, change.old_id)
        if change.old_id != NULL
        else _is_free(change.path, files)
        for change in candidate.changes
    )


def _is_free(path: bytes, files: BaseFiles) -> bool:
    if path in files.directories or _folded(path) in files.folded:
        return False
    return not any(above in files.entries for above in _above(path))


def _applying(repo: Path, base: str, renames: bool) -> Iterator[Work]:
    """Yield, for each commit on hot files, what git makes of its patch on `base`."""
    candidates = [c for c in later(repo, base) if len(c.changes) <= MOST_SHARED_PATHS]
    writers = Counter(path for candidate in candidates for path in candidate.paths)
    with tempfile.TemporaryDirectory(prefix="history-") as scratch:
        own = _own_store(repo, Path(scratch))
        index = Path(scratch) / "index"
        git(repo, "read-tree", base, env=own)
        shutil.copyfile(index, Path(scratch) / "clean")
        for number, candidate in enumerate(candidates):
            if all(writers[path] == 1 for path in candidate.paths):
                continue
            shutil.copyfile(Path(scratch) / "clean", index)
            tree = _applied(repo, candidate.commit, own)
            patch = _diff(repo, base, tree, renames, own) if tree else b""
            if patch:
                paths = git(repo, *_names(base, tree), env=own).split(b"\0")[:-1]
                yield _work(number, candidate.commit, frozenset(paths), patch)


def _applied(repo: Path, commit: str, own: Mapping[str, str]) -> str:
    """Return the tree that the commit's patch makes of the index, or "" where it does not apply."""
    patch = _diff(repo, f"{commit}^", commit, False, own)
    try:
        git(repo, "apply", "--cached", "--whitespace=nowarn", "-", feed=patch, env=own)
    except subprocess.CalledProcessError:
        return ""
    return git(repo, "write-tree", env=own).decode().strip()


def _diff(repo: Path, old: str, new: str, renames: bool, own: Mapping[str, str]) -> bytes:
    follow = "-M" if renames else "--no-renames"
    return git(repo, "diff-tree", "-r", "-p", "--binary", "--full-index", follow, old, new, env=own)


def _names(old: str, new: str) -> tuple[str, ...]:
    return ("diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new)


def _patches(repo: Path, commits: list[str], renames: bool) -> dict[str, bytes]:
    """Return the patch of each commit against its parent, from one git process."""
    follow = "-M" if renames else "--no-renames"
    said = git(
        repo, "diff-tree", "--stdin", "-r", "-p", "--binary", "--full-index", follow,
        feed="".join(f"{commit}\n" for commit in commits).encode(),
    )  # fmt: skip
    # No line of a patch is 40 hex digits: each begins with a sign, a space, a word or a length.
    marks = [*_COMMIT_LINE.finditer(said)]
    ends = [*(mark.start() for mark in marks[1:]), len(said)]
    return {mark[1].decode(): said[mark.end() : end] for mark, end in zip(marks, ends, strict=True)}


def _own_store(repo: Path, folder: Path) -> dict[str, str]:
    """Return the environment in which git reads `repo` and writes index and objects in `folder`."""
    (folder / "objects").mkdir()
    objects = git(repo, "rev-parse", "--path-format=absolute", "--git-path", "objects")
    return {
        "GIT_INDEX_FILE": str(folder / "index"),
        "GIT_OBJECT_DIRECTORY": str(folder / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects.decode().strip(),
    }


def _grafted(folder: Path, base: str, copies: int) -> str:
    tree = git(folder, "rev-parse", f"{base}^{{tree}}").decode().strip()
    rows = git(folder, "ls-tree", "-z", base)
    rows += b"".join(b"040000 tree %s\tcopy-%d\0" % (tree.encode(), n) for n in range(copies))
    grafted = git(folder, "mktree", "-z", feed=rows).decode().strip()
    who = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", "bench"), ("EMAIL", "bench@localhost"), ("DATE", "@0 +0000"))
    }
    return git(folder, "commit-tree", "-m", "grafted", grafted, env=who).decode().strip()


def _work(number: int, commit: str, paths: frozenset[bytes], patch: bytes) -> Work:
    return Work(f"w{number:05d}_{commit[:8]}", commit, paths, patch)


def _is_taken_in(path: bytes) -> bool:
    try:
        path_from_bytes(path)
    except ValueError:
        return False
    return True


def _folded(path: bytes) -> bytes:
    """Return what must be unique: a name without its case, global files by their name alone."""
    text = path.decode("utf-8", "surrogateescape").casefold().encode("utf-8", "surrogateescape")
    name = text.rpartition(b"/")[2]
    return name if name in GLOBAL else text


def _above(path: bytes) -> list[bytes]:
    parts = path.split(b"/")
    return [b"/".join(parts[:count]) for count in range(1, len(parts))]


def _patterns(paths: Iterable[bytes]) -> str:
    return "[" + ", ".join(_quoted(exact_pattern(path)) for path in paths) + "]"


def _quoted(text: str) -> str:
    """Return `text` as a TOML basic string, which JSON writes too as long as it escapes no more."""
    return json.dumps(text, ensure_ascii=False)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repo", type=Path, required=True, help="any repository with a history")
    parser.add_argument("--base", help="the base (nearest to HEAD that is far enough back)")
    parser.add_argument("--bundles", type=int, required=True)
    parser.add_argument("--kind", choices=("disjoint", "shared"), default="disjoint")
    parser.add_argument("--renames", action="store_true", help="write the patches with -M")
    parser.add_argument("--shuffle", type=int, metavar="SEED", help="shuffle the plan's workers")
    parser.add_argument("--copies", type=int, default=0, help="graft the base this often more")
    parser.add_argument("--out", type=Path, required=True, help="a folder that is not there yet")
    return parser.parse_args()


def main() -> None:
    """Write patches, plan and clone."""
    asked = _arguments()
    repo = asked.repo.resolve()
    base = resolved(repo, asked.base) if asked.base else base_with(repo, asked.bundles)
    make = disjoint if asked.kind == "disjoint" else shared
    works = make(repo, base, asked.bundles, renames=asked.renames)
    ordered = list(works)
    if asked.shuffle is not None:
        random.Random(asked.shuffle).shuffle(ordered)
    title = f"{asked.bundles} {asked.kind} commits on {base[:12]}"
    plan = write_works(ordered, asked.out.resolve(), title)
    clone = asked.out.resolve() / "clone"
    head = clone_of(repo, base, clone, copies=asked.copies, files=not asked.copies)
    paths = {path for work in works for path in work.paths}
    size = sum(len(work.patch) for work in works)
    print(f"base      {base}, {len(files_of(repo, base).entries)} files")
    print(f"patches   {len(works)}, {len(paths)} paths, {size / 1e6:.1f} MB")
    print(f"run       factory -C {clone} oneshot --base-ref {head} --plan {plan}")


if __name__ == "__main__":
    main()
