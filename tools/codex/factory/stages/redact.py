"""A bundle before it is sealed: no secret in its texts and logs, and what its patch would bring."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import get_args

from pydantic import ValidationError

from tools.codex.factory.domain.artifact import (
    ConfinementRecord,
    Ending,
    FindingRecord,
    HandoffNote,
    LogEntry,
    LogIndex,
    ScopeRequest,
    Status,
    TrespassRecord,
    WorkerStatus,
)
from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.confined import Confined
from tools.codex.factory.domain.confinement import Demand, Tier
from tools.codex.factory.domain.disclosure import Disclosure, disclosure
from tools.codex.factory.domain.document import NotStrictJson, canonical, parse, strict_json
from tools.codex.factory.domain.finding import Code, Finding, Severity, note
from tools.codex.factory.domain.identity import ObjectId, WorkerId, digest_of
from tools.codex.factory.domain.pattern import patterns
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.domain.secret import Secrets
from tools.codex.factory.domain.trespass import Operation
from tools.codex.factory.domain.wording import counted
from tools.codex.factory.repository.objects import Objects
from tools.codex.factory.stages.bundle import Made
from tools.codex.factory.storage.attempt import STRAY
from tools.codex.factory.storage.intake import TakenIn

WITHHELD = "LOGS/withheld.patch"
"""A patch that names a path by a secret: kept as it is, and in no artifact that is shown."""
_INDEX = "LOGS/INDEX.json"
_AS_IT_IS = ("DIFF.patch", WITHHELD, f"LOGS/{STRAY}")
_MODELS = (
    ConfinementRecord,
    Ending,
    FindingRecord,
    HandoffNote,
    LogEntry,
    LogIndex,
    ScopeRequest,
    TrespassRecord,
    WorkerStatus,
)
_ENDINGS = get_args(Ending.model_fields["how"].annotation)
_OWN = frozenset(
    [
        *(name for model in _MODELS for name in model.model_fields),
        *(*_ENDINGS, *get_args(Status)),
        *(*get_args(Operation), *get_args(Tier), *get_args(Demand)),
        *(*Code, *Severity),
    ]
)
"""The words that the factory itself writes into a bundle: in place of one, nothing is read."""
_CUT = re.compile(rb"(\n\[factory: [0-9]+ bytes are left out here\]\n)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sieve:
    """What secrets are looked for with: which they are, where shapes may stand, base content."""

    secrets: Secrets
    plan: Plan
    objects: Objects

    def disclosed(self, worker: WorkerId, changes: Collection[Change]) -> Disclosure:
        """Return the secrets that changes of the base would bring into it."""

        def blobs(ids: Collection[ObjectId]) -> Mapping[ObjectId, bytes]:
            return self.objects.blobs(ids, limit=self.plan.policy.file_bytes)

        accepted = patterns(self.plan.policy.secrets_accept)
        return disclosure(worker, changes, self.secrets, accepted=accepted, blobs=blobs)

    def withheld(
        self, worker: WorkerId, made: Made, more: Collection[Finding] = ()
    ) -> tuple[Made, tuple[Finding, ...]]:
        """Return work as it may be shown, and the secrets that it would bring into the base.

        `more` are findings that follow from its patch; one that would show a secret hides it.
        """
        told = self.disclosed(worker, made.changes)
        if not told.names and not self.shows(*made.findings, *more):
            return made, told.contents
        hidden = replace(
            made,
            patch=b"",
            changes=(),
            tree=None,
            findings=tuple(redacted_finding(one, self.secrets) for one in made.findings),
            logs={**made.logs, WITHHELD: ("patch", False, made.patch)},
        )
        said = (*told.names, *told.contents, *([] if told.names else more))
        return hidden, tuple(redacted_finding(one, self.secrets) for one in said)

    def shows(self, *findings: Finding) -> bool:
        """Return whether a text of a finding holds a secret."""
        return any(redacted_finding(one, self.secrets) != one for one in findings)


def redacted_bundle(
    files: Mapping[str, bytes],
    worker: WorkerId,
    secrets: Secrets,
    *,
    but: Collection[str] = ("FILES_CHANGED.json", "SCOPE_LOCK.json"),
) -> TakenIn:
    """Return the files of a bundle as they may be kept, and a note for each that held a secret.

    Patches stay as they are: they are judged. So do files in `but`, which say what a patch does.
    """
    kept: dict[str, bytes] = {}
    counts: dict[str, int] = {}
    truncated = _truncated(files.get(_INDEX))
    for name, content in files.items():
        if name in _AS_IT_IS or name in but:
            kept[name] = content
        elif not secrets.found(name.encode("utf-8", "surrogateescape")):
            kept[name], counts[name] = _redacted(name, content, secrets, name in truncated)
    if _INDEX in kept:
        kept[_INDEX] = _index(kept[_INDEX], files, kept, counts)
    notes = [redaction_note(worker, name, count) for name, count in counts.items() if count]
    return TakenIn(kept, tuple(notes))


def redacted_log(content: bytes, secrets: Secrets, *, truncated: bool) -> tuple[bytes, int]:
    """Return a log without secrets, also without the halves of one at a cut, and their number."""
    content, count = secrets.redacted(content)
    if not truncated or not secrets.named:
        return content, count
    pieces = _CUT.split(content)
    for at in range(1, len(pieces) - 1, 2):
        pieces[at - 1], pieces[at + 1], more = secrets.severed(pieces[at - 1], pieces[at + 1])
        count += more
    return b"".join(pieces), count


def redacted_confined(confined: Confined | None, secrets: Secrets) -> tuple[Confined | None, int]:
    """Return how a command was confined without secrets in what it tried, and their number.

    It is done before a path is quoted: in quotes a secret may not be found.
    """
    if confined is None:
        return None, 0
    kept, total = [], 0
    for one in confined.trespasses:
        texts = []
        for text in (one.path, one.program):
            content, count = secrets.redacted(text.encode("utf-8", "surrogateescape"))
            texts.append(content.decode("utf-8", "surrogateescape"))
            total += count
        path, program = texts
        # Where a mark itself is a secret, nothing is left of what began with it.
        path = path if path.startswith(("/", "[factory: ")) else f"/{path}"
        kept.append(replace(one, path=path, program=program))
    return replace(confined, trespasses=tuple(kept)), total


def redacted_finding(finding: Finding, secrets: Secrets) -> Finding:
    """Return a finding whose texts hold no secret."""
    return Finding(
        code=finding.code,
        severity=finding.severity,
        subject=secrets.text(finding.subject),
        message=secrets.text(finding.message),
        hint=secrets.text(finding.hint),
    )


def redaction_note(owner: str, name: str, count: int) -> Finding:
    """Return the note that secrets were taken out of a file."""
    message = f"{counted(count, 'secret')} redacted in the copy that the run keeps"
    return note(Code.SECRET_REDACTED, f"{owner}: {name}", message)


def _redacted(name: str, content: bytes, secrets: Secrets, truncated: bool) -> tuple[bytes, int]:
    if not name.endswith(".json") or name.count("/") != (name == _INDEX):
        return redacted_log(content, secrets, truncated=truncated)
    try:
        document, count = secrets.document(strict_json(content), _OWN)
    except (NotStrictJson, RecursionError):
        return secrets.redacted(content)
    if count and isinstance(document, dict):
        return canonical(document), count
    found = [content[one.start : one.end].decode("latin-1") for one in secrets.found(content)]
    if all(any(one in word for word in _OWN) for one in found):
        return content, 0
    return secrets.redacted(content)


def _truncated(content: bytes | None) -> frozenset[str]:
    index = _parsed(content)
    return frozenset(log.path for log in index.logs if log.truncated) if index else frozenset()


def _parsed(content: bytes | None) -> LogIndex | None:
    try:
        return parse(LogIndex, content) if content is not None else None
    except (ValidationError, NotStrictJson, RecursionError):
        return None


def _index(
    content: bytes,
    before: Mapping[str, bytes],
    after: Mapping[str, bytes],
    counts: Mapping[str, int],
) -> bytes:
    """Return INDEX.json as it is true of the redacted logs, where it was true of them before."""
    index = _parsed(content)
    if index is None or not any(counts.get(log.path) for log in index.logs):
        return content
    logs = []
    for log in index.logs:
        was, now = before.get(log.path), after.get(log.path)
        count = counts.get(log.path, 0)
        if was is not None and now is not None and count and log.sha256 == digest_of(was):
            said = {"sha256": digest_of(now), "size": len(now), "redacted": log.redacted + count}
            log = log.model_copy(update=said)
        logs.append(log)
    return canonical(index.model_copy(update={"logs": tuple(logs)}))
