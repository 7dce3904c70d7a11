"""What each check of the plan says of a tree: passed, failed, flaky, or known already."""

import os
import shutil
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from tools.codex.factory.domain.artifact import Ending, LogEntry, LogIndex
from tools.codex.factory.domain.document import NotStrictJson, canonical, parse
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.domain.evidence import CheckRow
from tools.codex.factory.domain.identity import INTEGRATOR, Digest, digest_of
from tools.codex.factory.domain.plan import Check
from tools.codex.factory.errors import StorageError
from tools.codex.factory.stages.trial import (
    STREAMS,
    Checking,
    Ran,
    Stream,
    Tree,
    ran,
    step_name,
)
from tools.codex.factory.storage.run_directory import worker_artifact

_NO_TIME = Ran(None, "there was no time for it")
_TAIL_LINES = 20
_TAIL_CHARACTERS = 200


def checked(
    about: Checking,
    tree: Tree,
    *,
    on: Literal["merged", "base"],
    logs: list[LogEntry] | None,
    until: datetime | None = None,
) -> tuple[CheckRow, ...]:
    """Return what each check of the plan says of `tree`.

    Where `logs` is a list, what they said goes to the integrator's LOGS, and is added to it.

    One that fails is run again, to tell a failure from a flake. What has not ended by `until` was
    not run.
    """
    kept = {check.name: _kept(about, check, tree) for check in about.plan.checks}
    wanted = tuple(check for check in about.plan.checks if kept[check.name] is None)
    first = ran(about, [(tree, check) for check in wanted], until=until)
    rows = []
    for check in about.plan.checks:
        reused = kept[check.name]
        if reused is not None:
            rows.append(_row(check, on, "passed", None, runs=0, reused=reused))
            _keep_own_logs(about, check, reused, logs)
            continue
        runs = [first.get((tree.label, check.name), _NO_TIME)]
        _keep_logs(about, check, runs, logs)
        while not runs[-1].passed and runs[-1].step and len(runs) <= max(1, check.retries):
            label = f"{tree.label}-again-{len(runs)}"
            again = Tree(label, f"{tree.shown} again", tree.commit, tree.tree)
            found = ran(about, [(again, check)], until=until)
            runs.append(found.get((label, check.name), _NO_TIME))
            _keep_logs(about, check, runs, logs)
        rows.append(_judged(about, check, on, runs))
    keys = [_key(about, check, tree) for check in about.plan.checks]
    # Asked before anything of now is recorded.
    rows = [_with_flakes(about, row, key) for row, key in zip(rows, keys, strict=True)]
    for row, key in zip(rows, keys, strict=True):
        about.record(_row_event(about, row, key))
        if row.result == "passed" and row.reused is None and not row.flakes:
            about.passes.keep(key, about.run.run, row.name)
    return tuple(rows)


def _with_flakes(about: Checking, row: CheckRow, key: Digest) -> CheckRow:
    return row.model_copy(update={"flakes": about.flaked(key)})


def _judged(
    about: Checking, check: Check, on: Literal["merged", "base"], runs: Sequence[Ran]
) -> CheckRow:
    if runs[0].step is None:
        return _row(check, on, "not_run", runs[0], runs=0)
    if len(runs) == 1:
        return _row(check, on, "passed", runs[0], runs=1)
    if runs[-1].step is None:
        # It failed, and was kept from failing, or passing, again.
        return _row(check, on, "failed", runs[0], runs=len(runs) - 1)
    return _row(check, on, "flaky" if runs[-1].passed else "failed", runs[0], runs=len(runs))


def _row(
    check: Check,
    on: Literal["merged", "base"],
    result: Literal["passed", "failed", "flaky", "not_run"],
    run: Ran | None,
    *,
    runs: int,
    reused: str | None = None,
) -> CheckRow:
    step = run.step if run is not None else None
    ended = None
    if step is not None:
        ended = Ending.model_validate(
            {"how": step.how, "exit_code": step.exit_code, "signal": step.signal}
        )
    return CheckRow(
        name=check.name,
        required=check.required,
        on=on,
        result=result,
        ended=ended,
        reason=run.reason if run is not None else "",
        runs=runs,
        duration_ms=step.milliseconds if step is not None else 0,
        reused=reused,
        flakes=0,
        tail=_tail(run) if run is not None and not run.passed else (),
    )


