"""What a checkout really holds, as a diff from the base, whatever state a worker left it in."""

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.finding import Code, Finding, note
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.wording import few
from tools.codex.factory.errors import FactoryError, NoRoom, RepositoryError, raise_spent
from tools.codex.factory.repository.checkout import is_checkout_folder
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.listing import (
    Lens,
    Row,
    base_rows,
    ignored,
    ignored_among,
    lens,
    listing,
)
from tools.codex.factory.repository.loan import loan
from tools.codex.factory.repository.own_git import GitReplaced, GitUnreadable, OwnGit, own_git
from tools.codex.factory.repository.staged import NOTHING, Staged, staged
from tools.codex.factory.repository.stray import NO_STRAY, Stray, stray_commits
from tools.codex.factory.repository.subject import Subject, found_at, shown_path
from tools.codex.factory.repository.survey import Survey, surveyed
from tools.codex.factory.repository.taking import (
    GITLINK,
    Fit,
    fit,
    has_base_attributes,
    take,
    untouched_among,
)

_DIFF = (
    "diff-index", "--cached", "--binary", "--full-index", "--no-renames", "--no-ext-diff",
    "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/", "-p",
)  # fmt: skip
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Captured:
    """The diff from the base to what was there (None: none could be taken), and what was found.

    `stray` is a git bundle of commits that are in no captured tree. `is_whole` says that nothing
    but ignored files is left in the checkout alone.
    """

    patch: bytes | None
    findings: tuple[Finding, ...]
    stray: bytes
    is_whole: bool


def capture(git: Git, subject: Subject, *, scratch: Path) -> Captured:
    """Return what the checkout holds. A capture that fails is a finding.

    Raises NoRoom where this host lacks room for it: that says nothing of the work.
    """
    if not is_checkout_folder(subject.checkout):
        gone = found_at(subject, Code.CAPTURE_CHECKOUT_GONE, "the checkout is gone, or is a link")
        return Captured(None, (gone,), b"", False)
    try:
        return _captured(git, subject, scratch)
    except NoRoom:
        raise
    except (FactoryError, OSError, ValueError) as error:
        if isinstance(error, OSError):
            raise_spent(error, f"the work in {str(subject.checkout)!r} cannot be captured")
        reason = str(error).replace(f"{subject.checkout.parent}/", "")
        failed = found_at(subject, Code.CAPTURE_FAILED, f"the work cannot be captured: {reason}")
        return Captured(None, (failed,), b"", False)


def dirt(git: Git, subject: Subject, *, scratch: Path) -> tuple[str, ...]:
    """Return the paths that differ from the base, quoted and sorted; ignored ones aside.

    Raises RepositoryError where the checkout is none any more.
    """
    if not is_checkout_folder(subject.checkout):
        raise RepositoryError(
            "the checkout is gone, or is a link",
            hint="let no command remove or move its own checkout",
        )
    try:
        return _dirt(git, subject, scratch)
    except OSError as error:
        raise_spent(error, f"the work in {str(subject.checkout)!r} cannot be read")
        raise


def _dirt(git: Git, subject: Subject, scratch: Path) -> tuple[str, ...]:
    survey = surveyed(subject.checkout)
    with _lens(git, subject, scratch) as through:
        _refuse_astray(through, survey)
        said = listing(through)
        tree = base_rows(through)
        modes = {path: tree[path].mode for path in said.changed if path in tree}
        seen = {*said.changed, *said.new}
        same = untouched_among(through, subject, modes, tree, seen=seen)
    return tuple(
        sorted(shown_path(p) for p in (*(said.changed - same.keys()), *said.new, *said.nested))
    )


def _captured(git: Git, subject: Subject, scratch: Path) -> Captured:
    survey = surveyed(subject.checkout)
    findings = [
        found_at(subject, Code.CAPTURE_SPECIAL_FILE, "a pipe or device that git would open", path)
        for path in survey.removed
    ]
    own = _own_git(subject, findings)
    with _lens(git, subject, scratch) as through:
        _refuse_astray(through, survey)
        tree = base_rows(through)
        said = listing(through)
        beside = _staged(through, subject, own, tree, findings)
        taken = fit(through, subject, said, beside, own, tree, findings)
        findings += _repositories(through, subject, survey, tree, taken)
        take(through, subject, taken, tree)
        findings += _filtered(through, subject)
        patch = through.read(*_DIFF, subject.base)
        findings += _too_large(subject, patch)
        left_out = ignored(through)
        stray = _stray(through, subject, own, findings)
    is_whole = not any(finding.blocks for finding in findings)
    if left_out:
        message = f"{left_out} ignored paths are in no bundle"
        findings.append(note(Code.CAPTURE_LEFT_OUT, f"{subject.name}: checkout", message))
    return Captured(patch, tuple(findings), stray.bundle, is_whole)


def _too_large(subject: Subject, patch: bytes) -> Iterable[Finding]:
    """Yield a finding for each limit that a diff is beyond."""
    limits = subject.limits
    counts = (
        (len(patch), limits.patch_bytes, "bytes"),
        (patch.count(b"\n"), limits.lines, "lines"),
        (patch.count(b"\ndiff --git ") + 1, limits.sections, "files"),
    )
    for count, most, what in counts:
        if count > most:
            message = f"the diff has {count} {what}, more than {most}"
            yield found_at(subject, Code.CAPTURE_TOO_LARGE, message)


