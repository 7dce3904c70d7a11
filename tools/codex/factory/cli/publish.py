"""publish: a proven tree out of the house, and what to type next."""

import argparse
import shlex

from tools.codex.factory.cli.command import Call, CliCommand, add_run_id


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


PUBLISH = CliCommand(
    name="publish",
    help="one commit of a run's proven tree, on a new branch; nothing else moves",
    example="factory publish --run-id spring-cleaning --branch spring-cleaning",
    add_arguments=_add_publish,
    run=run_publish,
)
