"""The whole ledger read once: its chain verified, what runs add up to, the digest of each line."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.codex.factory.domain.event import RunView, replay
from tools.codex.factory.domain.line import Line
from tools.codex.factory.errors import FactoryError
from tools.codex.factory.storage.ledger import Ledger
from tools.codex.factory.wiring import clock

_SHA256_BYTES = 32


@dataclass(frozen=True, slots=True)
class Chain:
    """What a verified ledger holds. The digests are packed: of a million lines they are 32 MB."""

    views: dict[str, RunView]
    digests: bytes

    def __len__(self) -> int:
        """Return how many lines there are."""
        return len(self.digests) // _SHA256_BYTES

    def digest_of_line(self, number: int) -> str | None:
        """Return the digest of a line, counted from 1; None where there are fewer."""
        if not 0 < number <= len(self):
            return None
        return self.digests[(number - 1) * _SHA256_BYTES : number * _SHA256_BYTES].hex()


def chain_of(ledger: Ledger, run: str | None = None) -> Chain:
    """Return what all runs add up to, or one; raise LedgerDamaged for a chain that is broken."""
    digests = bytearray()

    def told() -> Iterator[Line]:
        for line, digest in ledger.chain():
            digests.extend(digest)
            if run is None or line.run_id == run:
                yield line

    views = replay(told())
    return Chain(views, bytes(digests))


class LedgerOnce:
    """The ledger of a runs root, verified whole when it is first asked for, and not again."""

    def __init__(self, root: Path) -> None:
        self.ledger = Ledger(root, clock)
        self._found: Chain | FactoryError | None = None

    def chain(self) -> Chain:
        """Return what it holds; raise LedgerDamaged where its chain is broken."""
        if self._found is None:
            try:
                self._found = chain_of(self.ledger)
            except FactoryError as error:
                self._found = error
        if isinstance(self._found, FactoryError):
            raise self._found
        return self._found

    def is_plain(self) -> bool | None:
        """Return whether it is a plain file; None where there is none."""
        try:
            found = os.lstat(self.ledger.file)
        except FileNotFoundError:
            return None
        return stat.S_ISREG(found.st_mode) and found.st_nlink == 1
