"""Is all fit for a run: each thing asked, whatever the one before it answered."""

from collections.abc import Callable
from pathlib import Path

import jsonschema

from tools.codex.factory.domain.fitness import Group, Row, noted, ok, unfit
from tools.codex.factory.domain.schema import schemas
from tools.codex.factory.domain.wording import counted, sized
from tools.codex.factory.errors import FactoryError
from tools.codex.factory.pipelines.chain import LedgerOnce
from tools.codex.factory.pipelines.confining import (
    Proven,
    groundless_confinements,
    role_confinements,
)
from tools.codex.factory.pipelines.leftover import left_rows, run_rows
from tools.codex.factory.pipelines.prepare import Request, checkouts_at_once, plan_file
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.pipelines.site import check_environment, let_through
from tools.codex.factory.pipelines.standing import Standing
from tools.codex.factory.pipelines.stored import runs_rows, work_rows
from tools.codex.factory.pipelines.terrain import configuration_rows, repository_rows
from tools.codex.factory.pipelines.tidy import Tidied, tidied
from tools.codex.factory.repository.discovery import base_of
from tools.codex.factory.repository.weight import weight
from tools.codex.factory.stages.confinement import confinement_rows, role_rows
from tools.codex.factory.stages.gather import gather
from tools.codex.factory.stages.limits import limit_rows
from tools.codex.factory.stages.preflight import host_rows, refused
from tools.codex.factory.stages.programs import agent_rows, program_rows
from tools.codex.factory.storage.schema_folder import differing
from tools.codex.factory.storage.work_root import check_room, on_disk
from tools.codex.factory.wiring import HOUSE

Rows = tuple[Row, ...]
_REINSTALL = "install factory again"


def doctor(standing: Standing, *, fixing: bool) -> tuple[Rows, Tidied]:
    """Return a row for each thing asked, and what was fixed before they were asked."""
    fixed = _fixed(standing) if fixing else Tidied()
    config = standing.settings.config
    runs, once = standing.runs_root, _ledger(standing)
    rows = (
        *_needed(standing, "HEAD", once),
        *(
            _asked("runs root", lambda: run_rows(runs, once))
            if isinstance(runs, Path) and once is not None
            else ()
        ),
        *_asked("work root", lambda: left_rows(standing)),
        *schema_rows(HOUSE),
        *agent_rows(_worker_environment(standing)),
        *_asked("confinement", lambda: _confinement_rows(standing)),
        *limit_rows(config.sandbox.quota(), log_bytes=config.work.log_bytes),
    )
    return _grouped(rows), fixed


def _confinement_rows(standing: Standing) -> Rows:
    ground, variables = standing.ground(), standing.host.variables
    return confinement_rows(_proofs(standing), variables, groundless=ground is None)


def _proofs(standing: Standing) -> tuple[Proven, ...]:
    """Return how each role would be confined, tried on the repository where there is one."""
    ground, work_root = standing.ground(), standing.work_root
    if ground is None or not isinstance(work_root, Path):
        return groundless_confinements(standing.settings, standing.host.variables)
    return role_confinements(ground, work_root)


def _fixed(standing: Standing) -> Tidied:
    """Return what was fixed: nothing by settings that are wrong, which the operator meant else."""
    if standing.wrong_settings is None:
        return tidied(standing)
    why = f"not fixed: nothing is, while a setting is wrong: {standing.wrong_settings}"
    return Tidied(troubles=(why,))


def preflight(standing: Standing, request: Request) -> Rows:
    """Return the rows that one plan needs; raise ConfigurationError where the plan is wrong."""
    ground = standing.ground()
    rows = _needed(standing, request.base_ref, _ledger(standing))
    if ground is None:
        said = "not asked: what it stands on is not fit"
        return _grouped((*rows, noted("plan", request.plan_file or "plan", said)))
    confined = _asked("confinement", lambda: role_rows(_proofs(standing)))
    return _grouped((*rows, *confined, *_plan_rows(ground, standing, request)))


