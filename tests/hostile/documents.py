"""Bundles whose JSON is hostile, or whose documents lie: about themselves, the work, each other."""

from collections.abc import Callable

from tests.hostile.ground import LOG, BundleCase, Document, Folder, changed, own
from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.identity import digest_of

FILES, NOTE, INDEX = "FILES_CHANGED.json", "HANDOFF_NOTE.json", "LOGS/INDEX.json"
LOCK, STATUS = "SCOPE_LOCK.json", "STATUS.json"
SCHEMA, IDENTITY = "bundle.schema", "bundle.identity"
DIFFERS, CONTRADICTS = "bundle.diff_disagrees", "bundle.handoff_contradicts"
LOGS, BADLY = "bundle.log_disagrees", "worker.ended_badly"
Change = Callable[[Document], object]


def _raw(name: str, why: str, artifact: str, content: bytes) -> BundleCase:
    return BundleCase("json", name, why, lambda f: f.write(artifact, content), (SCHEMA,))


def _text(name: str, why: str, artifact: str, old: bytes, new: bytes) -> BundleCase:
    return BundleCase("json", name, why, lambda f: f.text(artifact, old, new), (SCHEMA,))


def _recoded(name: str, why: str, recode: Callable[[bytes], bytes]) -> BundleCase:
    return BundleCase(
        "json", name, why, lambda f: f.write(STATUS, recode(f.read(STATUS))), (SCHEMA,)
    )


def _said(
    family: str, name: str, why: str, artifact: str, change: Change, *codes: str
) -> BundleCase:
    return BundleCase(family, name, why, lambda f: f.document(artifact, change), codes)


def _row(number: int = 0, **fields: object) -> Change:
    return lambda document: document["changes"][number].update(fields)


def _log(**fields: object) -> Change:
    return lambda document: document["logs"][0].update(fields)


def _ended(how: str, exit_code: int | None, signal: int | None) -> Change:
    return changed(ended={"how": how, "exit_code": exit_code, "signal": signal})


def _many(count: int) -> bytes:
    return b"{" + b",".join(b'"k%d":0' % n for n in range(count)) + b',"k7":1}'


def _flood(document: str, key: str, item: bytes, count: int) -> bytes:
    return b'{"%s":[' % key.encode() + b",".join([item] * count) + b"]}"


def _finding(severity: str = "blocks") -> Document:
    return {
        "code": "capture.too_large", "severity": severity, "subject": "x", "message": "m",
        "hint": "",
    }  # fmt: skip


DURATION, VERSION = b'"duration_ms": 0', b'"schema_version": 1'
USAGE = b'"usage": {}'

