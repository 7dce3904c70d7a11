"""Nothing leaves a run folder, whatever stands in the way."""

import contextlib
import multiprocessing
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import Repo
from tools.codex.factory.domain.identity import RunId, run_id
from tools.codex.factory.errors import (
    ConfigurationError,
    OutsideRunDirectory,
    RunUnavailable,
    StorageError,
    UnfitHost,
)
from tools.codex.factory.storage.regular import NotARegularFile, TooLarge, read_regular
from tools.codex.factory.storage.run_directory import RunDirectory
from tools.codex.factory.storage.runs_root import claim, make_runs_root, runs_in

Untouched = Callable[[], bool]
BAD_NAMES = (
    "", "/", "/etc/passwd", ".", "..", "../x", "a/../x", "a/..", "a/.", "./a", "a//b", "a/", "//a",
    "a\0b", "\0",
)  # fmt: skip


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def within(seconds: float, act: Callable[[], object]) -> bool:
    """Return whether `act` ends in time, however it ends."""

    def quiet() -> None:
        with contextlib.suppress(StorageError):
            act()

    thread = threading.Thread(target=quiet, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def test_a_written_file_is_read_back_and_nothing_lies_beside_it(run: RunDirectory) -> None:
    run.write("A_worker/LOGS/INDEX.json", b"{}\n")

    assert run.read("A_worker/LOGS/INDEX.json") == b"{}\n"
    assert names_in(run.folder / "A_worker" / "LOGS") == ["INDEX.json"]


def test_a_second_write_is_a_new_file_that_takes_the_name(run: RunDirectory) -> None:
    run.write("PLAN.json", b"old")
    first = os.stat(run.folder / "PLAN.json").st_ino
    reader = (run.folder / "PLAN.json").open("rb")

    run.write("PLAN.json", b"new")

    assert os.stat(run.folder / "PLAN.json").st_ino != first
    assert reader.read() == b"old"
    assert run.read("PLAN.json") == b"new"
    reader.close()


def test_what_a_killed_writer_left_beside_does_not_stand_in_the_way(run: RunDirectory) -> None:
    (run.folder / ".PLAN.json.new").write_bytes(b"half of a much longer pl")

    run.write("PLAN.json", b"whole")

    assert run.read("PLAN.json") == b"whole"
    assert names_in(run.folder) == ["PLAN.json"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_no_path_below_the_run_is_refused(run: RunDirectory, name: str) -> None:
    with pytest.raises(OutsideRunDirectory):
        run.write(name, b"x")
    with pytest.raises(OutsideRunDirectory):
        run.read(name)
    with pytest.raises(OutsideRunDirectory):
        run.set_aside(name)
    assert names_in(run.folder) == []


@pytest.mark.parametrize("name", ["x", "a/x", "a/b/x"])
def test_a_run_folder_that_is_a_link_is_refused(
    run: RunDirectory, outside: Path, untouched: Untouched, name: str
) -> None:
    run.folder.rmdir()
    run.folder.symlink_to(outside)

    with pytest.raises(OutsideRunDirectory):
        run.write(name, b"x")
    assert untouched()


@pytest.mark.parametrize("link", ["a", "a/b", "a/b/c"])
def test_a_linked_folder_on_the_way_is_refused(
    run: RunDirectory, outside: Path, untouched: Untouched, link: str
) -> None:
    (run.folder / link).parent.mkdir(parents=True, exist_ok=True)
    (run.folder / link).symlink_to(outside)

    with pytest.raises(OutsideRunDirectory):
        run.write("a/b/c/x", b"x")
    assert untouched()


def test_a_linked_folder_is_refused_when_reading(run: RunDirectory, outside: Path) -> None:
    (run.folder / "a").symlink_to(outside)

    with pytest.raises(OutsideRunDirectory):
        run.read("a/treasure")


@pytest.mark.parametrize("target", ["treasure", "not-there", "."])
def test_a_linked_leaf_is_refused(
    run: RunDirectory, outside: Path, untouched: Untouched, target: str
) -> None:
    (run.folder / "STATUS.json").symlink_to(outside / target)

    with pytest.raises(OutsideRunDirectory):
        run.write("STATUS.json", b"x")
    assert untouched()


def test_a_hard_linked_leaf_is_replaced_and_its_other_name_kept(
    run: RunDirectory, outside: Path, untouched: Untouched
) -> None:
    os.link(outside / "treasure", run.folder / "STATUS.json")

    run.write("STATUS.json", b"x")

    assert run.read("STATUS.json") == b"x"
    assert untouched()


def test_a_hard_link_beside_the_leaf_is_not_written_through(
    run: RunDirectory, outside: Path, untouched: Untouched
) -> None:
    os.link(outside / "treasure", run.folder / ".STATUS.json.new")

    within(1, lambda: run.write("STATUS.json", b"x"))

    assert untouched()


def test_a_symbolic_link_beside_the_leaf_is_not_written_through(
    run: RunDirectory, outside: Path, untouched: Untouched
) -> None:
    (run.folder / ".STATUS.json.new").symlink_to(outside / "treasure")

    within(1, lambda: run.write("STATUS.json", b"x"))

    assert untouched()


def test_a_pipe_beside_the_leaf_does_not_hang_the_writer(run: RunDirectory) -> None:
    os.mkfifo(run.folder / ".STATUS.json.new")

    ended = within(1, lambda: run.write("STATUS.json", b"x"))
    if not ended:
        os.close(os.open(run.folder / ".STATUS.json.new", os.O_RDONLY | os.O_NONBLOCK))

    assert ended


@pytest.mark.parametrize("kind", ["fifo", "folder", "socket"])
def test_a_leaf_that_is_no_file_is_refused(run: RunDirectory, kind: str) -> None:
    _make(run.folder / "STATUS.json", kind)

    with pytest.raises(OutsideRunDirectory):
        run.write("STATUS.json", b"x")
    assert names_in(run.folder) == ["STATUS.json"]


@pytest.mark.parametrize("kind", ["file", "fifo", "socket"])
def test_a_folder_that_is_none_is_refused(run: RunDirectory, kind: str) -> None:
    _make(run.folder / "a", kind)

    with pytest.raises(OutsideRunDirectory):
        run.write("a/x", b"x")
    assert names_in(run.folder) == ["a"]


@pytest.mark.parametrize("name", ["x" * 300, "x" * 255, "y" * 300 + "/x"])
def test_a_name_too_long_for_the_disk_is_a_storage_error(run: RunDirectory, name: str) -> None:
    with pytest.raises(StorageError):
        run.write(name, b"x")


def test_a_run_folder_that_is_gone_is_said(run: RunDirectory) -> None:
    run.folder.rmdir()

    with pytest.raises(RunUnavailable, match="run 'r1' is gone"):
        run.write("x", b"x")


def test_a_missing_file_is_told_apart_from_a_refused_one(run: RunDirectory) -> None:
    with pytest.raises(FileNotFoundError):
        run.read("x")
    with pytest.raises(FileNotFoundError):
        run.read("a/x")


def test_only_a_regular_file_is_there(run: RunDirectory, outside: Path) -> None:
    run.write("file", b"")
    (run.folder / "link").symlink_to(outside / "treasure")
    (run.folder / "folder").mkdir()

    assert [run.has(n) for n in ("file", "link", "folder", "none")] == [True, False, False, False]


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 100_000])
def test_a_regular_file_is_read_whole(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)

    assert read_regular(tmp_path / "file", limit=len(content)) == content


