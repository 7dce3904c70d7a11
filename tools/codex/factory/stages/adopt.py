"""Work made elsewhere is taken in as sealed bundles, whatever state it is in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.finding import Code, Finding, blocking
from tools.codex.factory.domain.identity import ObjectId, RepoPath, WorkerId, digest_of
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.plan import ADOPTED, Plan
from tools.codex.factory.domain.secret import Secrets
from tools.codex.factory.domain.tree import Entry, around, spliced
from tools.codex.factory.errors import RepositoryError
from tools.codex.factory.repository.branch import carried
from tools.codex.factory.repository.difference import differences
from tools.codex.factory.repository.discovery import Base, UserRepository
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.objects import Objects
from tools.codex.factory.repository.quarantine import keep_pack, pack_of
from tools.codex.factory.stages.bundle import Made, bundle_files, proven_on
from tools.codex.factory.stages.gather import BranchSource, BundleSource, PatchSource, Source
from tools.codex.factory.stages.redact import Sieve, redacted_bundle, redacted_finding
from tools.codex.factory.storage.intake import TakenIn
from tools.codex.factory.storage.run_directory import RunDirectory, seal_name
from tools.codex.factory.storage.seal import is_sealed, seal

Record = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class _Work:
    """What a source makes of the base: entries, or the raw patch and why it makes none."""

    entries: Mapping[RepoPath, Entry | None] | None
    raw: bytes
    findings: tuple[Finding, ...]


def adopt(
    run: RunDirectory,
    plan: Plan,
    sources: Mapping[WorkerId, Source],
    *,
    base: Base,
    git: Git,
    repository: UserRepository,
    objects: Objects,
    secrets: Secrets,
    clock: Callable[[], datetime],
    stamp: Callable[[datetime], str],
    record: Record,
) -> None:
    """Seal a bundle for every worker whose work was made elsewhere, and that has none yet."""
    entries = {WorkerId(entry.id): entry for entry in plan.workers}
    adopted = [worker for worker, entry in entries.items() if entry.source in ADOPTED]
    open_workers = [worker for worker in adopted if not is_sealed(run, worker)]
    started = clock()
    sieve = Sieve(secrets=secrets, plan=plan, objects=objects)
    work: dict[WorkerId, _Work] = {}
    contents: dict[WorkerId, PatchSource] = {}
    for worker in open_workers:
        source = sources[worker]
        if isinstance(source, BundleSource):
            taken = _taken(worker, source.taken, base, sieve)
            seal(run, worker, taken.files, taken.findings)
            record(sealed_event(run, worker))
        elif isinstance(source, PatchSource):
            contents[worker] = source
        elif isinstance(source, BranchSource):
            work[worker] = _branched(worker, source.commit, git, repository, run, base, objects)
    new: dict[ObjectId, tuple[str, bytes]] = {}
    work |= _patched(contents, plan, base, objects, new)
    trees = _trees(work, base, objects, new)
    if new:
        kept = keep_pack(git, run.store, pack_of(new), strict=False)
        if kept.exit_code != 0:
            raise RepositoryError(
                f"git index-pack failed: {kept.complaint}",
                hint="look at free space and at the permissions of the runs root",
            )
    said = differences(git, run.store, [(base.tree, tree) for tree in trees.values()])
    patches = dict(zip(trees, said, strict=True))
    proven = proven_on(patches, plan, base, objects)
    for worker, done in work.items():
        made = Made(
            patch=patches.get(worker, done.raw),
            changes=proven[worker].changes if worker in proven else (),
            tree=trees.get(worker),
            findings=done.findings,
            times=(started, clock()),
        )
        made, told = sieve.withheld(worker, made)
        files = bundle_files(run.run, entries[worker], made, base_commit=base.commit, stamp=stamp)
        taken = redacted_bundle(files, worker, secrets)
        seal(run, worker, taken.files, (*told, *taken.findings))
        record(sealed_event(run, worker))


def _taken(worker: WorkerId, taken: TakenIn, base: Base, sieve: Sieve) -> TakenIn:
    """Return a bundle made elsewhere as it may be kept, with the secrets that it would bring."""
    patch = taken.files.get("DIFF.patch", b"")
    proven = proven_on({worker: patch}, sieve.plan, base, sieve.objects)[worker]
    told = sieve.disclosed(worker, proven.changes)
    kept = redacted_bundle(taken.files, worker, sieve.secrets, but=())
    files = kept.files
    if told.names or sieve.shows(*proven.findings):
        # Nothing is lost: it lies where it was handed in.
        files = {name: content for name, content in files.items() if name != "DIFF.patch"}
    said = (*taken.findings, *told.names, *told.contents, *kept.findings)
    return TakenIn(files, tuple(redacted_finding(one, sieve.secrets) for one in said))


def _patched(
    patches: Mapping[WorkerId, PatchSource],
    plan: Plan,
    base: Base,
    objects: Objects,
    new: dict[ObjectId, tuple[str, bytes]],
) -> dict[WorkerId, _Work]:
    """Return what each patch makes of the base; its blobs are added to `new`."""
    found: dict[WorkerId, _Work] = {}
    contents = {worker: source.content for worker, source in patches.items()}
    for worker, proven in proven_on(contents, plan, base, objects).items():
        if proven.findings:
            found[worker] = _Work(None, contents[worker], proven.findings)
            continue
        without = patches[worker].without
        changes = [change for change in proven.changes if quoted(change.path) not in without]
        for change in changes:
            if change.new is not None and change.content is not None:
                new[change.new.id] = ("blob", change.content)
        found[worker] = _Work({c.path: c.new for c in changes}, contents[worker], ())
    return found


def _branched(
    worker: WorkerId,
    commit: ObjectId,
    git: Git,
    repository: UserRepository,
    run: RunDirectory,
    base: Base,
    objects: Objects,
) -> _Work:
    done = carried(
        git,
        repository,
        run.store,
        base,
        commit,
        lambda paths: around(base.tree, paths, objects.tree),
    )
    if not done.refusal:
        return _Work(done.entries, b"", ())
    refused = blocking(
        Code.SOURCE_NOT_CARRIED,
        f"{worker}: {commit}",
        f"the branch cannot be carried over exactly: {done.refusal}",
        "rebase the branch on the base commit",
    )
    return _Work(None, b"", (refused,))


def _trees(
    work: Mapping[WorkerId, _Work],
    base: Base,
    objects: Objects,
    new: dict[ObjectId, tuple[str, bytes]],
) -> dict[WorkerId, ObjectId]:
    """Return the tree of each worker that has one; new tree objects are added to `new`."""
    entries_of = {w: done.entries for w, done in work.items() if done.entries is not None}
    wanted = {path for entries in entries_of.values() for path in entries}
    tree = around(base.tree, wanted, objects.tree)
    found: dict[WorkerId, ObjectId] = {}
    for worker, entries in entries_of.items():
        made = spliced(tree, entries)
        new |= {oid: ("tree", content) for oid, content in made.objects.items()}
        found[worker] = made.root
    return found


def sealed_event(run: RunDirectory, worker: WorkerId) -> Event:
    """Return the event that says that a bundle was sealed, with the digest of its seal."""
    return Event(
        run_id=run.run,
        event_type=EventType.BUNDLE_SEALED,
        actor=worker,
        hashes={"seal": digest_of(run.read(seal_name(worker)))},
    )
