"""oneshot, launch, collect, bundle-validate, integrate."""

import argparse
import signal
from typing import TYPE_CHECKING

from tools.codex.factory.cli.closing import answer_ended, answer_launched, tell_notes
from tools.codex.factory.cli.command import Call, CliCommand, add_plan, add_run_id, names
from tools.codex.factory.cli.telling import teller
from tools.codex.factory.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.codex.factory.domain.event import Event
    from tools.codex.factory.domain.evidence import IntegratorStatus
    from tools.codex.factory.pipelines.oneshot import Launched
    from tools.codex.factory.pipelines.prepare import Request
    from tools.codex.factory.pipelines.session import Session

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _add_launch(parser: argparse.ArgumentParser) -> None:
    add_plan(parser)
    parser.add_argument("--run-id", metavar="ID", help="name the run, or continue it")
    parser.add_argument(
        "--keep", action="store_true", help="keep the checkouts of workers that were captured"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="rehearse: built-in workers, all else real; nothing can be published",
    )


def _add_launch_alone(parser: argparse.ArgumentParser) -> None:
    _add_launch(parser)
    parser.set_defaults(base_ref=None)
    parser.add_argument(
        "--only", metavar="A,B", help="a new attempt of these in a run that exists; keeps the old"
    )
    parser.add_argument("--reason", metavar="TEXT", help="with --only: why; the ledger keeps it")


def _add_collect(parser: argparse.ArgumentParser) -> None:
    add_run_id(parser)
    parser.add_argument("--workers", metavar="A,B", help="only these; the others go on working")


def _add_integrate(parser: argparse.ArgumentParser) -> None:
    add_run_id(parser)
    parser.add_argument(
        "--salvage",
        action="store_true",
        help="after red checks, seek the largest part of the bundles that is green",
    )


def run_oneshot(call: Call) -> int:
    """Launch, validate, integrate."""
    from tools.codex.factory.pipelines import oneshot
    from tools.codex.factory.pipelines.prepare import prepare

    ground, request = call.ground(), _request(call.arguments)
    prepared = prepare(ground, request)
    tell_notes(call, prepared.notes)
    ended = oneshot.oneshot(ground, request, prepared, _to_the_end(call))
    return _ended(call, ground, ended, prepared.notes)


def run_launch(call: Call) -> int:
    """Begin a run and seal a bundle for each worker."""
    from tools.codex.factory.pipelines import oneshot
    from tools.codex.factory.pipelines.prepare import prepare

    if call.arguments.only is not None:
        return _run_only(call)
    if call.arguments.reason is not None:
        raise UsageError(
            "--reason belongs to --only", hint="leave it out, or name whom with --only"
        )
    ground, request = call.ground(), _request(call.arguments)
    prepared = prepare(ground, request)
    tell_notes(call, prepared.notes)
    launched = oneshot.launch(ground, request, prepared, teller(call))
    return answer_launched(call, launched, prepared.notes)


def _run_only(call: Call) -> int:
    """Make new attempts of some workers in a run that exists."""
    from tools.codex.factory.pipelines import oneshot
    from tools.codex.factory.pipelines.record import run_meant

    said = call.arguments
    given = {"--plan": said.plan, "--base-ref": said.base_ref, "--workers": said.workers}
    beside = [flag for flag, value in given.items() if value is not None]
    for flag in beside + ["--dry-run"] * said.dry_run:
        raise UsageError(
            f"launch --only does not take {flag}: the run keeps the plan and base that it was "
            "sealed with",
            hint="leave it out; another plan or base is another run",
        )
    ground, workers = call.ground(), names(said.only, "--only")
    if said.run_id is None:
        tell_notes(call, (f"the newest run is {run_meant(ground, None)}",))
    launched = oneshot.launch_only(ground, said.run_id, workers, said.reason, teller(call))
    tell_notes(call, launched.notes)
    return answer_launched(call, launched, launched.notes)


def run_collect(call: Call) -> int:
    """Take in what persons and tools left in their checkouts, then integrate."""
    from tools.codex.factory.pipelines import oneshot

    ground = call.ground()
    workers = names(call.arguments.workers)
    ended = oneshot.collect(ground, call.arguments.run_id, workers, _to_the_end(call))
    return _ended(call, ground, ended, ())


