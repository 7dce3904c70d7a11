"""What a worker or check without confinement does to the repository, the ledger or a bundle."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Ended
from tests.work import Work, blocking, write_file
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.host import Host
from tools.codex.factory.pipelines import escapes as room
from tools.codex.factory.pipelines.pipeline import Recorder, locked
from tools.codex.factory.pipelines.record import RecordedRun, lines_of, recorded_run
from tools.codex.factory.pipelines.session import Session, session

pytestmark = pytest.mark.slow

CHANGED = ("sandbox.repository_changed", "the repository")
TOUCHED = ("sandbox.ledger_touched", "the ledger")
NOTE = {"FACTORY_SANDBOX__ON_CHANGE": "note"}
DEEDS: dict[str, tuple[str, str]] = {
    "a ref": ("git -C {repo} update-ref refs/heads/evil HEAD", "ref refs/heads/evil"),
    "HEAD": ("echo ref: refs/heads/evil > {repo}/.git/HEAD.x; "
             "mv {repo}/.git/HEAD.x {repo}/.git/HEAD", "ref HEAD"),
    "a hook": ("mkdir -p {repo}/.git/hooks; echo x > {repo}/.git/hooks/post-merge",
               "hook hooks/post-merge"),
    "the configuration": ("git -C {repo} config core.pager evil", "config config"),
    "the attributes": ("mkdir -p {repo}/.git/info; echo '* -diff' > {repo}/.git/info/attributes",
                       "info info/attributes"),
}  # fmt: skip
FORGE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from tools.codex.factory.domain.event import Event, EventType
from tools.codex.factory.storage.ledger import Ledger
Ledger(Path(sys.argv[1]), lambda: datetime.now(UTC)).append(
    [Event(run_id=sys.argv[2], event_type=EventType.CHECKED, actor="factory")])
"""
PROJECT = Path(__file__).parents[2]


def does(work: Work, script: str, *words: str, **more: Any) -> Ended:
    """Run one worker that does its work and `script` besides."""
    said = script.format(repo=work.repo.path, runs=work.runs_root)
    work.add("A", allow=["a.txt"], command=["sh", "-ec", f"echo a > a.txt; {said}"])
    plan = work.plan(**more)
    return work.factory("oneshot", "--plan", plan, "--run-id", "r1", "--json", *words)


def again(work: Work, **env: str) -> Ended:
    return work.factory("integrate", "--run-id", "r1", "--json", env=env)


def status(work: Work) -> dict[str, Any]:
    found = json.loads((work.runs_root / "r1/Z_integrator/STATUS.json").read_text())
    assert isinstance(found, dict)
    return found


def report(work: Work) -> tuple[str, str]:
    """Return the report above THIS RUN, and that section."""
    text = (work.runs_root / "r1/Z_integrator/FINAL_REPORT.txt").read_text()
    above, _, below = text.partition("\nTHIS RUN\n")
    return above, below


def rebuilt(work: Work) -> int:
    return work.factory("ledger-replay", "--rebuild", "--run-id", "r1").exit_code


@pytest.mark.parametrize("name", DEEDS)
def test_a_worker_that_changes_the_repository_blocks_the_run_now_and_later(
    work: Work, name: str
) -> None:
    script, said = DEEDS[name]

    ended = does(work, script)

    first = report(work)[0]
    later = again(work)
    assert (ended.exit_code, blocking(ended)) == (3, [CHANGED])
    assert (later.exit_code, blocking(later)) == (3, [CHANGED])
    assert said in first
    assert "FACTORY_SANDBOX__ON_CHANGE=note" in first
    assert report(work)[0] == first
    assert rebuilt(work) == 0


def test_a_change_that_was_the_operators_is_a_line_where_the_setting_says_so(work: Work) -> None:
    does(work, DEEDS["a ref"][0])

    ended = again(work, **NOTE)

    above, below = report(work)
    assert (ended.exit_code, blocking(ended)) == (0, [])
    assert "meanwhile      while workers ran: ref refs/heads/evil" in below
    assert "refs/heads/evil" not in above
    assert rebuilt(work) == 0
    assert again(work).exit_code == 3


