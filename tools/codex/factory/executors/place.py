"""Where a command is confined, as this host is."""

import os

from tools.codex.factory.sandbox.place import Place


def place_in(folder: str, *, temporary: str = "") -> Place:
    """Return the place of a command that begins in `folder`; `temporary` is all to itself."""
    return Place(
        machine=os.uname().machine,
        is_root=os.geteuid() == 0,
        folder=folder,
        temporary=temporary,
    )
