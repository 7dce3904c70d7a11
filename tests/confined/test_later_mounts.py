"""What the host mounts while a command runs does not arrive within."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.confined.tiers import missing, under

SCRIPT = """
mount -t tmpfs none "$1" && mount --make-shared "$1" && mkdir "$1/late" || exit 9
shift; top=$1; shift
"$@" &
until [ -e "$top/own/begun" ]; do sleep 0.02; done
mount -t tmpfs none "$top/shared/late" || exit 9
touch "$top/own/mounted"
wait
ls "$top/shared/late"
"""
LOOP = (
    "touch begun; until [ -e mounted ]; do sleep 0.02; done; "
    "for n in 1 2 3 4 5; do touch {late}/evil 2>/dev/null; sleep 0.05; done; true"
)


@pytest.mark.skipif(bool(missing("bubblewrap")), reason=f"bubblewrap: {missing('bubblewrap')}")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.parametrize("kept", [True, False], ids=["apart", "bubblewrap alone"])
def test_a_mount_made_meanwhile_cannot_be_written(tmp_path: Path, kept: bool) -> None:
    own, shared = tmp_path / "own", tmp_path / "shared"
    own.mkdir()
    shared.mkdir()
    unshare = shutil.which("unshare")
    assert unshare is not None
    line = LOOP.format(late=shared / "late")
    # The folder is not private to the command, though it lies in /tmp.
    words, rules = under(
        "bubblewrap",
        *("sh", "-c", line),
        folder=own,
        readable=(str(tmp_path),),
        unshare=unshare if kept else "",
    )
    handle = os.memfd_create("filter")
    os.write(handle, rules.fed["{seccomp}"])
    os.lseek(handle, 0, os.SEEK_SET)
    status = os.open(os.devnull, os.O_WRONLY)
    given = {"{seccomp}": str(handle), "{status}": str(status)}

    done = subprocess.run(
        [unshare, "-m", "--propagation", "private", "sh", "-c", SCRIPT, "sh", str(shared),
         str(tmp_path), *(given.get(word, word) for word in words)],
        capture_output=True, text=True, check=False, pass_fds=(handle, status),
    )  # fmt: skip
    os.close(handle)
    os.close(status)

    assert (done.returncode, done.stdout) == (0, "" if kept else "evil\n"), done.stderr
