"""JSON Schemas written to a folder that the operator named."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.codex.factory.domain.document import canonical
from tools.codex.factory.errors import UsageError


def export(folder: Path, documents: Mapping[str, dict[str, Any]]) -> None:
    """Write each document under its name; raise UsageError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, document in documents.items():
            (folder / name).write_bytes(canonical(document))
    except OSError as error:
        raise UsageError(
            f"cannot write schemas to {str(folder)!r}: {error.strerror}", hint="name another folder"
        ) from error


def differing(folder: Path, documents: Mapping[str, dict[str, Any]]) -> tuple[str, ...]:
    """Return the name of each document that does not lie in `folder` as `export` writes it."""

    def lies(name: str) -> bool:
        try:
            return (folder / name).read_bytes() == canonical(documents[name])
        except OSError:
            return False

    return tuple(name for name in documents if not lies(name))
