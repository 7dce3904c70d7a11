"""One value has one form as JSON, and what some reader takes otherwise is refused."""

import json
import math
import re

from hypothesis import strategies as st
from pydantic_core import from_json

from tests.properties.depth import holds
from tools.codex.factory.domain.artifact import (
    Artifact,
    Ending,
    FilesChanged,
    FindingRecord,
    HandoffNote,
    PathChange,
    ScopeLock,
    ScopeRequest,
    Seal,
    WorkerStatus,
)
from tools.codex.factory.domain.document import (
    NotStrictJson,
    canonical,
    parse_canonical,
    strict_json,
)
from tools.codex.factory.domain.finding import Code
from tools.codex.factory.domain.path import opens_git, path_from_bytes, quoted

Document = dict[str, object]

tricky: st.SearchStrategy[object] = st.sampled_from(
    (0, 0.0, -0.0, 1, 1.0, True, False, None, "", "1", "null", 1e22, [], {})
)
plain_values = st.one_of(
    tricky,
    tricky,
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
)
names = st.one_of(st.sampled_from(("a", "b", "A", "\u00e9", "")), st.text(max_size=3))
values = st.recursive(
    plain_values,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=6,
)
documents = st.one_of(
    st.dictionaries(names, tricky, min_size=1, max_size=4),
    st.dictionaries(names, values, min_size=1, max_size=4),
)
NUMBERS = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"1e999", b"-1E400", b"-0", b"01", b"1.", b".5",
    b"+1", b"1e5", b"tru", b"null", b"'a'", b'"\\x"', b'"\\u00e9"', b'"\n"', b"0x1", b"1_0",
    b"--1", b"",
)  # fmt: skip
MEMBERS = (b'"a":1,"a":2,', b'"\\u0061":1,', b'"a":1,', b"a:1,", b"1:1,", b",", b'"":{},', b" ")
ANYWHERE = (
    b"\xff", b"\xef\xbb\xbf", b"\0", b"{", b"}", b"[", b"]", b",", b":", b"/**/", b"\xc2\xa0",
    b"\t", b'"', b"\\", b"",
)  # fmt: skip
PLACES = (
    (rb"(?<=: )-?[0-9][0-9.e+-]*", NUMBERS),
    (rb"(?<=\{)", MEMBERS),
    (rb"(?s).", ANYWHERE),
)
"""Where a document is changed, and what may stand there."""

paths = (
    st.binary(min_size=1, max_size=6)
    .filter(lambda raw: not {0, 92, 47}.intersection(raw))
    .filter(lambda raw: raw not in (b".", b".."))
    .filter(lambda raw: not opens_git(raw.decode("utf-8", "surrogateescape")))
    .map(path_from_bytes)
    .map(quoted)
)
odd_texts = st.sampled_from((" ", "a\n", "\u00e9", "e\u0301", "\0"))
texts = st.one_of(odd_texts, st.text(max_size=8))
counts = st.integers(0, (1 << 63) - 1)
oids = st.sampled_from(("0" * 40, "1a2b3c4d" * 5))
digests = st.sampled_from(("0" * 64, "1a2b3c4d" * 8))
modes = st.sampled_from(("100644", "100755", "120000", "160000"))
named = {
    "schema_version": st.just(1),
    "run_id": st.sampled_from(("r", "run-1")),
    "worker_id": st.sampled_from(("A", "A_worker")),
}
findings = st.builds(
    FindingRecord,
    code=st.sampled_from([code.value for code in Code]),
    severity=st.sampled_from(("note", "blocks")),
    subject=texts,
    message=texts,
    hint=texts,
)
changes = st.builds(
    PathChange,
    path=paths,
    change_type=st.sampled_from(("added", "modified", "deleted", "type_changed", "mode_changed")),
    old_mode=st.none() | modes,
    new_mode=st.none() | modes,
    old_id=st.none() | oids,
    new_id=st.none() | oids,
    sha256=st.none() | digests,
    size=st.none() | counts,
    binary=st.booleans(),
    insertions=counts,
    deletions=counts,
    owner=texts,
)
artifacts: st.SearchStrategy[Artifact] = st.one_of(
    st.builds(
        ScopeLock,
        **named,
        allow=st.lists(texts, max_size=3).map(tuple),
        deny=st.lists(texts, max_size=3).map(tuple),
        shared=st.lists(texts, max_size=3).map(tuple),
        plan_entry=digests,
    ),
    st.builds(
        FilesChanged,
        **named,
        changes=st.lists(changes, max_size=2).map(tuple),
        noop=st.booleans(),
        noop_reason=st.none() | texts,
    ),
    st.builds(
        HandoffNote,
        **named,
        summary=texts,
        declared_paths=st.lists(paths, max_size=2).map(tuple),
        scope_requests=st.lists(st.builds(ScopeRequest, path=paths, reason=texts)).map(tuple),
        risks=st.lists(texts, max_size=2).map(tuple),
        follow_ups=st.lists(texts, max_size=2).map(tuple),
        no_change=st.none() | texts,
    ),
    st.builds(
        WorkerStatus,
        **named,
        status=st.sampled_from(("PASS", "BLOCKED")),
        started_at=texts,
        ended_at=texts,
        duration_ms=counts,
        ended=st.just(Ending(how="adopted", exit_code=None, signal=None)),
        attempts=st.integers(1, 9),
        base_commit=oids,
        captured_tree=st.none() | oids,
        findings=st.lists(findings, max_size=2).map(tuple),
        usage=st.dictionaries(texts, st.integers(-(1 << 63), (1 << 63) - 1), max_size=2),
    ),
    st.builds(
        Seal,
        **named,
        artifacts=st.dictionaries(texts, digests, max_size=3),
        findings=st.lists(findings, max_size=2).map(tuple),
    ),
)


