"""What real processes try outside is seen, and every one of their calls goes on."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.process.observing import needs_observing, observed
from tools.codex.factory.domain.confinement import Confinement
from tools.codex.factory.domain.trespass import MOST_KEPT
from tools.codex.factory.process.observe import Observer

pytestmark = needs_observing
PYTHON = (sys.executable, "-I", "-S", "-c")
BWRAP = shutil.which("bwrap")


@dataclass(frozen=True, slots=True)
class Ground:
    """A folder that may be written, and one beside it that may not."""

    inside: Path
    outside: Path

    @property
    def confinement(self) -> Confinement:
        """Return what the command may do, where nothing but the observer looks."""
        return Confinement(role="worker", tier="landlock", writable=(str(self.inside),))


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """Return the two folders, with a file and a folder in each."""
    found = Ground(tmp_path / "in", tmp_path / "out")
    for folder in (found.inside, found.outside):
        (folder / "folder").mkdir(parents=True)
        (folder / "empty").mkdir()
        (folder / "file").write_text("there\n")
    return found


CALLS = """
import os, sys
p = sys.argv[1]
os.close(os.open(p + "/file", os.O_WRONLY))
os.close(os.open(p + "/file", os.O_RDWR))
os.close(os.open(p + "/file", os.O_RDONLY | os.O_TRUNC))
os.close(os.open(p + "/new", os.O_RDONLY | os.O_CREAT))
os.mkdir(p + "/made")
os.rmdir(p + "/empty")
os.symlink("nowhere", p + "/soft")
os.link(p + "/file", p + "/hard")
os.mkfifo(p + "/pipe")
os.truncate(p + "/file", 3)
os.chmod(p + "/file", 0o600)
os.chown(p + "/file", -1, -1)
os.lchown(p + "/soft", -1, -1)
os.utime(p + "/file", (1, 1))
try:
    os.setxattr(p + "/file", "user.x", b"1")
    os.removexattr(p + "/file", "user.x")
except OSError:
    pass
