"""Every hostile patch: what git does with it, and what the factory answers."""

import pytest

from tests.builders import Repo, base_of, worker
from tests.hostile.patches import BASE, CASES, Case
from tools.codex.factory.domain.patch import scan
from tools.codex.factory.domain.proof import prove
from tools.codex.factory.domain.reader import PatchLimits, PatchRefused
from tools.codex.factory.domain.scope import lock, scope_findings

LIMITS = PatchLimits(patch_bytes=1 << 20, file_bytes=1 << 20)
LOCK = lock(("*",), ("private/",), ())
WORKER = worker("A_worker")


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    repo = Repo.make(tmp_path_factory.mktemp("hostile"))
    repo.store(BASE, ref="refs/heads/base")
    return repo


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_patch_is_answered_by_name(case: Case) -> None:
    codes = _answer(case.patch)

    assert codes == ([case.expected] if case.expected else [])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_git_does_with_a_hostile_patch_what_its_case_says(repo: Repo, case: Case) -> None:
    repo.git("read-tree", "base")

    ended = repo.run("apply", "--cached", "--whitespace=nowarn", "-", feed=case.patch)

    assert (ended.returncode == 0) is case.git_accepts, ended.stderr


def test_every_case_has_a_name_of_its_own_and_a_reason() -> None:
    names = [case.name for case in CASES]

    assert (len(set(names)), all(case.why for case in CASES)) == (len(names), True)


def test_git_alone_would_take_many_that_the_factory_refuses() -> None:
    taken = [case.name for case in CASES if case.git_accepts and case.expected]

    assert len(taken) > 25


def test_what_the_factory_takes_git_makes_the_same(repo: Repo) -> None:
    taken = [case for case in CASES if case.expected is None and case.git_accepts]

    differ = [case.name for case in taken if _entries(case.patch) != _gits(repo, case.patch)]

    assert differ == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_answer_does_not_grow_with_the_patch(case: Case) -> None:
    long = case.patch + b"\n" + b"x" * 100_000 + b"\n"

    refusal = _refusal(long)

    assert len(refusal) < 500


def _answer(patch: bytes) -> list[str]:
    try:
        scanned = scan(patch, LIMITS)
    except PatchRefused:
        return ["patch.grammar"]
    base, blobs = base_of(BASE)
    made = prove(scanned, base, blobs, worker=WORKER, limits=LIMITS)
    found = list(made.findings) or scope_findings(
        WORKER, made.changes, LOCK, runs_root=None, requests={}, granted=frozenset()
    )
    return sorted({str(finding.code) for finding in found if finding.blocks})


def _refusal(patch: bytes) -> str:
    with pytest.raises(PatchRefused) as refused:
        scan(patch, LIMITS)
    return str(refused.value)


def _entries(patch: bytes) -> dict[str, tuple[str, str] | None]:
    base, blobs = base_of(BASE)
    made = prove(scan(patch), base, blobs, worker=WORKER, limits=LIMITS)
    return {c.path: (c.new.mode, c.new.id) if c.new else None for c in made.changes}


def _gits(repo: Repo, patch: bytes) -> dict[str, tuple[str, str] | None]:
    repo.git("read-tree", "base")
    repo.git("apply", "--cached", "--whitespace=nowarn", "-", feed=patch)
    words = ("diff-index", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev", "base")
    said = repo.git(*words).decode("utf-8", "surrogateescape").split("\0")
    rows = zip(said[::2], said[1::2], strict=False)
    return {
        path: None if row.endswith("D") else (row.split()[1], row.split()[3]) for row, path in rows
    }