@holds(150, document=documents)
def test_a_document_that_was_read_is_written_as_it_was(document: Document) -> None:
    content = canonical(document)

    read = strict_json(content)

    assert isinstance(read, dict)
    assert (canonical(read), _told(read)) == (content, _told(document))


@holds(150, one=documents, other=documents, data=st.data())
def test_equal_documents_and_no_others_have_equal_bytes(
    one: Document, other: Document, data: st.DataObject
) -> None:
    names = data.draw(st.permutations(sorted(one)))
    again = {name: one[name] for name in names}
    near = again if data.draw(st.booleans()) else {**again, **other}

    are_equal = _told(one) == _told(near)

    assert (canonical(one) == canonical(near)) is are_equal


@holds(100, artifact=artifacts)
def test_an_artifact_that_was_read_is_the_one_that_was_written(artifact: Artifact) -> None:
    content = canonical(artifact)

    read = parse_canonical(type(artifact), content)

    assert (read, canonical(read)) == (artifact, content)


@holds(150, document=documents, data=st.data())
def test_what_is_read_is_what_another_reader_reads(document: Document, data: st.DataObject) -> None:
    content = canonical({**document, "a": 0})
    for _ in range(data.draw(st.integers(1, 2))):
        where, tokens = data.draw(st.sampled_from(PLACES))
        spans = [match.span() for match in re.finditer(where, content)]
        at, end = data.draw(st.sampled_from(spans or [(0, 0)]))
        content = content[:at] + data.draw(st.sampled_from(tokens)) + content[end:]

    assert _read(content) == _read_by_another(content)


def _read(content: bytes) -> object:
    try:
        found = strict_json(content)
        # Half a character is let through here, and refused by every model.
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except (NotStrictJson, UnicodeEncodeError):
        return "refused"
    return _told(found)


def _read_by_another(content: bytes) -> object:
    """Return what a reader that follows the standard makes of bytes, but for keys given twice."""
    try:
        found = from_json(content, allow_inf_nan=False)
        pairs = json.loads(content.decode("utf-8"), object_pairs_hook=tuple)
    except ValueError:
        return "refused"
    return "refused" if _has_twice(pairs) or not _is_finite(found) else _told(_named(pairs))


def _has_twice(value: object) -> bool:
    """Return whether a key stands twice; objects are tuples of pairs here."""
    if isinstance(value, tuple):
        names = [name for name, _ in value]
        return len(set(names)) < len(names) or any(_has_twice(inner) for _, inner in value)
    return isinstance(value, list) and any(map(_has_twice, value))


def _named(value: object) -> object:
    """Return a value whose objects are tuples of pairs as one whose objects are dicts."""
    if isinstance(value, tuple):
        return {name: _named(inner) for name, inner in value}
    return [_named(inner) for inner in value] if isinstance(value, list) else value


def _is_finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return not isinstance(value, list) or all(map(_is_finite, value))


def _told(value: object) -> object:
    """Return a value so that 1, 1.0 and True are three, and 0.0 is not -0.0."""
    if isinstance(value, dict):
        return "object", {name: _told(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return "array", [_told(inner) for inner in value]
    return type(value).__name__, repr(value)
