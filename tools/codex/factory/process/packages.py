"""Which packages this program is made with, and whether each can be imported."""

import importlib
import importlib.metadata
import sys

from tools.codex.factory.errors import UnfitHost

PACKAGES = {
    "GitPython": "git",
    "jsonschema": "jsonschema",
    "pathspec": "pathspec",
    "pydantic": "pydantic",
    "rich": "rich",
    "shtab": "shtab",
}
"""Each package, and the name that it is imported by."""


def package_version(name: str) -> str:
    """Return the version of a package, imported; raise UnfitHost where it cannot be."""
    try:
        importlib.import_module(PACKAGES[name])
        return importlib.metadata.version(name)
    except (ImportError, importlib.metadata.PackageNotFoundError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UnfitHost(
            f"package {name} cannot be imported: {reason[0]}",
            hint=f"{sys.executable} -m pip install --force-reinstall {name}",
        ) from error
