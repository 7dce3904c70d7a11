"""config show, schemas."""

import argparse

from tools.codex.factory.cli.command import Call, CliCommand


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "verb",
        nargs="?",
        choices=("show",),
        default="show",
        help="show every setting with value and layer",
    )


def run_config(call: Call) -> int:
    """Show every setting with its value and the layer it came from."""
    from tools.codex.factory.config import values
    from tools.codex.factory.domain.answer import ConfigAnswer, SettingSaid
    from tools.codex.factory.render.tables import setting_table

    settings = call.ground().settings
    rows = tuple(
        SettingSaid.model_validate({"key": key, "value": value, "layer": settings.provenance[key]})
        for key, value in sorted(values(settings.config).items())
    )
    call.screen.show(setting_table(rows))
    for note in settings.notes:
        call.screen.progress(f"note: {note}")
    call.screen.document(
        ConfigAnswer(
            command="config", status="OK", exit_code=0, settings=rows, notes=settings.notes
        )
    )
    return 0


def _add_schemas(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", nargs="?", choices=("list", "export"), default="list")
    parser.add_argument("folder", nargs="?", metavar="DIR", help="where export writes them")


def run_schemas(call: Call) -> int:
    """List the JSON Schemas, or write them to a folder."""
    from pathlib import Path

    from tools.codex.factory.domain.answer import SchemasAnswer
    from tools.codex.factory.domain.schema import schemas
    from tools.codex.factory.errors import UsageError
    from tools.codex.factory.storage.schema_folder import export

    documents, folder = schemas(), call.arguments.folder
    if (call.arguments.verb == "export") != (folder is not None):
        raise UsageError(
            "`schemas export` takes a folder, `schemas list` none",
            hint="factory schemas export contracts/",
        )
    if folder is not None:
        export(Path(call.arguments.directory) / folder, documents)
    for name in documents:
        call.screen.say(name)
    call.screen.document(
        SchemasAnswer(
            command="schemas", status="OK", exit_code=0, names=tuple(documents), folder=folder
        )
    )
    return 0


CONFIG = CliCommand(
    name="config",
    help="show every setting with its value and layer",
    example="factory config show",
    add_arguments=_add_config,
    run=run_config,
)
SCHEMAS = CliCommand(
    name="schemas",
    help="list the JSON Schemas of every artifact, or export them",
    example="factory schemas export contracts/",
    add_arguments=_add_schemas,
    run=run_schemas,
)
