"""The message of a published commit: what was merged, and where its evidence lies."""

import textwrap
from collections.abc import Mapping, Sequence

from tools.codex.factory.domain.artifact import Manifest
from tools.codex.factory.domain.evidence import IntegratorStatus
from tools.codex.factory.domain.plan import Amendment, Plan
from tools.codex.factory.domain.publication import (
    AMENDED_TRAILER,
    BASE_TRAILER,
    CHECK_TRAILER,
    REPORT_TRAILER,
    RUN_TRAILER,
    WORKER_TRAILER,
    green,
    merged_workers,
)
from tools.codex.factory.render.text import shown

_WIDTH = 72


def commit_message(
    plan: Plan,
    manifest: Manifest,
    status: IntegratorStatus,
    *,
    digests: Mapping[str, str],
    amendments: Sequence[Amendment],
    carried_from: str | None,
) -> str:
    """Return the commit message: what was merged, and trailers that lead back to the evidence.

    `digests` are those of each worker's seal, and of the integrator's STATUS.json as "";
    `amendments` are those of the run that the work is from.
    """
    changes = {row.worker_id: row.changes for row in status.workers}
    merged = merged_workers(status)
    title = shown(plan.title)
    # Tools take a line of dashes for the end of a message.
    lines = [title if not title.startswith("---") else f"Merge: {title}", ""]
    for entry in plan.workers:
        if entry.id in merged and changes[entry.id]:
            said = (entry.task or "").strip().partition("\n")[0] or f"from its {entry.source}"
            count = changes[entry.id]
            files = f"{count} file{'' if count == 1 else 's'}"
            lines += _item(f"{entry.id}: {shown(said)} ({files})")
    trailers = [(RUN_TRAILER, status.run_id)]
    trailers += [("Factory-Carried-From", carried_from)] if carried_from is not None else []
    trailers += [(BASE_TRAILER, manifest.base_commit)]
    trailers += [(REPORT_TRAILER, f"sha256:{digests['']}")]
    trailers += [(WORKER_TRAILER, f"{worker} sha256:{digests[worker]}") for worker in merged]
    trailers += [("Factory-Left-Out", one) for one in _left_out(plan, status)]
    trailers += [(CHECK_TRAILER, f"{shown(row.name)}: passed") for row in green(status)]
    trailers += [(AMENDED_TRAILER, shown(one.reason)) for one in amendments]
    return "\n".join([*lines, "", *(f"{name}: {value}" for name, value in trailers)]) + "\n"


def _left_out(plan: Plan, status: IntegratorStatus) -> list[str]:
    dropped = {worker for one in plan.amendments for worker in one.dropped}
    return sorted(dropped | {row.worker_id for row in status.workers if not row.merged})


def _item(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="* ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
