"""What the operator does after a report."""

from tools.codex.factory.domain.evidence import IntegratorStatus

_MOST = 12


def next_steps(status: IntegratorStatus) -> list[str]:
    """Return what to do next, in order; hints of findings are as they were made."""
    if status.noop:
        return ["Nothing: there is nothing to take over."]
    if status.status == "PASS" and status.rehearsal:
        return ["Run it without --dry-run: a rehearsal is thrown away."]
    if status.status == "PASS":
        return [
            "Read Z_integrator/DIFF.patch.",
            "`factory publish --branch NAME` makes one commit of it on a new branch.",
        ]
    hints = [f.hint for f in status.findings if f.severity == "blocks" and f.hint]
    steps = list(dict.fromkeys(hints))[:_MOST]
    if any("factory amend" in step for step in steps):
        steps.append(
            "After an amendment: `factory bundle-validate`, then `factory integrate`; where this "
            "is not the newest run, each with its `--run-id`."
        )
    if any("factory launch --only" in step for step in steps):
        steps.append(
            "After a new attempt: `factory integrate`; where this is not the newest run, each with "
            "its `--run-id`."
        )
    if status.partial:
        steps.append(
            "Z_integrator/DIFF.patch holds what fits together, proven; `factory publish "
            "--accept-partial --branch NAME` publishes just that."
        )
    return steps or ["`factory integrate` tries again."]