os.rename(p + "/new", p + "/renamed")
os.unlink(p + "/hard")
"""


def test_each_kind_of_call_outside_is_seen(ground: Ground) -> None:
    done = observed([*PYTHON, CALLS, str(ground.outside)], ground.confinement)

    assert (done.code, done.said, done.unobserved) == (0, b"", "")
    outside = str(ground.outside)
    assert [
        (one.operation, one.path[len(outside) :], one.count) for one in done.seen.trespasses
    ] == [
        ("write", "/file", 3),
        ("write", "/new", 1),
        ("mkdir", "/made", 1),
        ("remove", "/empty", 1),
        ("symlink", "/soft", 1),
        ("link", "/hard", 1),
        ("mknod", "/pipe", 1),
        ("truncate", "/file", 1),
        ("chmod", "/file", 1),
        ("chown", "/file", 1),
        ("chown", "/soft", 1),
        ("utime", "/file", 1),
        ("xattr", "/file", 2),
        ("rename", "/new", 1),
        ("rename", "/renamed", 1),
        ("remove", "/hard", 1),
    ]
    assert {one.program for one in done.seen.trespasses} == {Path(os.path.realpath(PYTHON[0])).name}


def test_the_same_calls_inside_are_none_and_all_went_on(ground: Ground) -> None:
    done = observed([*PYTHON, CALLS, str(ground.inside)], ground.confinement)

    assert (done.code, done.said, done.found) == (0, b"", set())
    assert sorted(os.listdir(ground.inside)) == [
        "file", "folder", "made", "pipe", "renamed", "soft",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("os.open('soft/new', os.O_WRONLY | os.O_CREAT)", {("write", "new")}),
        ("os.open('to-file', os.O_WRONLY)", {("write", "file")}),
        ("os.open('dangling', os.O_WRONLY | os.O_CREAT)", {("write", "born")}),
        ("os.open('chain', os.O_WRONLY)", {("write", "file")}),
        ("os.open('../out/./folder/../file', os.O_WRONLY)", {("write", "file")}),
        ("os.open('soft/../out/file', os.O_WRONLY)", {("write", "file")}),
        ("os.open(f'/proc/self/root{out}/file', os.O_WRONLY)", {("write", "file")}),
        ("os.open(f'/proc/{os.getpid()}/root{out}/file', os.O_WRONLY)", {("write", "file")}),
        ("os.open('/proc/self/cwd/../out/file', os.O_WRONLY)", {("write", "file")}),
        ("os.open('root' + out + '/file', os.O_WRONLY)", {("write", "file")}),
        (
            "os.open(f'/proc/self/fd/{os.open(out, os.O_RDONLY)}/file', os.O_WRONLY)",
            {("write", "file")},
        ),
        (
            "os.open(f'/dev/fd/{os.open(out + \"/file\", os.O_RDONLY)}', os.O_WRONLY)",
            {("write", "file")},
        ),
        (
            "os.open('file', os.O_WRONLY, dir_fd=os.open(out, os.O_RDONLY))",
            {("write", "file")},
        ),
        ("os.mkdir('made/', dir_fd=os.open(out, os.O_RDONLY))", {("mkdir", "made")}),
        ("os.utime(os.open(out + '/file', os.O_RDONLY))", {("utime", "file")}),
        ("os.rename('file', out + '/moved')", {("rename", "moved")}),
        ("os.rename(out + '/file', 'taken')", {("rename", "file")}),
        ("os.chdir(out); os.mkdir('made')", {("mkdir", "made")}),
        ("os.utime('to-file', follow_symlinks=False)", set()),
        ("os.unlink('to-file')", set()),
        ("os.link(out + '/file', 'mine')", set()),
        ("os.open('to-file', os.O_RDONLY)", set()),
        ("os.open('../in/file', os.O_WRONLY)", set()),
        ("os.open('/dev/stderr', os.O_WRONLY)", set()),
        ("os.open('/dev/null', os.O_RDWR)", set()),
        ("os.open('/proc/self/oom_score_adj', os.O_WRONLY)", set()),
        ("os.rmdir(os.getcwd() + '/empty'); os.utime('.')", set()),
        ("os.open(f'/dev/fd/{os.memfd_create(\"x\")}', os.O_WRONLY)", set()),
        ("os.open(f'/proc/self/fd/{os.pipe()[1]}', os.O_WRONLY)", set()),
        ("os.open(f'/proc/{os.getpid()}/oom_score_adj', os.O_WRONLY)", set()),
    ],
)
def test_what_a_path_means_is_where_the_kernel_goes(
    ground: Ground, what: str, found: set[tuple[str, str]]
) -> None:
    for name, target in [
        ("soft", ground.outside / "folder" / ".."),
        ("to-file", ground.outside / "file"),
        ("dangling", ground.outside / "born"),
        ("chain", ground.inside / "to-file"),
        ("root", Path("/proc/self/root")),
    ]:
        (ground.inside / name).symlink_to(target)
    source = f"import os; out = {str(ground.outside)!r}; {what}"

    done = observed([*PYTHON, source], ground.confinement, cwd=ground.inside)

    assert (done.code, done.said) == (0, b"")
    assert done.found == {(how, str(ground.outside / name)) for how, name in found}


@pytest.mark.parametrize(
    "argv",
    [
        ["mkdir", "-p", "IN/a/b/c"],
        ["rm", "-f", "OUT/none"],
        ["sh", "-c", "echo > OUT/no/such/folder; true"],
        ["sh", "-c", "mkdir OUT; true"],
        ["sh", "-c", "chmod 600 OUT/none; rmdir OUT/none; true"],
        ["sh", "-c", "test -e OUT/file && cat OUT/file"],
    ],
)
def test_what_would_change_nothing_anywhere_is_none(ground: Ground, argv: list[str]) -> None:
    where = {"IN": str(ground.inside), "OUT": str(ground.outside)}
    words = [word.replace("IN", where["IN"]).replace("OUT", where["OUT"]) for word in argv]

    done = observed(words, ground.confinement)

    assert (done.code, done.found) == (0, set())


def test_what_is_hidden_counts_though_nothing_seems_to_be_there(ground: Ground) -> None:
    hidden = Confinement(role="worker", tier="landlock", hidden=(str(ground.outside),))

    done = observed(["rm", "-f", f"{ground.outside}/none"], hidden)

    assert done.found == {("remove", f"{ground.outside}/none")}


@pytest.mark.parametrize(
    "name", ["?", "a\nb", "\x1b[2J", "\udcff\udcfe", "ü", "x" * 255, " (deleted)"]
)
def test_any_name_is_told_as_it_is(ground: Ground, name: str) -> None:
    path = f"{ground.outside}/{name}"

    done = observed(["touch", path], ground.confinement)

    assert done.code == 0
    assert ("write", path) in done.found


def test_python_writing_its_caches_is_counted_apart(ground: Ground) -> None:
    (ground.outside / "plant.py").write_text("x = 1\n")
    source = f"""
