"""A patch proven on the base tree: applied exactly, each result held to its declared id."""

from collections.abc import Mapping
from dataclasses import dataclass

from tools.codex.factory.domain.body import BinaryBody, Body, TextBody
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.edit import DoesNotApply, applied, split_lines
from tools.codex.factory.domain.finding import Code, Finding, blocking, capped, in_order
from tools.codex.factory.domain.identity import (
    EMPTY_BLOB,
    ObjectId,
    RepoPath,
    WorkerId,
    object_id_of,
)
from tools.codex.factory.domain.patch import GITLINK, Patch, Section
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.reader import PatchLimits
from tools.codex.factory.domain.shape import shape_findings
from tools.codex.factory.domain.tree import DIRECTORY, BaseTree, Entry


@dataclass(frozen=True, slots=True)
class Proven:
    """The changes of one bundle, sorted by path, and what speaks against them."""

    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]


def counted(body: Body | None) -> tuple[int, int]:
    """Return how many lines a body adds and how many it takes away; none where it is binary."""
    if not isinstance(body, TextBody):
        return 0, 0
    marks = b"".join(hunk.marks for hunk in body.hunks)
    return marks.count(b"+"), marks.count(b"-")


class _Refused(ValueError):
    def __init__(self, code: Code, message: str, *, cost: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.cost = cost
        """How many bytes were worked on for nothing."""


def touched_paths(patch: Patch) -> set[RepoPath]:
    """Return every path that the patch names, copy sources too."""
    return {path for s in patch.sections for path in (s.old, s.new) if path is not None}


def wanted_blobs(patch: Patch, base: BaseTree) -> set[ObjectId]:
    """Return the base blobs that must be read to prove the patch."""
    entries = [base.entry(s.old) for s in patch.sections if s.old is not None]
    return {entry.id for entry in entries if entry and entry.mode not in (DIRECTORY, GITLINK)}


def prove(
    patch: Patch,
    base: BaseTree,
    blobs: Mapping[ObjectId, bytes],
    *,
    worker: WorkerId,
    limits: PatchLimits,
) -> Proven:
    """Apply each section exactly to the blob it names and hold the result to its declared id."""
    findings: list[Finding] = []
    changes: dict[RepoPath, Change] = {}
    left = limits.bundle_bytes
    for section in patch.sections:
        try:
            left -= _inflated_bytes(section)
            if left < 0:
                raise _Refused(
                    Code.TOO_LARGE, f"the bundle inflates to more than {limits.bundle_bytes} bytes"
                )
            for change in _changes(section, base, blobs, limits):
                changes[change.path] = _joined(changes.get(change.path), change)
                left -= len(change.content or b"")
        except _Refused as refused:
            subject = f"{worker}: {quoted(section.path)}"
            findings.append(blocking(refused.code, subject, str(refused), _HINTS[refused.code]))
            # What is refused costs as much as what is taken, and may not be had for each section.
            left -= refused.cost
            if left < 0:
                break
    subject = f"{worker}: DIFF.patch"
    findings = capped(findings, subject) + capped([*shape_findings(changes, base, worker)], subject)
    ordered = tuple(changes[path] for path in sorted(changes))
    return Proven(ordered, in_order(findings))


_HINTS = {
    Code.PATCH_BASE_DIFFERS: "make the patch again on the run's base commit",
    Code.PATCH_DOES_NOT_APPLY: "make the patch again with `git diff --binary --full-index`",
    Code.PATCH_RESULT_DIFFERS: "make the patch again with `git diff --binary --full-index`",
    Code.PATCH_PATH_TWICE: "write each path once",
    Code.TOO_LARGE: "raise limits.file_bytes or limits.bundle_bytes, or leave the file out",
}


def _changes(
    section: Section, base: BaseTree, blobs: Mapping[ObjectId, bytes], limits: PatchLimits
) -> list[Change]:
    old = _checked_base(section, base)
    if section.new is None:
        assert old is not None
        before = _content(old, blobs)
        _check_deletion(section, before, limits)
        return [_change(section, section.old, old, None, None)]
    new, content = _result(section, old, blobs, limits)
    if section.kind in ("rename", "copy"):
        there = base.entry(section.new)
        if there is not None and there.mode != DIRECTORY:
            raise _Refused(Code.PATCH_BASE_DIFFERS, "the base already has this path")
        added = _whole(section.new, None, new, content)
        if section.kind == "copy":
            return [added]
        return [_whole(section.old, old, None, _content(old, blobs)), added]
    return [_change(section, section.new, old, new, content)]


def _checked_base(section: Section, base: BaseTree) -> Entry | None:
    """Return the base entry that the section starts from, held to the mode and id it names."""
    if section.old is None:
        assert section.new is not None
        entry = base.entry(section.new)
        # A deletion of the same path may stand beside: _joined and shape_findings judge that.
        if entry is not None and entry.mode[:3] == (section.new_mode or "")[:3]:
            raise _Refused(Code.PATCH_BASE_DIFFERS, "the base already has this path")
        return None
    entry = base.entry(section.old)
    if entry is None:
        raise _Refused(Code.PATCH_BASE_DIFFERS, f"the base has no {quoted(section.old)!r}")
    if entry.mode == DIRECTORY:
        raise _Refused(Code.PATCH_BASE_DIFFERS, "the base has a directory there")
    if section.old_mode is not None and section.old_mode != entry.mode:
        raise _Refused(
            Code.PATCH_BASE_DIFFERS,
            f"the patch names mode {section.old_mode}, the base has {entry.mode}",
        )
    if section.old_id is not None and section.old_id != entry.id:
        raise _Refused(
            Code.PATCH_BASE_DIFFERS,
            f"the patch names blob {section.old_id}, the base has {entry.id}",
        )
    return entry


def _result(
    section: Section,
    old: Entry | None,
    blobs: Mapping[ObjectId, bytes],
    limits: PatchLimits,
) -> tuple[Entry, bytes | None]:
    mode = section.new_mode or (old.mode if old else "")
    if mode == GITLINK:
        return Entry(mode, _gitlink(section, old)), None
    before = _content(old, blobs)
    after = before
    if section.body is not None:
        after = _applied(before, section.body, limits)
    elif section.new_id not in (None, EMPTY_BLOB) or (section.new_id and section.kind != "add"):
        raise _Refused(Code.PATCH_DOES_NOT_APPLY, "the index line names a change that is not there")
    if len(after) > limits.file_bytes:
        raise _Refused(
            Code.TOO_LARGE, f"{len(after)} bytes, more than the {limits.file_bytes} allowed"
        )
    made = object_id_of("blob", after) if section.body is not None or old is None else old.id
    if section.new_id is not None and made != section.new_id:
        raise _Refused(
            Code.PATCH_RESULT_DIFFERS,
            f"exact application gives blob {made}, the patch names {section.new_id}",
            cost=len(after),
        )
    return Entry(mode, made), after


def _gitlink(section: Section, old: Entry | None) -> ObjectId:
    """Return the commit that a gitlink names; its hunk must say just that."""
    if section.new_id is None:
        assert old is not None
        return old.id
    want_old = (
        b"Subproject commit %s\n" % section.old_id.encode() if old and section.old_id else b""
    )
    want_new = b"Subproject commit %s\n" % section.new_id.encode()
    _check_gitlink_body(section, want_old, want_new)
    return section.new_id


def _check_gitlink_body(section: Section, want_old: bytes, want_new: bytes) -> None:
    hunks = section.body.hunks if isinstance(section.body, TextBody) else ()
    whole = len(hunks) == 1 and hunks[0].at == 0
    said = (b"".join(hunks[0].old), b"".join(hunks[0].new)) if whole else (b"", b"")
    if said != (want_old, want_new):
        raise _Refused(Code.PATCH_DOES_NOT_APPLY, "the hunk does not name the submodule's commits")


def _check_deletion(section: Section, before: bytes, limits: PatchLimits) -> None:
    if section.old_mode == GITLINK:
        want = b"Subproject commit %s\n" % (section.old_id or "").encode()
        _check_gitlink_body(section, want, b"")
        return
    left = before if section.body is None else _applied(before, section.body, limits)
    if left:
        raise _Refused(Code.PATCH_DOES_NOT_APPLY, "the deletion does not take the whole content")


def _applied(before: bytes, body: Body, limits: PatchLimits) -> bytes:
    try:
        return applied(before, body, file_bytes=limits.file_bytes)
    except DoesNotApply as error:
        cost = len(before) + (limits.file_bytes if _is_delta(body) else 0)
        raise _Refused(Code.PATCH_DOES_NOT_APPLY, str(error), cost=cost) from error


def _is_delta(body: Body) -> bool:
    """Return whether a body may make more bytes than it says that it inflates to."""
    return isinstance(body, BinaryBody) and "delta" in (body.forward.method, body.reverse.method)


def _content(entry: Entry | None, blobs: Mapping[ObjectId, bytes]) -> bytes:
    if entry is None or entry.mode == GITLINK:
        return b""
    if entry.id not in blobs:
        raise _Refused(Code.TOO_LARGE, "the base file is larger than allowed")
    return blobs[entry.id]


def _change(
    section: Section,
    path: RepoPath | None,
    old: Entry | None,
    new: Entry | None,
    content: bytes | None,
) -> Change:
    assert path is not None
    binary = isinstance(section.body, BinaryBody)
    plus, minus = counted(section.body)
    return Change(
        path=path,
        old=old,
        new=new,
        content=content,
        body=section.body if old is not None and new is not None else None,
        binary=binary,
        insertions=plus,
        deletions=minus,
    )


def _whole(
    path: RepoPath | None, old: Entry | None, new: Entry | None, content: bytes | None
) -> Change:
    """Return one half of a rename or copy, counted as git counts a whole file come or gone."""
    assert path is not None
    gitlink = GITLINK in (old.mode if old else "", new.mode if new else "")
    # git takes a file for binary where its first 8000 bytes hold a NUL.
    binary = content is not None and b"\0" in content[:8000]
    lines = 1 if gitlink else 0 if binary else len(split_lines(content or b""))
    return Change(
        path=path,
        old=old,
        new=new,
        content=content if new is not None else None,
        body=None,
        binary=binary,
        insertions=lines if new is not None else 0,
        deletions=lines if new is None else 0,
    )


def _inflated_bytes(section: Section) -> int:
    """Return how many bytes a section says that it inflates to."""
    if not isinstance(section.body, BinaryBody):
        return 0
    return section.body.forward.size + section.body.reverse.size


def _joined(before: Change | None, change: Change) -> Change:
    """Return one change for a deletion and an addition of the same path; refuse other pairs."""
    if before is None:
        return change
    if before.new is not None or change.old is not None or before.old is None or not change.new:
        raise _Refused(Code.PATCH_PATH_TWICE, "the patch writes this path twice")
    if before.old.mode[:3] == change.new.mode[:3]:
        raise _Refused(Code.PATCH_PATH_TWICE, "the patch deletes and adds this path")
    return Change(
        path=change.path,
        old=before.old,
        new=change.new,
        content=change.content,
        body=None,
        binary=before.binary or change.binary,
        insertions=change.insertions,
        deletions=before.deletions,
    )
