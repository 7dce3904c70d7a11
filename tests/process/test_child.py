"""A child is started with what it is given, heard whole, and gone when we are done."""

import os
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tools.codex.factory.errors import UnfitHost
from tools.codex.factory.process.child import Completed, TookTooLong, asked, conversation, run

ENV = {"PATH": os.environ.get("PATH", os.defpath)}
ECHO = "import sys\nfor line in sys.stdin: print('heard', line, end='', flush=True)\n"
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), os.getsid(0), flush=True)
time.sleep(60)
"""


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_a_child_is_fed_and_heard(tmp_path: Path) -> None:
    done = run(("cat",), env=ENV, cwd=tmp_path, feed=b"\0\xff\n" * 100_000)

    assert done == Completed(0, b"\0\xff\n" * 100_000, b"")


def test_a_child_knows_nothing_but_the_environment_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")

    done = run(("env",), env={**ENV, "GIVEN": "y"}, cwd=tmp_path)

    assert sorted(done.stdout.decode().splitlines()) == ["GIVEN=y", f"PATH={ENV['PATH']}"]


def test_a_child_works_where_it_is_told(tmp_path: Path) -> None:
    assert run(("pwd",), env=ENV, cwd=tmp_path).stdout.decode() == f"{tmp_path}\n"


@pytest.mark.parametrize(
    ("code", "expected"),
    [("import sys; sys.exit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -9), ("", 0)],
)
def test_how_a_child_ended_is_told(tmp_path: Path, code: str, expected: int) -> None:
    assert run(python(code), env=ENV, cwd=tmp_path).exit_code == expected


@pytest.mark.parametrize(
    ("stderr", "complaint"),
    [
        (b"", "exit code 3"),
        (b"\n \n", "exit code 3"),
        (b"one\ntwo\n\n", "two"),
        (b"bad \xff byte", "bad \ufffd byte"),
    ],
)
def test_a_complaint_is_the_last_line(stderr: bytes, complaint: str) -> None:
    assert Completed(3, b"", stderr).complaint == complaint


def test_a_child_that_does_not_read_its_food_is_no_error(tmp_path: Path) -> None:
    assert run(("true",), env=ENV, cwd=tmp_path, feed=b"x" * 1_000_000).exit_code == 0


def test_a_child_that_says_much_on_both_ends_is_heard_whole(tmp_path: Path) -> None:
    code = "import sys\nfor _ in range(20000): print('out'); print('err', file=sys.stderr)"

    done = run(python(code), env=ENV, cwd=tmp_path)

    assert (done.stdout.count(b"out"), done.stderr.count(b"err")) == (20_000, 20_000)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnfitHost, match="program 'no-such-program' is not on PATH") as missing:
        run(("no-such-program",), env=ENV, cwd=tmp_path)
    assert missing.value.exit_code == 20
    assert missing.value.hint == "install no-such-program"


def test_a_program_that_may_not_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\n")

    with pytest.raises(UnfitHost, match="git"):
        run((str(tmp_path / "git"),), env=ENV, cwd=tmp_path)


def test_a_folder_that_is_gone_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(UnfitHost, match=r"the folder '.*gone' is gone"):
        run(("true",), env=ENV, cwd=tmp_path / "gone")


def test_a_program_that_is_asked_answers_without_stdin(tmp_path: Path) -> None:
    done = asked(("sh", "-c", "cat; echo yes; exit 3"), env=ENV, cwd=tmp_path, seconds=60)

    assert done == Completed(3, b"yes\n", b"")
    with pytest.raises(UnfitHost, match="is not on PATH"):
        asked(("no-such-program",), env=ENV, cwd=tmp_path, seconds=60)


def test_nothing_lives_on_of_a_program_that_does_not_answer(tmp_path: Path) -> None:
    words = ("sh", "-c", "sleep 60 & echo $! > child; wait")

    with pytest.raises(TookTooLong, match=r"program .sh. did not end within 1 s"):
        asked(words, env=ENV, cwd=tmp_path, seconds=1.0)

    assert _ends(int((tmp_path / "child").read_text()))


def test_a_conversation_goes_to_and_fro(tmp_path: Path) -> None:
    with (
        tempfile.TemporaryFile() as stderr,
        conversation(python(ECHO), env=ENV, cwd=tmp_path, stderr=stderr) as talk,
    ):
        heard = talk.heard()
        talk.say(b"one")
        first = next(heard)
        talk.say(b"two")
        second = next(heard)
        ended = talk.ended()

    assert (first, second, ended.exit_code) == (b"heard one", b"heard two", 0)


def test_a_conversation_with_one_who_is_gone_ends(tmp_path: Path) -> None:
    code = "import sys; sys.stderr.write('no\\n'); sys.exit(5)"
    with (
        tempfile.TemporaryFile() as stderr,
        conversation(python(code), env=ENV, cwd=tmp_path, stderr=stderr) as talk,
    ):
        lines = list(talk.heard())
        talk.say(b"x" * 1_000_000)
        ended = talk.ended()

    assert (lines, ended.exit_code, ended.complaint) == ([], 5, "no")


def test_one_who_does_not_want_to_go_is_gone_when_the_block_ends(tmp_path: Path) -> None:
    started = time.monotonic()
    with (
        tempfile.TemporaryFile() as stderr,
        conversation(python(STUBBORN), env=ENV, cwd=tmp_path, stderr=stderr) as talk,
    ):
        pid, session = (int(word) for word in next(talk.heard()).split())

    assert session == pid
    assert time.monotonic() - started < 30
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_children_of_one_who_is_ended_are_gone_as_well(tmp_path: Path) -> None:
    code = "import subprocess as s; p = s.Popen(['sleep', '9']); print(p.pid, flush=True); p.wait()"
    with (
        tempfile.TemporaryFile() as stderr,
        conversation(python(code), env=ENV, cwd=tmp_path, stderr=stderr) as talk,
    ):
        grandchild = int(next(talk.heard()))

    assert _ends(grandchild)


def test_an_error_inside_a_conversation_ends_it(tmp_path: Path) -> None:
    with (
        tempfile.TemporaryFile() as stderr,
        pytest.raises(ZeroDivisionError),
        conversation(python(STUBBORN), env=ENV, cwd=tmp_path, stderr=stderr) as talk,
    ):
        pid = int(next(talk.heard()).split()[0])
        raise ZeroDivisionError

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_conversation_with_a_program_that_is_not_there_names_it(tmp_path: Path) -> None:
    with (
        tempfile.TemporaryFile() as stderr,
        pytest.raises(UnfitHost, match="program 'none' is not on PATH"),
        conversation(("none",), env=ENV, cwd=tmp_path, stderr=stderr),
    ):
        pass


def _ends(pid: int) -> bool:
    """Return whether a process ends within two seconds; end it ourselves where it does not."""
    for _ in range(40):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    os.kill(pid, 9)
    return False