def schema_rows(house: Path) -> Rows:
    """Return whether each schema can be made and is one, and is what lies beside the program."""
    documents = schemas()
    for name, document in documents.items():
        try:
            jsonschema.Draft202012Validator.check_schema(document)
        except jsonschema.SchemaError as error:
            return (unfit("schemas", name, f"it is no JSON Schema: {error.message}", _REINSTALL),)
    rows = [ok("schemas", "made", f"{len(documents)} schemas, each a valid JSON Schema")]
    folder = house / "schemas"
    # Of an installed program, what lies beside it may be anyone's.
    if (house / "pyproject.toml").is_file() and folder.is_dir():
        names = differing(folder, documents)
        hint = f"factory schemas export {folder}"
        said = f"{', '.join(names)}: not what this program says"
        rows.append(
            unfit("schemas", str(folder), said, hint)
            if names
            else ok("schemas", str(folder), "each file is what this program says")
        )
    return tuple(rows)


def _ledger(standing: Standing) -> LedgerOnce | None:
    """Return the ledger, which every row about it reads at most once; None without a runs root."""
    root = standing.runs_root
    return LedgerOnce(root) if isinstance(root, Path) else None


def _needed(standing: Standing, ref: str, once: LedgerOnce | None) -> Rows:
    """Return the rows without which no run can be."""
    host = standing.host.variables
    return (
        *host_rows(standing.git, host, standing.folder),
        *_asked("repository", lambda: repository_rows(standing, ref)),
        *configuration_rows(standing),
        *_asked("runs root", lambda: runs_rows(standing, once)),
        *_asked("work root", lambda: work_rows(standing)),
    )


def _plan_rows(ground: Session, standing: Standing, request: Request) -> Rows:
    folder, file = plan_file(ground, request)
    config = ground.settings.config
    policy, git, repository = config.policy(), ground.git, ground.repository
    gather(file, folder=folder, git=git, repository=repository, policy=policy)
    named = f"{counted(len(file.workers), 'worker')}, {counted(len(file.checks), 'check')}"
    workers = let_through(ground.host.variables, config.work.environment)
    return (
        ok("plan", request.plan_file or "factory.plan.toml", f"{file.title}: {named}"),
        *_asked("plan", lambda: _room_rows(ground, standing, request)),
        *program_rows(file, workers=workers, checks=check_environment(ground)),
    )


def _room_rows(ground: Session, standing: Standing, request: Request) -> Rows:
    """Return whether the checkouts of a plan fit into the work root."""
    _, file = plan_file(ground, request)
    root, count = standing.work_root, checkouts_at_once(file, ground.settings.config.work)
    if not count or isinstance(root, FactoryError):
        return ()
    base = base_of(ground.git, ground.repository, request.base_ref)
    heavy = weight(ground.git, ground.repository.git_dir, base.commit, on_disk)
    check_room(root, size=count * heavy.size, files=count * heavy.files)
    said = f"{count} at a time, each {sized(heavy.size)} in {counted(heavy.files, 'file')}"
    return (ok("plan", "checkouts", said),)


def _asked(group: Group, ask: Callable[[], Rows]) -> Rows:
    """Return the rows that `ask` finds, or the one that says why it could not ask."""
    try:
        return ask()
    except FactoryError as error:
        return (refused(group, group, error),)
    except OSError as error:
        said = f"it cannot be read: {error.strerror} ({error.filename})"
        return (unfit(group, group, said, "look at its permissions"),)


def _worker_environment(standing: Standing) -> dict[str, str]:
    names = standing.settings.config.work.environment
    return let_through(standing.host.variables, names)


def _grouped(rows: Rows) -> Rows:
    """Return rows of one group together, the groups in the order in which they began."""
    groups = list(dict.fromkeys(row.group for row in rows))
    return tuple(row for group in groups for row in rows if row.group == group)
