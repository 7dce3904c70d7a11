"""A ledger line at a glance: the lines that the model takes, known without building it."""

import json
import re
from collections.abc import Mapping

from tools.codex.factory.domain.event import LedgerLine
from tools.codex.factory.domain.line import Line

_TEXT = rb'"[^"\\\x00-\x1f\x7f-\xff]*+"'
_COUNT = rb"(?:0|[1-9][0-9]{0,17}+)"
_NUMBER = rb"(?:0|-?[1-9][0-9]{0,17}+)"


def _object_of(value: bytes) -> bytes:
    pair = _TEXT + b":" + value
    return rb"\{(?:" + pair + rb"(?:," + pair + rb")*+)?+\}"


_LINE = re.compile(
    rb'\{"actor":(' + _TEXT + rb')'
    rb',"details":(' + _object_of(_TEXT) + rb')'
    rb',"duration_ms":' + _COUNT +
    rb',"event_id":' + _TEXT +
    rb',"event_type":"([A-Z_]*+)"'
    rb',"file_counts":' + _object_of(_NUMBER) +
    rb',"hashes":(' + _object_of(_TEXT) + rb')'
    rb',"parent_event_id":' + _TEXT +
    rb',"prev":"([0-9a-f]{64})"'
    rb',"rc":(null|' + _NUMBER + rb')'
    rb',"run_id":"([A-Za-z0-9._-]*+)"'
    rb',"schema_version":1'
    rb',"seq":(' + _COUNT + rb')'
    rb',"ts_utc":"([0-9TZ:.-]*+)"\}'
)  # fmt: skip
"""Lines as `line_of` writes them, but for those with an escape in a text. All of them are lines."""


class Glance:
    """A line whose parts are taken out of its bytes when they are asked for."""

    __slots__ = ("_parts",)

    def __init__(self, parts: "re.Match[bytes]") -> None:
        self._parts = parts

    @property
    def actor(self) -> str:
        """Return who did it."""
        return self._parts[1][1:-1].decode()

    @property
    def details(self) -> Mapping[str, str]:
        """Return what else is said."""
        said: dict[str, str] = json.loads(self._parts[2])
        return said

    @property
    def event_type(self) -> str:
        """Return what happened."""
        return self._parts[3].decode()

    @property
    def hashes(self) -> Mapping[str, str]:
        """Return digests by name."""
        said: dict[str, str] = json.loads(self._parts[4])
        return said

    @property
    def prev(self) -> str:
        """Return the digest of the line before it."""
        return self._parts[5].decode()

    @property
    def rc(self) -> int | None:
        """Return the exit code that the command would end with."""
        return None if self._parts[6] == b"null" else int(self._parts[6])

    @property
    def run_id(self) -> str:
        """Return whose line it is."""
        return self._parts[7].decode()

    @property
    def seq(self) -> int:
        """Return how many lines are before it."""
        return int(self._parts[8])

    @property
    def ts_utc(self) -> str:
        """Return when."""
        return self._parts[9].decode()


def glanced(raw: bytes) -> Line:
    """Return the ledger line in `raw`; raise ValidationError for what is none."""
    parts = _LINE.fullmatch(raw)
    return Glance(parts) if parts is not None else LedgerLine.model_validate_json(raw)
