"""The plan: who may touch what, where each worker's work comes from, how to judge it."""

import tomllib
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from tools.codex.factory.domain.artifact import Artifact, DigestText, ObjectIdText, ScopeLock
from tools.codex.factory.domain.document import canonical, strict_json
from tools.codex.factory.domain.identity import RunId, digest_of, worker_id
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.domain.pattern import pattern
from tools.codex.factory.domain.reader import PatchLimits

SOURCES = ("command", "agent", "patch", "branch", "bundle", "external")
ADOPTED = ("patch", "branch", "bundle")


def _no_control(text: str) -> str:
    if not text.strip() or any(ord(c) < 32 or c == "\x7f" for c in text):
        raise ValueError(f"{text!r} is empty or holds control characters")
    return text


def _duration(text: str) -> str:
    number, unit = text[:-1], text[-1:]
    if unit not in "smh" or not number.isdigit() or int(number) == 0:
        raise ValueError(f"{text!r} is not a duration (like 90s, 10m, 2h)")
    return text


LineText = Annotated[str, AfterValidator(_no_control)]
PatternText = Annotated[LineText, AfterValidator(pattern)]
Duration = Annotated[str, AfterValidator(_duration)]
Argv = Annotated[tuple[str, ...], Field(min_length=1)]


class PlanRefused(ValueError):
    """The plan is wrong: `str()` names the key and the reason, `hint` the remedy."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class WorkerEntry(Artifact):
    """One worker of the plan, with exactly one of SOURCES."""

    id: Annotated[str, AfterValidator(worker_id)]
    task: str | None = None
    task_file: LineText | None = None
    allow: tuple[PatternText, ...] = ()
    deny: tuple[PatternText, ...] = ()
    shared: tuple[PatternText, ...] = ()
    command: Argv | None = None
    agent: LineText | None = None
    patch: LineText | None = None
    branch: LineText | None = None
    bundle: LineText | None = None
    external: bool | None = None
    setup: tuple[Argv, ...] = ()
    timeout: Duration | None = None
    retries: Annotated[int, Field(ge=0, le=10)] = 0

    @model_validator(mode="after")
    def _one_source(self) -> "WorkerEntry":
        named = [name for name in SOURCES if getattr(self, name) not in (None, False)]
        if len(named) != 1:
            said = ", ".join(named) or "none"
            raise ValueError(f"exactly one of {', '.join(SOURCES)} is needed, found {said}")
        if self.task is not None and self.task_file is not None:
            raise ValueError("task and task_file exclude each other")
        return self

    @property
    def source(self) -> str:
        """Return which kind of source this worker has."""
        return next(name for name in SOURCES if getattr(self, name) not in (None, False))


class Check(Artifact):
    """A command that must exit 0 on the merged tree."""

    name: LineText
    command: Argv
    required: bool = True
    timeout: Duration | None = None
    retries: Annotated[int, Field(ge=0, le=10)] = 0


class Integration(Artifact):
    """What is done in the checkout of the merged commit before the checks."""

    setup: tuple[Argv, ...] = ()


class PlanFile(Artifact):
    """factory.plan.toml: what the operator writes."""

    schema_version: Literal[1]
    title: LineText
    workers: Annotated[tuple[WorkerEntry, ...], Field(min_length=1)]
    integration: Integration = Integration()
    checks: tuple[Check, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> "PlanFile":
        count = Counter(worker.id.casefold() for worker in self.workers)
        twice = sorted(name for name, times in count.items() if times > 1)
        if twice:
            raise ValueError(f"worker id {twice[0]!r} stands twice (case is ignored)")
        return self


class Policy(Artifact):
    """The settings that can change a verdict; sealed with the plan."""

    allow_identical: bool = False
    grant_requests: bool = False
    on_blocked: Literal["strict", "exclude"] = "strict"
    patch_bytes: int = 256 << 20
    file_bytes: int = 100 << 20
    bundle_bytes: int = 512 << 20

    def limits(self) -> PatchLimits:
        """Return how much a patch may hold."""
        return PatchLimits(
            patch_bytes=self.patch_bytes,
            file_bytes=self.file_bytes,
            bundle_bytes=self.bundle_bytes,
        )


class Pin(Artifact):
    """What a worker's source was when the run began: bytes by digest, a branch by commit."""

    sha256: DigestText | None = None
    commit: ObjectIdText | None = None


class Plan(Artifact):
    """PLAN.json: the resolved plan, sealed. Workers are sorted by id: their order means nothing."""

    schema_version: Literal[1]
    revision: Annotated[int, Field(ge=1)]
    title: str
    workers: tuple[WorkerEntry, ...]
    pins: dict[str, Pin]
    integration: Integration
    checks: tuple[Check, ...]
    policy: Policy
    runs_root: str | None
    """The runs root as a repository path, where it lies in the repository: always denied."""


