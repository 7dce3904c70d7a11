"""Checks that passed, kept by a key of everything that could change that."""

from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from tools.codex.factory.domain.document import NotStrictJson, canonical, parse_canonical
from tools.codex.factory.domain.evidence import KeptPass
from tools.codex.factory.domain.identity import Digest, RunId
from tools.codex.factory.errors import FactoryError
from tools.codex.factory.storage.run_directory import RunDirectory

FOLDER = RunId(".passes")
_MOST_BYTES = 1 << 20


class Passes:
    """The passes kept in one runs root. Failures are never kept."""

    def __init__(self, runs_root: Path) -> None:
        self._root = runs_root

    def run_of(self, key: Digest) -> str | None:
        """Return the run in which what `key` stands for passed; None where none is known."""
        try:
            content = RunDirectory(self._root, FOLDER).read(f"{key}.json", limit=_MOST_BYTES)
            kept = parse_canonical(KeptPass, content)
        except (FileNotFoundError, FactoryError, ValidationError, NotStrictJson):
            return None
        return kept.run_id if kept.key == key else None

    def forget(self, run: RunId) -> None:
        """Forget what passed in `run`: who asks for it again runs the check."""
        with suppress(OSError):
            names = [path.stem for path in (self._root / FOLDER).glob("*.json")]
            for key in names:
                if self.run_of(Digest(key)) == run:
                    RunDirectory(self._root, FOLDER).remove(f"{key}.json")

    def keep(self, key: Digest, run: RunId, check: str) -> None:
        """Keep that `check` passed in `run`; where that cannot be, it is run again another time."""
        kept = KeptPass(schema_version=1, key=key, run_id=run, check=check)
        with suppress(FactoryError, OSError):
            (self._root / FOLDER).mkdir(exist_ok=True)
            RunDirectory(self._root, FOLDER).write(f"{key}.json", canonical(kept))
