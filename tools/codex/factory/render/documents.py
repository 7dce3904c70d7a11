"""FINAL_REPORT.txt and MERGE_PLAN.md: byte-stable text for people."""

from collections.abc import Iterable, Sequence

from tools.codex.factory.domain.amendment import deeds
from tools.codex.factory.domain.artifact import FindingRecord
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.evidence import IntegratorStatus
from tools.codex.factory.domain.identity import WorkerId
from tools.codex.factory.domain.manifest import Manifest
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.domain.result import Integration
from tools.codex.factory.domain.wording import counted
from tools.codex.factory.render.checks import (
    checks_line,
    checks_of_this_run,
    checks_section,
)
from tools.codex.factory.render.confinement import confinement_of_this_run
from tools.codex.factory.render.next_steps import next_steps
from tools.codex.factory.render.text import shown

THIS_RUN = "THIS RUN"
_MOST_REASONS = 12
_SUMMARY = {"command": "Captured after its command", "external": "Captured from its checkout"}


def final_report(
    plan: Plan, manifest: Manifest, integration: Integration, status: IntegratorStatus
) -> str:
    """Return FINAL_REPORT.txt: the verdict, why, what next; the evidence; then THIS RUN."""
    return "\n".join(
        [
            *_headline(plan.title, status, integration),
            *_why(plan, status, integration),
            *_next_steps(status),
            *_evidence(plan, status, integration),
            *checks_section(status),
            *_workers(plan, integration),
            *_amendments(plan),
            *_findings(status.findings),
            *_policy(plan),
            *this_run(manifest, status),
        ]
    )


def failure_report(title: str, manifest: Manifest, status: IntegratorStatus, hint: str) -> str:
    """Return the FINAL_REPORT.txt of a run in which the factory itself could not go on."""
    return "\n".join(
        [
            f"FAIL  {shown(title)}",
            "The factory could not go on; nothing was merged.",
            "",
            "WHY",
            f"  {shown(status.error or 'unknown')}",
            "",
            "WHAT TO DO NEXT",
            f"  1. {shown(hint or 'mend that, and run the same command again')}",
            f"  2. `--run-id {status.run_id}` continues this run: sealed bundles are kept.",
            "",
            "EVIDENCE",
            f"  base commit    {status.base_commit}",
            f"  base tree      {status.base_tree}",
            "",
            *this_run(manifest, status),
        ]
    )


def merge_plan(plan: Plan, integration: Integration, base_commit: str) -> str:
    """Return MERGE_PLAN.md: in which order, which files are united, what is left out."""
    merged = integration.merged
    lines = [
        "# Merge plan",
        "",
        f"Base commit `{base_commit}`. Each bundle is applied exactly to the base blobs that it "
        "names;",
        "the order below is by worker id, and any other order gives the same tree.",
        "",
        "| step | worker | files | insertions | deletions |",
        "|---|---|---|---|---|",
    ]
    workers = merged.workers if merged else ()
    for number, worker in enumerate(workers, start=1):
        files, plus, minus = _sums(integration.judgement.changes_of[worker])
        lines.append(f"| {number} | {worker} | {files} | {plus} | {minus} |")
    if not workers:
        lines.append("| - | nothing is merged | 0 | 0 | 0 |")
    if merged and merged.shared:
        lines += ["", "## Shared files, united edit by edit", ""]
        lines += [
            f"* `{shown(quoted(path))}`: {', '.join(owners)}"
            for path, owners in merged.shared.items()
        ]
    left_out = [entry.id for entry in plan.workers if WorkerId(entry.id) not in workers]
    if left_out:
        lines += ["", "## Left out", ""]
        lines += [f"* {worker}" for worker in left_out]
    return "\n".join(lines) + "\n"


def empty_merge_plan(base_commit: str) -> str:
    """Return the MERGE_PLAN.md of a run that never came to merging."""
    return f"# Merge plan\n\nBase commit `{base_commit}`. Nothing was merged.\n"


def this_run(manifest: Manifest, status: IntegratorStatus) -> list[str]:
    """Return the last section: all that differs from run to run, and nothing else does."""
    versions = [f"  {name:<14} {shown(value)}" for name, value in sorted(status.versions.items())]
    return [
        THIS_RUN,
        f"  run            {status.run_id}",
        f"  base ref       {shown(manifest.base_ref)}",
        f"  created        {manifest.created_at}",
        f"  integrated     {status.started_at} to {status.ended_at} ({status.duration_ms} ms)",
        f"  exit code      {status.exit_code}",
        *confinement_of_this_run(status.confinement),
        *checks_of_this_run(status),
        *(f"  meanwhile      {shown(line)}" for line in status.changed_meanwhile),
        *versions,
        "",
    ]


def suggestions_text(worker: str) -> str:
    """Return the SUGGESTIONS.md that the factory writes where the worker left none."""
    return f"# Suggestions\n\n{worker} left none.\n"


def summary_text(worker: str, source: str, bundle_changes: Sequence[Change]) -> str:
    """Return the SUMMARY.md that the factory writes where the worker left none."""
    files, plus, minus = _sums(bundle_changes)
    return (
        f"# {worker}\n\n{_SUMMARY.get(source, 'Adopted from ' + shown(source))}: "
        f"{counted(files, 'file')}, +{plus} -{minus}.\n"
    )


