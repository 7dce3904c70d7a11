"""Every hostile bundle by the one door: taken in, sealed, read back, judged."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.hostile.bundles import CASES, TAKEN, cannot_be
from tests.hostile.ground import LIMITS, BundleCase, Folder, Ground, base_for
from tests.workers import program
from tools.codex.factory.domain.identity import WorkerId
from tools.codex.factory.storage.intake import TakenIn, take_in_folder

pytestmark = pytest.mark.slow

WORKER = "A_worker"
BASE = base_for([WORKER])
GROUND = Ground.of(BASE, run="r1", worker=WORKER, commit="1" * 40)
MOST_FINDINGS, LONGEST_MESSAGE = 110, 1500


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    repo = Repo.make(tmp_path_factory.mktemp("hostile"))
    repo.store(BASE, ref="refs/heads/base")
    return repo


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.family}: {case.name}")
def test_a_hostile_bundle_is_answered_by_name(tmp_path: Path, case: BundleCase) -> None:
    folder = _spoiled(case, tmp_path)

    judgement = GROUND.judged(folder.path, tmp_path / "runs")

    codes = {finding.code.value for finding in judgement.findings if finding.blocks}
    assert (codes, judgement.included) == (set(case.expected), ())
    assert len(judgement.findings) <= MOST_FINDINGS
    said = [finding.message for finding in judgement.findings]
    assert max(len(message.encode()) for message in said) <= LONGEST_MESSAGE


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: case.name)
def test_an_odd_bundle_that_says_what_is_true_is_taken(tmp_path: Path, case: BundleCase) -> None:
    folder = _spoiled(case, tmp_path)

    judgement = GROUND.judged(folder.path, tmp_path / "runs")

    assert (judgement.findings, judgement.included) == ((), (WORKER,))


def test_the_bundle_that_all_are_made_from_is_valid(tmp_path: Path) -> None:
    folder = Folder.make(tmp_path / "bundle", tmp_path / "outside", GROUND)

    judgement = GROUND.judged(folder.path, tmp_path / "runs")

    assert (judgement.findings, judgement.included) == ((), (WORKER,))


def test_what_is_made_and_then_refused_is_charged_to_the_bundle(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "forty deltas for nothing")
    folder = _spoiled(case, tmp_path)

    judgement = GROUND.judged(folder.path, tmp_path / "runs")

    # Each may make a whole file, and three of those are a bundle's worth.
    assert len(judgement.findings) == LIMITS.bundle_bytes // LIMITS.file_bytes


PATCHED = tuple(case for case in CASES if case.git_accepts is not None)


@pytest.mark.parametrize("case", PATCHED, ids=lambda case: case.name)
def test_git_does_with_the_patch_of_a_bundle_what_its_case_says(
    repo: Repo, tmp_path: Path, case: BundleCase
) -> None:
    patch = _spoiled(case, tmp_path).read("DIFF.patch")
    repo.git("read-tree", "base")

    ended = repo.run(
        "-c", "core.compression=0", "apply", "--cached", "--whitespace=nowarn", "-", feed=patch
    )

    assert (ended.returncode == 0) is case.git_accepts, ended.stderr[:1000]


def test_every_bundle_has_a_name_of_its_own_a_reason_and_one_cause() -> None:
    times = Counter((case.family, case.name) for case in CASES)

    assert [name for name, count in times.items() if count > 1] == []
    assert [case.name for case in CASES if not case.why or not case.expected] == []
    assert len(CASES) > 120


ONE = b"a" * 200_000 + b"\n"
# Every state that the file has at some moment, by what is done to it.
STATES = {
    "replaced": r"a{200000}\n|b{200000}\n",
    "rewritten": r"[ab]{200000}\n",
    "grown": r"a{200000}\n(more){0,20}",
    "cut": r"a{100000,200000}\n?",
    "link": r"a{200000}\n",
    "pipe": r"a{200000}\n",
    "folder": r"a{200000}\n",
}


@pytest.mark.parametrize("how", STATES)
def test_a_file_that_changes_while_it_is_read_is_refused_or_as_it_was_at_one_moment(
    tmp_path: Path, how: str
) -> None:
    log = tmp_path / "bundle" / "LOGS" / "log"
    log.parent.mkdir(parents=True)
    log.write_bytes(ONE)

    looks = _looks(tmp_path / "bundle", 300, how, log, tmp_path / "aside")

    taken = {content for look in looks for content in look.files.values()}
    codes = {finding.code.value for look in looks for finding in look.findings}
    strange = [c for c in taken if not re.fullmatch(STATES[how].encode(), c)]
    assert (strange, codes - {"bundle.not_a_file"}) == ([], set())
    # A writer that writes forward has at any moment written to one point and no further.
    assert [c for c in taken if c.count(b"ab") + c.count(b"ba") > 1] == []


def test_a_folder_that_is_swapped_for_a_link_leads_nowhere(tmp_path: Path) -> None:
    folder, secret = tmp_path / "bundle", tmp_path / "secret"
    (folder / "LOGS").mkdir(parents=True)
    secret.mkdir()
    (folder / "LOGS" / "log").write_bytes(b"mine")
    (secret / "log").write_bytes(b"of somebody else")

    looks = _looks(folder, 2000, "swap", folder / "LOGS", secret)

    assert {content for look in looks for content in look.files.values()} <= {b"mine"}


def _looks(folder: Path, count: int, how: str, path: Path, aside: Path) -> list[TakenIn]:
    """Return many looks at a folder while a process of its own changes it as fast as it can."""
    command = program("flipper", how, str(path), str(aside))
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            return [_taken(folder) for _ in range(count)]
        finally:
            writer.kill()


def _taken(folder: Path) -> TakenIn:
    return take_in_folder(
        folder,
        WorkerId(WORKER),
        patch_bytes=LIMITS.patch_bytes,
        bundle_bytes=LIMITS.bundle_bytes,
    )


def _spoiled(case: BundleCase, tmp_path: Path) -> Folder:
    reason = cannot_be(case)
    if reason:
        pytest.skip(reason)
    folder = Folder.make(tmp_path / "bundle", tmp_path / "outside", GROUND)
    case.spoil(folder)
    return folder
