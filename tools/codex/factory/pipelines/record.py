"""A run on disk: opened by name or newest, its manifest and plan read and held to their seals."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from tools.codex.factory.domain.amendment import follows
from tools.codex.factory.domain.document import Model, NotStrictJson, parse, what_is_wrong
from tools.codex.factory.domain.event import PRUNED, EventType, LedgerLine, RunView, replay
from tools.codex.factory.domain.evidence import IntegratorStatus
from tools.codex.factory.domain.identity import INTEGRATOR, RunId, WorkerId, digest_of, run_id
from tools.codex.factory.domain.manifest import Manifest
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.domain.wording import few
from tools.codex.factory.errors import (
    ConfigurationError,
    RunUnavailable,
    StorageError,
    UsageError,
)
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.storage.earlier import earlier_seals, reopened
from tools.codex.factory.storage.run_directory import (
    MANIFEST,
    PLAN,
    RunDirectory,
    plan_name,
    seal_name,
    worker_artifact,
)
from tools.codex.factory.storage.runs_root import runs_in
from tools.codex.factory.storage.seal import is_exchanged

_NO_REPORT_HINT = "`factory integrate` makes one; for a worker outside, `factory collect`"


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run folder with its manifest, and every revision of its sealed plan, the newest last."""

    directory: RunDirectory
    manifest: Manifest
    plans: tuple[Plan, ...]

    @property
    def plan(self) -> Plan:
        """Return the plan that is in force."""
        return self.plans[-1]


def run_named(text: str) -> RunId:
    """Return `text` as a run id; raise UsageError saying why it is none."""
    try:
        return run_id(text)
    except ValueError as error:
        raise UsageError(str(error), hint="name another with --run-id") from error


def recorded_run(ground: Session, name: str | None) -> RecordedRun:
    """Return the run called `name`, or the newest where that is None.

    Raises RunUnavailable for none, ConfigurationError for a plan that is not the sealed one.
    """
    return standing_run(ground, run_meant(ground, name))


def run_meant(ground: Session, name: str | None) -> RunId:
    """Return the id of the run called `name`, or of the newest where that is None.

    Raises RunUnavailable for none.
    """
    known = _known(ground)
    run = run_named(name) if name is not None else _newest(ground, known)
    if run not in known:
        raise RunUnavailable(f"there is no run {run!r}", hint=did_you_mean(run, known[-200:]))
    return run


def standing_run(ground: Session, name: str) -> RecordedRun:
    """Return the run called `name`, which is known to be there; raises as `recorded_run` does."""
    return recorded_as(ground.runs_root, name, view_of(ground, name))


def recorded_as(runs_root: Path, name: str, view: RunView | None) -> RecordedRun:
    """Return a run that is known to be there, under the plan that the ledger says is in force."""
    # A ledger that did not see it begin knows of no revision: the run was copied here.
    known = view.amended if view is not None and view.begun else None
    return recorded_in(runs_root, name, known)


def recorded_in(runs_root: Path, name: str, amended: Mapping[str, str] | None) -> RecordedRun:
    """Return a run that is known to be there.

    `amended` are the digests of the plan's later revisions; None where no ledger knows them, and
    each is held to the one before it alone. Raises as `recorded_run` does.
    """
    run = run_named(name)
    directory = RunDirectory(runs_root, run)
    manifest_content = _read(directory, MANIFEST)
    manifest = _parsed(Manifest, manifest_content, directory, MANIFEST)
    if manifest.run_id != run:
        raise StorageError(
            f"{MANIFEST} of {run!r} names run {manifest.run_id!r}",
            hint="the folder was renamed or copied over another; give it its own name back",
        )
    plan_content = _read(directory, PLAN)
    if digest_of(plan_content) != manifest.plan_sha256:
        raise ConfigurationError(
            f"{PLAN} of {run!r} is not the plan that the run was sealed with",
            hint="put the sealed bytes back; `factory amend` changes a plan, an editor never",
        )
    first = _parsed(Plan, plan_content, directory, PLAN)
    return RecordedRun(directory, manifest, (first, *_revisions(directory, first, amended)))


def _revisions(
    directory: RunDirectory, first: Plan, amended: Mapping[str, str] | None
) -> Iterator[Plan]:
    """Yield each later revision of the plan, held to its digest and to the one before it."""
    before = first
    while True:
        name = plan_name(before.revision + 1)
        # What the ledger does not know was never in force: an `amend` that died left it.
        if not directory.has(name) if amended is None else name not in amended:
            return
        content = _read(directory, name)
        plan = _parsed(Plan, content, directory, name)
        sealed = amended is None or digest_of(content) == amended[name]
        if not sealed or not follows(plan, before):
            raise ConfigurationError(
                f"{name} of {directory.run!r} is not the revision that was sealed",
                hint="put the sealed bytes back; `factory amend` changes a plan, an editor never",
            )
        yield plan
        before = plan


