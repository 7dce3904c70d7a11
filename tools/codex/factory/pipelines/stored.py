"""The runs root and the work root as rows: can they be written, what is in them, what is left."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools.codex.factory.domain.fitness import Group, Row, noted, ok, unfit
from tools.codex.factory.domain.wording import sized
from tools.codex.factory.errors import FactoryError
from tools.codex.factory.pipelines.chain import LedgerOnce
from tools.codex.factory.pipelines.standing import Standing
from tools.codex.factory.stages.preflight import refused
from tools.codex.factory.storage.room import (
    SPARE_BYTES,
    SPARE_FILES,
    complaint_of_writing,
    manners_of,
    may_write,
    nearest,
    room_at,
)
from tools.codex.factory.storage.runs_root import IGNORE, foreign_in

_FEW_BYTES = 1 << 30
_FEW_FILES = 10_000


def runs_rows(standing: Standing, once: LedgerOnce | None) -> tuple[Row, ...]:
    """Return rows about the runs root and its ledger."""
    root = standing.runs_root
    if root is None:
        return (noted("runs root", "runs root", "not asked: there is no repository to keep it in"),)
    if isinstance(root, FactoryError):
        return (refused("runs root", "runs root", root),)
    row = _runs_root_row(root)
    if not row.is_fit:
        return (row,)
    rest = ledger_rows(once) if once is not None and root.is_dir() else ()
    return (row, *_room_rows("runs root", nearest(root)), *rest)


def work_rows(standing: Standing) -> tuple[Row, ...]:
    """Return rows about the work root."""
    root = standing.work_root
    if isinstance(root, FactoryError):
        return (refused("work root", "work root", root),)
    row = _written_row("work root", root, nearest(root))
    if not row.is_fit:
        return (row,)
    here = nearest(root)
    return (row, *_room_rows("work root", here), *_manners_rows(here), temporary_row(standing))


def temporary_folder(standing: Standing) -> Path:
    """Return where this host's throw-away files go, as the operator's environment says."""
    named = standing.host.variables.get("TMPDIR", "")
    return Path(named if os.path.isabs(named) else tempfile.gettempdir())


def temporary_row(standing: Standing) -> Row:
    """Return whether throw-away files can be written."""
    top = temporary_folder(standing)
    complaint = complaint_of_writing(top)
    if complaint:
        said = f"cannot be written: {complaint}"
        return unfit("work root", f"TMPDIR {top}", said, "set TMPDIR to a folder that can")
    return ok("work root", f"TMPDIR {top}", "written, synced and locked a file")


def ledger_rows(once: LedgerOnce) -> tuple[Row, ...]:
    """Return rows about the ledger: its chain verified whole."""
    is_plain = once.is_plain()
    if is_plain is None:
        return (ok("runs root", "ledger", "none yet"),)
    if not is_plain:
        return (unfit("runs root", "ledger", "it is no plain file", "put the ledger back there"),)
    try:
        chain = once.chain()
        torn = once.ledger.torn_bytes()
    except FactoryError as error:
        return (refused("runs root", "ledger", error),)
    said = f"{len(chain)} events of {len(chain.views)} runs, the chain verified"
    rows = [ok("runs root", "ledger", said)]
    if torn:
        said = f"the last line was begun and not ended ({torn} bytes); the next event repairs it"
        rows.append(noted("runs root", "torn line", said, "factory doctor --fix"))
    return tuple(rows)


def _runs_root_row(root: Path) -> Row:
    here = nearest(root)
    foreign = foreign_in(root) if root.is_dir() else ""
    if foreign:
        said = f"it holds {foreign!r}, which is no run"
        hint = "name a folder of its own, like tools/codex/runs"
        return unfit("runs root", str(root), said, hint)
    if (root / IGNORE).is_file():
        return _written_row("runs root", root, here)
    # It is the user's own folder still, which is not written: its times would change.
    if not may_write(here) or room_at(here).is_read_only:
        return _unwritable("runs root", root, f"{str(here)!r} cannot be written")
    return ok("runs root", str(root), "not there yet; the first run makes it")


def _written_row(group: Group, root: Path, here: Path) -> Row:
    complaint = complaint_of_writing(here) if here.is_dir() else "it is no folder"
    if complaint:
        return _unwritable(group, root, f"{str(here)!r} cannot be written: {complaint}")
    if here != root:
        return ok(group, str(root), "not there yet; the first run makes it")
    return ok(group, str(root), "written, synced and locked a file")


def _unwritable(group: Group, root: Path, said: str) -> Row:
    key = group.replace(" ", ".")
    variable = f"FACTORY_{key.upper().replace('.', '__')}"
    return unfit(group, str(root), said, f"mend its permissions, or set {key} ({variable})")


def _room_rows(group: Group, here: Path) -> tuple[Row, ...]:
    room = room_at(here)
    said = f"{sized(room.free_bytes)} free"
    said += f", {room.files:,} files" if room.files is not None else ""
    is_spent = room.files is not None and room.files < SPARE_FILES
    if room.free_bytes < SPARE_BYTES or is_spent:
        hint = f"free some, or set {group.replace(' ', '.')} to a larger disk"
        return (unfit(group, "room", said, hint),)
    is_little = room.free_bytes < _FEW_BYTES or (room.files is not None and room.files < _FEW_FILES)
    if is_little:
        return (noted(group, "room", f"{said}: that is little", "free some before a large run"),)
    return (ok(group, "room", said),)


def _manners_rows(here: Path) -> Iterator[Row]:
    try:
        manners, room = manners_of(here), room_at(here)
    except OSError as error:
        said = f"it cannot be tried: {error.strerror}"
        yield unfit("work root", "file system", said, "set work.root to another disk")
        return
    lacks = {
        "it folds letter case: of names that differ in it alone only one is checked out": (
            manners.folds_case
        ),
        "it has no symbolic links": not manners.keeps_links,
        "it does not keep the executable bit": not manners.keeps_modes,
        "it starts no programs (noexec)": not room.runs_programs,
    }
    for said in (said for said, is_so in lacks.items() if is_so):
        yield noted("work root", "file system", said, "set work.root to another disk")
    if not any(lacks.values()):
        yield ok("work root", "file system", "keeps letter case, links and modes; starts programs")