def test_each_stage_as_a_process_of_its_own_remembers_what_launch_saw(work: Work) -> None:
    script = DEEDS["a hook"][0].format(repo=work.repo.path)
    work.add("A", allow=["a.txt"], command=["sh", "-ec", f"echo a > a.txt; {script}"])

    launched = work.factory.real("launch", "--plan", work.plan(), "--run-id", "r1")
    validated = work.factory.real("bundle-validate", "--run-id", "r1")
    ended = work.factory.real("integrate", "--run-id", "r1", "--json")

    assert (launched.exit_code, validated.exit_code, ended.exit_code) == (0, 0, 3)
    assert blocking(ended) == [CHANGED]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo x > {repo}/docs/guide.txt", "work tree docs/guide.txt"),
        ("echo x > {repo}/new.txt", "work tree new.txt"),
        ("cd {repo}; git update-index --chmod=+x README.md", "index index"),
        ("printf x > \"$(printf '{repo}/a\\033[31m\\nb')\"", 'work tree "a\\\\033[31m\\\\nb"'),
    ],
)
def test_a_change_of_the_work_tree_is_a_line_and_blocks_nothing(
    work: Work, script: str, said: str
) -> None:
    ended = does(work, script)

    above, below = report(work)
    assert (ended.exit_code, blocking(ended)) == (0, [])
    assert said.replace("\\\\", "\\") in below
    assert "meanwhile" not in above
    assert rebuilt(work) == 0


def test_a_check_that_writes_a_ref_blocks_the_run_and_the_next_integration(work: Work) -> None:
    work.patch("A", write_file("a.txt", "a\n"), allow=["a.txt"])
    script = DEEDS["a ref"][0].format(repo=work.repo.path)
    check = {"name": "evil", "command": ["sh", "-ec", script]}
    plan = work.plan(checks=[check])

    ended = work.factory("oneshot", "--plan", plan, "--run-id", "r1", "--json")
    later = again(work)

    assert (ended.exit_code, blocking(ended)) == (3, [CHANGED])
    assert (later.exit_code, blocking(later)) == (3, [CHANGED])
    assert rebuilt(work) == 0


def forging(work: Work, run: str) -> str:
    """Return a line of shell that appends a line to the ledger as the factory would."""
    program = work.folder / "forge.py"
    program.write_text(FORGE)
    return f"PYTHONPATH={PROJECT} {sys.executable} {program} {work.runs_root} {run}"


def test_a_forged_line_of_this_run_blocks_it_whatever_the_setting_is(work: Work) -> None:
    ended = does(work, forging(work, "r1"))

    later = again(work, **NOTE)
    assert (ended.exit_code, blocking(ended)) == (3, [TOUCHED])
    assert (later.exit_code, blocking(later)) == (3, [TOUCHED])
    assert "was written by nobody who holds the run" in report(work)[0]
    assert rebuilt(work) == 0


def test_a_line_of_another_run_is_another_factorys(work: Work) -> None:
    ended = does(work, forging(work, "r2"))

    assert (ended.exit_code, blocking(ended)) == (0, [])


LEDGER = "{runs}/factory_ledger.jsonl"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (f"cp {LEDGER} {LEDGER}.x; mv {LEDGER}.x {LEDGER}", "was replaced by another file"),
        # A new file may get the number of the old one.
        (f"rm {LEDGER}", "while the run was under way: "),
        (f"chmod 666 {LEDGER}", "mode or owner of the ledger changed"),
        (f"sed -i.x 's/x/x/' {LEDGER}", "was replaced by another file"),
    ],
)
def test_a_ledger_that_is_another_blocks_the_run(work: Work, script: str, said: str) -> None:
    ended = does(work, script)

    assert (ended.exit_code, blocking(ended)) == (3, [TOUCHED])
    assert said in report(work)[0]


@pytest.mark.parametrize("script", [f": > {LEDGER}", f"truncate -s -30 {LEDGER}"])
def test_a_ledger_that_is_cut_is_no_ledger_any_more(work: Work, script: str) -> None:
    ended = does(work, script)

    assert ended.exit_code in (1, 3)
    assert ended.exit_code == 1 or TOUCHED in blocking(ended)


def after_sibling(script: str) -> list[str]:
    """Return a command that waits until its sibling is sealed, and then does `script`."""
    wait = 'until test -e "$0/r1/seals/A.json"; do sleep 0.05; done'
    return ["sh", "-ec", f"echo b > b.txt; {wait}; {script}"]


def siblings(work: Work, script: str) -> Ended:
    work.patch("A", write_file("a.txt", "a\n"), allow=["a.txt"])
    work.add("B", allow=["b.txt"], command=[*after_sibling(script), str(work.runs_root)])
    return work.oneshot("--run-id", "r1")