def view_of(ground: Session, run: str) -> RunView | None:
    """Return what the ledger says of a run; None for nothing.

    What it says of a run that was removed, it does not say of one of that name that is here.
    """
    view = last_view(ground, run)
    is_here = (ground.runs_root / run / MANIFEST).exists()
    return None if view is not None and view.status == PRUNED and is_here else view


def last_view(ground: Session, run: str) -> RunView | None:
    """Return what the ledger says of the last run of this name, read back to where it began."""
    return replay(reversed(list(lines_of(ground, run)))).get(run)


def lines_of(ground: Session, run: str) -> Iterator[LedgerLine]:
    """Yield the ledger's lines of a run, the newest first, back to where it began last."""
    for line in ground.ledger.recent_of(run):
        yield line
        if line.event_type == EventType.RUN_START:
            return


def integrator_status(directory: RunDirectory, copy: str | None = None) -> IntegratorStatus:
    """Return the run's STATUS.json, or a copy of it; raise RunUnavailable where there is none."""
    name = copy or worker_artifact(INTEGRATOR, "STATUS.json")
    try:
        content = directory.read(name)
    except FileNotFoundError:
        raise RunUnavailable(
            f"run {directory.run!r} has no report yet",
            hint=_NO_REPORT_HINT,
        ) from None
    return _parsed(IntegratorStatus, content, directory, name)


def outdated_by(run: RecordedRun, status: IntegratorStatus) -> str:
    """Return what was done to the run after this STATUS.json, or nothing; a FAIL names no plan."""
    if status.status == "FAIL":
        return ""
    if plan_name(run.plan.revision) not in status.inputs:
        return "the plan was amended"
    again = launched_again(run, status)
    return f"a new attempt of {few(again)} was wanted" if again else ""


def launched_again(run: RecordedRun, status: IntegratorStatus) -> list[str]:
    """Return the workers whose bundle, as this STATUS.json knows it, gave way to a new attempt."""
    wanted = reopened(run.directory)
    found = []
    for entry in run.plan.workers:
        worker = WorkerId(entry.id)
        given = status.inputs.get(seal_name(worker))
        earlier = {digest_of(seal) for seal in earlier_seals(run.directory, worker).values()}
        if worker in wanted or given in earlier:
            found.append(entry.id)
    return found


def refuse_exchanged(run: RecordedRun, view: RunView | None) -> None:
    """Raise RunUnavailable where a bundle is sealed, and by another seal than the ledger recorded.

    One that is no seal at all is a finding of the bundle; one without a line was just not recorded.
    """
    for worker, recorded in (view.seals if view is not None else {}).items():
        if is_exchanged(run.directory, WorkerId(worker), recorded):
            name = seal_name(WorkerId(worker))
            raise RunUnavailable(
                f"the ledger recorded another seal of {worker} than {name}",
                hint="put the bundle back that was sealed last, with its seal; or start a new run",
            )


def report_text(directory: RunDirectory) -> str:
    """Return the run's FINAL_REPORT.txt; raise RunUnavailable where there is none yet."""
    try:
        content = directory.read(worker_artifact(INTEGRATOR, "FINAL_REPORT.txt"))
    except FileNotFoundError:
        raise RunUnavailable(
            f"run {directory.run!r} has no report yet",
            hint=_NO_REPORT_HINT,
        ) from None
    return content.decode("utf-8", "replace")


def report_file(ground: Session, run: str) -> Path:
    """Return where the FINAL_REPORT.txt of a run lies."""
    return ground.runs_root / run / worker_artifact(INTEGRATOR, "FINAL_REPORT.txt")


def _known(ground: Session) -> tuple[str, ...]:
    return tuple(
        name for name in runs_in(ground.runs_root) if (ground.runs_root / name / MANIFEST).exists()
    )


def _newest(ground: Session, known: tuple[str, ...]) -> RunId:
    for run, _ in ground.ledger.begins():
        if run in known:
            return RunId(run)
    if len(known) == 1:
        return RunId(known[0])
    raise RunUnavailable(
        f"there is no run in {str(ground.runs_root)!r}"
        if not known
        else "no ledger says which run is the newest",
        hint="`factory oneshot --plan FILE` makes one" if not known else "name one with --run-id",
    )


def _read(directory: RunDirectory, name: str) -> bytes:
    try:
        return directory.read(name)
    except FileNotFoundError:
        raise StorageError(
            f"{name} of {directory.run!r} is missing", hint="the run did not begin; start another"
        ) from None


def _parsed(model: type[Model], content: bytes, directory: RunDirectory, name: str) -> Model:
    try:
        return parse(model, content)
    except (NotStrictJson, ValidationError) as error:
        said = what_is_wrong(error) if isinstance(error, ValidationError) else str(error)
        raise StorageError(
            f"{name} of {directory.run!r} is unreadable: {said}",
            hint="put the bytes back, or start a new run",
        ) from error
