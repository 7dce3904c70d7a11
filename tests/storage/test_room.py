"""What a folder is like, found by using it and leaving nothing there."""

import os
from pathlib import Path

from tools.codex.factory.storage.room import (
    complaint_of_writing,
    manners_of,
    may_write,
    nearest,
    room_at,
)


def test_the_nearest_folder_that_is_there_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert nearest(tmp_path) == tmp_path
    assert nearest(tmp_path / "a" / "b") == tmp_path
    assert nearest(tmp_path / "file" / "b") == tmp_path / "file"


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    assert complaint_of_writing(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert complaint_of_writing(tmp_path / "none") == "No such file or directory"
    assert complaint_of_writing(tmp_path / "file") == "Not a directory"
    assert not may_write(tmp_path / "file")


def test_asking_whether_a_folder_may_be_written_does_not_touch_it(tmp_path: Path) -> None:
    os.utime(tmp_path, (1, 1))

    assert may_write(tmp_path)
    assert tmp_path.stat().st_mtime == 1


def test_room_is_what_the_file_system_says(tmp_path: Path) -> None:
    state, room = os.statvfs(tmp_path), room_at(tmp_path)

    assert room.runs_programs and not room.is_read_only
    assert abs(room.free_bytes - state.f_bavail * state.f_frsize) < 1 << 30
    assert (room.files is None) == (state.f_files == 0)


def test_manners_are_tried_in_a_folder_that_is_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "Some").touch()

    manners = manners_of(tmp_path)

    assert manners.folds_case == (tmp_path / "some").exists()
    assert manners.keeps_links and manners.keeps_modes
    assert [path.name for path in tmp_path.iterdir()] == ["Some"]
