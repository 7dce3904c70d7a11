"""What a bundle's changes would disclose: what it costs to know, and how many findings say it."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import ClassVar

from tools.codex.factory.domain.change import Change
from tools.codex.factory.domain.disclosure import Disclosure, disclosure, undecided
from tools.codex.factory.domain.identity import ObjectId, RepoPath
from tools.codex.factory.domain.pattern import patterns
from tools.codex.factory.domain.secret import Found, Secrets
from tools.codex.factory.domain.tree import Entry

_ALPHABET = "q7Rt2Zw9Lk4Vb8Nc3Xy6Mh1Gf5Jd0PsAeUiO"


class Counting(Secrets):
    """Looks for secrets, and counts how often each content was read."""

    reads: ClassVar[Counter[bytes]] = Counter()

    def found(self, content: bytes) -> tuple[Found, ...]:
        self.reads[content] += 1
        return super().found(content)


def token(number: int) -> bytes:
    """Return one of many made-up tokens."""
    return b"ghp_" + f"{_ALPHABET[:31]}{number:05}".encode()


def change(path: str, content: bytes | None, old: str | None = None) -> Change:
    """Return what one path becomes; what is there in the base is named by its blob."""
    entry = Entry("100644", ObjectId("1" * 40))
    return Change(
        path=RepoPath(path),
        old=Entry("100644", ObjectId(old)) if old is not None else None,
        new=entry if content is not None else None,
        content=content,
        body=None,
        binary=False,
        insertions=0,
        deletions=0,
    )


def disclosed(
    changes: Collection[Change], secrets: Secrets, base: Mapping[str, bytes] | None = None
) -> Disclosure:
    """Return what changes of a base disclose."""
    known = {ObjectId(oid): content for oid, content in (base or {}).items()}
    return disclosure("A", changes, secrets, accepted=patterns(()), blobs=lambda _: known)


def test_each_file_that_goes_away_is_read_once_however_many_come() -> None:
    base = {f"{n:040x}": token(n) + b" old" for n in range(40)}
    gone = [change(f"old/{n}", None, f"{n:040x}") for n in range(40)]
    come = [change(f"new/{n}", token(n) + b" new") for n in range(40)]
    secrets = Counting()
    secrets.reads.clear()

    told = disclosed([*gone, *come], secrets, base)

    assert told == Disclosure()
    assert {secrets.reads[content] for content in base.values()} == {1}


def test_many_findings_are_named_by_the_first_and_one_for_the_rest_that_blocks() -> None:
    changes = [change(f"new/{n:03}", token(n)) for n in range(250)]

    found = disclosed(changes, Secrets()).contents

    assert [one.subject for one in found] == [*(f"A: new/{n:03}" for n in range(100)), "A"]
    assert found[-1].blocks
    assert found[-1].message == (
        "150 more like those that are named; they cannot be accepted or left out path by path"
    )
    assert found[-1].hint == (
        "take them out, and revoke them; for made-up values name the paths in secrets.accept, for "
        "a new run; `factory amend --drop A --reason WHY` leaves the worker out"
    )
    every = {one.path for one in changes} | {"A"}
    assert undecided(found, "A", dropped=every, accepted=every) == [found[-1]]


def test_a_hundred_findings_are_all_named() -> None:
    changes = [change(f"new/{n:03}", token(n)) for n in range(100)]

    found = disclosed(changes, Secrets()).contents

    assert [one.subject for one in found] == [f"A: new/{n:03}" for n in range(100)]
