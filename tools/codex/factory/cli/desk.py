"""plan, amend, publish: what an operator asks before a run, and does after its report."""

import argparse
import shlex
from collections.abc import Sequence

from tools.codex.factory.cli.command import Call, CliCommand, add_plan, add_run_id, names
from tools.codex.factory.errors import UsageError


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


def _add_amend(parser: argparse.ArgumentParser) -> None:
    add_run_id(parser)

    def several(flag: str, metavar: str, said: str) -> None:
        parser.add_argument(flag, metavar=metavar, action="append", default=[], help=said)

    several("--allow", "W:PATTERN", "let a worker write these")
    several("--deny", "W:PATTERN", "deny a worker these; `!` in front takes a denial back")
    several("--share", "PATTERN", "let every worker edit these")
    several("--drop", "W", "leave a worker out")
    several("--drop-path", "W:PATH", "leave one path of a worker out")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why; the report says it")


def run_amend(call: Call) -> int:
    """Change what a run was sealed with, by a new revision of its plan."""
    from tools.codex.factory.domain.amendment import Wish, deeds
    from tools.codex.factory.domain.desk_answer import AmendAnswer
    from tools.codex.factory.pipelines.amend import amend
    from tools.codex.factory.render.text import shown

    said = call.arguments
    wish = Wish(
        reason=said.reason,
        allow=_by_worker(said.allow, "--allow"),
        deny=_by_worker(said.deny, "--deny"),
        shared=tuple(dict.fromkeys(said.share)),
        dropped=tuple(dict.fromkeys(said.drop)),
        dropped_paths=_by_worker(said.drop_path, "--drop-path"),
    )
    run = amend(call.ground(), said.run_id, wish)
    name, changes = run.directory.run, deeds(run.plan.amendments[-1])
    call.screen.say(f"revision {run.plan.revision} of the plan of {name}:")
    for line in changes:
        call.screen.say(f"  {shown(line)}")
    call.screen.say(f"then: factory bundle-validate --run-id {name}")
    call.screen.say(f"      factory integrate --run-id {name}")
    call.screen.document(
        AmendAnswer(
            command="amend",
            status="OK",
            exit_code=0,
            run_id=name,
            revision=run.plan.revision,
            reason=said.reason,
            changes=changes,
        )
    )
    return 0


def _add_publish(parser: argparse.ArgumentParser) -> None:
    add_run_id(parser)
    parser.add_argument("--branch", metavar="NAME", help="the new branch (factory/RUN_ID)")
    parser.add_argument("--onto", metavar="REF", help="merge, prove and check on this commit first")
    parser.add_argument(
        "--accept-partial", action="store_true", help="also where only some bundles fit together"
    )


def run_publish(call: Call) -> int:
    """Make one commit of a run's proven tree, on a new branch."""
    from tools.codex.factory.cli.telling import teller
    from tools.codex.factory.domain.desk_answer import PublishAnswer
    from tools.codex.factory.domain.path import quoted
    from tools.codex.factory.pipelines.publish import publish
    from tools.codex.factory.render.text import shown

    said = call.arguments
    made = publish(
        call.ground(),
        said.run_id,
        teller(call),
        branch=said.branch,
        onto=said.onto,
        accept_partial=said.accept_partial,
    )
    run = made.run
    call.screen.say(f"branch {shown(quoted(made.branch))} is at {made.commit}")
    call.screen.say(f"it is run {run.directory.run} on base {run.manifest.base_commit}")
    call.screen.say(f"then: git merge {shlex.quote(made.branch)}")
    assert made.status.tree is not None
    call.screen.document(
        PublishAnswer(
            command="publish",
            status="OK",
            exit_code=0,
            run_id=run.directory.run,
            branch=quoted(made.branch),
            base_commit=run.manifest.base_commit,
            tree=made.status.tree,
            commit=made.commit,
        )
    )
    return 0


def _by_worker(texts: Sequence[str], flag: str) -> dict[str, tuple[str, ...]]:
    """Return what was asked by worker; raise UsageError where a text names none."""
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        worker, colon, rest = text.partition(":")
        if not colon or not worker or not rest:
            raise UsageError(
                f"{flag} {text!r} names no worker, or nothing of it",
                hint=f"like {flag} A_worker:docs/index.md",
            )
        if rest not in found.get(worker, ()):
            found[worker] = (*found.get(worker, ()), rest)
    return found


AMEND = CliCommand(
    name="amend",
    help="after BLOCKED: grant or share a path, leave a worker or a path out, and say why",
    example="factory amend --allow A_worker:docs/api.md --reason 'the API page goes with it'",
    add_arguments=_add_amend,
    run=run_amend,
)
PUBLISH = CliCommand(
    name="publish",
    help="one commit of a run's proven tree, on a new branch; nothing else moves",
    example="factory publish --run-id spring-cleaning --branch spring-cleaning",
    add_arguments=_add_publish,
    run=run_publish,
)
PLAN = CliCommand(
    name="plan",
    help="what a plan comes to on its base: who may write what, who meets whom, what it costs",
    example="factory plan --plan factory.plan.toml",
    add_arguments=add_plan,
    run=run_plan,
)