import sys
sys.dont_write_bytecode = False
sys.path.insert(0, {str(ground.outside)!r})
import plant
"""

    done = observed([*PYTHON, source], ground.confinement)

    assert (done.code, done.found) == (0, set())
    assert done.seen.caches > 0


ODD_CALLS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
deep = b"x" * 4096
page = ctypes.create_string_buffer(8192)
last = 1 << 64
for pointer in (0, 1, 4095, 1 << 46, (1 << 47) - 1, 1 << 55, 1 << 63, last - 4096, last - 1):
    libc.mkdir(ctypes.c_void_p(pointer), 0o700)
    libc.open(ctypes.c_void_p(pointer), 1)
    libc.mkdirat(ctypes.c_int(-5), ctypes.c_void_p(pointer), 0o700)
    libc.mkdirat(ctypes.c_int(1 << 30), ctypes.c_void_p(pointer), 0o700)
    libc.syscall(ctypes.c_long(437), -100, b"file", ctypes.c_void_p(pointer), 24)
for path in (b"", deep, b"/" + deep, b"/" * 4095, b"a/" * 2000, b"../" * 1300, b".", b"..", b"/"):
    libc.mkdir(path, 0o700)
    libc.open(path, 1)
    libc.mkdirat(0, path, 0o700)
    libc.mkdirat(-1, path, 0o700)
os.symlink("loop", "loop")
libc.open(b"loop", 1)
os.pipe()
libc.mkdirat(3, b"x", 0o700)
here = os.getcwd() + "/empty"
os.chdir(here)
os.rmdir(here)
libc.mkdir(b"x", 0o700)
libc.open(b"y", 0o101)
print("whole")
"""


def test_odd_calls_harm_nobody(ground: Ground) -> None:
    done = observed([*PYTHON, ODD_CALLS], ground.confinement, cwd=ground.inside)

    assert (done.code, done.said) == (0, b"whole\n")
    assert done.found == {("write", str(ground.inside.parent)), ("write", "/")}


def test_only_what_openat2_writes_counts(ground: Ground) -> None:
    source = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
for flags in (os.O_RDONLY, os.O_PATH | os.O_CREAT, os.O_WRONLY):
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, 0, 0)
    libc.syscall(ctypes.c_long(437), -100, sys.argv[1].encode(), how, 24)
"""

    done = observed([*PYTHON, source, f"{ground.outside}/file"], ground.confinement)

    assert [(one.operation, one.count) for one in done.seen.trespasses] == [("write", 1)]


def test_eight_threads_at_once_are_all_seen(ground: Ground) -> None:
    source = f"""
import threading
def write(n):
    for m in range(20):
        open(f"{ground.outside}/{{n}}-{{m}}", "w").close()
several = [threading.Thread(target=write, args=(n,)) for n in range(8)]
[one.start() for one in several]
[one.join() for one in several]
"""

    done = observed([*PYTHON, source], ground.confinement)

    wanted = {("write", f"{ground.outside}/{n}-{m}") for n in range(8) for m in range(20)}
    assert (done.code, done.found) == (0, wanted)


@pytest.mark.slow
def test_a_flood_goes_by_and_little_of_it_is_kept(ground: Ground) -> None:
    source = f"for n in range(10000): open(f'{ground.outside}/{{n}}', 'w').close()"

    done = observed([*PYTHON, source], ground.confinement)

    assert (done.code, len(os.listdir(ground.outside))) == (0, 10000 + 3)
    assert len(done.seen.trespasses) == MOST_KEPT
    assert done.seen.beyond == 10000 - MOST_KEPT


def test_a_child_killed_while_it_waits_stops_nobody(ground: Ground) -> None:
    source = f"""
import os
for n in range(40):
    pid = os.fork()
    if pid == 0:
        while True:
            os.mkdir("{ground.outside}/made")
            os.rmdir("{ground.outside}/made")
    for m in range(20 * (n % 3)):
        os.utime("{ground.inside}/file")
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    if os.path.isdir("{ground.outside}/made"):
        os.rmdir("{ground.outside}/made")
print("whole")
"""

    done = observed([*PYTHON, source], ground.confinement)

    assert (done.code, done.said) == (0, b"whole\n")


def test_whoever_is_killed_unanswered_is_gone(ground: Ground) -> None:
    killed: list[int] = []

    def kill(child: "subprocess.Popen[bytes]", _observer: Observer) -> None:
        # It is in the middle of its flood, mostly waiting for us.
        if not killed and os.path.exists(f"{ground.outside}/100"):
            killed.append(child.pid)
            child.send_signal(signal.SIGKILL)

    source = f"for n in range(10**9): open(f'{ground.outside}/{{n}}', 'w').close()"
    done = observed([*PYTHON, source], ground.confinement, during=kill)

    assert (done.code, len(killed)) == (-signal.SIGKILL, 1)


def test_a_call_that_a_signal_cut_short_is_begun_again(ground: Ground) -> None:
    source = f"""
