"""Tree, verdict and report derived anew from the bundles alone, and held against what is there."""

from collections.abc import Mapping

from tools.codex.factory.domain.artifact import RENDITIONS, finding_of
from tools.codex.factory.domain.confinement_row import OTHERS, worker_confinement_rows
from tools.codex.factory.domain.evidence import IntegratorStatus
from tools.codex.factory.domain.finding import Code, Finding
from tools.codex.factory.domain.identity import INTEGRATOR, digest_of
from tools.codex.factory.domain.manifest import Manifest
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.domain.result import Integration, with_checks
from tools.codex.factory.errors import StorageError
from tools.codex.factory.render.documents import final_report
from tools.codex.factory.render.renditions import rendered
from tools.codex.factory.stages.integrate import Tools, part_of, reached
from tools.codex.factory.stages.report import documents, status_fields, with_findings
from tools.codex.factory.stages.validate import judged
from tools.codex.factory.stages.verify import Disagreement
from tools.codex.factory.storage.run_directory import RunDirectory, worker_artifact

_SEEN_ONCE = (Code.POLICY_WRITE_OUTSIDE, Code.SANDBOX_REPOSITORY, Code.SANDBOX_LEDGER)


def rebuild(
    run: RunDirectory,
    plan: Plan,
    manifest: Manifest,
    status: IntegratorStatus,
    *,
    tools: Tools,
) -> list[Disagreement]:
    """Return every artifact that the bundles do not lead to."""
    judgement = judged(run, plan, manifest, tools.objects)
    integration = reached(judgement, plan, manifest, tools=tools)
    if status.salvage is not None:
        workers = status.salvage.workers
        integration = part_of(integration, workers, plan, manifest, tools=tools)
    # What checks said, only the run itself could witness; what follows from it is derived again.
    integration = with_checks(
        integration,
        plan,
        checks=status.checks,
        attribution=status.attribution,
        salvage=status.salvage,
        salvage_search=status.salvage_search,
    )
    integration = with_findings(integration, _witnessed(status))
    found = _status_disagreements(plan, integration, status)
    files = documents(run, plan, manifest, integration)
    files["FINAL_REPORT.txt"] = final_report(plan, manifest, integration, status).encode()
    forms = [form for form, name in RENDITIONS.items() if name in status.artifacts]
    files |= rendered(forms, plan, status)
    return sorted(found + _file_disagreements(run, files))


def _witnessed(status: IntegratorStatus) -> tuple[Finding, ...]:
    """Return the findings that only the run itself could make.

    They are of what stood in the way, of what was said, and of what kept the integrator.
    """
    own = (Code.SECRET_REDACTED, Code.SANDBOX_WEAKER)
    return tuple(
        finding_of(said)
        for said in status.findings
        if said.code in _SEEN_ONCE
        or (said.code in own and said.subject.startswith(f"{INTEGRATOR}: "))
    )


def _status_disagreements(
    plan: Plan, integration: Integration, status: IntegratorStatus
) -> list[Disagreement]:
    where = worker_artifact(INTEGRATOR, "STATUS.json")
    found = [
        Disagreement(where, f"`{name}` is not what the bundles lead to")
        for name, value in status_fields(plan, integration).items()
        if getattr(status, name) != value
    ]
    rows = worker_confinement_rows(integration.judgement, plan)
    # How others were confined, only the run itself could witness.
    others = {row.who for row in status.confinement[len(rows) :]}
    if rows != status.confinement[: len(rows)] or not others <= OTHERS:
        found.append(Disagreement(where, "`confinement` is not what the bundles say"))
    return found


def _file_disagreements(run: RunDirectory, files: Mapping[str, bytes]) -> list[Disagreement]:
    found = []
    for name, content in files.items():
        where = worker_artifact(INTEGRATOR, name)
        try:
            same = digest_of(run.read(where)) == digest_of(content)
        except (FileNotFoundError, StorageError) as error:
            found.append(Disagreement(where, f"unreadable: {error}"))
            continue
        if not same:
            found.append(Disagreement(where, "it is not what the bundles lead to"))
    return found
