"""What a bundle claims of itself, held against its own patch."""

from tools.codex.factory.domain.artifact import PathChange
from tools.codex.factory.domain.bundle import Bundle
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.finding import Code, Finding, blocking, capped, note
from tools.codex.factory.domain.identity import WorkerId
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.tree import Entry
from tools.codex.factory.domain.wording import brief

_MOST_REASON = 1000


def claim_findings(bundle: Bundle, changes: tuple[Change, ...]) -> list[Finding]:
    """Return a finding for each claim of the bundle that its own patch contradicts."""
    return [
        *_files_changed_findings(bundle, changes),
        *_handoff_findings(bundle, changes),
    ]


def path_change(change: Change, owner: str) -> PathChange:
    """Return a change as FILES_CHANGED.json says it."""
    return PathChange.model_construct(
        path=quoted(change.path),
        change_type=change.change_type,
        old_mode=_mode(change.old),
        new_mode=_mode(change.new),
        old_id=change.old.id if change.old else None,
        new_id=change.new.id if change.new else None,
        sha256=change.sha256,
        size=len(change.content) if change.content is not None else None,
        binary=change.binary,
        insertions=change.insertions,
        deletions=change.deletions,
        owner=owner,
    )


def _files_changed_findings(bundle: Bundle, changes: tuple[Change, ...]) -> list[Finding]:
    said = bundle.files_changed
    found: list[Finding] = []
    want = {change.path: path_change(change, bundle.worker) for change in changes}
    by_text = {row.path: row for row in want.values()}
    have = {row.path: row for row in said.changes}
    for path in sorted(by_text.keys() | have.keys()):
        if by_text.get(path) != have.get(path):
            found.append(_disagrees(bundle.worker, path, by_text.get(path), have.get(path)))
    found = capped(found, f"{bundle.worker}: FILES_CHANGED.json")
    honest = said.noop == (not changes) and (said.noop_reason is None) == bool(changes)
    message = ""
    if len(have) != len(said.changes):
        message = "a path stands twice"
    elif not honest:
        message = "`noop` is not so"
    elif not found and list(have) != list(by_text):
        message = "the paths are out of order"
    if message:
        found.append(
            blocking(
                Code.DIFF_DISAGREES,
                f"{bundle.worker}: FILES_CHANGED.json",
                message,
                "write it from the patch",
            )
        )
    return found


def _disagrees(
    worker: WorkerId, path: str, want: PathChange | None, have: PathChange | None
) -> Finding:
    if have is None:
        message = "DIFF.patch changes it, FILES_CHANGED.json does not name it"
    elif want is None:
        message = "FILES_CHANGED.json names it, DIFF.patch does not change it"
    else:
        fields = [n for n in PathChange.model_fields if getattr(want, n) != getattr(have, n)]
        message = "; ".join(
            f"{n} is {getattr(want, n)!r}, FILES_CHANGED.json says {brief(getattr(have, n))}"
            for n in fields
        )
    return blocking(
        Code.DIFF_DISAGREES, f"{worker}: {path}", message, "write FILES_CHANGED.json from the patch"
    )


def _handoff_findings(bundle: Bundle, changes: tuple[Change, ...]) -> list[Finding]:
    handoff, worker = bundle.handoff, bundle.worker
    changed = {quoted(change.path) for change in changes}
    declared = set(handoff.declared_paths)
    subject = f"{worker}: HANDOFF_NOTE.json"
    hint = "correct the note, or the work"
    strange = [
        blocking(
            Code.HANDOFF_CONTRADICTS,
            subject,
            f"it declares {path!r}, which DIFF.patch does not change",
            hint,
        )
        for path in sorted(declared - changed)
    ]
    found = capped(strange, subject)
    if handoff.no_change is not None and changed:
        message = f"it says that nothing was changed, but DIFF.patch changes {len(changed)} paths"
        found.append(blocking(Code.HANDOFF_CONTRADICTS, subject, message, hint))
    if declared:
        undeclared = [
            note(Code.UNDECLARED_PATH, f"{worker}: {path}", "changed, but not declared in the note")
            for path in sorted(changed - declared)
        ]
        found += capped(undeclared, subject)
    if not changed:
        reason = handoff.no_change or bundle.files_changed.noop_reason
        said = f": {reason[:_MOST_REASON]}" if reason else ""
        found.append(note(Code.NO_CHANGE, f"{worker}: DIFF.patch", f"nothing was changed{said}"))
    return found


def _mode(entry: Entry | None) -> str | None:
    return entry.mode if entry is not None else None
