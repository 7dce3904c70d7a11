"""What artifacts say of how commands were confined: a record, rows of a report, a finding."""

from tools.codex.factory.domain.artifact import ConfinementRecord, TrespassRecord
from tools.codex.factory.domain.confined import Confined
from tools.codex.factory.domain.evidence import ConfinementRow
from tools.codex.factory.domain.finding import Code, Finding, blocking
from tools.codex.factory.domain.identity import INTEGRATOR, WorkerId
from tools.codex.factory.domain.lever import dropping, retrying
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.domain.trespass import Trespass
from tools.codex.factory.domain.verdict import Judgement
from tools.codex.factory.domain.wording import counted, few

CHECKS = "checks"
OTHERS = frozenset({CHECKS, str(INTEGRATOR)})
"""Who is named in rows beside workers."""
_NAMED = 3
_MOST_PATH = 120


def confinement_record(confined: Confined) -> ConfinementRecord:
    """Return as artifacts show it how a command was confined."""
    return ConfinementRecord(
        tier=confined.tier,
        demand=confined.demand,
        weaker=confined.weaker,
        observed=confined.observed,
        unobserved=confined.unobserved,
        trespasses=tuple(_recorded(one) for one in confined.trespasses),
        beyond=confined.beyond,
        caches=confined.caches,
    )


def confinement_row(who: str, record: ConfinementRecord) -> ConfinementRow:
    """Return the row of a report that says how somebody was confined."""
    return ConfinementRow(who=who, **dict(record))


def worker_confinement_rows(judgement: Judgement, plan: Plan) -> tuple[ConfinementRow, ...]:
    """Return a row for each worker that was run here, sorted by id.

    A bundle made elsewhere says what it likes of its confinement.
    """
    rows = []
    for entry in plan.workers:
        bundle = judgement.bundles.get(WorkerId(entry.id))
        if bundle is not None and entry.source in ("command", "external"):
            record = bundle.status.confinement
            rows += [confinement_row(entry.id, record)] if record is not None else []
    return tuple(rows)


def trespass_findings(worker: str, confined: Confined | None) -> list[Finding]:
    """Return what blocks a worker that tried to write outside, where policy says so."""
    if confined is None or not confined.tried:
        return []
    named = [f"{one.operation} {_brief(quoted(one.path))}" for one in confined.trespasses]
    message = f"{counted(confined.tried, 'attempt')} to write outside: {few(named, _NAMED)}"
    hint = (
        "read what it wanted there; sandbox.writable lets workers write a folder; then "
        f"{retrying(worker)} makes a new attempt; {dropping(worker)} leaves its work out"
    )
    return [blocking(Code.SANDBOX_TRESPASS, f"{worker}: STATUS.json", message, hint)]


def _brief(path: str) -> str:
    return path if len(path) <= _MOST_PATH else f"{path[:_MOST_PATH]}..."


def _recorded(one: Trespass) -> TrespassRecord:
    return TrespassRecord(
        operation=one.operation, path=quoted(one.path), program=quoted(one.program), count=one.count
    )
