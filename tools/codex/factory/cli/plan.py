"""plan: what a plan comes to, asked before anybody is started."""

from tools.codex.factory.cli.command import Call, CliCommand, add_plan, names


def run_plan(call: Call) -> int:
    """Say what a plan comes to on its base, before anybody is started."""
    from tools.codex.factory.domain.desk_answer import PlanAnswer
    from tools.codex.factory.domain.result import records
    from tools.codex.factory.domain.verdict import decide
    from tools.codex.factory.errors import EXIT_CODE_OF_STATUS
    from tools.codex.factory.pipelines.foresee import foresee, planned_workers
    from tools.codex.factory.pipelines.prepare import Request
    from tools.codex.factory.render.forecast import finding_lines, forecast_lines, worker_table

    said = call.arguments
    request = Request(
        base_ref=said.base_ref,
        plan_file=said.plan,
        run_id=None,
        workers=names(said.workers),
    )
    seen = foresee(call.ground(), request)
    status = decide(seen.forecast.findings)
    answer = PlanAnswer(
        command="plan",
        status="OK" if status == "PASS" else status,
        exit_code=EXIT_CODE_OF_STATUS[status],
        title=seen.plan.title,
        base_commit=seen.base.commit,
        files=seen.files,
        workers=planned_workers(seen.plan, seen.forecast),
        findings=records(seen.forecast.findings),
        cost=seen.cost,
        notes=seen.notes,
    )
    call.screen.show(worker_table(answer))
    for line in (*finding_lines(answer), *forecast_lines(answer)):
        call.screen.say(line)
    call.screen.document(answer)
    return answer.exit_code


PLAN = CliCommand(
    name="plan",
    help="what a plan comes to on its base: who may write what, who meets whom, what it costs",
    example="factory plan --plan factory.plan.toml",
    add_arguments=add_plan,
    run=run_plan,
)