def resolved(
    file: PlanFile, policy: Policy, pins: Mapping[str, Pin], runs_root: str | None
) -> Plan:
    """Return the plan that a run is held to."""
    return Plan(
        schema_version=1,
        revision=1,
        title=file.title,
        workers=tuple(sorted(file.workers, key=lambda worker: worker.id)),
        pins=dict(pins),
        integration=file.integration,
        checks=file.checks,
        policy=policy,
        runs_root=runs_root,
    )


def scope_lock(entry: WorkerEntry, run: RunId) -> ScopeLock:
    """Return the scope lock that the plan gives to a worker."""
    return ScopeLock(
        schema_version=1,
        run_id=run,
        worker_id=entry.id,
        allow=entry.allow,
        deny=entry.deny,
        shared=entry.shared,
        plan_entry=digest_of(canonical(entry)),
    )


def parsed(content: bytes, name: str) -> PlanFile:
    """Return the plan in `content`, TOML or (where `name` ends in .json) JSON.

    Raises PlanRefused naming the key, the reason and the nearest known key.
    """
    document = _document(content, name)
    defaults = document.pop("defaults", {})
    if not isinstance(defaults, dict):
        raise PlanRefused(f"{name}: defaults must be a table", hint="write [defaults]")
    _check_defaults(defaults, name)
    workers = document.get("workers")
    if isinstance(workers, list):
        document["workers"] = [
            {**defaults, **worker} if isinstance(worker, dict) else worker for worker in workers
        ]
    try:
        return PlanFile.model_validate_json(canonical(document))
    except ValidationError as error:
        raise _refusal(error, document, name) from error
    except (TypeError, ValueError) as error:
        raise PlanRefused(
            f"{name}: a value that no key takes: {error}", hint="docs/plan.md lists every key"
        ) from error


def _document(content: bytes, name: str) -> dict[str, object]:
    try:
        if name.endswith(".json"):
            document = strict_json(content)
        else:
            document = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        # tomllib lets numbers of any length and tables of any depth fail as they may.
        kind = "JSON" if name.endswith(".json") else "TOML"
        raise PlanRefused(f"{name}: {error}", hint=f"a plan is one {kind} file") from error
    if not isinstance(document, dict):
        raise PlanRefused(f"{name}: not an object", hint="a plan is a table of keys")
    return dict(document)


def _check_defaults(defaults: Mapping[str, object], name: str) -> None:
    known = set(WorkerEntry.model_fields) - {"id"}
    for key in defaults:
        if key not in known:
            raise PlanRefused(
                f"{name}: unknown key 'defaults.{key}'", hint=did_you_mean(key, known)
            )


def _refusal(error: ValidationError, document: Mapping[str, object], name: str) -> PlanRefused:
    found = error.errors(include_url=False)
    # A misspelt key is missing too; the misspelling is what the operator can see.
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    where = _where(first["loc"], document)
    if first["type"] == "extra_forbidden":
        known = _known_keys(first["loc"])
        return PlanRefused(
            f"{name}: unknown key {where!r}", hint=did_you_mean(str(first["loc"][-1]), known)
        )
    if first["type"] == "missing":
        return PlanRefused(f"{name}: {where!r} is missing", hint="add it")
    said = first["msg"].removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    return PlanRefused(
        f"{name}: {where}: {said}" if where else f"{name}: {said}",
        hint="docs/plan.md lists every key with an example",
    )


def _where(location: tuple[int | str, ...], document: Mapping[str, object]) -> str:
    """Return the key as the operator knows it: `workers.A_worker.allow`."""
    parts: list[str] = []
    at: object = document
    for part in location:
        if isinstance(part, int) and isinstance(at, list) and part < len(at):
            at = at[part]
            label = at.get("id", at.get("name")) if isinstance(at, dict) else None
            parts.append(label if isinstance(label, str) else str(part))
        else:
            at = at.get(part) if isinstance(at, dict) and isinstance(part, str) else None
            parts.append(str(part))
    return ".".join(parts)


def _known_keys(location: tuple[int | str, ...]) -> set[str]:
    rooms: dict[str, type[Artifact]] = {
        "workers": WorkerEntry,
        "checks": Check,
        "integration": Integration,
    }
    room = rooms.get(str(location[0]))
    if room is None or len(location) == 1:
        return set(PlanFile.model_fields) | {"defaults"}
    return set(room.model_fields)
