"""The message of a published commit: what was merged, and where its evidence lies."""

import textwrap
from collections.abc import Mapping

from tools.codex.factory.domain.evidence import IntegratorStatus
from tools.codex.factory.domain.manifest import Manifest
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.domain.publication import (
    AMENDED_TRAILER,
    BASE_TRAILER,
    CARRIED_TRAILER,
    CHECK_TRAILER,
    LEFT_OUT_TRAILER,
    REPORT_TRAILER,
    RUN_TRAILER,
    WORKER_TRAILER,
    Origin,
    green,
    merged_workers,
)
from tools.codex.factory.domain.wording import counted
from tools.codex.factory.render.text import shown

_WIDTH = 72


def commit_message(
    plan: Plan,
    manifest: Manifest,
    status: IntegratorStatus,
    *,
    digests: Mapping[str, str],
    origin: Origin,
) -> str:
    """Return the commit message: what was merged, and trailers that lead back to the evidence.

    `digests` are those of each worker's seal, and of the integrator's STATUS.json as "";
    `origin` is the run that the work is from, which may be this one.
    """
    changes = {row.worker_id: row.changes for row in status.workers}
    merged = merged_workers(status)
    title = shown(plan.title)
    # Tools take a line of dashes for the end of a message.
    lines = [title if not title.startswith("---") else f"Merge: {title}", ""]
    for entry in plan.workers:
        if entry.id in merged and changes[entry.id]:
            said = (entry.task or "").strip().partition("\n")[0].rstrip()
            said = said or f"from its {entry.source}"
            files = counted(changes[entry.id], "file")
            lines += _item(f"{entry.id}: {shown(said)} ({files})")
    trailers = [(RUN_TRAILER, status.run_id)]
    if origin.run_id != status.run_id:
        trailers.append((CARRIED_TRAILER, origin.run_id))
    trailers += [(BASE_TRAILER, manifest.base_commit)]
    trailers += [(REPORT_TRAILER, f"sha256:{digests['']}")]
    trailers += [(WORKER_TRAILER, f"{worker} sha256:{digests[worker]}") for worker in merged]
    trailers += [(LEFT_OUT_TRAILER, one) for one in origin.left_out]
    trailers += [(CHECK_TRAILER, f"{shown(row.name)}: passed") for row in green(status)]
    trailers += [(AMENDED_TRAILER, shown(one.reason)) for one in origin.amendments]
    return "\n".join([*lines, "", *(f"{name}: {value}" for name, value in trailers)]) + "\n"


def _item(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="* ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
