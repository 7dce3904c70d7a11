"""schemas/ is what the models say, and both judge every document alike."""

import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from tests.work import Work, edit_line
from tools.codex.factory.domain.answer import Answer
from tools.codex.factory.domain.artifact import (
    Artifact,
    FilesChanged,
    HandoffNote,
    LogIndex,
    ScopeLock,
    Seal,
    WorkerStatus,
)
from tools.codex.factory.domain.document import NotStrictJson, canonical, parse, strict_json
from tools.codex.factory.domain.event import LedgerLine
from tools.codex.factory.domain.evidence import IntegratorStatus, OverlapDocument
from tools.codex.factory.domain.manifest import Manifest
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.domain.schema import MODELS, schemas

FOLDER = Path(__file__).parents[1] / "schemas"
DOCUMENTS: dict[str, type[Artifact]] = {
    "RUN_MANIFEST.json": Manifest,
    "PLAN.json": Plan,
    "A/FILES_CHANGED.json": FilesChanged,
    "A/HANDOFF_NOTE.json": HandoffNote,
    "A/LOGS/INDEX.json": LogIndex,
    "A/SCOPE_LOCK.json": ScopeLock,
    "A/STATUS.json": WorkerStatus,
    "Z_integrator/FILES_CHANGED.json": FilesChanged,
    "Z_integrator/OVERLAP.json": OverlapDocument,
    "Z_integrator/STATUS.json": IntegratorStatus,
    "seals/A.json": Seal,
}


def test_the_committed_schemas_are_what_the_models_say() -> None:
    written = {path.name: path.read_bytes() for path in FOLDER.iterdir()}

    assert written == {name: canonical(document) for name, document in schemas().items()}


@pytest.mark.parametrize("name", sorted(schemas()))
def test_every_schema_is_a_valid_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schemas()[name])


def test_every_document_of_a_run_is_canonical_and_meets_its_schema(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])

    folder = work.run(work.oneshot())

    for name, model in DOCUMENTS.items():
        content = (folder / name).read_bytes()
        jsonschema.validate(json.loads(content), model.model_json_schema())
        assert canonical(parse(model, content)) == content, name
    for line in (work.runs_root / "factory_ledger.jsonl").read_bytes().splitlines():
        jsonschema.validate(json.loads(line), LedgerLine.model_json_schema())


@pytest.mark.parametrize("model", [FilesChanged, HandoffNote, ScopeLock, WorkerStatus, Plan])
def test_an_unknown_key_is_refused_by_schema_and_model(model: type[Artifact]) -> None:
    document = {"schema_version": 1, "surprise": True}

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, model.model_json_schema())
    with pytest.raises(ValidationError):
        parse(model, json.dumps(document).encode())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": [1, -1e999]}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": 1} {"b": 2}',
    ],
    ids=["empty", "cut", "not-utf8", "twice", "nan", "infinity", "huge", "deep", "deeper", "two"],
)
def test_json_that_readers_may_take_differently_is_refused(content: bytes) -> None:
    with pytest.raises(NotStrictJson):
        strict_json(content)


def test_every_answer_has_a_schema_of_its_own() -> None:
    kinds = [Answer]
    for kind in kinds:
        kinds += kind.__subclasses__()

    assert {kind for kind in kinds if kind.__module__.startswith("tools.")} == {
        model for name, model in MODELS.items() if name.startswith("answer")
    }
