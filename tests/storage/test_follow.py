"""The ledger followed: a run from its begin, then what is new, whatever the file goes through."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tools.codex.factory.domain.event import Event, EventType, LedgerLine
from tools.codex.factory.errors import LedgerDamaged, StorageError
from tools.codex.factory.storage.follow import followed_run
from tools.codex.factory.storage.ledger import LEDGER, Ledger

START = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def a_ledger(root: Path) -> Ledger:
    return Ledger(root, lambda: START)


def start(run: str) -> Event:
    return Event(run_id=run, event_type=EventType.RUN_START, actor="factory")


def event(run: str, actor: str) -> Event:
    return Event(run_id=run, event_type=EventType.WORKER_ACTIVE, actor=actor)


def actors(lines: list[LedgerLine]) -> list[str]:
    return [line.actor for line in lines]


def test_a_run_is_read_from_its_newest_begin_without_the_others(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path)
    ledger.append([start("r1"), event("r1", "old"), start("r2"), event("r1", "older")])
    ledger.append([start("r1"), event("r2", "other"), event("r1", "new")])

    with followed_run(ledger.file, "r1") as run:
        assert run is not None
        assert (run.run, actors(run.begun), run.more()) == ("r1", ["factory", "new"], [])


def test_without_a_name_the_newest_run_is_followed(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path)
    ledger.append([start("r1"), start("r2"), event("r2", "A"), event("r1", "B")])

    with followed_run(ledger.file, None) as run:
        assert run is not None
        assert (run.run, actors(run.begun)) == ("r2", ["factory", "A"])
        ledger.append([event("r1", "C"), event("r2", "D")])
        assert actors(run.more()) == ["D"]


def test_only_what_is_new_comes_and_only_once(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path)
    ledger.append([start("r1")])

    with followed_run(ledger.file, "r1") as run:
        assert run is not None
        ledger.append([event("r1", "A"), event("r2", "X"), event("r1", "B")])
        first, second = run.more(), run.more()
        ledger.append([event("r1", "C")])
        third = run.more()

    assert [actors(found) for found in (first, second, third)] == [["A", "B"], [], ["C"]]


def test_a_run_that_the_ledger_does_not_know_has_no_lines(tmp_path: Path) -> None:
    with followed_run(tmp_path / LEDGER, "r1") as run:
        assert run is None
    a_ledger(tmp_path).append([start("r2")])

    with followed_run(tmp_path / LEDGER, "r1") as run:
        assert run is not None
        assert run.begun == []


def test_a_line_is_waited_for_at_every_cut_of_it(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path)
    ledger.append([start("r1")])
    before = ledger.file.read_bytes()
    ledger.append([event("r1", "A")])
    whole = ledger.file.read_bytes()
    ledger.file.write_bytes(before)

    with followed_run(ledger.file, "r1") as run:
        assert run is not None
        for cut in range(len(before), len(whole)):
            os.truncate(ledger.file, len(before))
            with ledger.file.open("ab") as file:
                file.write(whole[len(before) : cut])
            assert run.more() == []
        ledger.file.write_bytes(whole)
        assert actors(run.more()) == ["A"]


def test_a_torn_line_that_is_set_aside_is_not_missed(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path)
    ledger.append([start("r1")])
    with ledger.file.open("ab") as file:
        file.write(b'{"actor":"torn, and longer than what is written in its place' * 20)

    with followed_run(ledger.file, "r1") as run:
        assert run is not None
        assert run.more() == []
        ledger.append([event("r1", "A")])
        assert actors(run.more()) == ["A"]


def test_a_ledger_that_another_takes_the_place_of_is_an_error(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path)
    ledger.append([start("r1")])

    with followed_run(ledger.file, "r1") as run:
        assert run is not None
        (tmp_path / "copy").write_bytes(ledger.file.read_bytes())
        (tmp_path / "copy").rename(ledger.file)
        with pytest.raises(StorageError, match=r"factory_ledger\.jsonl was replaced while"):
            run.more()
        ledger.file.unlink()
        with pytest.raises(StorageError, match=r"factory_ledger\.jsonl is gone"):
            run.more()


def test_a_ledger_that_becomes_shorter_is_an_error(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path)
    ledger.append([start("r1"), event("r1", "A")])

    with followed_run(ledger.file, "r1") as run:
        assert run is not None
        os.truncate(ledger.file, ledger.file.stat().st_size - 10)
        with pytest.raises(StorageError, match="became shorter"):
            run.more()


def test_a_line_that_is_none_is_damage(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path)
    ledger.append([start("r1"), event("r1", "A")])

    with followed_run(ledger.file, "r1") as run:
        assert run is not None
        with ledger.file.open("ab") as file:
            file.write(b"garbage\n")
        with pytest.raises(LedgerDamaged, match="it is not a ledger line"):
            run.more()
    with pytest.raises(LedgerDamaged), followed_run(ledger.file, "r1"):
        pass


def test_a_line_that_does_not_follow_is_damage_when_it_is_new_and_when_it_is_old(
    tmp_path: Path,
) -> None:
    ledger = a_ledger(tmp_path)
    ledger.append([start("r1"), event("r1", "A"), event("r1", "B")])
    first, second, third = ledger.file.read_bytes().splitlines(keepends=True)
    changed = second.replace(b'"actor":"A"', b'"actor":"X"')
    ledger.file.write_bytes(first + changed)

    with followed_run(ledger.file, "r1") as run:
        assert run is not None
        with ledger.file.open("ab") as file:
            file.write(third)
        with pytest.raises(LedgerDamaged, match="ledger line 3: it does not follow"):
            run.more()
    with (
        pytest.raises(LedgerDamaged, match="ledger line 3: it does not follow"),
        followed_run(ledger.file, "r1"),
    ):
        pass


def test_a_ledger_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"")
    (tmp_path / LEDGER).symlink_to(tmp_path / "outside")

    with pytest.raises(StorageError, match="cannot read"), followed_run(tmp_path / LEDGER, "r1"):
        pass