def _refuse_astray(through: Lens, survey: Survey) -> None:
    """Raise RepositoryError where git would follow a nested repository out of the checkout."""
    astray = sorted(set(survey.astray) - ignored_among(through, survey.astray))
    if astray:
        named = ", ".join(shown_path(path) for path in astray[:_MOST_NAMED])
        raise RepositoryError(
            f"the git directory of {named} leads out of the checkout",
            hint="remove it, or ignore it by .gitignore",
        )


def _repositories(
    through: Lens, subject: Subject, survey: Survey, tree: Mapping[bytes, Row], taken: Fit
) -> Iterable[Finding]:
    """Yield a finding for each repository below the top: what it holds is in no bundle."""
    links = {path for path, row in tree.items() if row.mode == GITLINK}
    filled = {path for path in survey.nested if path.rstrip(b"/") in links}
    others = set(survey.nested) - filled
    for path in sorted(others - ignored_among(through, others)):
        message = "a repository of its own"
        yield found_at(subject, Code.CAPTURE_NESTED_REPOSITORY, message, path)
    for path in sorted(filled):
        message = "a submodule was filled; what was done in it is in no bundle"
        yield note(Code.CAPTURE_LEFT_OUT, f"{subject.name}: {shown_path(path)}", message)
    for path in sorted(links - {path.rstrip(b"/") for path in filled}):
        if any(one.startswith(path + b"/") for one in taken.there):
            continue
        folder = os.path.join(os.fsencode(subject.checkout), path)
        if os.path.isdir(folder) and not os.path.islink(folder) and os.listdir(folder):
            message = "files in the folder of a submodule, where git keeps none"
            yield found_at(subject, Code.CAPTURE_NESTED_REPOSITORY, message, path)


def _lens(git: Git, subject: Subject, scratch: Path) -> AbstractContextManager[Lens]:
    return lens(
        git,
        subject.checkout,
        subject.fresh,
        subject.base,
        store=subject.store,
        ignore=subject.ignore,
        scratch=scratch,
    )


def _own_git(subject: Subject, findings: list[Finding]) -> OwnGit | None:
    try:
        return own_git(subject.checkout, loan(subject.store / "objects"))
    except FileNotFoundError:
        message = "the worker removed its git directory; commits in it are gone"
        findings.append(note(Code.CAPTURE_GIT_GONE, f"{subject.name}: .git", message))
    except GitReplaced:
        message = "the worker's git directory is not its own any more; nothing in it is read"
        findings.append(found_at(subject, Code.CAPTURE_GIT_REPLACED, message, b".git"))
    except (GitUnreadable, OSError) as error:
        if isinstance(error, OSError):
            raise_spent(error, f"{str(subject.checkout / '.git')!r} cannot be read")
        reason = error.strerror if isinstance(error, OSError) else str(error)
        message = f"the worker's git directory cannot be read: {reason}"
        findings.append(found_at(subject, Code.CAPTURE_GIT_UNREADABLE, message, b".git"))
    return None


def _staged(
    through: Lens,
    subject: Subject,
    own: OwnGit | None,
    tree: Mapping[bytes, Row],
    findings: list[Finding],
) -> Staged:
    if own is None:
        return NOTHING
    made = subject.fresh.index if subject.fresh is not None else None
    try:
        beside = staged(through, own, made=made, base=subject.base, tree=tree)
    except NoRoom:
        raise
    except FactoryError as error:
        message = f"the worker's index or HEAD cannot be read: {_told(through, error)}"
        findings.append(found_at(subject, Code.CAPTURE_GIT_UNREADABLE, message, b".git"))
        return NOTHING
    findings += [
        found_at(subject, Code.CAPTURE_UNMERGED, "a merge conflict that was not resolved", path)
        for path in beside.unmerged
    ]
    return beside


def _filtered(through: Lens, subject: Subject) -> Iterable[Finding]:
    """Yield a finding for each changed path that the base's attributes give a filter."""
    if not has_base_attributes(subject):
        return
    names = through.read(
        "diff-index", "--cached", "--name-only", "-z", "--no-renames", subject.base
    )
    if not names:
        return
    said = through.read(
        "check-attr", "-z", "--cached", "--stdin", "filter", feed=names, index=through.base_index
    )
    parts = said.split(b"\0")[:-1]
    for path, value in zip(parts[::3], parts[2::3], strict=True):
        if value not in (b"unspecified", b"unset"):
            named = value.decode("utf-8", "backslashreplace")
            message = f"filter {named!r} keeps its content elsewhere; the checkout has it raw"
            yield found_at(subject, Code.SCOPE_FILTERED_PATH, message, path)


def _stray(through: Lens, subject: Subject, own: OwnGit | None, findings: list[Finding]) -> Stray:
    if own is None:
        return NO_STRAY
    try:
        stray = stray_commits(
            through,
            own,
            base=subject.base,
            shallow=subject.shallow,
            limit=subject.limits.bundle_bytes,
        )
    except NoRoom:
        raise
    except (FactoryError, ValueError) as error:
        message = f"commits beside HEAD cannot be kept: {_told(through, error)}"
        findings.append(found_at(subject, Code.CAPTURE_GIT_UNREADABLE, message, b".git"))
        return NO_STRAY
    if stray.names:
        names = few([quoted(name) for name in stray.names], _MOST_NAMED)
        findings.append(
            note(
                Code.CAPTURE_OTHER_REFS,
                f"{subject.name}: .git",
                f"commits that are not in the work: {names}",
                "LOGS/stray.bundle holds them: `git fetch` reads it",
            )
        )
    return stray


def _told(through: Lens, error: Exception) -> str:
    """Return an error without the name of our own folder, which differs from time to time."""
    return str(error).replace(f"{through.own}/", "")