import os, signal
heard = []
signal.signal(signal.SIGALRM, lambda *_: heard.append(1))
# Without this the kernel ends a call with EINTR that waits to be told of; no observer can help it.
signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
for n in range(2000):
    os.mkdir(f"{ground.inside}/d{{n}}")
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(os.listdir("{ground.inside}")), bool(heard))
"""

    done = observed([*PYTHON, source], ground.confinement)

    assert (done.code, done.said) == (0, b"2003 True\n")


LISTENER = """
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
lines = struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000)
buffer = ctypes.create_string_buffer(lines, 8)
number = {"x86_64": 317, "aarch64": 277}[__import__("os").uname().machine]
said = struct.pack("@HP", 1, ctypes.addressof(buffer))
print(libc.syscall(number, 1, 8, said), ctypes.get_errno())
"""


def test_a_command_that_would_observe_itself_is_told_that_it_cannot(ground: Ground) -> None:
    done = observed([*PYTHON, LISTENER], ground.confinement)

    assert (done.code, done.said) == (0, b"-1 16\n")


def test_whoever_is_observed_already_cannot_be_observed_and_knows_why(ground: Ground) -> None:
    source = """
import platform
from tools.codex.factory.process.listener import listening
from tools.codex.factory.sandbox.observing import observing
print(listening(observing(platform.machine()).program))
"""
    project = Path(__file__).parents[2]

    done = observed([sys.executable, "-S", "-c", source], ground.confinement, cwd=project)

    reason = b"another program observes these processes already"
    assert done.said == b"Listening(handle=None, reason='%s')\n" % reason


def test_what_would_hide_writes_is_refused(ground: Ground) -> None:
    source = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 323, "aarch64": 282}[__import__("os").uname().machine]
for call, arguments in ((425, (8, bytes(120))), (number, (0,))):
    print(libc.syscall(call, *arguments), ctypes.get_errno())
"""

    done = observed([*PYTHON, source], ground.confinement)

    assert done.said == b"-1 38\n-1 1\n"


def boxed(ground: Ground, *argv: str) -> list[str]:
    """Return `argv` as bubblewrap runs it: all read-only but one folder and a private /tmp."""
    inside = str(ground.inside)
    return [
        *(str(BWRAP), "--unshare-all", "--cap-drop", "ALL", "--new-session"),
        *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/run"),
        *("--tmpfs", "/tmp", "--bind", inside, inside, "--ro-bind", "/usr", "/tmp/shown"),
        *("--chdir", inside, "--", *argv),
    ]


def bubblewrap_is_there() -> bool:
    """Return whether bubblewrap starts here."""
    if BWRAP is None:
        return False
    probe = [BWRAP, "--unshare-all", "--cap-drop", "ALL", "--ro-bind", "/", "/", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


needs_bubblewrap = pytest.mark.skipif(not bubblewrap_is_there(), reason="bwrap does not start here")


@needs_bubblewrap
def test_under_bubblewrap_only_the_command_itself_is_seen(ground: Ground) -> None:
    assert BWRAP is not None
    there = os.stat(BWRAP)
    script = (
        "echo > /usr/planted; mkdir /opt/planted; echo > mine; echo > /tmp/own; mkdir /run/own; "
        "ln -s /etc link; echo > link/planted; chmod 600 /etc/passwd; echo > /tmp/shown/planted; "
        "echo > /dev/shm/own; echo > /proc/self/root/etc/other; cd /etc; echo > relative; "
        "ln -s /usr /tmp/alias; echo > /tmp/alias/bin/planted; true"
    )
    confinement = Confinement(
        role="worker", tier="bubblewrap", writable=(str(ground.inside),), readable=("/tmp/shown",)
    )

    done = observed(
        boxed(ground, "sh", "-c", script),
        confinement,
        wrapper=(there.st_dev, there.st_ino),
    )

    assert (done.code, done.unobserved) == (0, "")
    assert done.found == {
        ("write", "/usr/planted"),
        ("mkdir", "/opt/planted"),
        ("write", "/etc/planted"),
        ("chmod", "/etc/passwd"),
        ("write", "/tmp/shown/planted"),
        ("write", "/etc/other"),
        ("write", "/etc/relative"),
        ("write", "/usr/bin/planted"),
    }
    assert sorted(os.listdir(ground.inside)) == ["empty", "file", "folder", "link", "mine"]


@needs_bubblewrap
def test_a_program_that_calls_itself_bwrap_is_seen(ground: Ground) -> None:
    assert BWRAP is not None
    there = os.stat(BWRAP)
    copy = ground.inside / "bwrap"
    shutil.copy("/bin/mkdir", copy)
    confinement = Confinement(role="worker", tier="bubblewrap", writable=(str(ground.inside),))

    done = observed(
        boxed(ground, str(copy), "/opt/planted"),
        confinement,
        wrapper=(there.st_dev, there.st_ino),
    )

    assert [(one.path, one.program) for one in done.seen.trespasses] == [("/opt/planted", "bwrap")]
