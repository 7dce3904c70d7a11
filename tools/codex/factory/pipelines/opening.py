"""A run or its report, opened before the operator's eyes by the platform's own opener."""

import sys
from pathlib import Path

from tools.codex.factory.domain.identity import RunId
from tools.codex.factory.host import Host
from tools.codex.factory.pipelines.record import (
    recorded_run,
    report_file,
    report_text,
    run_meant,
)
from tools.codex.factory.pipelines.session import Session
from tools.codex.factory.process.opener import WhyNot, open_with, opener


def report_to_open(ground: Session, name: str | None) -> tuple[RunId, Path]:
    """Return a run and its report; raise RunUnavailable where there is none yet."""
    directory = recorded_run(ground, name).directory
    # Read here, where a link is refused: the opener would follow it.
    report_text(directory)
    return directory.run, report_file(ground, directory.run)


def run_to_open(ground: Session, name: str | None) -> tuple[RunId, Path]:
    """Return a run and its folder, whatever state it is in; raise RunUnavailable for none."""
    run = run_meant(ground, name)
    return run, ground.runs_root / run


def shown_to_operator(host: Host, path: Path) -> str:
    """Open `path`; return why it was not opened, or nothing. Raises OpenerFailed."""
    found = opener(sys.platform, host.variables)
    if isinstance(found, WhyNot):
        return found.reason
    open_with(found, path, env=host.variables)
    return ""
