"""The plan: who may touch what, where each worker's work comes from, how to judge it."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from tools.codex.factory.domain.artifact import (
    Artifact,
    DigestText,
    ObjectIdText,
    PathText,
    ScopeLock,
)
from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.identity import RunId, digest_of, worker_id
from tools.codex.factory.domain.pattern import pattern
from tools.codex.factory.domain.reader import PatchLimits

SOURCES = ("command", "agent", "patch", "branch", "bundle", "external")
ADOPTED = ("patch", "branch", "bundle")
WORKED = ("command", "external")


def _no_control(text: str) -> str:
    if not text.strip() or any(ord(c) < 32 or c == "\x7f" for c in text):
        raise ValueError(f"{text!r} is empty or holds control characters")
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError(f"{text!r} holds bytes that are no UTF-8")
    return text


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"{text!r} holds a NUL byte, which no command line can")
    return text


def _names_a_program(argv: tuple[str, ...]) -> tuple[str, ...]:
    if not argv[0].strip():
        raise ValueError("the first word names no program")
    return argv


def seconds(text: str) -> int:
    """Return how many seconds a duration has."""
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def _duration(text: str) -> str:
    number, unit = text[:-1], text[-1:]
    if unit not in ("s", "m", "h") or not (number.isascii() and number.isdigit()):
        raise ValueError(f"{text!r} is not a duration (like 90s, 10m, 2h)")
    if not 0 < int(number[:9]) <= 1_000_000 or len(number) > 9:
        raise ValueError(f"{text!r} is not a duration (like 90s, 10m, 2h)")
    return text


LineText = Annotated[str, AfterValidator(_no_control)]
WordText = Annotated[str, AfterValidator(_no_nul)]
PatternText = Annotated[LineText, AfterValidator(pattern)]
Duration = Annotated[str, AfterValidator(_duration)]
Argv = Annotated[tuple[WordText, ...], Field(min_length=1), AfterValidator(_names_a_program)]


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
    idle_timeout: Duration | None = None
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
        names = Counter(check.name for check in self.checks)
        doubled = sorted(name for name, times in names.items() if times > 1)
        if doubled:
            raise ValueError(f"check {doubled[0]!r} stands twice")
        return self


class Policy(Artifact):
    """The settings that can change a verdict; sealed with the plan."""

    allow_identical: bool = False
    grant_requests: bool = False
    on_blocked: Literal["strict", "exclude"] = "strict"
    patch_bytes: int = 256 << 20
    file_bytes: int = 100 << 20
    bundle_bytes: int = 512 << 20
    capture_ignore: tuple[str, ...] = ()
    secrets_accept: tuple[str, ...] = ()

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
    accepted_secrets: dict[PathText, ObjectIdText] = Field(default_factory=dict)
    """What was accepted of it in the run that it comes from, by `publish --onto`."""


class Amendment(Artifact):
    """What an operator changed of a sealed plan, and why.

    `follows` is the sha256 of the revision before; `replaced` are the worker entries of that
    revision which are others in this one, or in it no more. Paths are as artifacts show them.
    """

    revision: Annotated[int, Field(ge=2)]
    reason: LineText
    allow: dict[str, tuple[PatternText, ...]]
    deny: dict[str, tuple[PatternText, ...]]
    shared: tuple[PatternText, ...]
    dropped: tuple[str, ...]
    dropped_paths: dict[str, tuple[PathText, ...]]
    accepted_secrets: dict[str, dict[PathText, ObjectIdText]] = Field(default_factory=dict)
    """Paths in which what looks like a secret is none, while they hold the blob of this id."""
    replaced: tuple[WorkerEntry, ...]
    follows: DigestText


class Plan(Artifact):
    """PLAN.json: the resolved plan, sealed. Workers are sorted by id: their order means nothing.

    An amended plan is a revision of its own, beside it.
    """

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
    amendments: tuple[Amendment, ...] = ()

    def entries_of(self, worker: str) -> tuple[WorkerEntry, ...]:
        """Return the entry of a worker, and those that it had before the plan was amended."""
        earlier = (entry for one in self.amendments for entry in one.replaced)
        return tuple(entry for entry in (*self.workers, *earlier) if entry.id == worker)

    def dropped_paths(self, worker: str) -> frozenset[str]:
        """Return the paths of a worker that are left out of the merge, as artifacts show them."""
        return frozenset(
            path for one in self.amendments for path in one.dropped_paths.get(worker, ())
        )

    def accepted_secrets(self, worker: str) -> dict[str, str]:
        """Return the paths of a worker in which no shape is a secret, and the blob last seen."""
        pin = self.pins.get(worker, Pin())
        several = [one.accepted_secrets.get(worker, {}) for one in self.amendments]
        return {
            path: blob for one in (pin.accepted_secrets, *several) for path, blob in one.items()
        }


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
