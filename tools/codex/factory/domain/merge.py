"""The bundles that fit become one tree and one commit, in memory; their order means nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tools.codex.factory.domain.body import TextBody
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.edit import edits, union
from tools.codex.factory.domain.identity import ObjectId, RepoPath, WorkerId, object_id_of
from tools.codex.factory.domain.overlap import overlaps
from tools.codex.factory.domain.patch import GITLINK
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.domain.scope import lock
from tools.codex.factory.domain.tree import Entry, spliced
from tools.codex.factory.domain.verdict import Judgement

AUTHOR = "factory <factory@localhost>"
_COMMITTER = re.compile(rb"^committer .*? (-?[0-9]+) ([+-][0-9]{4})$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The merged tree, its commit (None where nothing changed), and the objects they need.

    `entries` is what every written path becomes, `owners` who wrote it.
    """

    workers: tuple[WorkerId, ...]
    tree: ObjectId
    commit: ObjectId | None
    objects: Mapping[ObjectId, tuple[str, bytes]]
    entries: Mapping[RepoPath, Entry | None]
    contents: Mapping[RepoPath, bytes | None]
    owners: Mapping[RepoPath, tuple[WorkerId, ...]]
    shared: Mapping[RepoPath, tuple[WorkerId, ...]]


def merge(
    judgement: Judgement, plan: Plan, *, base_commit: ObjectId, base_commit_content: bytes
) -> Merged:
    """Return the merge of the judgement's included bundles; nothing merged leaves the base."""
    changes_of = {w: judgement.changes_of[w] for w in judgement.included}
    shared = _shared(judgement, plan)
    entries: dict[RepoPath, Entry | None] = {}
    contents: dict[RepoPath, bytes | None] = {}
    owners: dict[RepoPath, tuple[WorkerId, ...]] = {}
    sharing: dict[RepoPath, dict[WorkerId, Change]] = {path: {} for path in shared}
    for worker, changes in changes_of.items():
        for change in changes:
            entries[change.path], contents[change.path] = change.new, change.content
            owners[change.path] = (*owners.get(change.path, ()), worker)
            if change.path in sharing:
                sharing[change.path][worker] = change
    for path, by_worker in sharing.items():
        entries[path], contents[path] = _united(by_worker, judgement.blobs)
    made = spliced(judgement.base, entries)
    objects: dict[ObjectId, tuple[str, bytes]] = {}
    for path, entry in entries.items():
        content = contents[path]
        if entry is not None and content is not None and entry.id not in judgement.blobs:
            objects[entry.id] = ("blob", content)
    commit = None
    if entries:
        objects |= {oid: ("tree", content) for oid, content in made.objects.items()}
        content = _commit(made.root, base_commit, base_commit_content, judgement.included)
        commit = object_id_of("commit", content)
        objects[commit] = ("commit", content)
    return Merged(
        workers=judgement.included,
        tree=made.root,
        commit=commit,
        objects=objects,
        entries=dict(sorted(entries.items())),
        contents=contents,
        owners=owners,
        shared=shared,
    )


def _shared(judgement: Judgement, plan: Plan) -> Mapping[RepoPath, tuple[WorkerId, ...]]:
    """Return the shared files among the included bundles, which fewer may write than all."""
    if len(judgement.included) == len(judgement.changes_of):
        return judgement.overlaps.shared
    locks = {
        WorkerId(entry.id): lock(entry.allow, entry.deny, entry.shared) for entry in plan.workers
    }
    met = overlaps(
        {w: judgement.changes_of[w] for w in judgement.included},
        {w: locks[w] for w in judgement.included},
        judgement.base,
        allow_identical=plan.policy.allow_identical,
    )
    return met.shared


def _united(
    by_worker: Mapping[WorkerId, Change], blobs: Mapping[ObjectId, bytes]
) -> tuple[Entry | None, bytes | None]:
    changes = list(by_worker.values())
    first = changes[0]
    if all(change.new == first.new for change in changes):
        return first.new, first.content
    assert first.old is not None and first.old.mode != GITLINK
    content = union(
        blobs[first.old.id],
        {w: edits(c.body) for w, c in by_worker.items() if isinstance(c.body, TextBody)},
    )
    modes = {change.new.mode for change in changes if change.new} - {first.old.mode}
    mode = modes.pop() if modes else first.old.mode
    return Entry(mode, object_id_of("blob", content)), content


def _commit(
    tree: ObjectId, base: ObjectId, base_content: bytes, workers: tuple[WorkerId, ...]
) -> bytes:
    """Return the merged commit: the base's date, a fixed author, nothing of this one run."""
    date = _COMMITTER.search(base_content)
    when = f"{date[1].decode()} {date[2].decode()}" if date else "0 +0000"
    lines = [
        f"tree {tree}",
        f"parent {base}",
        f"author {AUTHOR} {when}",
        f"committer {AUTHOR} {when}",
        "",
        # A commit id hangs on these bytes: they are said here and nowhere else.
        f"Merge the work of {len(workers)} worker{'s' if len(workers) != 1 else ''}",
        "",
        *workers,
    ]
    return ("\n".join(lines) + "\n").encode()