@pytest.mark.parametrize("kind", ["fifo", "folder", "socket", "link", "dangling", "hard link"])
def test_what_is_no_plain_file_is_not_read(tmp_path: Path, outside: Path, kind: str) -> None:
    _make(tmp_path / "it", kind, outside / "treasure")

    with pytest.raises(NotARegularFile):
        read_regular(tmp_path / "it", limit=100)


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero"])
def test_a_device_is_not_read(device: str) -> None:
    with pytest.raises(NotARegularFile, match="not a regular file"):
        read_regular(device, limit=100)


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(TooLarge, match="1099511627776 bytes, more than the 1000 allowed"):
        read_regular(tmp_path / "huge", limit=1000)


def test_a_file_of_the_kernel_that_tells_no_size_is_refused() -> None:
    with pytest.raises(StorageError):
        read_regular("/proc/self/status", limit=1 << 20)


def test_a_file_that_grows_while_it_is_read_is_refused_or_read_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"line\n" * 200)
    stop = threading.Event()
    writer = threading.Thread(target=_grow, args=(path, stop))
    writer.start()

    answers = [_content_or_refusal(path) for _ in range(200)]

    stop.set()
    writer.join()
    whole = path.read_bytes()
    assert all(answer is None or whole.startswith(answer) for answer in answers)


def test_what_is_set_aside_keeps_every_earlier_one(run: RunDirectory, outside: Path) -> None:
    (run.folder / "Z").mkdir()
    for number in range(3):
        (run.folder / "Z" / "STATUS.json").symlink_to(outside / str(number))
        run.set_aside("Z/STATUS.json")

    kept = {name: os.readlink(run.folder / "Z" / name) for name in names_in(run.folder / "Z")}
    assert kept == {f"STATUS.json.refused-{n + 1}": str(outside / str(n)) for n in range(3)}


