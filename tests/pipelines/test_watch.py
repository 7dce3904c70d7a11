"""`watch`: a run seen from elsewhere, while it goes on and after, by its ledger alone."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Factory
from tests.ledgers import BASE, BEGIN, T, begun, event, started, worked
from tests.work import Work, write_file
from tests.workers import comes, left_of, program
from tools.codex.factory.host import Host
from tools.codex.factory.pipelines.session import Session, session
from tools.codex.factory.pipelines.watching import Sight, sights
from tools.codex.factory.storage.ledger import LEDGER, Ledger

pytestmark = pytest.mark.slow

TMUX = shutil.which("tmux")
HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202egnp"
TIMES = re.compile(r"\b\d+s\b")


@pytest.fixture
def ground(work: Work) -> Session:
    """Return what a command in the repository stands on."""
    host = Host(work.factory.environment(), {})
    return session(host, folder=work.repo.path, config_file=None, flags={})


@pytest.fixture
def ledger(ground: Session) -> Ledger:
    """Return a ledger in an otherwise empty runs root; its clock stands still."""
    (ground.runs_root / "run-1").mkdir(parents=True)
    return Ledger(ground.runs_root, lambda: BEGIN)


def seen(ground: Session, *steps: Callable[[], object]) -> list[Sight]:
    """Return what is seen where one of `steps` happens between each look and the next."""
    waiting = list(steps)

    def pause() -> None:
        if waiting:
            waiting.pop(0)()

    return list(sights(ground, None, pause=pause))


def steady(text: str) -> str:
    return re.sub(r" +", " ", TIMES.sub("<time>", text))


def test_a_finished_run_is_shown_once_and_ends_by_its_status(work: Work) -> None:
    work.patch("A_worker", write_file("src/a.txt", "a\n"), allow=["src/**"])
    work.patch("B_worker", write_file("docs/b.txt", "b\n"), allow=["src/**"])
    run = work.oneshot("--run-id", "r1")

    ended = work.factory("watch")

    assert (run.exit_code, ended.exit_code, ended.stderr) == (3, 3, "")
    assert steady(ended.stdout) == steady(
        f"r1  BLOCKED  after 0s\n"
        f"base {run.answer['base_commit'][:12]}  12 events\n"
        "launch > bundle-validate > integrate > checks > report > ended\n"
        "\n"
        "WORKER STATE TRY TIME HEARD FILES OUTSIDE FINDINGS SAYS\n"
        "A_worker passed - - - 1 0 0\n"
        "B_worker blocked - - - 1 1 1\n"
        "\n"
        "1 finding, 1 blocking by scope\n"
    )


def test_the_stream_of_a_finished_run_is_its_ledger_byte_for_byte(work: Work) -> None:
    work.patch("A_worker", write_file("src/a.txt", "a\n"), allow=["src/**"])
    work.oneshot("--run-id", "r1")

    ended = work.factory("watch", "--json", "--run-id", "r1")

    assert ended.exit_code == 0
    assert ended.stdout == (work.runs_root / LEDGER).read_text("ascii")


def test_a_run_that_launch_left_waits_for_the_next_command(work: Work) -> None:
    work.patch("A_worker", write_file("src/a.txt", "a\n"), allow=["src/**"])
    work.factory("launch", "--plan", work.plan(), "--run-id", "r1")

    ended = work.factory("watch")

    assert ended.exit_code == 4
    assert ended.stdout.endswith("\nthen: `factory integrate --run-id r1`\n")


def test_a_run_that_waits_for_a_person_says_for_whom_and_where(work: Work) -> None:
    work.add("A_worker", external=True, allow=["src/**"])
    launched = work.oneshot("--run-id", "r1")

    ended = work.factory("watch")

    checkout = launched.answer["waiting"]["A_worker"]
    assert (launched.exit_code, ended.exit_code) == (4, 4)
    assert ended.stdout.splitlines()[-2:] == [
        f"waits for A_worker in {checkout}",
        "then: `factory collect --run-id r1`",
    ]
    work.factory("collect")


def test_a_run_that_the_ledger_does_not_know_is_refused_naming_the_nearest(work: Work) -> None:
    nothing = work.factory("watch")
    work.patch("A_worker", write_file("src/a.txt", "a\n"), allow=["src/**"])
    work.oneshot("--run-id", "spring-cleaning")

    unknown = work.factory("watch", "--run-id", "spring-clening")
    absurd = work.factory("watch", "--run-id", "../x")

    assert [one.exit_code for one in (nothing, unknown, absurd)] == [40, 40, 2]
    assert nothing.stderr.startswith("factory: there is no run in ")
    assert unknown.stderr == (
        "factory: the ledger has no run 'spring-clening'\n  -> did you mean 'spring-cleaning'?\n"
    )


def test_a_damaged_ledger_ends_watching(work: Work) -> None:
    work.patch("A_worker", write_file("src/a.txt", "a\n"), allow=["src/**"])
    work.oneshot("--run-id", "r1")
    file = work.runs_root / LEDGER
    file.write_bytes(file.read_bytes().replace(b'"MERGED"', b'"MANGLED"'))

    ended = work.factory("watch")

    assert ended.exit_code == 1
    assert "it does not follow from the line before it" in ended.stderr


def test_watching_writes_nothing(work: Work) -> None:
    work.patch("A_worker", write_file("src/a.txt", "a\n"), allow=["src/**"])
    work.oneshot("--run-id", "r1")
    for folder in (work.runs_root, work.runs_root / "r1"):
        folder.chmod(0o555)

    before = listing(work.runs_root)
    ended = work.factory("watch")
    after = listing(work.runs_root)

    for folder in (work.runs_root, work.runs_root / "r1"):
        folder.chmod(0o755)
    assert ended.exit_code == 0
    assert after == before


def listing(root: Path) -> dict[str, tuple[int, int, int]]:
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_ctime_ns, path.lstat().st_size)
        for path in sorted(root.rglob("*"))
    }


def test_events_are_seen_as_they_come_until_the_end(ground: Session, ledger: Ledger) -> None:
    ledger.append([started("A_worker"), *begun("A_worker")])

    found = seen(
        ground,
        lambda: ledger.append([event(T.WORKER_ACTIVE, "A_worker", log_bytes=1)]),
        lambda: None,
        lambda: ledger.append([*worked("A_worker")[2:], event(T.RUN_END, rc=0, status="PASS")]),
    )

    assert [[line.event_type for line in sight.fresh] for sight in found] == [
        ["RUN_START", "CHECKOUT_MADE", "WORKER_STARTED"],
        ["WORKER_ACTIVE"],
        [],
        ["WORKER_ENDED", "BUNDLE_SEALED", "RUN_END"],
    ]
    assert [sight.ending is None for sight in found] == [True, True, True, False]
    assert found[-1].exit_code == 0


def test_a_run_that_nobody_holds_is_interrupted_but_not_at_once(
    ground: Session, ledger: Ledger
) -> None:
    ledger.append([started("A_worker"), *begun("A_worker")])

    found = seen(ground)

    assert [sight.ending.status if sight.ending else None for sight in found] == [
        *(None, None, None, "INTERRUPTED")
    ]
    assert found[-1].exit_code == 1


@pytest.mark.parametrize(
    ("status", "rc", "expected"),
    [("PASS", 0, 0), ("BLOCKED", 3, 3), ("FAIL", 1, 1), ("FAIL", 130, 130), ("FAIL", 30, 30)],
)
def test_watching_ends_with_the_exit_code_of_the_run(
    work: Work, ledger: Ledger, status: str, rc: int, expected: int
) -> None:
    ledger.append([started("A_worker"), event(T.RUN_END, rc=rc, status=status)])

    assert work.factory("watch").exit_code == expected


def test_names_of_strangers_never_reach_the_screen_raw(work: Work, ledger: Ledger) -> None:
    ledger.append(
        [
            event(T.RUN_START, base_commit=BASE, worker_ids=HOSTILE, check_names=f'["{BASE}"]'),
            event(T.WORKER_WAITING, "A_worker", at=HOSTILE, why=HOSTILE),
            event(T.WORKER_ENDED, HOSTILE, 3, how=HOSTILE),
            event(T.CHECK_STARTED, check=HOSTILE, on=HOSTILE),
            event(T.CHECKED, check=HOSTILE, result=HOSTILE, reused=HOSTILE),
            event(T.PUBLISHED, branch=HOSTILE),
        ]
    )

    told, streamed = work.factory("watch"), work.factory("watch", "--json")
    ledger.append([event(T.RUN_END, rc=0, status="PASS")])
    drawn = work.factory("watch")

    for text in (told.stdout, streamed.stdout, drawn.stdout):
        assert {c for c in text if not c.isprintable()} == {"\n"}
    assert "\\x1b[2J" in told.stdout
    assert "\\x1b[2J" in drawn.stdout


def test_an_event_that_lacks_what_its_sentence_says_is_told_all_the_same(
    work: Work, ledger: Ledger
) -> None:
    ledger.append([event(T.RUN_START), event(T.MERGED), event(T.RUN_AMENDED)])

    ended = work.factory("watch")

    assert ended.exit_code == 4
    assert ended.stdout.splitlines()[:3] == [
        "run run-1 on base ?",
        "? paths of ? bundles merged",
        "the plan is amended, revision ?: ?",
    ]


@dataclass(frozen=True, slots=True)
class Terminals:
    """Terminals of a test's own, each with a size; what they show can be read."""

    factory: Factory
    socket: str

    def start(self, name: str, columns: int, lines: int, *words: str) -> None:
        """Run `factory words` in a new terminal, which then says how that ended."""
        script = (
            f"trap : INT; {shlex.join(self.factory.argv(*words))}; echo ended with $?; sleep 600"
        )
        variables = {**self.factory.environment(), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        given = [f"{key}={value}" for key, value in variables.items()]
        size = ("-x", str(columns), "-y", str(lines))
        command = shlex.join(["env", "-i", *given, "sh", "-c", script])
        self.tmux("new-session", "-d", "-s", name, *size, command)

    def shows(self, name: str) -> str:
        """Return what stands in a terminal now."""
        return self.tmux("capture-pane", "-p", "-t", name)

    def keys(self, name: str, *keys: str) -> None:
        """Press keys in a terminal."""
        self.tmux("send-keys", "-t", name, *keys)

    def tmux(self, *words: str) -> str:
        """Return what tmux answers."""
        assert TMUX is not None
        argv = (TMUX, "-f", os.devnull, "-L", self.socket, *words)
        done = subprocess.run(argv, cwd=self.factory.folder, capture_output=True, check=True)
        return done.stdout.decode()


@pytest.fixture
def terminals(factory: Factory) -> Iterator[Terminals]:
    """Return terminals; they are closed in the end."""
    if TMUX is None:
        pytest.skip("tmux is missing: there is no second terminal to watch from")
    found = Terminals(factory, f"factory-test-{uuid.uuid4().hex[:12]}")
    yield found
    subprocess.run([TMUX, "-L", found.socket, "kill-server"], capture_output=True, check=False)
    left_of(str(factory.home))


def a_patient_run(work: Work, marks: Path, *, allow: str) -> list[str]:
    """Return the words that run two workers, one of which works until it may end."""
    marks.mkdir()
    command = program("patient", "src/A/done.txt", str(marks))
    work.add("A_worker", command=command, allow=[allow])
    work.add("B_worker", command=program("honest", "src/B/done.txt"), allow=["src/**"])
    checks = [{"name": f"all {HOSTILE[-4:]} good", "command": ["true"]}]
    return ["oneshot", "--run-id", "r1", "--plan", work.plan(checks=checks)]


@pytest.mark.parametrize(
    ("columns", "lines", "allow", "code"),
    [(120, 30, "src/**", 0), (200, 50, "docs/**", 3), (80, 24, "docs/**", 3)],
)
def test_one_terminal_runs_and_another_watches_and_ends_with_the_run(
    work: Work,
    terminals: Terminals,
    tmp_path: Path,
    columns: int,
    lines: int,
    allow: str,
    code: int,
) -> None:
    words = a_patient_run(work, tmp_path / "marks", allow=allow)
    terminals.start("runs", 120, 30, *words)
    assert comes(lambda: list((tmp_path / "marks").glob("begun-*")), 30)

    terminals.start("watches", columns, lines, "watch")
    under_way = "r1  RUNNING  for" if columns >= 100 else "A_worker: started (attempt 1)"
    assert comes(lambda: under_way in terminals.shows("watches"), 30), terminals.shows("watches")
    (tmp_path / "marks" / "end").touch()
    assert comes(lambda: "ended with" in terminals.shows("watches"), 60)
    assert comes(lambda: "ended with" in terminals.shows("runs"), 60)

    shown, status = terminals.shows("watches"), "PASS" if code == 0 else "BLOCKED"
    assert f"\nended with {code}\n" in terminals.shows("runs")
    assert f"\nended with {code}\n" in shown
    assert f"r1  {status}  after" in shown
    assert "RUNNING" not in shown
    assert "\u202e" not in shown


def test_a_terminal_shows_colour_unless_it_is_not_wanted(work: Work, terminals: Terminals) -> None:
    work.patch("A_worker", write_file("src/a.txt", "a\n"), allow=["src/**"])
    work.oneshot("--run-id", "r1")

    for name, words in (("colour", ["watch"]), ("none", ["watch", "--no-color"])):
        terminals.start(name, 120, 30, *words)
        assert comes(lambda name=name: "ended with 0" in terminals.shows(name), 30)  # type: ignore[misc]

    colour, none = (
        terminals.tmux("capture-pane", "-e", "-p", "-t", name) for name in ("colour", "none")
    )
    assert "\x1b[32mPASS\x1b[39m" in colour
    assert "\x1b" not in none
    assert terminals.shows("colour") == terminals.shows("none")


def test_who_stops_watching_disturbs_nothing_and_a_killed_run_is_seen_as_interrupted(
    work: Work, terminals: Terminals, tmp_path: Path
) -> None:
    words = a_patient_run(work, tmp_path / "marks", allow="src/**")
    run = work.factory.start(*words)
    assert comes(lambda: list((tmp_path / "marks").glob("begun-*")), 30)

    terminals.start("leaves", 120, 30, "watch")
    terminals.start("stays", 120, 30, "watch", "--run-id", "r1")
    for name in ("leaves", "stays"):
        assert comes(lambda name=name: "r1  RUNNING  for" in terminals.shows(name), 30)  # type: ignore[misc]
    terminals.keys("leaves", "C-c")
    assert comes(lambda: "ended with 130" in terminals.shows("leaves"), 30)
    assert run.poll() is None
    run.send_signal(signal.SIGKILL)
    run.wait()

    assert comes(lambda: "ended with 1\n" in terminals.shows("stays"), 30)
    shown = terminals.shows("stays")
    assert "r1  INTERRUPTED  after" in shown
    assert "A_worker  interrupted" in shown
    (tmp_path / "marks" / "end").touch()
    assert work.factory(*words).exit_code == 0
    assert work.factory("watch").exit_code == 0


def test_a_pipe_gets_plain_lines_and_a_stream_gets_every_event(work: Work, tmp_path: Path) -> None:
    words = a_patient_run(work, tmp_path / "marks", allow="src/**")
    run = work.factory.start(*words)
    assert comes(lambda: list((tmp_path / "marks").glob("begun-*")), 30)
    plain, stream = (
        subprocess.Popen(
            work.factory.argv("watch", *more),
            cwd=work.repo.path,
            env=work.factory.environment(),
            stdout=subprocess.PIPE,
        )
        for more in ((), ("--json",))
    )
    assert plain.stdout is not None and stream.stdout is not None
    first = plain.stdout.readline(), stream.stdout.readline()
    (tmp_path / "marks" / "end").touch()

    told, streamed = plain.communicate()[0].decode(), stream.communicate()[0].decode()

    assert (run.wait(), plain.wait(), stream.wait()) == (0, 0, 0)
    assert first[0].startswith(b"run r1 on base ")
    assert "A_worker: ended; its work is captured\n" in told
    assert "\x1b" not in told
    kinds = [json.loads(line)["event_type"] for line in (first[1].decode() + streamed).splitlines()]
    assert (kinds[0], kinds[-1]) == ("RUN_START", "RUN_END")
    assert first[1].decode() + streamed == (work.runs_root / LEDGER).read_text("ascii")
