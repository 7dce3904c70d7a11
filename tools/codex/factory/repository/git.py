"""How git is called: a built environment, pinned settings, nothing of the user's."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tools.codex.factory.errors import NoRoom, RepositoryError
from tools.codex.factory.host import Host
from tools.codex.factory.process.child import Completed, run

# Each of these can change what git writes, or make it run a program.
_PINNED = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.untrackedCache": "false",
    "core.splitIndex": "false",
    "core.attributesFile": os.devnull,
    "core.excludesFile": os.devnull,
    "core.quotePath": "true",
    "core.autocrlf": "false",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "core.compression": "6",
    "core.bigFileThreshold": "512m",
    "core.alternateRefsCommand": "",
    "gc.auto": "0",
    "maintenance.auto": "false",
    # git's own merge reads its inputs by these two; with others an insertion among repeated lines
    # stands elsewhere, and the union of edits is not what git would merge.
    "diff.algorithm": "histogram",
    "diff.context": "3",
    "diff.interHunkContext": "0",
    "diff.indentHeuristic": "false",
    "diff.noprefix": "false",
    "diff.mnemonicPrefix": "false",
    "diff.suppressBlankEmpty": "false",
    "diff.orderFile": os.devnull,
    "diff.renames": "false",
    "diff.submodule": "short",
    "diff.ignoreSubmodules": "none",
    "diff.external": "",
}
# The user's own configuration is read in one place, and could ask for a trace there.
_NO_TRACE = {"GIT_TRACE2": "0", "GIT_TRACE2_EVENT": "0", "GIT_TRACE2_PERF": "0"}
_FEW_FILES = 8
_FEW_BYTES = 1 << 15
# What the system says, in the C locale, where a disk or a limit of this host is used up.
_NO_ROOM = (
    b"No space left on device",
    b"Disk quota exceeded",
    b"Read-only file system",
    b"Resource temporarily unavailable",
    b"Cannot allocate memory",
)
_FLAGS = tuple(part for name, value in _PINNED.items() for part in ("-c", f"{name}={value}"))


@dataclass(frozen=True, slots=True)
class Git:
    """Git with a built environment.

    `safe` are the user's own safe.directory decisions; `patience` is how many seconds a command may
    take where what it reads was made by a stranger (None: for ever).
    """

    environment: Mapping[str, str]
    safe: tuple[str, ...] = ()
    patience: float | None = None

    def call(
        self,
        *words: str,
        git_dir: Path,
        cwd: Path | None = None,
        feed: bytes = b"",
        env: Mapping[str, str] = MappingProxyType({}),
    ) -> Completed:
        """Run `git words` on `git_dir` and return what came of it, whatever that is.

        Raises NoRoom where what came of it is that a disk is full: that is no answer of git's.
        """
        safe = tuple(part for path in self.safe for part in ("-c", f"safe.directory={path}"))
        environment = {**self.environment, "GIT_DIR": str(git_dir), **env}
        done = run(
            ("git", *_FLAGS, *safe, *words),
            env=environment,
            cwd=cwd or git_dir,
            feed=feed,
            seconds=self.patience,
        )
        reason = _spent(done, feed)
        if reason:
            raise NoRoom(f"git {_command(words)} cannot write below {str(git_dir)!r}", reason)
        return done

    def out(
        self,
        *words: str,
        git_dir: Path,
        cwd: Path | None = None,
        feed: bytes = b"",
        env: Mapping[str, str] = MappingProxyType({}),
        refused: bytes = b"",
    ) -> bytes:
        """Run `git words` and return its output; raise RepositoryError with git's own reason.

        A warning that begins with `refused` counts as a failure.
        """
        done = self.call(*words, git_dir=git_dir, cwd=cwd, feed=feed, env=env)
        warned = any(line.startswith(refused) for line in done.stderr.splitlines() if refused)
        if done.exit_code != 0 and is_full(git_dir):
            raise NoRoom(f"git {_command(words)} failed in {str(git_dir)!r}", "the disk is full")
        if done.exit_code != 0 or warned:
            raise RepositoryError(
                f"git {_command(words)} failed: {done.complaint}",
                hint="`git fsck` shows whether the repository is whole",
            )
        return done.stdout

    def discover(self, *words: str, cwd: Path) -> Completed:
        """Run `git words` without naming a repository: git looks for one from `cwd` upwards."""
        safe = tuple(part for path in self.safe for part in ("-c", f"safe.directory={path}"))
        return run(("git", *_FLAGS, *safe, *words), env=self.environment, cwd=cwd)


def is_full(folder: Path) -> bool:
    """Return whether hardly a file more goes where `folder` lies: git does not always say so.

    What it began and took back before it ended counts as free again.
    """
    state = os.statvfs(folder)
    few_files = state.f_files > 0 and state.f_favail < _FEW_FILES
    return few_files or state.f_bavail * state.f_frsize < _FEW_BYTES


def _spent(done: Completed, feed: bytes) -> str:
    """Return why git had no room; "" where it had, or where what it was told may say the same."""
    if done.exit_code == -signal.SIGXFSZ:
        return "File too large"
    if done.exit_code == 0:
        return ""
    lines = {line.rpartition(b": ")[2].strip() for line in done.stderr.splitlines()}
    return next((said.decode() for said in _NO_ROOM if said in lines and said not in feed), "")


def _command(words: tuple[str, ...]) -> str:
    """Return which command of git was called, whatever settings stand before it."""
    settings = {n + 1 for n, word in enumerate(words) if word == "-c"}
    return next(w for n, w in enumerate(words) if n not in settings and not w.startswith("-"))


def built_environment(host: Host) -> dict[str, str]:
    """Return the whole environment of a git command."""
    kept = {name: host.variables[name] for name in ("PATH", "TMPDIR") if name in host.variables}
    return {
        **kept,
        "HOME": os.devnull,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_GRAFT_FILE": os.devnull,
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
    }


def git_of(host: Host) -> Git:
    """Return git as the factory calls it, with the user's safe.directory decisions and no more."""
    names = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
    own = {name: host.git_variables[name] for name in names if name in host.git_variables}
    kept = ("PATH", "HOME", "XDG_CONFIG_HOME")
    user = {name: host.variables[name] for name in kept if name in host.variables}
    # Only the system's and the user's files count, so no repository may be in sight.
    done = run(
        ("git", "config", "-z", "--get-all", "safe.directory"),
        env={**user, **own, **_NO_TRACE, "GIT_DIR": os.devnull, "LC_ALL": "C"},
        cwd=Path("/"),
    )
    said = done.stdout.decode("utf-8", "surrogateescape")
    return Git(built_environment(host), tuple(said.split("\0")[:-1]))
