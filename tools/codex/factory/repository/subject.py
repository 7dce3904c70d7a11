"""Whose checkout is captured, and how a finding about it reads."""

from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.finding import Code, Finding, blocking
from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.reader import PatchLimits
from tools.codex.factory.repository.checkout import Fresh


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is captured: whose checkout, as it was made (None: not known any more), of which base.

    `ignore` are patterns of what is in no bundle; `store` lends the objects of the base.
    """

    name: str
    checkout: Path
    fresh: Fresh | None
    base: ObjectId
    store: Path
    shallow: bytes
    ignore: tuple[str, ...]
    limits: PatchLimits


_HINTS = {
    Code.CAPTURE_CHECKOUT_GONE: "the command must not remove or move its own checkout",
    Code.CAPTURE_FAILED: "the checkout is kept: look at it, then launch again",
    Code.CAPTURE_GIT_REPLACED: "the command must leave `.git` alone",
    Code.CAPTURE_GIT_UNREADABLE: "the checkout is kept: look at its `.git`",
    Code.CAPTURE_UNMERGED: "finish the merge or rebase, or abort it, before ending",
    Code.CAPTURE_NESTED_REPOSITORY: "ignore it by .gitignore, or take its `.git` away",
    Code.CAPTURE_SPECIAL_FILE: "remove it before ending",
    Code.CAPTURE_PATH_REFUSED: "give it a name that every system takes",
    Code.CAPTURE_TOO_LARGE: "ignore it, or raise limits.file_bytes and limits.bundle_bytes",
    Code.SCOPE_FILTERED_PATH: "change such files by hand, outside a run",
}


def found_at(subject: Subject, code: Code, message: str, path: bytes = b"checkout") -> Finding:
    """Return a finding that blocks, about one path of the checkout."""
    return blocking(code, f"{subject.name}: {shown_path(path)}", message, _HINTS[code])


def shown_path(path: bytes) -> str:
    """Return a path as findings name it."""
    return quoted(path.decode("utf-8", "surrogateescape"))
