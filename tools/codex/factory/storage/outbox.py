"""The texts that a worker leaves for people, taken in from its outbox."""

import os
from pathlib import Path

from pydantic import ValidationError

from tools.codex.factory.domain.artifact import HandoffNote
from tools.codex.factory.domain.document import NotStrictJson, canonical, strict_json
from tools.codex.factory.domain.finding import Code, Finding, blocking, note
from tools.codex.factory.domain.identity import RunId, WorkerId
from tools.codex.factory.storage.intake import MAX_FILES, TakenIn
from tools.codex.factory.storage.regular import NotARegularFile, TooLarge, read_regular

TEXTS = ("SUMMARY.md", "SUGGESTIONS.md", "HANDOFF_NOTE.json")
MOST_BYTES = 1 << 20


def take_in_outbox(folder: Path, run: RunId, worker: WorkerId) -> TakenIn:
    """Return the texts that a worker left for people; a finding for each that is no plain file.

    What a handoff note leaves out is filled in. One that is no note stays as it is, to be judged.
    """
    try:
        parent = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        message = "the outbox is gone, or no folder any more; nothing is taken out of it"
        return TakenIn({}, (blocking(Code.WORKER_OUTBOX, f"{worker}: outbox", message),))
    try:
        return _taken_in(parent, run, worker)
    finally:
        os.close(parent)


def _taken_in(parent: int, run: RunId, worker: WorkerId) -> TakenIn:
    files: dict[str, bytes] = {}
    findings: list[Finding] = []
    for name in TEXTS:
        try:
            files[name] = read_regular(name, limit=MOST_BYTES, parent=parent)
        except FileNotFoundError:
            continue
        except (NotARegularFile, TooLarge) as error:
            reason = str(error).rpartition(": ")[2]
            hint = "leave plain files in the outbox, each of at most 1 MiB"
            findings.append(blocking(Code.WORKER_OUTBOX, f"{worker}: {name}", reason, hint))
    if "HANDOFF_NOTE.json" in files:
        files["HANDOFF_NOTE.json"] = _filled_in(files["HANDOFF_NOTE.json"], run, worker)
    others = _others(parent)
    if others:
        message = f"{others} other things lie in the outbox; they are in no bundle"
        findings.append(note(Code.WORKER_OUTBOX, f"{worker}: outbox", message))
    return TakenIn(files, tuple(findings))


def _filled_in(content: bytes, run: RunId, worker: WorkerId) -> bytes:
    known: dict[str, object] = {
        "schema_version": 1,
        "run_id": run,
        "worker_id": worker,
        "summary": "",
        "declared_paths": [],
        "scope_requests": [],
        "risks": [],
        "follow_ups": [],
        "no_change": None,
    }
    try:
        said = strict_json(content)
        if isinstance(said, dict):
            note_said = HandoffNote.model_validate_json(canonical({**known, **said}))
            return canonical(note_said)
    except (NotStrictJson, ValidationError, RecursionError, TypeError, ValueError):
        pass
    return content


def _others(folder: int) -> str:
    """Return how many things beside the texts lie in an outbox, counted to a cap; "" for none."""
    count = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                count += entry.name not in TEXTS
                if count > MAX_FILES:
                    return f"more than {MAX_FILES}"
    except OSError:
        return ""
    return str(count) if count else ""