def _headline(title: str, status: IntegratorStatus, integration: Integration) -> list[str]:
    files, plus, minus = _sums(integration.changes)
    words: list[str] = [status.status]
    words += ["PARTIAL"] if status.partial else []
    words += ["NOOP"] if status.noop else []
    words += ["REHEARSAL"] if status.rehearsal else []
    merged = f"{counted(files, 'file')} changed (+{plus} -{minus})"
    if integration.proof is None:
        merged = "nothing was merged"
    elif status.noop:
        merged = "nobody changed anything"
    return [
        f"{' '.join(words)}  {shown(title)}",
        f"{counted(len(status.workers), 'worker')}, {merged}",
        "",
    ]


def _why(plan: Plan, status: IntegratorStatus, integration: Integration) -> list[str]:
    blocking = [finding for finding in status.findings if finding.severity == "blocks"]
    if not blocking and integration.proof is not None:
        reason = "Every bundle keeps to its scope, none meets another, and the merged tree was"
        lines = [f"  {reason}", "  reached twice, by our engine and by git itself."]
        if status.noop:
            lines = ["  Every bundle is empty, and says so."]
        return ["WHY", *lines, _checks_passed(plan, status), ""]
    lines = []
    for finding in blocking[:_MOST_REASONS]:
        lines += [f"  {shown(finding.subject)}", f"    {shown(finding.message)}"]
    if len(blocking) > _MOST_REASONS:
        lines.append(f"  and {len(blocking) - _MOST_REASONS} more, under FINDINGS")
    return ["WHY", *lines, ""]


def _checks_passed(plan: Plan, status: IntegratorStatus) -> str:
    if not plan.checks:
        return "  No checks are declared."
    on = "base commit" if status.rehearsal else "merged tree"
    return f"  Every required check exited 0 on the {on}."


def _next_steps(status: IntegratorStatus) -> list[str]:
    steps = enumerate(next_steps(status), 1)
    return ["WHAT TO DO NEXT", *(f"  {n}. {shown(step)}" for n, step in steps), ""]


def _evidence(plan: Plan, status: IntegratorStatus, integration: Integration) -> list[str]:
    lines = [
        f"  base commit    {status.base_commit}",
        f"  base tree      {status.base_tree}",
        f"  merged tree    {status.tree or 'none'}",
        f"  merged commit  {status.commit or 'none'}",
    ]
    proof = integration.proof
    if proof is not None:
        lines += [
            f"  our engine     {proof.merged_tree}  (exact application in memory)",
            f"  git            {proof.audited_tree}  (git apply of DIFF.patch, a store of its own)",
            f"  pack           {counted(proof.objects, 'object')} passed git index-pack --strict",
        ]
    digest = status.artifacts.get("DIFF.patch", "none")
    lines.append(f"  DIFF.patch     sha256 {digest}, {counted(len(integration.patch), 'byte')}")
    lines.append(f"  checks         {checks_line(status, len(plan.checks))}")
    return ["EVIDENCE", *lines, ""]


def _workers(plan: Plan, integration: Integration) -> list[str]:
    judgement = integration.judgement
    width = max(len(entry.id) for entry in plan.workers)
    merged = integration.merged.workers if integration.merged else ()
    lines = []
    for entry in plan.workers:
        worker = WorkerId(entry.id)
        files, plus, minus = _sums(judgement.changes_of.get(worker, ()))
        state = judgement.status_of(worker)
        taken = "merged" if worker in merged else "left out"
        sums = f"{counted(files, 'file')}, +{plus} -{minus}"
        lines.append(f"  {worker:<{width}}  {state:<7}  {taken:<8}  {entry.source:<7}  {sums}")
    shared = integration.merged.shared if integration.merged else {}
    for path, owners in shared.items():
        lines.append(f"  shared {shown(quoted(path))}: {', '.join(owners)}")
    return ["WORKERS", *lines, ""]


def _amendments(plan: Plan) -> list[str]:
    """Return what the operator changed of the sealed plan, and why."""
    if not plan.amendments:
        return []
    lines = []
    for one in plan.amendments:
        lines.append(f"  {one.revision}. {shown(one.reason)}")
        lines += [f"     {shown(deed)}" for deed in deeds(one)]
    return ["AMENDMENTS", *lines, ""]


def _findings(findings: Iterable[FindingRecord]) -> list[str]:
    lines = []
    for finding in findings:
        lines.append(f"  {finding.severity:<6}  {finding.code}  {shown(finding.subject)}")
        lines.append(f"          {shown(finding.message)}")
        if finding.hint:
            lines.append(f"          -> {shown(finding.hint)}")
    return ["FINDINGS", *(lines or ["  none"]), ""]


def _policy(plan: Plan) -> list[str]:
    policy = plan.policy
    switches = {
        "overlap.allow_identical": policy.allow_identical,
        "scope.grant_requests": policy.grant_requests,
        "integrate.on_blocked": policy.on_blocked,
    }
    lines = [f"  {name:<24} {str(value).lower()}" for name, value in switches.items()]
    return ["POLICY", *lines, ""]


def _sums(changes: Iterable[Change]) -> tuple[int, int, int]:
    counted = [(change.insertions, change.deletions) for change in changes]
    return len(counted), sum(plus for plus, _ in counted), sum(minus for _, minus in counted)