def run_bundle_validate(call: Call) -> int:
    """Judge the sealed bundles of a run."""
    from tools.codex.factory.domain.answer import RunAnswer
    from tools.codex.factory.domain.result import records, worker_rows
    from tools.codex.factory.domain.verdict import decide
    from tools.codex.factory.errors import EXIT_CODE_OF_STATUS
    from tools.codex.factory.pipelines import oneshot
    from tools.codex.factory.render.text import shown

    run, judgement = oneshot.bundle_validate(call.ground(), call.arguments.run_id, teller(call))
    status = decide(judgement.findings)
    for finding in judgement.findings:
        call.screen.say(f"{finding.severity:<6}  {finding.code}  {shown(finding.subject)}")
        call.screen.say(f"        {shown(finding.message)}")
        if finding.hint:
            call.screen.say(f"        -> {shown(finding.hint)}")
    call.screen.say(f"{status}  {run.directory.run}")
    call.screen.document(
        RunAnswer(
            command="bundle-validate",
            status=status,
            exit_code=EXIT_CODE_OF_STATUS[status],
            run_id=run.directory.run,
            base_commit=run.manifest.base_commit,
            workers=worker_rows(judgement, run.plan),
            findings=records(judgement.findings),
        )
    )
    return EXIT_CODE_OF_STATUS[status]


def run_integrate(call: Call) -> int:
    """Judge, merge, prove and report a run."""
    from tools.codex.factory.pipelines import oneshot

    ground = call.ground()
    arguments = call.arguments
    tell = _to_the_end(call)
    status = oneshot.integrate(ground, arguments.run_id, tell, salvaging=arguments.salvage)
    return answer_ended(call, ground, status, ())


def _to_the_end(call: Call) -> "Callable[[Event], None]":
    """Return what tells of a run's events, and lets nobody stop us once its end is recorded.

    Stopped then, the process would end with another exit code than the run has.
    """
    tell = teller(call)

    def tell_to_the_end(event: "Event") -> None:
        if event.event_type == "RUN_END":
            for stop in _STOPS:
                signal.signal(stop, signal.SIG_IGN)
        tell(event)

    return tell_to_the_end


def _request(arguments: argparse.Namespace) -> "Request":
    from tools.codex.factory.pipelines.prepare import Request

    return Request(
        base_ref=arguments.base_ref if arguments.base_ref is not None else "HEAD",
        plan_file=arguments.plan,
        run_id=arguments.run_id,
        workers=names(arguments.workers),
        dry_run=arguments.dry_run,
    )


def _ended(
    call: Call, ground: "Session", ended: "Launched | IntegratorStatus", notes: tuple[str, ...]
) -> int:
    from tools.codex.factory.pipelines.oneshot import Launched

    if isinstance(ended, Launched):
        return answer_launched(call, ended, notes)
    return answer_ended(call, ground, ended, notes)


ONESHOT = CliCommand(
    name="oneshot",
    help="launch, bundle-validate and integrate a plan in one go",
    example="factory oneshot --base-ref HEAD --plan factory.plan.toml",
    add_arguments=_add_launch,
    run=run_oneshot,
)
LAUNCH = CliCommand(
    name="launch",
    help="begin a run and seal a bundle for each worker",
    example="factory launch --plan factory.plan.toml --run-id spring-cleaning",
    add_arguments=_add_launch_alone,
    run=run_launch,
)
COLLECT = CliCommand(
    name="collect",
    help="take in what external workers left in their checkouts, then integrate",
    example="factory collect --run-id spring-cleaning",
    add_arguments=_add_collect,
    run=run_collect,
)
BUNDLE_VALIDATE = CliCommand(
    name="bundle-validate",
    help="judge the sealed bundles of a run",
    example="factory bundle-validate --run-id spring-cleaning",
    add_arguments=add_run_id,
    run=run_bundle_validate,
)
INTEGRATE = CliCommand(
    name="integrate",
    help="judge, merge, prove, check and report a run",
    example="factory integrate --run-id spring-cleaning",
    add_arguments=_add_integrate,
    run=run_integrate,
)
