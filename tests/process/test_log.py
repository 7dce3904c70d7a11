"""A log is whole while it is short; of a long one, begin and end are kept."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.codex.factory.process.log import CappedLog


def logged(path: Path, parts: list[bytes], most: int) -> tuple[bytes, bool]:
    log = CappedLog(path, most)
    for part in parts:
        log.add(part)
    truncated = log.truncated
    log.close()
    return path.read_bytes(), truncated


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 125])
def test_a_log_that_fits_with_its_tail_is_whole(tmp_path: Path, size: int) -> None:
    said = bytes(range(size))

    assert logged(tmp_path / "log", [said], 100) == (said, False)


def test_of_a_flood_the_begin_and_the_end_are_kept(tmp_path: Path) -> None:
    content, truncated = logged(
        tmp_path / "log", [b"a" * 100, b"b" * 500, b"c" * 20 + b"d" * 5], 100
    )

    note = b"\n[factory: 500 bytes are left out here]\n"
    assert (content, truncated) == (b"a" * 100 + note + b"c" * 20 + b"d" * 5, True)


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(st.binary(max_size=60), max_size=12), most=st.integers(4, 80))
def test_begin_and_end_are_kept_however_it_is_said(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], most: int
) -> None:
    whole = b"".join(parts)

    content, truncated = logged(tmp_path_factory.mktemp("log") / "log", parts, most)

    tail = most // 4
    assert truncated == (len(whole) > most + tail)
    assert content.startswith(whole[:most])
    assert content.endswith(whole[-tail:] if len(whole) > most + tail else whole)
    assert len(content) <= most + tail + 60


@pytest.mark.parametrize("kind", ["file", "link", "pipe"])
def test_a_log_is_a_new_file_or_none(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "log"
    makes: dict[str, Callable[[], object]] = {
        "file": lambda: path.write_text("x"),
        "link": lambda: path.symlink_to(tmp_path / "elsewhere"),
        "pipe": lambda: os.mkfifo(path),
    }
    makes[kind]()

    with pytest.raises(FileExistsError):
        CappedLog(path, 100)

    assert not (tmp_path / "elsewhere").exists()
