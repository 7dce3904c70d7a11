"""What `launch --only` asked of a run: whose sealed bundle gives way to a new attempt."""

from typing import Annotated, Literal

from pydantic import Field

from tools.codex.factory.domain.artifact import Artifact, DigestText, WorkerIdText
from tools.codex.factory.domain.plan import LineText


class SetAside(Artifact):
    """A sealed bundle that becomes an earlier attempt: its number, the sha256 of its seal."""

    attempt: Annotated[int, Field(ge=1)]
    seal: DigestText


class Reopening(Artifact):
    """REOPENED.json: there from the moment a new attempt is wanted until each is sealed.

    It alone decides: before it is written nothing has changed, and whatever is killed after that,
    the next command that runs workers goes on.
    """

    schema_version: Literal[1]
    run_id: str
    reason: LineText | None
    workers: dict[WorkerIdText, SetAside]
