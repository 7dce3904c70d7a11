"""A revision of the plan as the files that seal it, and as an event."""

from collections.abc import Mapping

from tools.codex.factory.domain.amendment import deeds
from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.identity import RunId, digest_of
from tools.codex.factory.domain.plan import Plan, scope_lock
from tools.codex.factory.errors import EXIT_CODE_OF_STATUS
from tools.codex.factory.storage.run_directory import lock_name, plan_name


def revision_files(plan: Plan, run: RunId) -> dict[str, bytes]:
    """Return an amended plan, and the scope lock of every worker under it, by name."""
    locks = {
        lock_name(plan.revision, entry.id): canonical(scope_lock(entry, run))
        for entry in plan.workers
    }
    return {**locks, plan_name(plan.revision): canonical(plan)}


def amended_event(plan: Plan, run: RunId, files: Mapping[str, bytes]) -> Event:
    """Return the event that says what the newest revision changes, and seals its files."""
    amendment = plan.amendments[-1]
    return Event(
        run_id=run,
        event_type=EventType.RUN_AMENDED,
        actor="operator",
        rc=EXIT_CODE_OF_STATUS["WAITING"],
        hashes={name: digest_of(content) for name, content in files.items()},
        details={
            "worker_ids": ",".join(entry.id for entry in plan.workers),
            "revision": str(plan.revision),
            "reason": amendment.reason,
            "changes": "; ".join(deeds(amendment)),
        },
    )
