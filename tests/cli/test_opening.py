"""open-report and open-run: the path is printed, and shown where there is someone to see it."""

import os
import pty
import subprocess
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import pytest

from tests.conftest import Ended, Factory
from tests.work import Work, edit_line
from tools.codex.factory.domain.schema import schemas
from tools.codex.factory.process.opener import OpenerFailed, WhyNot, open_with, opener

pytestmark = pytest.mark.slow

RECORDS = 'printf "%s\\n" "$@" "$GREETING" > "$RECORD"\n'


@pytest.fixture
def finished(work: Work) -> Work:
    """Return a repository with one run, r1."""
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    assert work.oneshot("--run-id", "r1").exit_code == 0
    return work


def program(folder: Path, script: str) -> dict[str, str]:
    """Make `folder`/xdg-open of a shell script; return an environment in which it is found."""
    folder.mkdir(exist_ok=True)
    (folder / "xdg-open").write_text(f"#!/bin/sh\n{script}")
    (folder / "xdg-open").chmod(0o755)
    return {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "DISPLAY": ":7",
        "RECORD": str(folder / "record"),
        "GREETING": "of the operator",
    }


def typed(factory: Factory, env: Mapping[str, str], *words: str) -> Ended:
    """Run `factory words` with a terminal for its stdout."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        factory.argv(*words),
        cwd=factory.folder,
        env=factory.environment(env),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
    ) as child:
        os.close(theirs)
        assert child.stderr is not None
        stderr = child.stderr.read()
        code = child.wait()
    said = b""
    try:
        while more := os.read(ours, 4096):
            said += more
    except OSError:
        # Linux says so where the other side of a terminal is closed.
        pass
    finally:
        os.close(ours)
    return Ended(code, said.decode().replace("\r\n", "\n"), stderr.decode())


def report(work: Work, run: str = "r1") -> Path:
    return work.runs_root / run / "Z_integrator" / "FINAL_REPORT.txt"


@pytest.mark.parametrize("words", [["open-report"], ["open-report", "--run-id", "r1"]])
def test_at_a_terminal_the_opener_gets_the_report_and_the_operators_environment(
    finished: Work, tmp_path: Path, words: list[str]
) -> None:
    env = program(tmp_path / "bin", RECORDS)

    ended = typed(finished.factory, env, *words)

    assert ended == Ended(0, f"{report(finished)}\n", "")
    assert (tmp_path / "bin" / "record").read_text() == f"{report(finished)}\nof the operator\n"


def test_open_run_opens_the_folder_also_without_a_report(finished: Work, tmp_path: Path) -> None:
    env = program(tmp_path / "bin", RECORDS)
    finished.factory("launch", "--plan", finished.plan(), "--run-id", "r2")

    ended = typed(finished.factory, env, "open-run")

    folder = finished.runs_root / "r2"
    assert ended == Ended(0, f"{folder}\n", "")
    assert (tmp_path / "bin" / "record").read_text() == f"{folder}\nof the operator\n"


@pytest.mark.parametrize(
    ("command", "place"), [("open-report", "r1/Z_integrator/FINAL_REPORT.txt"), ("open-run", "r1")]
)
def test_without_a_terminal_the_path_is_printed_and_nothing_opened(
    finished: Work, tmp_path: Path, command: str, place: str
) -> None:
    env = program(tmp_path / "bin", RECORDS)

    plain = finished.factory(command, env=env)
    answer = finished.factory(command, "--json", env=env).answer
    at_terminal = typed(finished.factory, env, command, "--json")

    assert plain == Ended(0, f"{finished.runs_root / place}\n", "")
    assert answer["path"] == str(finished.runs_root / place)
    assert at_terminal.answer == answer
    jsonschema.validate(answer, schemas()["answer_open.schema.json"])
    assert not (tmp_path / "bin" / "record").exists()


def test_without_a_screen_the_path_is_printed_with_the_reason(
    finished: Work, tmp_path: Path
) -> None:
    env = {**program(tmp_path / "bin", RECORDS), "DISPLAY": ""}

    ended = typed(finished.factory, env, "open-report")

    assert ended == Ended(
        0,
        f"{report(finished)}\n",
        "note: it was not opened: neither DISPLAY nor WAYLAND_DISPLAY is set, so there is no "
        "screen for it\n",
    )
    assert not (tmp_path / "bin" / "record").exists()


def test_an_opener_that_fails_exits_30_with_its_complaint_and_the_path_is_printed(
    finished: Work, tmp_path: Path
) -> None:
    env = program(tmp_path / "bin", "echo 'first'; echo 'no viewer for it' >&2\nexit 3\n")

    ended = typed(finished.factory, env, "open-report")

    assert ended == Ended(
        30,
        f"{report(finished)}\n",
        f"factory: opener '{tmp_path}/bin/xdg-open': exit code 3: 'no viewer for it'\n"
        "  -> the path is printed; open it by hand\n",
    )


def test_a_run_without_a_report_exits_40_as_print_report_does(
    finished: Work, tmp_path: Path
) -> None:
    finished.factory("launch", "--plan", finished.plan(), "--run-id", "r2")

    opened = finished.factory("open-report", "--run-id", "r2")
    printed = finished.factory("print-report", "--run-id", "r2")
    unknown = finished.factory("open-run", "--run-id", "r3")

    assert opened == printed == Ended(40, "", opened.stderr)
    assert opened.stderr.startswith("factory: run 'r2' has no report yet\n")
    assert unknown.exit_code == 40


def test_a_viewer_that_stays_open_is_left_running(tmp_path: Path) -> None:
    env = program(tmp_path / "bin", 'read word < "$RECORD"; echo "$word" > "$RECORD.done"\n')
    os.mkfifo(env["RECORD"])
    os.mkfifo(f"{env['RECORD']}.done")

    open_with(str(tmp_path / "bin" / "xdg-open"), tmp_path, env=env, seconds=0.0)
    Path(env["RECORD"]).write_text("still here\n")

    assert Path(f"{env['RECORD']}.done").read_text() == "still here\n"


def test_an_opener_that_cannot_be_started_says_so(tmp_path: Path) -> None:
    env = program(tmp_path / "bin", "")
    (tmp_path / "bin" / "xdg-open").write_bytes(b"\x00no program")

    with pytest.raises(OpenerFailed, match="cannot be started: Exec format error"):
        open_with(str(tmp_path / "bin" / "xdg-open"), tmp_path, env=env)


@pytest.mark.parametrize(
    ("platform", "there", "variables", "found"),
    [
        ("linux", ["xdg-open"], {"DISPLAY": ":0"}, "xdg-open"),
        ("linux", ["xdg-open"], {"WAYLAND_DISPLAY": "wayland-0"}, "xdg-open"),
        ("linux", [], {"DISPLAY": ":0"}, "program 'xdg-open' is not on PATH"),
        ("linux", ["xdg-open", "open"], {}, "neither DISPLAY nor WAYLAND_DISPLAY is set, so"),
        ("freebsd14", ["xdg-open", "open"], {"DISPLAY": ":0"}, "xdg-open"),
        ("darwin", ["xdg-open", "open"], {}, "open"),
        ("darwin", ["xdg-open"], {}, "program 'open' is not on PATH"),
    ],
)
def test_each_platform_has_its_opener(
    tmp_path: Path, platform: str, there: list[str], variables: dict[str, str], found: str
) -> None:
    for name in there:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)

    answer = opener(platform, {**variables, "PATH": str(tmp_path)})

    if isinstance(answer, WhyNot):
        assert answer.reason.startswith(found)
    else:
        assert answer == str(tmp_path / found)
