"""A sealed plan and what an operator changes of it make its next revision."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from tools.codex.factory.domain.document import canonical, what_is_wrong
from tools.codex.factory.domain.identity import digest_of
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.domain.plan import Amendment, Plan, WorkerEntry


class AmendmentRefused(ValueError):
    """The amendment makes no sense of this plan: `str()` says why, `hint` what to do."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an operator asks to change: patterns and paths by worker, each once, and the reason.

    `shared` is for every worker; paths are as artifacts show them. An accepted path goes with the
    blob that was looked at.
    """

    reason: str
    allow: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    deny: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    dropped_paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    accepted_secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is asked for."""
        patterns = self.allow or self.deny or self.shared
        return not (patterns or self.dropped or self.dropped_paths or self.accepted_secrets)


def amended(plan: Plan, wish: Wish) -> Plan:
    """Return the next revision of `plan`; raise AmendmentRefused where that cannot be."""
    _refuse_unknown(plan, wish)
    _refuse_again(plan, wish)
    workers = tuple(_entry(one, wish) for one in plan.workers if one.id not in wish.dropped)
    if not workers:
        raise AmendmentRefused(
            "with every worker dropped, nothing is left to merge", hint="start another run"
        )
    replaced = tuple(entry for entry in plan.workers if entry not in workers)
    said = {
        "revision": plan.revision + 1,
        "reason": wish.reason,
        "allow": dict(sorted(wish.allow.items())),
        "deny": dict(sorted(wish.deny.items())),
        "shared": wish.shared,
        "dropped": tuple(sorted(wish.dropped)),
        "dropped_paths": dict(sorted(wish.dropped_paths.items())),
        "accepted_secrets": {
            worker: dict(sorted(rows.items()))
            for worker, rows in sorted(wish.accepted_secrets.items())
        },
        "replaced": replaced,
        "follows": digest_of(canonical(plan)),
    }
    try:
        amendment = Amendment.model_validate(said)
    except ValidationError as error:
        raise AmendmentRefused(
            f"the amendment is wrong: {what_is_wrong(error)}",
            hint="patterns are git's own, as in the plan; paths are as the report shows them",
        ) from error
    return plan.model_copy(
        update={
            "revision": amendment.revision,
            "workers": workers,
            "amendments": (*plan.amendments, amendment),
        }
    )


def follows(later: Plan, plan: Plan) -> bool:
    """Return whether `later` is what its last amendment makes of `plan`."""
    if not later.amendments or later.amendments[-1].revision != plan.revision + 1:
        return False
    said = later.amendments[-1]
    wish = Wish(
        reason=said.reason,
        allow=said.allow,
        deny=said.deny,
        shared=said.shared,
        dropped=said.dropped,
        dropped_paths=said.dropped_paths,
        accepted_secrets=said.accepted_secrets,
    )
    try:
        return amended(plan, wish) == later
    except AmendmentRefused:
        return False


def deeds(amendment: Amendment) -> tuple[str, ...]:
    """Return what an amendment changes, a line for each change."""
    lines = [
        _said(f"{worker} may write", text)
        for worker, several in amendment.allow.items()
        for text in several
    ]
    lines += [
        _said(f"{worker} is denied", text)
        for worker, several in amendment.deny.items()
        for text in several
    ]
    lines += [_said("every worker shares", text) for text in amendment.shared]
    lines += [f"{worker} is left out" for worker in amendment.dropped]
    lines += [
        f"{worker}: {path} is left out"
        for worker, several in amendment.dropped_paths.items()
        for path in several
    ]
    lines += [
        f"{worker}: what looks like a secret in {path} may stand"
        for worker, several in amendment.accepted_secrets.items()
        for path in several
    ]
    return tuple(lines)


def _said(what: str, text: str) -> str:
    """Return what a pattern changes; one that begins with `!` takes back."""
    return f"{what} {text[1:]!r} no longer" if text.startswith("!") else f"{what} {text!r}"


def _entry(entry: WorkerEntry, wish: Wish) -> WorkerEntry:
    more = {
        "allow": (*entry.allow, *wish.allow.get(entry.id, ())),
        "deny": (*entry.deny, *wish.deny.get(entry.id, ())),
        "shared": (*entry.shared, *wish.shared),
    }
    return entry.model_copy(update=more)


def _refuse_unknown(plan: Plan, wish: Wish) -> None:
    if wish.is_empty:
        raise AmendmentRefused(
            "nothing is asked to be amended",
            hint="name what with --allow, --deny, --share, --drop, --drop-path or --accept-secret",
        )
    known = [entry.id for entry in plan.workers]
    of_paths = {*wish.allow, *wish.deny, *wish.dropped_paths, *wish.accepted_secrets}
    named = (*wish.allow, *wish.deny, *wish.dropped, *wish.dropped_paths, *wish.accepted_secrets)
    gone = {worker: one.revision for one in plan.amendments for worker in one.dropped}
    for worker in named:
        if worker in gone:
            raise AmendmentRefused(
                f"{worker} is left out since revision {gone[worker]}",
                hint="start another run to take its work back in",
            )
        if worker not in known:
            raise AmendmentRefused(
                f"the plan has no worker {worker!r}", hint=did_you_mean(worker, known)
            )
    both = sorted(set(wish.dropped) & of_paths)
    if both:
        raise AmendmentRefused(
            f"{both[0]!r} is dropped, and something of it is amended too", hint="ask for one"
        )


def _refuse_again(plan: Plan, wish: Wish) -> None:
    for entry in plan.workers:
        _refuse_known(entry.id, "allows", wish.allow.get(entry.id, ()), entry.allow)
        _refuse_known(entry.id, "denies", wish.deny.get(entry.id, ()), entry.deny)
        gone = plan.dropped_paths(entry.id)
        _refuse_known(entry.id, "leaves out", wish.dropped_paths.get(entry.id, ()), gone)
        rows = wish.accepted_secrets.get(entry.id, {})
        same = [path for path, _ in rows.items() & plan.accepted_secrets(entry.id).items()]
        _refuse_known(entry.id, "accepts", tuple(sorted(same)), same)
    for pattern in wish.shared:
        if all(pattern in entry.shared for entry in plan.workers):
            raise AmendmentRefused(
                f"every worker shares {pattern!r} already", hint="name something else"
            )


def _refuse_known(worker: str, does: str, asked: tuple[str, ...], known: Collection[str]) -> None:
    for one in asked:
        # A pattern that takes back, or is taken back, means more when it is said again.
        if one in known and not any(other.startswith("!") for other in known):
            raise AmendmentRefused(f"{worker} {does} {one!r} already", hint="name something else")
