"""One factory at a time holds a run; a dead one holds nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.codex.factory.errors import RunUnavailable, StorageError
from tools.codex.factory.storage.lock import LOCK, held, holder_of, is_held

PROJECT = Path(__file__).parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from tools.codex.factory.storage.lock import held

with held(Path(sys.argv[1]), holder={"pid": 4711, "command": "factory x", "since": "noon"}):
    sys.stdout.write("held\\n")
    sys.stdout.flush()
    sys.stdin.read()
"""
LOOKER = """
import sys
from pathlib import Path
from tools.codex.factory.storage.lock import is_held

sys.stdout.write("looking\\n")
sys.stdout.flush()
while True:
    is_held(Path(sys.argv[1]))
"""
ME: dict[str, object] = {"pid": 1, "command": "factory y", "since": "now"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a run called r1."""
    (tmp_path / "r1").mkdir()
    return tmp_path / "r1"


def holder(folder: Path) -> "subprocess.Popen[bytes]":
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    child.stdout.close()
    return child


def killed(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    child.wait()
    assert child.stdin is not None
    child.stdin.close()


def test_a_second_holder_is_refused_and_told_who_the_first_is(folder: Path) -> None:
    with (
        held(folder, holder=ME),
        pytest.raises(RunUnavailable) as refused,
        held(folder, holder={"pid": 2}),
    ):
        pass

    assert str(refused.value) == "run 'r1' is held by process 1 (factory y, since now)"
    assert refused.value.exit_code == 40


def test_a_refused_holder_leaves_the_text_of_the_first(folder: Path) -> None:
    with held(folder, holder=ME):
        before = (folder / LOCK).read_bytes()
        with pytest.raises(RunUnavailable), held(folder, holder={"pid": 2}):
            pass

        assert (folder / LOCK).read_bytes() == before


def test_a_run_is_free_again_once_its_holder_leaves(folder: Path) -> None:
    with held(folder, holder=ME):
        pass
    with held(folder, holder=ME):
        pass

    assert (folder / LOCK).read_bytes() == b""


def test_a_run_is_free_again_once_its_holder_fails(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), held(folder, holder=ME):
        raise ZeroDivisionError

    with held(folder, holder=ME):
        pass


def test_a_holder_in_another_process_is_named(folder: Path) -> None:
    child = holder(folder)

    with (
        pytest.raises(RunUnavailable, match=r"held by process 4711 \(factory x, since noon\)"),
        held(folder, holder=ME),
    ):
        pass
    killed(child)


def test_a_killed_holder_holds_nothing_though_its_text_stays(folder: Path) -> None:
    child = holder(folder)
    killed(child)
    text = (folder / LOCK).read_bytes()

    with held(folder, holder=ME):
        during = (folder / LOCK).read_bytes()

    assert b"4711" in text
    assert b"4711" not in during


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"{}", b'{"pid": [1]}', b"[" * 5000],
)
def test_the_text_in_the_file_is_never_the_truth(folder: Path, text: bytes) -> None:
    child = holder(folder)
    (folder / LOCK).write_bytes(text)

    with pytest.raises(RunUnavailable, match="run 'r1' is held by"), held(folder, holder=ME):
        pass
    killed(child)
    (folder / LOCK).write_bytes(b'{"pid": 1, "command": "a lie", "since": "ever"}')
    with held(folder, holder=ME):
        pass


def test_who_holds_a_run_is_asked_without_making_anything(folder: Path) -> None:
    nobody = holder_of(folder)
    assert list(folder.iterdir()) == []
    with held(folder, holder=ME):
        somebody = holder_of(folder)

    assert (nobody, holder_of(folder)) == ("", "")
    assert somebody.startswith("run 'r1' is held by process ")


def test_the_text_of_a_killed_holder_is_not_taken_for_a_holder(folder: Path) -> None:
    child = holder(folder)
    alive = holder_of(folder)
    killed(child)

    assert alive
    assert (folder / LOCK).read_bytes()
    assert holder_of(folder) == ""
    assert not is_held(folder)


def test_a_lock_that_is_a_link_is_refused_and_its_target_kept(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"gold")
    (folder / LOCK).symlink_to(tmp_path / "outside")

    with pytest.raises(StorageError), held(folder, holder=ME):
        pass
    assert (tmp_path / "outside").read_bytes() == b"gold"


def test_a_lock_that_is_a_hard_link_is_refused_and_its_other_name_kept(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").write_bytes(b"gold")
    os.link(tmp_path / "outside", folder / LOCK)

    with pytest.raises(StorageError), held(folder, holder=ME):
        pass
    assert (tmp_path / "outside").read_bytes() == b"gold"


@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_a_lock_that_is_no_file_is_a_storage_error(folder: Path, kind: str) -> None:
    os.mkfifo(folder / LOCK) if kind == "fifo" else (folder / LOCK).mkdir()

    with pytest.raises(StorageError), held(folder, holder=ME):
        pass


def test_a_run_folder_that_is_a_link_is_not_locked(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "r1").symlink_to(tmp_path / "outside")

    with pytest.raises(StorageError), held(tmp_path / "r1", holder=ME):
        pass
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_child_of_the_holder_does_not_keep_the_lock(folder: Path) -> None:
    with held(folder, holder=ME):
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"],
            stdin=subprocess.PIPE,
            close_fds=False,
        )

    with held(folder, holder=ME):
        pass
    killed(child)


def test_who_only_looks_sees_a_holder_of_another_process_until_it_is_gone(folder: Path) -> None:
    before = is_held(folder)
    child = holder(folder)
    during = is_held(folder)
    killed(child)

    assert (before, during, is_held(folder)) == (False, True, False)


def opened(path: Path) -> list[int]:
    """Return the handles by which this process has `path` open."""
    links = Path("/proc/self/fd")
    return [int(name) for name in os.listdir(links) if (links / name).resolve() == path]


def test_a_holder_that_leaves_is_seen_to_have_left_though_a_child_of_it_lives(
    folder: Path,
) -> None:
    with held(folder, holder=ME):
        during = is_held(folder)
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"],
            stdin=subprocess.PIPE,
            pass_fds=opened(folder / LOCK),
        )

    assert (during, is_held(folder)) == (True, False)
    killed(child)


def test_who_only_looks_writes_nothing_and_never_makes_a_run_busy(folder: Path) -> None:
    with held(folder, holder=ME):
        pass
    state = (folder / LOCK).stat()
    looker = subprocess.Popen(
        [sys.executable, "-c", LOOKER, str(folder)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert looker.stdout is not None
    assert looker.stdout.readline() == b"looking\n"
    looker.stdout.close()

    try:
        for _ in range(2000):
            with held(folder, holder=ME):
                pass
        assert looker.poll() is None
    finally:
        looker.kill()
        looker.wait()
    assert (folder / LOCK).stat().st_ino == state.st_ino


@pytest.mark.parametrize("kind", ["link", "folder", "fifo", "nothing", "no run"])
def test_what_is_no_lock_is_looked_at_without_harm(folder: Path, kind: str) -> None:
    make = {
        "link": lambda: (folder / LOCK).symlink_to("elsewhere"),
        "folder": lambda: (folder / LOCK).mkdir(),
        "fifo": lambda: os.mkfifo(folder / LOCK),
        "no run": folder.rmdir,
    }
    make.get(kind, lambda: None)()

    assert is_held(folder) is (kind == "link")


def test_a_disk_that_takes_no_text_keeps_nobody_from_holding_a_run(folder: Path) -> None:
    full = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"

    ended = subprocess.run(
        [sys.executable, "-c", full + HOLDER, str(folder)],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"held\n", b"")
    assert (folder / LOCK).read_bytes() == b""