JSON = (
    # Bombs
    _raw("ten megabytes of brackets", "a reader that recurses runs out of stack", STATUS,
         b"[" * 10_000_000),
    _raw("deep arrays", "closed again, so that only the depth is wrong", NOTE,
         b"[" * 100_000 + b"]" * 100_000),
    _raw("deep objects", "an object recurses as an array does", FILES,
         b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    _text("deep below a good key", "deeper than one parser goes, not as deep as the other", STATUS,
          USAGE, b'"usage": {"a":' + b"[" * 700 + b"]" * 700 + b"}"),
    _raw("a flood of wrong rows", "each row has many errors, and some reader keeps them all", INDEX,
         _flood("LOGS", "logs", b"{}", 60_000)),
    _text("a flood of bad paths", "each is refused by code of ours, slower than the parser", NOTE,
          b'"declared_paths": []', b'"declared_paths": [' + b'"",' * 60_000 + b'""]'),
    _raw("a flood of nothing", "three bytes of text are eighty bytes of memory", STATUS,
         b"[" + b"{}," * 6_000_000 + b"{}]"),
    _raw("many keys, one twice", "who counts each name anew never ends", STATUS, _many(400_000)),
    _text("many unknown keys", "the message would name them all", LOCK, b'"allow"',
          b",".join(b'"k%d":0' % n for n in range(100_000)) + b',"allow"'),
    _text("a key of five megabytes", "the message would quote it", STATUS, USAGE,
          b'"usage": {"' + b"k" * 5_000_000 + b'": "x"}'),
    _text("a key of five megabytes, twice", "the message would quote it", STATUS, USAGE,
          b'"usage": {"%s": 1, "%s": 1}' % ((b"k" * 5_000_000,) * 2)),
    _text("a string of five megabytes", "the message would quote it", STATUS,
          b'"status": "PASS"', b'"status": "' + b"P" * 5_000_000 + b'"'),
    _text("a number of 5000 digits", "Python refuses to read it, with an error of its own", STATUS,
          DURATION, b'"duration_ms": ' + b"9" * 5000),
    _text("a number of 4000 digits", "Python reads it, and refuses to write twice as much", STATUS,
          DURATION, b'"duration_ms": ' + b"9" * 4000),
    _text("a use of 4000 digits", "a sum of it cannot be written", STATUS, USAGE,
          b'"usage": {"tokens": ' + b"9" * 4000 + b"}"),
    _text("an endless number", "a double makes infinity of it", STATUS, DURATION,
          b'"duration_ms": 1e999'),
    # Twice, and what is no JSON
    _text("a key twice", "the first reader takes the one, the second the other", STATUS,
          b'"status": "PASS"', b'"status": "FAIL", "status": "PASS"'),
    _text("a key twice with the same value", "no two readers differ, but the text is not strict",
          STATUS, b'"status": "PASS"', b'"status": "PASS", "status": "PASS"'),
    _text("a key twice, once escaped", "the same name in two spellings", STATUS,
          b'"status": "PASS"', b'"st\\u0061tus": "FAIL", "status": "PASS"'),
    _text("a key twice, further in", "duplicates below the top", STATUS,
          b'"signal": null', b'"signal": 9, "signal": null'),
    _text("not a number", "NaN is not JSON, though Python writes it", STATUS, DURATION,
          b'"duration_ms": NaN'),
    _text("infinity", "not JSON, though Python writes it", STATUS, DURATION,
          b'"duration_ms": Infinity'),
    _text("minus infinity", "not JSON, though Python writes it", STATUS, USAGE,
          b'"usage": {"a": -Infinity}'),
    _recoded("a byte order mark", "some readers drop it", lambda c: b"\xef\xbb\xbf" + c),
    _recoded("UTF-16", "some readers guess it", lambda c: c.decode().encode("utf-16")),
    _recoded("UTF-16 without a mark", "some readers guess it",
             lambda c: c.decode().encode("utf-16-le")),
    _recoded("UTF-32", "some readers guess it", lambda c: c.decode().encode("utf-32")),
    _text("a byte of Latin-1", "not UTF-8", NOTE, b'"summary": ""', b'"summary": "caf\xe9"'),
    _text("an overlong slash", "two bytes that a careless reader takes for one", NOTE,
          b'"summary": ""', b'"summary": "\xc0\xaf"'),
    _text("half a character in bytes", "a surrogate has no bytes in UTF-8", NOTE,
          b'"summary": ""', b'"summary": "\xed\xa0\x80"'),
    _text("half a character", "no text can hold it, and no report can show it", NOTE,
          b'"summary": ""', b'"summary": "\\ud800"'),
    _text("half a character in a key", "the message would quote it", STATUS, USAGE,
          b'"usage": {"\\ud800": "x"}'),
    _text("half a character in a path", "no path is that", NOTE,
          b'"declared_paths": []', b'"declared_paths": ["a\\udcff"]'),
    _text("a raw control character", "JSON has it escaped", NOTE,
          b'"summary": ""', b'"summary": "a\x00b"'),
    _recoded("bytes after the end", "some readers stop where the document does",
             lambda c: c + b"x"),
    _recoded("a second document", "some readers take the last", lambda c: c + c),
    _recoded("NUL after the end", "C stops there", lambda c: c + b"\0"),
    _recoded("a comment", "some readers skip it", lambda c: b"// honest\n" + c),
    _recoded("a comment within", "some readers skip it", lambda c: c.replace(b"{", b"{/**/", 1)),
    _recoded("a trailing comma", "some readers take it",
             lambda c: c.rstrip()[:-1].rstrip() + b",}"),
    _recoded("single quotes", "Python writes so, JSON does not", lambda c: c.replace(b'"', b"'")),
    _raw("empty", "nothing at all", STATUS, b""),
    _raw("only blanks", "nothing that is anything", NOTE, b" \n\t\r\n"),
    _raw("only NUL bytes", "what a crash leaves of a file", FILES, b"\0" * 4096),
    # Types
    _raw("an array", "a document of another kind", LOCK, b"[]"),
    _raw("a string", "a document of another kind", STATUS, b'"PASS"'),
    _raw("null", "a document of another kind", INDEX, b"null"),
    _raw("a number", "a document of another kind", FILES, b"1"),
    _text("true for a number", "Python takes True for 1", STATUS, b'"attempts": 1',
          b'"attempts": true'),
    _text("a fraction for a number", "1.0 is 1 to JSON Schema", STATUS, b'"attempts": 1',
          b'"attempts": 1.0'),
    _text("a number for a truth", "Python takes 0 for False", FILES, b'"noop": false',
          b'"noop": 0'),
    _text("a text for a truth", "any text is true to some", FILES, b'"noop": false',
          b'"noop": "false"'),
    _text("a text for a number", "a lax reader converts", STATUS, DURATION, b'"duration_ms": "0"'),
    _text("a number for a text", "a lax reader converts", NOTE, b'"summary": ""', b'"summary": 1'),
    _text("an object for a list", "its keys would be the items", LOCK, b'"deny": [',
          b'"shared": {}, "deny": ['),
    _text("an unknown key", "what one reader drops another may take", STATUS, VERSION,
          b'"trusted": true, ' + VERSION),
    _text("an unknown key further in", "what one reader drops another may take", STATUS,
          b'"signal": null', b'"signal": null, "core": true'),
    _text("a missing key", "nothing is filled in for a stranger", STATUS, DURATION + b",", b""),
    _text("version 2", "a contract that is not known", STATUS, VERSION, b'"schema_version": 2'),
    _text("version as a text", "almost the contract", LOCK, VERSION, b'"schema_version": "1"'),
    _text("version true", "Python takes True for 1", FILES, VERSION, b'"schema_version": true'),
    _text("no version", "a contract that is not named", INDEX, VERSION + b",", b""),
    _text("a number below nothing", "no file has such a size", FILES, b'"size": 4', b'"size": -4'),
)  # fmt: skip


def _another(run: str | None = None, worker: str | None = None) -> Callable[[Folder], object]:
    return lambda f: f.replace(f.ground.other(run=run, worker=worker).bundle())


def _named(artifact: str, **fields: object) -> Callable[[Folder], object]:
    return lambda f: f.document(artifact, changed(**fields))


def _respelled(artifact: str, respell: Callable[[str], str]) -> Callable[[Folder], object]:
    def spoil(folder: Folder) -> None:
        folder.document(artifact, changed(worker_id=respell(folder.ground.worker)))

    return spoil


def _identity(name: str, why: str, spoil: Callable[[Folder], object], code: str) -> BundleCase:
    return BundleCase("identity", name, why, spoil, (code,))


IDENTITIES = (
    _identity("another run", "a bundle of yesterday, handed in again", _another(run="yesterday"),
              IDENTITY),
    _identity("another worker's status", "one artifact of another bundle",
              _named(STATUS, worker_id="Elsewhere"), IDENTITY),
    _identity("another run's lock", "an older lock may be wider", _named(LOCK, run_id="r2"),
              IDENTITY),
    _identity("another worker's note", "one artifact of another bundle",
              _named(NOTE, worker_id="Elsewhere"), IDENTITY),
    _identity("another worker's list", "one artifact of another bundle",
              _named(FILES, run_id="r2", worker_id="Elsewhere"), IDENTITY),
    _identity("another worker's logs", "one artifact of another bundle",
              _named(INDEX, worker_id="Elsewhere"), IDENTITY),
    _identity("the integrator's status", "a worker that says it is the integrator",
              _named(STATUS, worker_id="Z_integrator"), IDENTITY),
    _identity("other case", "the same folder where case is ignored",
              _respelled(STATUS, str.swapcase), IDENTITY),
    _identity("look-alike", "a Cyrillic letter looks like the Latin one",
              _respelled(NOTE, lambda text: text.replace(text[0], "\u0410", 1)), SCHEMA),
    _identity("full width", "compatible with the Latin letter, and not it",
              _respelled(STATUS, lambda text: text.replace(text[0], "\uff21", 1)), SCHEMA),
    _identity("hidden character", "a zero-width space shows nothing",
              _respelled(LOCK, lambda text: text + "\u200b"), SCHEMA),
    _identity("blank at the end", "shows nothing either",
              _respelled(FILES, lambda text: text + " "), SCHEMA),
    _identity("newline at the end", "a pattern's end matches before it",
              _respelled(INDEX, lambda text: text + "\n"), SCHEMA),
    _identity("a path for a worker", "leaves the run directory where it is believed",
              _named(STATUS, worker_id="../Elsewhere"), SCHEMA),
    _identity("a path for a run", "leaves the runs root where it is believed",
              _named(STATUS, run_id="../r2"), SCHEMA),
    _identity("no name", "an empty name is a folder's own", _named(NOTE, worker_id=""), SCHEMA),
    _identity("another base commit", "made on another commit, whatever it says of the tree",
              _named(STATUS, base_commit="9" * 40), IDENTITY),
)  # fmt: skip


def _files(name: str, why: str, change: Change, code: str = DIFFERS) -> BundleCase:
    return _said("files", name, why, FILES, change, code)


def _swap(document: Document) -> None:
    document["changes"].reverse()


def _twice(document: Document) -> None:
    document["changes"].append(document["changes"][-1])


def _extra(document: Document) -> None:
    document["changes"].append({**document["changes"][-1], "path": "zz"})


def _renamed_unseen(folder: Folder) -> None:
    patch = folder.ground.honest_patch() + b"diff --git a/e b/e\ndeleted file mode 100644\n"
    patch += b"index e69de29bb2d1d6434b8b29ae775ad8c2e48c5391..%s\n" % (b"0" * 40)
    files = folder.ground.bundle(patch)
    folder.replace({name: files[name] for name in ("DIFF.patch", STATUS)})


CONTRADICTIONS = (
    _files("other path", "names a file that the patch leaves alone", _row(1, path="own/x")),
    _files("path in other quotes", "one path, one text",
           _row(0, path='"own/\\146"'), SCHEMA),
    _files("other kind of change", "calls an addition an edit", _row(1, change_type="modified")),
    _files("other old mode", "hides what the file was", _row(0, old_mode="100755")),
    _files("other new mode", "hides the executable bit", _row(1, new_mode="100755")),
    _files("other old id", "another pre-image", _row(0, old_id="1" * 40)),
    _files("other new id", "another result", _row(1, new_id="1" * 40)),
    _files("other digest", "another content", _row(1, sha256="1" * 64)),
    _files("other size", "another content", _row(1, size=5)),
    _files("size not said", "a file that is there has a size", _row(1, size=None)),
    _files("called binary", "nobody looks into a binary", _row(0, binary=True)),
    _files("fewer insertions", "a small change, it says", _row(0, insertions=0)),
    _files("more deletions", "counts that nobody counted", _row(0, deletions=10**6)),
    _files("other owner", "somebody else is to blame", _row(0, owner="Elsewhere")),
    _files("an owner of five megabytes", "the message would quote it",
           _row(0, owner="x" * 5_000_000)),
    _files("out of order", "the list is sorted by path", _swap),
    _files("a missing row", "a change that is not said", lambda d: d["changes"].pop()),
    _files("no row at all", "a patch that changes, a list that does not",
           changed(changes=[])),
    _files("a row twice", "counted twice", _twice),
    _files("a row too many", "takes the credit for a change that is none", _extra),
    _files("noop with changes", "says that nothing was done", changed(noop=True)),
    _files("a reason for nothing", "changes, and a reason why there are none",
           changed(noop_reason="nothing to do")),
    BundleCase("files", "a deletion that is not said", "the list names only what is harmless",
               _renamed_unseen, (DIFFERS,)),
)  # fmt: skip


def _status(name: str, why: str, change: Change, code: str) -> BundleCase:
    return _said("status", name, why, STATUS, change, code)


STATUSES = (
    _status("PASS with exit code 1", "the command failed, the status did not",
            _ended("exited", 1, None), "worker.exit_code"),
    _status("PASS without an exit code", "nobody knows how it ended",
            _ended("exited", None, None), "worker.exit_code"),
    _status("PASS by signal", "it was killed, the status was not",
            _ended("signalled", None, 9), "worker.signalled"),
    _status("exited, and by signal", "both cannot be", _ended("exited", 0, 9), BADLY),
    _status("adopted with exit code 1", "no process did it, and it failed",
            _ended("adopted", 1, None), BADLY),
    _status("timed out", "half a work", _ended("timed_out", None, None), "worker.timed_out"),
    _status("lost", "nobody knows how it ended", _ended("lost", None, None), "worker.lost"),
    _status("never started", "then whose work is it?", _ended("not_started", None, None), BADLY),
    _status("unreadable", "then whose work is it?", _ended("unreadable", None, None), BADLY),
    _status("ended in no known way", "a word that no factory writes", _ended("well", 0, None),
            SCHEMA),
    _status("BLOCKED, findings cleared", "who takes the findings away forgets the status",
            changed(status="BLOCKED", findings=[]), BADLY),
    _status("FAIL", "its own factory failed", changed(status="FAIL"), BADLY),
    _status("PENDING", "it is not done", changed(status="PENDING"), BADLY),
    _status("WAITING", "it is not done", changed(status="WAITING"), BADLY),
    _status("PASS that names what blocks", "status and findings disagree",
            changed(findings=[_finding()]), BADLY),
    _status("four thousand findings", "the message would name them all",
            changed(findings=[_finding()] * 4_000), BADLY),
    _status("a finding of no known code", "a word that no factory writes",
            changed(findings=[{**_finding(), "code": "all.well"}]), SCHEMA),
    _status("another tree", "the patch does not make it", changed(captured_tree="1" * 40),
            "bundle.tree_disagrees"),
    _status("no tree", "a PASS with nothing captured", changed(captured_tree=None),
            "bundle.tree_disagrees"),
    _status("the base's own tree", "the patch changes it", lambda d: d.update(
        captured_tree="4b825dc642cb6eb9a060e54bf8d69288fbee4904"), "bundle.tree_disagrees"),
    _status("an exit code of 4000 digits", "no system has it", _ended("exited", 10**4000, None),
            SCHEMA),
    _status("no attempt", "done without being tried", changed(attempts=0), SCHEMA),
    _status("a duration below nothing", "time runs forward", changed(duration_ms=-1), SCHEMA),
    _status("ended before it started", "time runs forward",
            changed(started_at="2024-01-01T12:00:01+00:00"), BADLY),
    _status("a time that is none", "what is no time cannot be ordered",
            changed(started_at="yesterday"), BADLY),
)  # fmt: skip


def _handoff(name: str, why: str, change: Change, code: str) -> BundleCase:
    return _said("handoff", name, why, NOTE, change, code)


def _nothing_done(folder: Folder) -> None:
    folder.replace(folder.ground.bundle(b""))
    declared = [f"{own(folder.ground.worker)}/f"]
    folder.document(NOTE, changed(summary="all done", declared_paths=declared))


def _request(path: str) -> Document:
    return {"path": path, "reason": "needed"}


HANDOFFS = (
    BundleCase("handoff", "done, and nothing changed", "the classic of all agents", _nothing_done,
               (CONTRADICTS,)),
    _handoff("no change, and changes", "says that nothing was needed",
             changed(no_change="all was well"), CONTRADICTS),
    _handoff("declares what it left alone", "says that it mended this too",
             changed(declared_paths=["dir/x"]), CONTRADICTS),
    _handoff("declares a path upwards", "where it is believed it leads out of the tree",
             changed(declared_paths=["../x"]), SCHEMA),
    _handoff("declares an absolute path", "where it is believed it leads out of the tree",
             changed(declared_paths=["/etc/passwd"]), SCHEMA),
    _handoff("declares a path with NUL", "C stops there", changed(declared_paths=["a\0b"]), SCHEMA),
    _handoff("declares ten thousand paths", "each would be a finding",
             changed(declared_paths=[f"p{n}" for n in range(10_000)]), CONTRADICTS),
    _handoff("asks for git", "a grant would hand out the repository",
             changed(scope_requests=[_request(".git/config")]), SCHEMA),
    _handoff("asks for git under another name", "HFS+ drops U+200C",
             changed(scope_requests=[_request(".g\u200cit/hooks/x")]), SCHEMA),
    _handoff("asks for a short name of git", "NTFS opens .git by it",
             changed(scope_requests=[_request("GIT~1/hooks/x")]), SCHEMA),
    _handoff("asks for what lies above", "leaves the tree",
             changed(scope_requests=[_request("a/../../x")]), SCHEMA),
    _handoff("asks without a reason", "the contract has one",
             changed(scope_requests=[{"path": "x"}]), SCHEMA),
)  # fmt: skip

LOCKS = (
    _said("lock", "widened", "a worker that issues its own lock", LOCK,
          changed(allow=["*", "!x"]), "scope.lock_differs"),
    _said("lock", "denial taken back", "a worker that issues its own lock", LOCK,
          changed(deny=[]), "scope.lock_differs"),
    _said("lock", "shares what is not shared", "a worker that issues its own lock", LOCK,
          changed(shared=["f"]), "scope.lock_differs"),
    _said("lock", "narrowed", "not the one that the plan gives", LOCK,
          changed(allow=["own/"]), "scope.lock_differs"),
    _said("lock", "no digest", "what names no plan entry", LOCK,
          changed(plan_entry="0"), SCHEMA),
)  # fmt: skip


def _index(name: str, why: str, change: Change, code: str = LOGS) -> BundleCase:
    return _said("logs", name, why, INDEX, change, code)


def _add_log(**fields: object) -> Change:
    entry = {"path": "LOGS/x", "sha256": "0" * 64, "size": 0, "role": "", "truncated": False}
    return lambda document: document["logs"].append({**entry, **fields})


def _first_lies(document: Document) -> None:
    true = document["logs"][0]
    document["logs"] = [{**true, "sha256": "1" * 64, "size": 1}, true]


INDEXES = (
    _index("a log that is not there", "the log that would tell is missing",
           _add_log(path="LOGS/secret.log")),
    BundleCase("logs", "a log that is not named", "a file that came along",
               lambda f: f.write("LOGS/extra.log", b"x"), (LOGS,)),
    BundleCase("logs", "a file beside the artifacts", "a file that came along",
               lambda f: f.write("payload.bin", b"x"), (LOGS,)),
    BundleCase("logs", "a case twin of an artifact", "the same file where case is ignored",
               lambda f: f.write("status.json", f.read(STATUS)), (LOGS,)),
    _index("other size", "the log was cut", _log(size=1)),
    _index("other digest", "the log was edited", _log(sha256="1" * 64)),
    _index("other log", "the log is another", _log(path="LOGS/other.log")),
    _index("upwards", "leads out of the bundle", _log(path="../worker.log"), SCHEMA),
    _index("absolute", "leads out of the bundle", _log(path="/etc/passwd"), SCHEMA),
    _index("into git", "leads into the repository", _log(path=".git/config"), SCHEMA),
    _index("an artifact as a log", "an artifact's digest would be asked for twice",
           lambda d: d["logs"].append({**d["logs"][0], "path": "DIFF.patch"})),
    _index("a log twice", "named twice", lambda d: d["logs"].append(d["logs"][0])),
    _index("a log twice, the first a lie", "whoever reads the first is told another size",
           _first_lies),
    _index("a log that is empty, it says", "the digest of nothing",
           _log(sha256=digest_of(b""), size=0)),
)  # fmt: skip

TAKEN = (
    _said("odd", "a lock of another plan entry", "its maker could not know where it would lie",
          LOCK, changed(plan_entry="1" * 64)),
    BundleCase("odd", "not canonical", "the same document in other bytes",
               lambda f: f.write(STATUS, f.read(STATUS).replace(b"\n", b"\r\n ")), ()),
    BundleCase("odd", "minus nothing", "-0 is 0",
               lambda f: f.text(STATUS, DURATION, b'"duration_ms": -0'), ()),
    BundleCase("odd", "version 1.0", "1.0 is 1 to JSON Schema",
               lambda f: f.text(NOTE, VERSION, b'"schema_version": 1.0'), ()),
    BundleCase("odd", "an earlier attempt", "kept and sealed beside, and never merged",
               lambda f: f.write("attempts/7/STATUS.json", f.read(STATUS)), ()),
    BundleCase("odd", "escaped letters", "the same text in other bytes",
               lambda f: f.text(STATUS, b'"PASS"', b'"\\u0050ASS"'), ()),
    _said("odd", "ten thousand requests", "asked for, and not needed", NOTE,
          changed(scope_requests=[_request(f"p{n}") for n in range(10_000)])),
    BundleCase("odd", "a summary that steers the screen", "text for people, shown escaped",
               lambda f: f.write("SUMMARY.md", b"\x1b]0;owned\x07\xff\xfe\0" * 9), ()),
    BundleCase("odd", "an empty log beside", "a log may be empty",
               lambda f: f.replace({
                   "LOGS/none": b"",
                   INDEX: canonical({
                       "schema_version": 1, "run_id": f.ground.run, "worker_id": f.ground.worker,
                       "logs": [
                           {"path": "LOGS/none", "sha256": digest_of(b""), "size": 0,
                            "role": "", "truncated": False},
                           {"path": "LOGS/worker.log", "sha256": digest_of(LOG),
                            "size": len(LOG), "role": "", "truncated": True},
                       ]})}), ()),
)  # fmt: skip

CASES = (*JSON, *IDENTITIES, *CONTRADICTIONS, *STATUSES, *HANDOFFS, *LOCKS, *INDEXES)
