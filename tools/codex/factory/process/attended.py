"""A child of ours that is told once, heard in turn with others, and can go on without us."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path


class Attended:
    """A child in a session of its own. Its stdin is a lifeline: when that ends, so must it."""

    def __init__(
        self,
        argv: tuple[str, ...],
        *,
        env: Mapping[str, str],
        cwd: Path,
        errors: int,
        inherited: Sequence[int],
    ) -> None:
        """Start `argv`; what it says on stderr goes to the open file `errors`. Raises OSError."""
        self._child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=env,
            cwd=cwd,
            pass_fds=inherited,
            start_new_session=True,
        )
        self._rest = b""

    @property
    def pid(self) -> int:
        """Return the child's number."""
        return self._child.pid

    def fileno(self) -> int:
        """Return what is readable when the child has said something, or ended."""
        assert self._child.stdout is not None
        return self._child.stdout.fileno()

    def tell(self, line: bytes) -> None:
        """Send one line; a child that is gone says so by `heard`."""
        assert self._child.stdin is not None
        with suppress(BrokenPipeError):
            self._child.stdin.write(line + b"\n")
            self._child.stdin.flush()

    def heard(self) -> tuple[list[bytes], bool]:
        """Return the lines that are there, and whether more may come."""
        content = os.read(self.fileno(), 1 << 16)
        *lines, self._rest = (self._rest + content).split(b"\n")
        return lines, bool(content)

    def let_go(self) -> None:
        """Cut the lifeline: the child ends what it does, in its own order."""
        assert self._child.stdin is not None
        with suppress(BrokenPipeError):
            self._child.stdin.close()

    def ended(self) -> int:
        """Wait for the child's end and return its exit code (negative: the signal)."""
        self.let_go()
        code = self._child.wait()
        assert self._child.stdout is not None
        self._child.stdout.close()
        return code
