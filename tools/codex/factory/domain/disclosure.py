"""Which secrets a bundle would bring into the repository, and what the operator does about it."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.finding import MOST_ALIKE, Code, Finding, blocking
from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.domain.lever import accepting, dropping
from tools.codex.factory.domain.path import path_bytes, quoted
from tools.codex.factory.domain.pattern import Patterns
from tools.codex.factory.domain.secret import Found, Secrets
from tools.codex.factory.domain.wording import few

_LOOKS = "what looks like"


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What speaks against the content of a bundle's files, and against their names.

    A name cannot be redacted where it is judged: a bundle with `names` is kept, and not shown.
    """

    contents: tuple[Finding, ...] = ()
    names: tuple[Finding, ...] = ()


def disclosure(
    worker: str,
    changes: Iterable[Change],
    secrets: Secrets,
    *,
    accepted: Patterns,
    blobs: Callable[[Collection[ObjectId]], Mapping[ObjectId, bytes]],
) -> Disclosure:
    """Return a finding for each secret that the base does not hold already where it stands.

    `blobs` reads content of the base; what a bundle takes away elsewhere, it may bring back: a
    file that is moved brings nothing. In paths that `accepted` matches a shape is no secret.
    """
    changes = tuple(changes)
    here = [(change, _found(change, secrets, accepted)) for change in changes]
    gone = [change for change in changes if change.new is None]
    suspects = [(change, found) for change, found in here if found]
    old = _old_contents([change for change, _ in suspects] + gone, blobs) if suspects else {}
    away: set[bytes] = set()
    for change in gone:
        away |= _texts(old.get(change.path, b""), secrets)
    contents = []
    for change, found in suspects:
        here_before = _texts(old.get(change.path, b""), secrets)
        contents += _of_content(worker, change, found, (here_before, away))
    names = [
        finding
        for change in changes
        for finding in _of_name(worker, change, gone, secrets, accepted)
    ]
    return Disclosure(_few(worker, contents), _few(worker, names))


def undecided(
    findings: Iterable[Finding],
    worker: str,
    *,
    dropped: Collection[str],
    accepted: Collection[str],
) -> list[Finding]:
    """Return the findings but for secrets in paths that the operator left out, or accepted.

    What is accepted are shapes: a named value is one, wherever it stands.
    """
    kept = []
    for finding in findings:
        # What counts the rest of many is about the worker, and decided by no path.
        path = finding.subject.partition(f"{worker}: ")[2]
        is_decided = path in dropped or (path in accepted and f" {_LOOKS} " in finding.message)
        if finding.code is not Code.SECRET_IN_PATCH or not is_decided:
            kept.append(finding)
    return kept


def _few(worker: str, found: list[Finding]) -> tuple[Finding, ...]:
    """Return the first of many findings, and one for the rest, which no single path decides."""
    if len(found) <= MOST_ALIKE:
        return tuple(found)
    rest = blocking(
        Code.SECRET_IN_PATCH,
        worker,
        f"{len(found) - MOST_ALIKE:,} more like those that are named; they cannot be accepted or "
        "left out path by path",
        "take them out, and revoke them; for made-up values name the paths in secrets.accept, for "
        f"a new run; {dropping(worker)} leaves the worker out",
    )
    return (*found[:MOST_ALIKE], rest)


def _texts(content: bytes, secrets: Secrets) -> set[bytes]:
    return {content[one.start : one.end] for one in secrets.found(content)}


def _found(change: Change, secrets: Secrets, accepted: Patterns) -> list[Found]:
    if change.content is None:
        return []
    found = secrets.found(change.content)
    is_accepted = any(not one.is_named for one in found) and accepted.match(change.path)
    return [one for one in found if one.is_named or not is_accepted]


def _old_contents(
    changes: Iterable[Change], blobs: Callable[[Collection[ObjectId]], Mapping[ObjectId, bytes]]
) -> dict[str, bytes]:
    ids = {change.path: change.old.id for change in changes if change.old is not None}
    known = blobs(set(ids.values()))
    return {path: known[oid] for path, oid in ids.items() if oid in known}


def _of_content(
    worker: str, change: Change, found: Iterable[Found], known: Collection[set[bytes]]
) -> list[Finding]:
    content = change.content or b""
    lines_of: dict[tuple[str, bool], list[str]] = {}
    at = line = 0
    for one in found:
        line, at = line + content.count(b"\n", at, one.start), one.start
        if not any(content[one.start : one.end] in texts for texts in known):
            lines_of.setdefault((one.name, one.is_named), []).append(str(line + 1))
    is_text = b"\0" not in content
    return [
        _finding(worker, change.path, _where(lines) if is_text else "it holds", name, named)
        for (name, named), lines in lines_of.items()
    ]


def _where(lines: list[str]) -> str:
    lines = list(dict.fromkeys(lines))
    return f"line {lines[0]} holds" if len(lines) == 1 else f"lines {few(lines)} hold"


def _finding(worker: str, path: str, where: str, name: str, is_named: bool) -> Finding:
    left_out = f"{dropping(worker, path)} leaves the path out"
    subject = f"{worker}: {quoted(path)}"
    if is_named:
        hint = f"take it out, and revoke it; {left_out}"
        return blocking(Code.SECRET_IN_PATCH, subject, f"{where} the value of {name}", hint)
    hint = (
        f"take it out, and revoke it; {left_out}; for a made-up value {accepting(worker, path)}, "
        "or name the path in secrets.accept"
    )
    return blocking(Code.SECRET_IN_PATCH, subject, f"{where} {_LOOKS} {name}", hint)


def _of_name(
    worker: str, change: Change, gone: Collection[Change], secrets: Secrets, accepted: Patterns
) -> list[Finding]:
    """Return what speaks against the name of a new path; the subject has it redacted."""
    if change.old is not None or change.new is None:
        return []
    name = path_bytes(change.path)
    return [
        blocking(
            Code.SECRET_IN_PATCH,
            f"{worker}: {quoted(secrets.text(change.path))}",
            f"its name holds {'the value of' if one.is_named else _LOOKS} {one.name}; the patch "
            "is kept in LOGS, and no more of it is shown",
            f"rename it, and revoke the secret; {dropping(worker)} leaves the worker out",
        )
        for one in secrets.found(name)
        if one.is_named or not accepted.match(change.path)
        if not any(name[one.start : one.end] in path_bytes(other.path) for other in gone)
    ]
