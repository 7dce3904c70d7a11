"""A child that is fed and read to its end, or spoken with line by line."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tools.codex.factory.errors import FactoryError, NoRoom, UnfitHost, is_spent
from tools.codex.factory.process.rules import FREE, Rules
from tools.codex.factory.process.spawn import Pipes, Spawned


class TookTooLong(FactoryError):
    """A program of ours did not end in the time it was given."""

    exit_code = 30


@dataclass(frozen=True, slots=True)
class Completed:
    """What came of a child: its exit code (negative: the signal that ended it) and its output."""

    exit_code: int
    stdout: bytes
    stderr: bytes

    @property
    def complaint(self) -> str:
        """Return the last line that the child said on stderr."""
        lines = self.stderr.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {self.exit_code}"


class Conversation:
    """A child that is spoken with line by line: one line to it, many lines back."""

    def __init__(self, child: "subprocess.Popen[bytes]", stderr: IO[bytes]) -> None:
        self._child = child
        self._stderr = stderr

    def say(self, line: bytes) -> None:
        """Send one line. A child that is gone says so by ending `heard`."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(line + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            pass

    def heard(self) -> Iterator[bytes]:
        """Yield the child's lines, each without its newline, until it closes its stdout."""
        assert self._child.stdout is not None
        for line in self._child.stdout:
            yield line.rstrip(b"\n")

    def ended(self) -> Completed:
        """Close the child's stdin, wait for its end, and return exit code and stderr."""
        assert self._child.stdin is not None
        with suppress(BrokenPipeError):
            self._child.stdin.close()
        _end(self._child, kill=False)
        self._stderr.seek(0)
        return Completed(self._child.returncode, b"", self._stderr.read())


def run(
    argv: tuple[str, ...],
    *,
    env: Mapping[str, str],
    cwd: Path,
    feed: bytes = b"",
    seconds: float | None = None,
) -> Completed:
    """Run `argv` to its end with nothing but `env`, and return what came of it.

    Raises TookTooLong where it has not ended after `seconds`; it is killed then.
    """
    try:
        done = subprocess.run(
            argv, input=feed, capture_output=True, env=env, cwd=cwd, check=False, timeout=seconds
        )
    except OSError as error:
        raise _not_started(argv[0], cwd, error) from error
    except subprocess.TimeoutExpired as error:
        raise TookTooLong(
            f"program {argv[0]!r} did not end within {seconds:.0f} s",
            hint="look at the load and the disks of this host, then run the command again",
        ) from error
    return Completed(done.returncode, done.stdout, done.stderr)


def asked(
    argv: tuple[str, ...],
    *,
    env: Mapping[str, str],
    cwd: Path,
    seconds: float,
    rules: Rules = FREE,
) -> Completed:
    """Run a program that is not ours, without stdin and in a session of its own, under `rules`.

    Where it takes longer than `seconds` nothing that it started in its session lives on.
    """
    pipes = Pipes(subprocess.DEVNULL, subprocess.PIPE, subprocess.PIPE)
    try:
        spawned = Spawned(argv, rules=rules, env=env, cwd=cwd, pipes=pipes, tied=False)
    except OSError as error:
        raise _not_started(argv[0], cwd, error) from error
    with spawned, spawned.child as child:
        try:
            stdout, stderr = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            raise TookTooLong(
                f"program {argv[0]!r} did not end within {seconds:.0f} s",
                hint="run it by hand and see what it waits for",
            ) from error
        return Completed(child.returncode, stdout, stderr)


@contextmanager
def conversation(
    argv: tuple[str, ...],
    *,
    env: Mapping[str, str],
    cwd: Path,
    stderr: IO[bytes],
    rules: Rules = FREE,
) -> Iterator[Conversation]:
    """Start `argv` in a session of its own, under `rules`, and speak with it.

    It is gone when the block ends.
    """
    pipes = Pipes(subprocess.PIPE, subprocess.PIPE, stderr.fileno())
    try:
        spawned = Spawned(argv, rules=rules, env=env, cwd=cwd, pipes=pipes, tied=False)
    except OSError as error:
        raise _not_started(argv[0], cwd, error) from error
    child = spawned.child
    try:
        yield Conversation(child, stderr)
    finally:
        _end(child, kill=True)
        spawned.release()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def _end(child: "subprocess.Popen[bytes]", *, kill: bool) -> None:
    """Wait for the child, or kill it, and leave nothing that it started in its session behind."""
    if child.returncode is not None:
        return
    if not kill and hasattr(os, "waitid"):
        # Not reaped yet, so its number still names its own group and no other.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    elif not kill:
        child.wait()
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _not_started(program: str, cwd: Path, error: OSError) -> UnfitHost:
    if not cwd.is_dir():
        return UnfitHost(f"the folder {str(cwd)!r} is gone", hint="run the command again")
    if is_spent(error):
        return NoRoom(f"program {program!r} cannot be started", str(error.strerror))
    if isinstance(error, FileNotFoundError):
        return UnfitHost(f"program {program!r} is not on PATH", hint=f"install {program}")
    return UnfitHost(
        f"program {program!r} cannot be started: {error.strerror}", hint="look at its permissions"
    )