def _tail(run: Ran) -> tuple[str, ...]:
    lines = [
        line[:_TAIL_CHARACTERS]
        for stream in STREAMS
        if stream in run.said
        for line in run.said[stream].content.decode("utf-8", "replace").splitlines()
    ]
    return tuple(lines[-_TAIL_LINES:])


def _keep_logs(
    about: Checking, check: Check, runs: Sequence[Ran], logs: list[LogEntry] | None
) -> None:
    """Write what the last of `runs` said into the integrator's LOGS."""
    if logs is None:
        return
    again = "" if len(runs) == 1 else f".run-{len(runs)}"
    for stream, said in runs[-1].said.items():
        if not said.content:
            continue
        name = f"LOGS/{step_name(about, check)}{again}.{stream}.log"
        about.run.write(worker_artifact(INTEGRATOR, name), said.content)
        logs.append(
            LogEntry(
                path=name,
                sha256=digest_of(said.content),
                size=len(said.content),
                role=f"check {check.name} {stream}",
                truncated=said.truncated,
                redacted=said.redacted,
            )
        )


def _keep_own_logs(about: Checking, check: Check, reused: str, logs: list[LogEntry] | None) -> None:
    """Keep what a check said in this very run, where an earlier integration of it passed."""
    said = {}
    known = _own_index(about) if reused == about.run.run else {}
    for stream in STREAMS:
        name = f"LOGS/{step_name(about, check)}.{stream}.log"
        where = worker_artifact(INTEGRATOR, name)
        if reused == about.run.run and about.run.has(where):
            content, entry = about.run.read(where), known.get(name)
            is_cut = entry.truncated if entry else len(content) > about.work.log_bytes
            said[stream] = Stream(content, is_cut, entry.redacted if entry else 0)
    _keep_logs(about, check, [Ran(None, "", said)], logs)


def _own_index(about: Checking) -> dict[str, LogEntry]:
    """Return what an earlier integration of this run said of its logs; nothing where it cannot."""
    try:
        content = about.run.read(worker_artifact(INTEGRATOR, "LOGS/INDEX.json"))
        return {log.path: log for log in parse(LogIndex, content).logs}
    except (FileNotFoundError, StorageError, ValidationError, NotStrictJson):
        return {}


def _kept(about: Checking, check: Check, tree: Tree) -> str | None:
    if about.settings.always_run:
        return None
    key = _key(about, check, tree)
    run = about.passes.run_of(key)
    return run if run is not None and about.witnessed(run, key) else None


def _key(about: Checking, check: Check, tree: Tree) -> Digest:
    """Return the digest of everything that can change what a check says of a tree."""
    commands = [*about.plan.integration.setup, check.command]
    path = about.environment.get("PATH", "")
    programs = [_program(argv[0], path) for argv in commands]
    return digest_of(
        canonical(
            {
                "tree": tree.tree,
                "commands": [list(argv) for argv in commands],
                "environment": dict(about.environment),
                "programs": programs,
                "made_with": dict(about.made_with),
            }
        )
    )


def _program(name: str, path: str) -> list[str | int]:
    """Return which file a program is: one that was replaced may say something else."""
    found = shutil.which(name, path=path) if "/" not in name or os.path.isabs(name) else None
    if found is None:
        # It lies in the tree, or setup makes it; or it is not there, and then nothing passes.
        return [name]
    real = os.path.realpath(found)
    state = os.stat(real)
    return [real, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns]


def _row_event(about: Checking, row: CheckRow, key: Digest) -> Event:
    return Event(
        run_id=about.run.run,
        event_type=EventType.CHECKED,
        hashes={"key": key},
        actor="factory",
        rc=row.ended.exit_code if row.ended is not None else None,
        duration_ms=row.duration_ms,
        details={"check": row.name, "result": row.result, "reused": row.reused or ""},
    )