def test_a_siblings_bundle_whose_bytes_are_others_breaks_its_seal(work: Work) -> None:
    ended = siblings(work, 'chmod u+w "$0/r1/A/SUMMARY.md"; echo evil > "$0/r1/A/SUMMARY.md"')

    assert (ended.exit_code, blocking(ended)) == (
        3,
        [("bundle.seal_broken", "A: A/SUMMARY.md")],
    )


def test_a_siblings_bundle_that_is_exchanged_with_its_seal_is_refused(work: Work) -> None:
    program = work.folder / "exchange.py"
    program.write_text(
        "import hashlib, json, sys\n"
        "from pathlib import Path\n"
        "run = Path(sys.argv[1]) / 'r1'\n"
        "(run / 'A/SUMMARY.md').write_text('evil')\n"
        "seal = run / 'seals/A.json'\n"
        "said = json.loads(seal.read_text())\n"
        "said['artifacts']['SUMMARY.md'] = hashlib.sha256(b'evil').hexdigest()\n"
        "seal.write_text(json.dumps(said, sort_keys=True, indent=2, ensure_ascii=False) + '\\n')\n"
    )

    ended = siblings(work, f'{sys.executable} {program} "$0"')

    assert ended.exit_code == 40
    assert "the ledger recorded another seal of A than seals/A.json" in ended.stdout + ended.stderr
    assert again(work).exit_code == 40


@pytest.mark.parametrize(("is_kept", "blocks"), [(True, []), (False, [CHANGED[0]])])
def test_who_types_while_all_is_confined_is_not_blocked(
    work: Work, is_kept: bool, blocks: list[str]
) -> None:
    ground, run = integrated_run(work)
    record = Recorder(ground, lambda _: None)
    with (
        locked(run.directory),
        room.escapes(ground, run, record, "workers", runs=True, is_kept=is_kept),
    ):
        work.repo.write("docs/guide.txt", "typed\n")
        work.repo.commit("typed meanwhile")

    ended = again(work)

    assert [code for code, _ in blocking(ended)] == blocks
    assert any("ref refs/heads/main" in line for line in status(work)["changed_meanwhile"]) is (
        is_kept
    )


def test_what_is_changed_before_an_error_is_remembered(work: Work) -> None:
    ground, run = integrated_run(work)
    record = Recorder(ground, lambda _: None)

    def dies() -> None:
        with room.escapes(ground, run, record, "workers", runs=True, is_kept=False):
            work.repo.git("branch", "evil")
            raise KeyboardInterrupt

    with locked(run.directory), pytest.raises(KeyboardInterrupt):
        dies()

    assert blocking(again(work)) == [CHANGED]


@pytest.mark.parametrize("said", ["[", "{}", "7", "[" * 9000, '[["deep"], 3, null]', '"x"'])
def test_a_forged_event_of_a_change_stops_no_command(work: Work, said: str) -> None:
    ground, _ = integrated_run(work)
    event = Event(
        run_id="r1",
        event_type=EventType.REPOSITORY_CHANGED,
        actor="factory",
        details={"held": said, "others": said, "ledger": said},
    )

    ground.ledger.append([event])

    assert again(work).exit_code in (0, 3)


def test_where_nothing_of_a_stranger_runs_no_fingerprint_is_taken(work: Work) -> None:
    work.patch("A", write_file("a.txt", "a\n"), allow=["a.txt"])
    ended = work.oneshot("--run-id", "r1")
    ground, run = integrated_run_named(work)
    rehearsed = work.factory("oneshot", "--dry-run", "--run-id", "r2", "--json")

    # A repository that changes all the time changes nothing of these.
    assert (ended.exit_code, rehearsed.exit_code) == (0, 0)
    assert not room.strangers_run(run, None)
    assert not room.strangers_run(recorded_run(ground, "r2"), None)
    assert events_of(ground, "r1") == events_of(ground, "r2") == []


def integrated_run(work: Work) -> tuple[Session, RecordedRun]:
    """Return a run that passed, and what a command on it stands on."""
    work.patch("A", write_file("a.txt", "a\n"), allow=["a.txt"])
    assert work.oneshot("--run-id", "r1").exit_code == 0
    return integrated_run_named(work)


def integrated_run_named(work: Work) -> tuple[Session, RecordedRun]:
    host = Host({"PATH": os.environ["PATH"], "HOME": str(work.factory.home)}, {})
    ground = session(host, folder=work.repo.path, config_file=None, flags={})
    return ground, recorded_run(ground, "r1")


def events_of(ground: Session, run: str) -> list[str]:
    wanted: Callable[[str], bool] = EventType.REPOSITORY_CHANGED.value.__eq__
    return [line.event_type for line in lines_of(ground, run) if wanted(line.event_type)]
