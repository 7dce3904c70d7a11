"""What a ledger line says, whoever read it."""

from collections.abc import Mapping
from typing import Protocol


class Line(Protocol):
    """What a ledger line says, as far as it counts for what a run adds up to."""

    @property
    def run_id(self) -> str:
        """Return whose line it is."""

    @property
    def event_type(self) -> str:
        """Return what happened."""

    @property
    def actor(self) -> str:
        """Return who did it."""

    @property
    def ts_utc(self) -> str:
        """Return when."""

    @property
    def seq(self) -> int:
        """Return how many lines are before it."""

    @property
    def prev(self) -> str:
        """Return the digest of the line before it."""

    @property
    def rc(self) -> int | None:
        """Return the exit code that the command would end with."""

    @property
    def hashes(self) -> Mapping[str, str]:
        """Return digests by name."""

    @property
    def details(self) -> Mapping[str, str]:
        """Return what else is said."""
