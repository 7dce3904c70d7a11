"""A first plan for the repository: looked at, proposed, written where none is."""

import os
import shutil
from dataclasses import dataclass

from tools.codex.factory.config import CONFIG_FILE, keys
from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.proposal import Proposal, proposal
from tools.codex.factory.domain.toolchain import PROGRAMS, Look, worth_reading
from tools.codex.factory.pipelines.prepare import DEFAULT_PLAN
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.pipelines.site import check_environment
from tools.codex.factory.render.plan_text import plan_text
from tools.codex.factory.repository.discovery import base_of
from tools.codex.factory.repository.inventory import inventory, texts
from tools.codex.factory.storage.new_files import write_new

MOST_CHANGED = (
    "checks.budget", "checks.timeout", "integrate.on_blocked", "overlap.allow_identical",
    "runs.root", "work.jobs", "work.keep", "work.timeout",
)  # fmt: skip
"""The settings that a new configuration file begins with."""
_MOST_BYTES = 256 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstPlan:
    """What was found, and the plan as text."""

    proposal: Proposal
    text: str


def first_plan(ground: Session) -> FirstPlan:
    """Return a plan for the commit at HEAD. Nothing of the repository is run."""
    git, git_dir = ground.git, ground.repository.git_dir
    base = base_of(git, ground.repository, "HEAD")
    found = inventory(git, git_dir, base.commit)
    files = frozenset(found.files)
    look = Look(
        files=files,
        texts=texts(git, git_dir, found, worth_reading(files), limit=_MOST_BYTES),
        programs=_programs(ground),
    )
    proposed = proposal(
        look,
        others=found.others,
        own=(DEFAULT_PLAN, CONFIG_FILE),
        runs_root=ground.runs_root_in_repository,
    )
    return FirstPlan(proposal=proposed, text=plan_text(proposed))


def write_first_plan(ground: Session, plan: FirstPlan, *, with_config: bool) -> tuple[str, ...]:
    """Write the plan at the repository's top, maybe with a configuration; return the names.

    Raises UsageError, and writes nothing at all, where one of the files is there already.
    """
    files = {DEFAULT_PLAN: plan.text.encode("utf-8")}
    if with_config:
        files[CONFIG_FILE] = first_config()
    write_new(ground.repository.work_tree, files)
    return tuple(files)


def first_config() -> bytes:
    """Return a configuration file with the settings most often changed, at their defaults."""
    defaults = keys()
    sections: dict[str, dict[str, object]] = {}
    for key in MOST_CHANGED:
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = defaults[key]
    return canonical({**sections})


def _programs(ground: Session) -> dict[str, str]:
    """Return the folder of each known program that a check would find."""
    path = check_environment(ground).get("PATH", os.defpath)
    found = {name: shutil.which(name, path=path) for name in PROGRAMS}
    return {name: os.path.dirname(place) for name, place in found.items() if place is not None}
