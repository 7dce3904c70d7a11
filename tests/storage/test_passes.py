"""Passes are kept by what could change them, by many at once, and never taken on trust."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools.codex.factory.domain.identity import RunId, digest_of
from tools.codex.factory.storage.passes import Passes

KEY = digest_of(b"one")
OTHER = digest_of(b"other")
RUN = RunId("r1")


@pytest.fixture
def passes(tmp_path: Path) -> Passes:
    for run in ("r1", "r2"):
        (tmp_path / run).mkdir()
        (tmp_path / run / "RUN_MANIFEST.json").write_text("{}")
    return Passes(tmp_path)


def test_a_pass_is_found_by_its_key_alone(passes: Passes) -> None:
    passes.keep(KEY, RUN, "tests")

    assert (passes.run_of(KEY), passes.run_of(OTHER)) == ("r1", None)


def test_nothing_is_known_where_nothing_was_kept(tmp_path: Path) -> None:
    assert Passes(tmp_path / "nowhere").run_of(KEY) is None
    assert not (tmp_path / "nowhere").exists()


def test_the_last_run_that_passed_is_named(passes: Passes) -> None:
    passes.keep(KEY, RUN, "tests")
    passes.keep(KEY, RunId("r2"), "tests")

    assert passes.run_of(KEY) == "r2"


@pytest.mark.parametrize("length", range(0, 140, 20))
def test_a_pass_that_was_cut_off_is_none(passes: Passes, tmp_path: Path, length: int) -> None:
    passes.keep(KEY, RUN, "tests")
    kept = tmp_path / ".passes" / f"{KEY}.json"
    content = kept.read_bytes()
    kept.write_bytes(content[:length])

    assert passes.run_of(KEY) is None


def test_a_pass_copied_to_another_key_is_none(passes: Passes, tmp_path: Path) -> None:
    passes.keep(KEY, RUN, "tests")
    kept = tmp_path / ".passes" / f"{KEY}.json"
    kept.rename(kept.with_name(f"{OTHER}.json"))

    assert passes.run_of(OTHER) is None


def test_a_pass_of_no_run_id_is_none(passes: Passes, tmp_path: Path) -> None:
    passes.keep(KEY, RUN, "tests")
    kept = tmp_path / ".passes" / f"{KEY}.json"
    kept.write_text(kept.read_text().replace('"r1"', '"../r1"'))

    assert passes.run_of(KEY) is None


def test_factories_that_keep_one_pass_at_once_do_not_stop_each_other(passes: Passes) -> None:
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(passes.keep, KEY, RUN, "tests") for _ in range(200)]

    assert [str(one.exception()) for one in done if one.exception()] == []
    assert passes.run_of(KEY) == "r1"


@pytest.mark.parametrize("stands", ["file", "link", "dangling"])
def test_what_stands_in_the_place_of_the_folder_is_no_error(
    passes: Passes, tmp_path: Path, stands: str
) -> None:
    folder = tmp_path / ".passes"
    if stands == "file":
        folder.write_text("x")
    else:
        folder.symlink_to(tmp_path if stands == "link" else "nowhere")

    passes.keep(KEY, RUN, "tests")

    assert passes.run_of(KEY) in (None, "r1")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".passes", "r1", "r2"]
