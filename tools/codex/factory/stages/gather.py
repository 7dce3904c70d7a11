"""What each worker's source is now: bytes by digest, a branch by commit."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.identity import ObjectId, WorkerId, digest_of
from tools.codex.factory.domain.plan import ADOPTED, WORKED, Pin, PlanFile, Policy, WorkerEntry
from tools.codex.factory.errors import ConfigurationError, StorageError
from tools.codex.factory.repository.discovery import UserRepository, commit_named
from tools.codex.factory.repository.git import Git
from tools.codex.factory.storage.intake import TakenIn, take_in_folder
from tools.codex.factory.storage.regular import read_regular

_MOST_TASK_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class PatchSource:
    """A patch made elsewhere; `without` are paths of it that are not wanted."""

    content: bytes
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BranchSource:
    """A branch or commit made elsewhere, named once by id."""

    commit: ObjectId


@dataclass(frozen=True, slots=True)
class BundleSource:
    """A folder with the eight artifacts, made elsewhere."""

    taken: TakenIn


@dataclass(frozen=True, slots=True)
class WorkSource:
    """Work that is done here, in a checkout: the task, as text for who does it."""

    prompt: bytes


Source = PatchSource | BranchSource | BundleSource | WorkSource


def gather(
    file: PlanFile, *, folder: Path, git: Git, repository: UserRepository, policy: Policy
) -> dict[WorkerId, Source]:
    """Return the source of every worker; paths are relative to `folder`, where the plan lies.

    Raises ConfigurationError naming the worker for a source that is not there.
    """
    return {
        WorkerId(entry.id): _source(entry, folder, git, repository, policy)
        for entry in file.workers
    }


def pins(sources: Mapping[WorkerId, Source]) -> dict[str, Pin]:
    """Return what fixes each source: later changes of it are another plan."""
    return {worker: _pin(source) for worker, source in sources.items()}


def _source(
    entry: WorkerEntry, folder: Path, git: Git, repository: UserRepository, policy: Policy
) -> Source:
    if entry.source not in (*ADOPTED, *WORKED):
        raise ConfigurationError(
            f"worker {entry.id!r}: this version of factory cannot run a {entry.source!r} source",
            hint=f"use one of {', '.join((*ADOPTED, *WORKED))}",
        )
    prompt = _prompt(entry, folder)
    if entry.source in WORKED:
        return WorkSource(prompt)
    try:
        if entry.patch is not None:
            return PatchSource(read_regular(folder / entry.patch, limit=policy.patch_bytes))
        if entry.bundle is not None:
            if not os.path.isdir(folder / entry.bundle):
                raise FileNotFoundError
            worker = WorkerId(entry.id)
            return BundleSource(_bundle(folder / entry.bundle, worker, policy))
    except FileNotFoundError:
        named = entry.patch or entry.bundle
        raise ConfigurationError(
            f"worker {entry.id!r}: {entry.source} {named!r} is not there",
            hint="paths in a plan are relative to the plan file",
        ) from None
    except StorageError as error:
        raise ConfigurationError(f"worker {entry.id!r}: {error}", hint=error.hint) from error
    commit = commit_named(git, repository, entry.branch or "")
    if commit is None:
        raise ConfigurationError(
            f"worker {entry.id!r}: branch {entry.branch!r} is not a commit in this repository",
            hint="`git branch --all` lists the branches",
        )
    return BranchSource(commit)


def _prompt(entry: WorkerEntry, folder: Path) -> bytes:
    """Return the task as text; raise ConfigurationError where its file cannot be read."""
    if entry.task_file is None:
        return (entry.task or "").encode()
    try:
        return read_regular(folder / entry.task_file, limit=_MOST_TASK_BYTES)
    except FileNotFoundError:
        raise ConfigurationError(
            f"worker {entry.id!r}: task_file {entry.task_file!r} is not there",
            hint="paths in a plan are relative to the plan file",
        ) from None
    except StorageError as error:
        raise ConfigurationError(
            f"worker {entry.id!r}: task_file {error}", hint=error.hint
        ) from error


def _bundle(folder: Path, worker: WorkerId, policy: Policy) -> TakenIn:
    return take_in_folder(
        folder, worker, patch_bytes=policy.patch_bytes, bundle_bytes=policy.bundle_bytes
    )


def _pin(source: Source) -> Pin:
    match source:
        case WorkSource(prompt):
            return Pin(sha256=digest_of(prompt)) if prompt else Pin()
        case PatchSource(content, _):
            return Pin(sha256=digest_of(content))
        case BranchSource(commit):
            return Pin(commit=commit)
        case BundleSource(taken):
            listing = {name: digest_of(content) for name, content in taken.files.items()}
            return Pin(sha256=digest_of(canonical({**listing, "": len(taken.findings)})))
