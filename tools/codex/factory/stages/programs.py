"""Are programs found where workers and checks would look for them."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.codex.factory.domain.fitness import Row, noted, ok, unfit
from tools.codex.factory.domain.plan import PlanFile
from tools.codex.factory.errors import FactoryError
from tools.codex.factory.process.child import asked

AGENTS = ("claude", "codex", "gemini", "opencode")
_SECONDS = 10.0
_MOST_SHOWN = 80


def agent_rows(environment: Mapping[str, str]) -> tuple[Row, ...]:
    """Return a row for each agent program; `environment` is what a worker would get."""
    said = "it runs no `agent` source; call an agent by `command`"
    return (
        noted("agent programs", "this version", said),
        *(_agent_row(name, environment) for name in AGENTS),
    )


def program_rows(
    file: PlanFile, *, workers: Mapping[str, str], checks: Mapping[str, str]
) -> tuple[Row, ...]:
    """Return a row for each program of a plan.

    `workers` is the environment that a worker gets, `checks` the one that a check gets.
    """
    optional = {f"check {check.name}" for check in file.checks if not check.required}
    return tuple(
        _program_row(who, name, environment, is_required=who not in optional)
        for called, environment in ((_of_workers(file), workers), (_of_checks(file), checks))
        for who, name in sorted(set(called))
    )


def _agent_row(name: str, environment: Mapping[str, str]) -> Row:
    found = shutil.which(name, path=environment.get("PATH", os.defpath))
    if found is None:
        return noted("agent programs", name, "not found")
    try:
        done = asked((found, "--version"), env=environment, cwd=Path("/"), seconds=_SECONDS)
    except FactoryError as error:
        return noted("agent programs", name, f"{found}: {error}")
    if done.exit_code != 0:
        return noted("agent programs", name, f"{found}: {done.complaint[:_MOST_SHOWN]}")
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    return ok("agent programs", name, f"{found}: {lines[0][:_MOST_SHOWN] if lines else '?'}")


def _of_workers(file: PlanFile) -> Iterator[tuple[str, str]]:
    for entry in file.workers:
        for argv in (*entry.setup, *((entry.command,) if entry.command else ())):
            yield entry.id, argv[0]


def _of_checks(file: PlanFile) -> Iterator[tuple[str, str]]:
    if file.checks:
        for argv in file.integration.setup:
            yield "integration", argv[0]
    for check in file.checks:
        yield f"check {check.name}", check.command[0]


def _program_row(who: str, name: str, environment: Mapping[str, str], *, is_required: bool) -> Row:
    what = f"{who}: {name}"
    if "{" in name or (os.sep in name and not os.path.isabs(name)):
        return ok("plan", what, "looked for in the checkout, which is not made yet")
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    found = shutil.which(name, path=os.pathsep.join(f for f in folders if os.path.isabs(f)))
    if found is not None:
        return ok("plan", what, found)
    said = "there is no such program" if os.path.isabs(name) else "it is not on the PATH it gets"
    if not all(os.path.isabs(folder) for folder in folders):
        return noted("plan", what, f"{said}, unless the checkout has it")
    hint = f"install {name}, or name it by its whole path in the plan"
    return unfit("plan", what, said, hint) if is_required else noted("plan", what, said, hint)
