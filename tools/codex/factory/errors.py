"""Why the factory cannot go on, and the exit code of each reason."""

import errno
import os
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FailedRun:
    """The run that an error ended, and where its report lies."""

    run_id: str
    base_commit: str
    report: str


class FactoryError(Exception):
    """The factory cannot go on: `str()` is one sentence for the operator, `hint` what to do.

    `log` is what a bug or a dead process left behind, for the run's log.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", log: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.log = log
        self.failed: FailedRun | None = None


class UsageError(FactoryError):
    """The command line makes no sense here."""

    exit_code = 2


class BaseRefNotFound(UsageError):
    """What the operator named is no commit of this repository."""

    def __init__(self, ref: str) -> None:
        super().__init__(
            f"base ref {ref!r} is not a commit in this repository",
            hint=f"`git rev-parse --verify '{ref}^{{commit}}'` shows what git makes of it",
        )
        self.ref = ref


class ConfigurationError(FactoryError):
    """A plan or a setting is wrong: names it, its value, its layer."""

    exit_code = 10


class UnfitHost(FactoryError):
    """This host or repository lacks something that the factory needs."""

    exit_code = 20


class NoRoom(UnfitHost):
    """A disk is full or read-only, or a limit is met: what was asked goes once that has changed."""

    def __init__(self, what: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"{what}: {reason}",
            hint="give it room there (space, files, quota, ulimit), or make it writable; then run "
            "the same command again, with --run-id where a run has begun: nothing is lost",
        )


_SPENT = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EMFILE, errno.ENFILE,
    errno.ENOMEM, errno.EAGAIN,
)  # fmt: skip


def is_spent(error: OSError) -> bool:
    """Return whether the system says that a disk or a limit of this host is used up."""
    return error.errno in _SPENT


def is_reason(said: str) -> bool:
    """Return whether these are the words in which the system says that."""
    return said in {os.strerror(one) for one in _SPENT}


def raise_spent(error: OSError, what: str) -> None:
    """Raise NoRoom where a disk or a limit is used up; return where `error` means another thing."""
    if is_spent(error):
        raise NoRoom(what, str(error.strerror)) from error


class RepositoryError(FactoryError):
    """Git refused, or an object is not what it should be."""

    exit_code = 30


class StorageError(FactoryError):
    """The runs root could not be read or written."""


class OutsideRunDirectory(StorageError):
    """A write was asked for that would land outside the run directory."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path!r} leads outside the run directory",
            hint="remove the link or the file that stands in the way",
        )
        self.path = path


class LedgerDamaged(StorageError):
    """A ledger line before the last one is not what was written."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(
            f"{where}: {reason}",
            hint="restore factory_ledger.jsonl from a copy, or move it aside to begin a new one",
        )


class IntegratorFailed(FactoryError):
    """The integrator process ended without an answer."""


class PublishRefused(FactoryError):
    """The run is nothing that may reach outside: it is not proven, or the place is taken."""

    exit_code = 3


class RunUnavailable(FactoryError):
    """The run cannot be had: there is none of that name, or another factory holds it."""

    exit_code = 40


class Bug(FactoryError):
    """Something that no one foresaw; `log` is the traceback."""


class Interrupted(FactoryError):
    """The operator said stop."""

    exit_code = 130


def raised_again(message: str, *, hint: str, exit_code: int) -> FactoryError:
    """Return the error of another process of ours, with its own exit code."""
    kinds = (UnfitHost, ConfigurationError, RepositoryError, RunUnavailable, Interrupted)
    kind = next((k for k in kinds if k.exit_code == exit_code), FactoryError)
    return kind(message, hint=hint)


EXIT_CODE_OF_STATUS = {"PASS": 0, "BLOCKED": 3, "WAITING": 4, "FAIL": 1}
EXIT_CODES = {
    0: "PASS, or the command did what it was asked",
    1: "FAIL: internal error, or the ledger is damaged",
    2: "the command line makes no sense",
    3: "BLOCKED",
    4: "WAITING",
    10: "plan or configuration is wrong",
    20: "something that this host or repository lacks",
    30: "an external tool failed",
    40: "busy: another factory holds this run; or no such run",
    130: "interrupted; children are gone, the ledger says so",
}
