"""A plan with every worker replaced by the built-in one: one small file inside its own scope."""

from collections.abc import Collection

from tools.codex.factory.domain.path import ancestors
from tools.codex.factory.domain.plan import SOURCES, PlanFile, WorkerEntry
from tools.codex.factory.domain.scope import Lock, is_always_denied, is_automation, lock

PROGRAM = "factory-rehearsal"
"""What the built-in worker is called in a sealed plan; where it lies differs from host to host."""

_WILD = frozenset("*?[\\!")


def built_in_plan() -> PlanFile:
    """Return the plan of a rehearsal where no plan file is: four workers, a folder for each."""
    names = ("A_worker", "B_worker", "C_worker", "D_worker")
    workers = tuple(
        WorkerEntry(id=name, allow=(f"factory-rehearsal/{name}/**",), command=(PROGRAM,))
        for name in names
    )
    return PlanFile(schema_version=1, title="Rehearsal", workers=workers)


def rehearsed(file: PlanFile, files: Collection[str], *, runs_root: str | None) -> PlanFile:
    """Return `file` with the built-in worker for every worker; `files` are those of the base."""
    workers = tuple(_rehearsed(entry, files, runs_root) for entry in file.workers)
    return file.model_copy(update={"workers": workers})


def _rehearsed(entry: WorkerEntry, files: Collection[str], runs_root: str | None) -> WorkerEntry:
    held = lock(entry.allow, entry.deny, entry.shared)
    path = next(
        (
            path
            for pattern in entry.allow
            if (path := _path(pattern, entry.id)) is not None
            and _is_free(path, held, files)
            and not is_always_denied(path, runs_root)
        ),
        None,
    )
    command = (PROGRAM,) if path is None else (PROGRAM, path)
    return entry.model_copy(
        update={**dict.fromkeys(SOURCES), "command": command, "task": None, "task_file": None}
    )


def _path(pattern: str, worker: str) -> str | None:
    """Return a path in the folder that a pattern means; None where it means single files."""
    parts = pattern.removeprefix("/").split("/")
    plain = [*parts]
    for number, part in enumerate(parts):
        if not _WILD.isdisjoint(part):
            plain = parts[:number]
            break
    wild = parts[len(plain) :]
    if wild and wild not in (["**"], ["*"], ["**", "*"]):
        return None
    folder = "/".join(part for part in plain if part)
    name = f"factory-rehearsal-{worker}.txt"
    return f"{folder}/{name}" if folder else name


def _is_free(path: str, held: Lock, files: Collection[str]) -> bool:
    taken = any(above in files for above in (path, *ancestors(path)))
    allowed = held.allow.match(path) and not held.deny.match(path)
    return allowed and not taken and not is_automation(path)
