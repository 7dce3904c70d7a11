"""RUN_MANIFEST.json: who a run is."""

from typing import Literal

from tools.codex.factory.domain.artifact import (
    Artifact,
    DigestText,
    ObjectIdText,
    RunIdText,
    WorkerIdText,
)


class Manifest(Artifact):
    """RUN_MANIFEST.json: the identity of a run, written once."""

    schema_version: Literal[1]
    run_id: RunIdText
    kind: Literal["factory"]
    created_at: str
    base_ref: str
    base_commit: ObjectIdText
    base_tree: ObjectIdText
    workers: tuple[WorkerIdText, ...]
    rehearsal: bool
    plan_sha256: DigestText
    config_sha256: DigestText
    versions: dict[str, str]