def test_set_aside_names_where_it_went(run: RunDirectory) -> None:
    (run.folder / "seals").write_bytes(b"a file in place of a folder")

    assert run.set_aside("seals") == "seals.refused-1"
    assert names_in(run.folder) == ["seals.refused-1"]


def test_every_file_below_a_folder_is_listed_and_no_link_followed(
    run: RunDirectory, outside: Path
) -> None:
    for name in ("A/x", "A/LOGS/y", "A/LOGS/z/w"):
        run.write(name, b"")
    (run.folder / "A" / "file-link").symlink_to(outside / "treasure")
    (run.folder / "A" / "folder-link").symlink_to(outside)
    os.mkfifo(run.folder / "A" / "pipe")

    assert run.files_below("A") == (
        "LOGS/y", "LOGS/z/w", "file-link", "folder-link", "pipe", "x",
    )  # fmt: skip


def test_a_linked_worker_folder_is_not_walked(run: RunDirectory, outside: Path) -> None:
    (run.folder / "A").symlink_to(outside)

    assert run.files_below("A") == ()


def test_the_runs_root_never_shows_in_git_status(repo: Repo) -> None:
    root = repo.path / "tools" / "codex" / "runs"
    make_runs_root(root)
    _fill(root)

    assert repo.git("status", "--porcelain", "--untracked-files=all") == (
        b"?? tools/codex/runs/r1/record/INDEX.json\n?? tools/codex/runs/r1/record/deep/x\n"
    )


def test_the_records_of_a_run_can_be_committed_and_nothing_else(repo: Repo) -> None:
    root = repo.path / "tools" / "codex" / "runs"
    make_runs_root(root)
    _fill(root)

    repo.git("add", "-A")

    assert repo.git("diff", "--cached", "--name-only").split() == [
        b"tools/codex/runs/r1/record/INDEX.json",
        b"tools/codex/runs/r1/record/deep/x",
    ]


def test_a_runs_root_made_again_keeps_what_the_operator_wrote(tmp_path: Path) -> None:
    make_runs_root(tmp_path)
    (tmp_path / ".gitignore").write_text("/*\n# mine\n")

    make_runs_root(tmp_path)

    assert (tmp_path / ".gitignore").read_text() == "/*\n# mine\n"


def test_a_folder_of_other_files_is_no_runs_root_and_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "source.py").touch()

    with pytest.raises(ConfigurationError):
        make_runs_root(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["source.py"]


def test_a_gitignore_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").touch()

    make_runs_root(tmp_path)

    assert (tmp_path / ".gitignore").read_text() == ""


@pytest.mark.parametrize("name", ["file", "file/below", "dangling"])
def test_a_runs_root_that_cannot_be_a_folder_is_unfit(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "at" / "all")

    with pytest.raises(UnfitHost, match="cannot be written"):
        make_runs_root(tmp_path / name)


def test_a_run_is_claimed_once_among_processes(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(6) as pool:
        claimed = pool.starmap(claim, [(tmp_path, RunId("r1"))] * 60)

    assert sorted(claimed) == [False] * 59 + [True]


def test_runs_are_listed_sorted_and_links_are_none(tmp_path: Path, outside: Path) -> None:
    for name in ("b", "a", "c"):
        claim(tmp_path, run_id(name))
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(outside)

    assert runs_in(tmp_path) == ("a", "b", "c", "outside")
    assert runs_in(tmp_path / "none") == ()


def test_a_folder_for_throw_away_files_is_gone_afterwards(run: RunDirectory) -> None:
    with run.scratch() as folder:
        (Path(folder) / "x").touch()
        assert Path(folder).parent == run.folder

    assert names_in(run.folder) == []


def _fill(root: Path) -> None:
    names = ("r1/PLAN.json", "r1/A/DIFF.patch", "r1/A/record/x", "factory_ledger.jsonl",
             "r1/record/INDEX.json", "r1/record/deep/x", "record/x")  # fmt: skip
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def _make(path: Path, kind: str, target: Path = Path("/nowhere")) -> None:
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "file":
        path.touch()
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    elif kind == "link":
        path.symlink_to(target)
    elif kind == "dangling":
        path.symlink_to("/nowhere")
    elif kind == "hard link":
        os.link(target, path)


def _grow(path: Path, stop: threading.Event) -> None:
    with path.open("ab", buffering=0) as file:
        while not stop.is_set() and file.tell() < 5 << 20:
            file.write(b"line\n" * 200)


def _content_or_refusal(path: Path) -> bytes | None:
    try:
        return read_regular(path, limit=1 << 30)
    except NotARegularFile:
        return None
