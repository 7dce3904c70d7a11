"""What came of an attempt is on disk, whole or not at all, and is not taken from a stranger."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tools.codex.factory.domain.finding import Code, note
from tools.codex.factory.domain.identity import Digest, digest_of
from tools.codex.factory.domain.order import Log, Outcome, StepEnded
from tools.codex.factory.errors import StorageError
from tools.codex.factory.repository.checkout import remove_checkout
from tools.codex.factory.storage.attempt import Attempt, attempts_in, cleared_in

OUTCOME = Outcome(
    how="exited",
    exit_code=0,
    signal=None,
    milliseconds=12,
    steps=(
        StepEnded(
            name="worker",
            kind="work",
            how="exited",
            exit_code=0,
            signal=None,
            milliseconds=11,
            survivors=0,
            reason="",
        ),
    ),
    findings=(note(Code.CAPTURE_LEFT_OUT, "A: \udcff\n", "1 path"),),
    logs=(Log(name="worker.stdout.log", role="worker stdout", truncated=False),),
    patch=None,
    stray=False,
    is_whole=True,
    was_captured=True,
)


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    made = Attempt(tmp_path / "A" / "1")
    made.make()
    return made


def test_an_attempt_is_for_its_owner_alone(attempt: Attempt) -> None:
    assert attempt.folder.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in attempt.folder.iterdir()) == [
        "home",
        "logs",
        "outbox",
        "reserve",
    ]


def test_an_attempt_is_made_once(attempt: Attempt) -> None:
    with pytest.raises(StorageError, match="File exists"):
        attempt.make()


def test_an_outcome_comes_back_as_it_was_kept(attempt: Attempt) -> None:
    outcome = replace(OUTCOME, patch=digest_of(b"patch\n"), stray=True)

    digest = attempt.keep(outcome, patch=b"patch\n", stray=b"bundle")

    assert attempt.outcome() == attempt.outcome(digest) == outcome
    assert attempt.patch(outcome, limit=100) == b"patch\n"
    assert (attempt.folder / "stray.bundle").read_bytes() == b"bundle"


def test_an_attempt_without_end_has_no_outcome(attempt: Attempt) -> None:
    (attempt.folder / ".outcome.json.new").write_text("half")

    assert attempt.outcome() is None


def test_what_was_kept_can_be_kept_again(attempt: Attempt) -> None:
    attempt.keep(OUTCOME, patch=b"one", stray=b"")

    attempt.keep(replace(OUTCOME, how="lost"), patch=b"two", stray=b"")

    again = attempt.outcome()
    assert again is not None and again.how == "lost"


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"null", b'"x"', b"\xff", b"[" * 200_000, b'{"steps": 1}',
     json.dumps({"steps": [], "findings": [{}], "logs": []}).encode(),
     json.dumps({"steps": [1], "findings": [], "logs": []}).encode()],
    ids=lambda content: content[:12].decode("latin-1"),
)  # fmt: skip
def test_an_outcome_that_is_none_is_named(attempt: Attempt, content: bytes) -> None:
    (attempt.folder / "outcome.json").write_bytes(content)

    with pytest.raises(StorageError, match=r"outcome\.json"):
        attempt.outcome()


@pytest.mark.parametrize(
    "odd",
    [
        {"how": "well"},
        {"how": []},
        {"exit_code": "0"},
        {"exit_code": -1},
        {"exit_code": 1 << 70},
        {"signal": True},
        {"milliseconds": 1 << 70},
        {"milliseconds": None},
        {"patch": 1},
        {"logs": [{"name": "../../../etc/hostname", "role": "x", "truncated": False}]},
        {"logs": [{"name": "..", "role": "x", "truncated": False}]},
        {"logs": [{"name": "INDEX.json", "role": "x", "truncated": False}]},
        {"logs": [{"name": "worker.stdout.log\n", "role": "x", "truncated": False}]},
        {"logs": [{"name": 1, "role": "x", "truncated": False}]},
        {"logs": [{"name": "worker.stdout.log", "role": 1, "truncated": False}]},
        {"logs": [{"name": "worker.stdout.log", "role": "worker stdout", "truncated": 1}]},
        {"steps": [{**asdict(OUTCOME.steps[0]), "how": "well"}]},
        {"steps": [{**asdict(OUTCOME.steps[0]), "reason": 1}]},
        {"findings": [{**asdict(OUTCOME.findings[0]), "message": "\ud800"}]},
        {"findings": [{**asdict(OUTCOME.findings[0]), "hint": None}]},
    ],
    ids=str,
)
def test_an_outcome_that_no_supervisor_writes_is_refused(
    attempt: Attempt, odd: dict[str, object]
) -> None:
    said = {**asdict(OUTCOME), **odd}
    (attempt.folder / "outcome.json").write_text(json.dumps(said), "ascii")

    with pytest.raises(StorageError, match=r"outcome\.json"):
        attempt.outcome()


def test_an_outcome_that_its_supervisor_did_not_write_is_refused(attempt: Attempt) -> None:
    attempt.keep(OUTCOME, patch=None, stray=b"")

    with pytest.raises(StorageError, match="not what the supervisor wrote"):
        attempt.outcome(Digest("0" * 64))


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder"])
@pytest.mark.parametrize("name", ["outcome.json", "DIFF.patch"])
def test_only_plain_files_are_read(attempt: Attempt, tmp_path: Path, name: str, kind: str) -> None:
    outcome = replace(OUTCOME, patch=digest_of(b"patch\n"))
    attempt.keep(outcome, patch=b"patch\n", stray=b"")
    path, aside = attempt.folder / name, tmp_path / "aside"
    path.rename(aside)
    makes: dict[str, Callable[[], object]] = {
        "link": lambda: path.symlink_to(aside),
        "hard link": lambda: path.hardlink_to(aside),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
    }
    makes[kind]()

    with pytest.raises(StorageError):
        attempt.patch(attempt.outcome() or outcome, limit=100)


def test_a_patch_that_was_changed_after_its_capture_is_refused(attempt: Attempt) -> None:
    outcome = replace(OUTCOME, patch=digest_of(b"patch\n"))
    attempt.keep(outcome, patch=b"patch\n", stray=b"")
    (attempt.folder / "DIFF.patch").write_bytes(b"other\n")

    with pytest.raises(StorageError, match="not what was captured"):
        attempt.patch(outcome, limit=100)


@pytest.mark.parametrize("name", [".DIFF.patch.new", "DIFF.patch"])
def test_a_link_that_was_planted_where_a_file_goes_is_not_followed(
    attempt: Attempt, tmp_path: Path, name: str
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("gold")
    (attempt.folder / name).symlink_to(precious)

    attempt.keep(OUTCOME, patch=b"patch\n", stray=b"")

    assert precious.read_text() == "gold"
    assert (attempt.folder / "DIFF.patch").read_bytes() == b"patch\n"


def test_one_process_at_a_time_holds_an_attempt(attempt: Attempt) -> None:
    handle = attempt.held()
    second = attempt.held()
    assert handle is not None
    os.close(handle)
    third = attempt.held()

    assert second is None
    assert third is not None
    os.close(third)


def test_an_attempt_whose_folder_is_gone_cannot_be_held(attempt: Attempt) -> None:
    shutil.rmtree(attempt.folder)

    with pytest.raises(StorageError):
        attempt.held()


def test_attempts_are_known_by_number(tmp_path: Path) -> None:
    for name in ("2", "10", "1", "x", "-1", "1.old"):
        (tmp_path / name).mkdir()

    assert list(attempts_in(tmp_path)) == [1, 2, 10]
    assert attempts_in(tmp_path / "none") == {}


@pytest.mark.parametrize("name", ["²", "٣"])
def test_a_name_that_is_a_number_elsewhere_is_no_attempt(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()

    assert attempts_in(tmp_path) == {}


def test_an_attempt_is_removed_whole_whatever_its_modes(attempt: Attempt, tmp_path: Path) -> None:
    deep = attempt.checkout / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    (attempt.outbox / "link").symlink_to(tmp_path)
    for folder in (deep, deep.parent, attempt.outbox):
        folder.chmod(0)
    temporary = attempt.temporary()

    attempt.clear(remove_checkout)

    assert not attempt.folder.parent.exists()
    assert not temporary.exists()
    assert tmp_path.is_dir()


def test_only_a_folder_that_it_made_is_removed_as_its_temporary_one(
    attempt: Attempt, tmp_path: Path
) -> None:
    precious = tmp_path / "factory-precious"
    precious.mkdir()
    (attempt.folder / "temporary").write_text(str(precious))

    attempt.clear(remove_checkout)

    assert precious.is_dir()


@pytest.mark.parametrize("marked", ["not", "by half"])
def test_a_folder_that_was_made_and_not_marked_before_a_kill_is_removed_with_its_attempt(
    attempt: Attempt, marked: str
) -> None:
    made = attempt.temporary().parent
    (made / "t").rmdir()
    (made / ".owner").write_bytes(b"")
    if marked == "not":
        (made / ".owner").unlink()

    attempt.clear(remove_checkout)

    assert not made.exists()


def test_an_attempt_whose_removal_is_cut_off_is_no_attempt_any_more_and_goes_later(
    attempt: Attempt,
) -> None:
    class CutOff(Exception):
        """As a kill."""

    def cut_off(folder: Path) -> None:
        if folder.exists():
            (folder / "outbox").rmdir()
            raise CutOff

    attempt.keep(OUTCOME, patch=None, stray=b"")
    with pytest.raises(CutOff):
        attempt.clear(cut_off)
    worker = attempt.folder.parent
    attempts, (half,) = attempts_in(worker), cleared_in(worker)
    half.clear(remove_checkout)

    assert (attempts, half.is_half_removed) == ({}, True)
    assert not worker.exists()
