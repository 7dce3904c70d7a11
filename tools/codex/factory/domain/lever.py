"""The command line that mends what blocks a run: `amend` or `launch --only`, for one worker."""

import shlex

from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.pattern import naming


def allowing(worker: str, path: str) -> str:
    """Return how a path is granted to a worker; empty where no pattern can name it."""
    pattern = naming(path)
    return _amend("--allow", f"{worker}:{pattern}") if pattern is not None else ""


def permitting(worker: str, path: str) -> str:
    """Return how the denial of a path is taken back; empty where no pattern can name it."""
    pattern = naming(path)
    return _amend("--deny", f"{worker}:!{pattern}") if pattern is not None else ""


def sharing(path: str) -> str:
    """Return how a path is shared by every worker; empty where no pattern can name it."""
    pattern = naming(path)
    return _amend("--share", pattern) if pattern is not None else ""


def dropping(worker: str, path: str | None = None) -> str:
    """Return how a worker, or one path of it, is left out of the merge."""
    if path is None:
        return _amend("--drop", worker)
    return _amend("--drop-path", f"{worker}:{quoted(path)}")


def retrying(worker: str) -> str:
    """Return how a worker makes a new attempt in the run that it is in."""
    return f"`factory launch --only {shlex.quote(worker)}`"


def accepting(worker: str, path: str) -> str:
    """Return how what only looks like a secret is accepted in one path of a worker."""
    return _amend("--accept-secret", f"{worker}:{quoted(path)}")


def either(*levers: tuple[str, str]) -> str:
    """Return a hint that names each lever that is there, with what it does."""
    return "; ".join(f"{lever} {what}" for lever, what in levers if lever)


def _amend(flag: str, value: str) -> str:
    return f"`factory amend {flag} {shlex.quote(value)} --reason WHY`"
