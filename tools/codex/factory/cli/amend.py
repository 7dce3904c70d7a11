"""amend: the words of the lever after BLOCKED."""

import argparse
from collections.abc import Sequence

from tools.codex.factory.cli.command import Call, CliCommand, add_run_id
from tools.codex.factory.errors import UsageError


def _add_amend(parser: argparse.ArgumentParser) -> None:
    add_run_id(parser)

    def several(flag: str, metavar: str, said: str) -> None:
        parser.add_argument(flag, metavar=metavar, action="append", default=[], help=said)

    several("--allow", "W:PATTERN", "let a worker write these")
    several("--deny", "W:PATTERN", "deny a worker these; `!` in front takes a denial back")
    several("--share", "PATTERN", "let every worker edit these")
    several("--drop", "W", "leave a worker out")
    several("--drop-path", "W:PATH", "leave one path of a worker out")
    several("--accept-secret", "W:PATH", "in this path, as it is, what looks like a secret is none")
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
        accepted_secrets={
            worker: dict.fromkeys(paths, "")
            for worker, paths in _by_worker(said.accept_secret, "--accept-secret").items()
        },
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
