"""Text of workers, repositories, plans and file names never steers the operator's screen."""

import json
import os
import unicodedata
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.conftest import Ended, Factory
from tests.work import Work, write_file
from tools.codex.factory.cli.screen import Screen
from tools.codex.factory.render.text import shown

pytestmark = pytest.mark.slow

CLEAR = "\x1b[2J\x1b]0;owned\x07\x1b]52;c;cm0=\x07"
BIDI = "\u202e\u2066"
HIDDEN = "\u200b\u200d\ufeff"
FORGED = "FORGED"
HOSTILE = f"a{CLEAR}b{BIDI}c{HIDDEN}d\x08\x7f\x9b31m\n{FORGED} line"
QUIET = f"a{BIDI}c{HIDDEN}d"
"""What is left of it where a text may hold no control characters at all."""
PATHS = (
    f"docs/new\n{FORGED}.txt",
    "docs/\x1b[31mred.txt",
    "docs/bell\x07.txt",
    f"docs/{BIDI}txt.exe",
    f"docs/zero{HIDDEN}width.txt",
    "docs/not-utf8-\udcff\udc9b.txt",
    "docs/csi\x9b31m.txt",
)
WORKER = """\
import json, os, sys
outbox, hostile = os.environ["FACTORY_OUTBOX"], json.loads(sys.argv[1])
for path in json.loads(sys.argv[2]):
    with open(path, "w") as file:
        file.write(hostile + "\\n")
for name in ("SUMMARY.md", "SUGGESTIONS.md"):
    with open(os.path.join(outbox, name), "w") as file:
        file.write(hostile)
note = {"summary": hostile, "risks": [hostile], "follow_ups": [hostile],
        "scope_requests": [{"path": "docs/asked.txt", "reason": hostile}]}
with open(os.path.join(outbox, "HANDOFF_NOTE.json"), "w") as file:
    json.dump(note, file)
print(hostile, flush=True)
print(hostile, file=sys.stderr, flush=True)
"""
IDLE_WORKER = """\
import json, os, sys
with open(os.path.join(os.environ["FACTORY_OUTBOX"], "HANDOFF_NOTE.json"), "w") as file:
    json.dump({"no_change": json.loads(sys.argv[1])}, file)
"""


def test_a_plan_and_a_worker_of_hostile_text_steer_no_screen(work: Work) -> None:
    _hostile_plan(work, allow=["src/**"])

    ended = _both(work, "oneshot", "--plan", _plan(work), "--run-id", "r1")

    assert {one.exit_code for one in ended} == {3}
    assert {f["code"] for f in ended[1].answer["findings"]} >= {
        "scope.outside_lock",
        "scope.requested",
    }
    assert _unsafe(*(one.stdout + one.stderr for one in ended)) == set()
    assert _unsafe_artifacts(work, "r1") == {}


@pytest.mark.parametrize(
    "words",
    [
        ("bundle-validate", "--run-id", "r1"),
        ("integrate", "--run-id", "r1"),
        ("print-report", "--run-id", "r1"),
        ("ledger",),
        ("ledger", "--raw-events", "--limit", "500"),
        ("ledger-replay", "--run-id", "r1", "--rebuild"),
        ("runs", "list"),
        ("runs", "show", "--run-id", "r1"),
        ("runs", "prune", "--run-id", "r1", "--dry-run"),
        ("publish", "--run-id", "r1", "--branch", "x"),
        ("config", "show"),
    ],
    ids=" ".join,
)
def test_what_reads_or_judges_such_a_run_steers_no_screen(
    hostile: Work, words: tuple[str, ...]
) -> None:
    ended = _both(hostile, *words)

    assert all(one.exit_code in (0, 3) for one in ended)
    assert _unsafe(*(one.stdout + one.stderr for one in ended)) == set()


def test_a_merged_run_of_hostile_names_is_published_and_shown_safely(work: Work) -> None:
    work.repo.write("src/hostile.txt", "base\n")
    work.repo.commit()
    _hostile_plan(work, allow=["docs/**", "src/**"])

    passed = _both(work, "oneshot", "--plan", _plan(work), "--run-id", "r1")
    published = work.factory("publish", "--run-id", "r1", env=_AUTHOR)
    shown_commit = _both(work, "runs", "show", "--commit", "factory/r1")
    pruned = work.factory("runs", "prune", "--run-id", "r1")

    everything = [*passed, published, *shown_commit, pruned]
    assert [one.exit_code for one in everything] == [0] * len(everything)
    assert _unsafe(*(one.stdout + one.stderr for one in everything)) == set()
    assert _unsafe(work.repo.git("log", "-1", "--format=%B", "factory/r1").decode()) == set()


def test_the_reason_of_a_worker_that_changed_nothing_steers_no_screen(work: Work) -> None:
    (work.folder / "worker.py").write_text(IDLE_WORKER)
    command = ["python3", str(work.folder / "worker.py"), json.dumps(HOSTILE)]
    work.add("A_worker", allow=["docs/**"], command=command)

    ended = _both(work, "oneshot", "--plan", _plan(work), "--run-id", "r1")
    judged = work.factory("bundle-validate", "--run-id", "r1")

    assert shown(HOSTILE) in judged.stdout
    assert _unsafe(judged.stdout, *(one.stdout + one.stderr for one in ended)) == set()
    assert _unsafe_artifacts(work, "r1") == {}


def test_what_a_red_check_prints_steers_no_screen(work: Work) -> None:
    _hostile_plan(work, allow=["docs/**", "src/**"])
    check = f"printf '\\033[2J\\007\\342\\200\\256\\377\\n{FORGED}\\n'; exit 1"

    ended = _both(work, "oneshot", "--plan", _plan(work, check=check), "--run-id", "r1")
    report = work.factory("print-report", "--run-id", "r1").stdout

    assert {one.exit_code for one in ended} == {3}
    assert "check.failed" in {f["code"] for f in ended[1].answer["findings"]}
    assert "| \\x1b[2J\\x07\\u202e" in report
    assert _unsafe(report, *(one.stdout + one.stderr for one in ended)) == set()
    assert _unsafe_artifacts(work, "r1") == {}


def test_amend_takes_hostile_reasons_and_paths_and_shows_them_safely(hostile: Work) -> None:
    named = 'A_worker:"docs/bell\\a.txt"'
    words = ("amend", "--run-id", "r1", "--drop-path", named, "--reason", QUIET)

    refused = _both(hostile, "amend", "--run-id", "r1", "--drop", HOSTILE, "--reason", "x")
    unknown = _both(hostile, *words[:3], "--drop-path", f"A_worker:{HOSTILE}", "--reason", "x")
    reason = _both(hostile, *words[:-1], HOSTILE)
    amended = hostile.factory(*words)
    after = _both(hostile, "integrate", "--run-id", "r1")
    report = _both(hostile, "print-report", "--run-id", "r1")

    everything = [*refused, *unknown, *reason, amended, *after, *report]
    assert {one.exit_code for one in (*refused, *unknown)} == {2}
    assert _unsafe(*(one.stdout + one.stderr for one in everything)) == set()
    assert _unsafe_artifacts(hostile, "r1") == {}


def test_plan_foresees_hostile_names_safely(work: Work) -> None:
    for path in PATHS:
        (work.repo.path / os.fsencode(path).decode("utf-8", "surrogateescape")).write_text("x\n")
    work.repo.commit()
    _hostile_plan(work, allow=["docs/**"])
    work.add("B_worker", allow=["docs/**", f"src/{QUIET}"], command=["true"])

    ended = _both(work, "plan", "--plan", _plan(work))

    assert {one.exit_code for one in ended} == {3}
    assert _unsafe(*(one.stdout + one.stderr for one in ended)) == set()


def test_collect_takes_in_hostile_names_and_shows_them_safely(work: Work) -> None:
    work.add("A_worker", allow=["src/**"], external=True)
    waits = work.factory("launch", "--plan", _plan(work), "--run-id", "r1", "--json")
    checkout = Path(waits.answer["waiting"]["A_worker"])
    for path in PATHS:
        (checkout / path).write_text("x\n")

    collected = work.factory("collect", "--run-id", "r1")
    told = _both(work, "bundle-validate", "--run-id", "r1")

    assert collected.exit_code == 3
    assert _unsafe(collected.stdout, collected.stderr, told[0].stdout) == set()
    assert _unsafe_artifacts(work, "r1") == {}


@pytest.mark.parametrize(
    "words",
    [
        (HOSTILE,),
        ("oneshot", "--plan", f"{HOSTILE}.toml"),
        ("oneshot", "--plan", "\udcff\udc9b.toml"),
        ("oneshot", f"--{HOSTILE}"),
        ("oneshot", "--base-ref", HOSTILE),
        ("oneshot", "--base-ref", "\udcff"),
        ("oneshot", "--dry-run", "--run-id", f"{HOSTILE}\nfactory: all is well"),
        ("oneshot", "--dry-run", "--workers", HOSTILE),
        ("ledger", "--run-id", HOSTILE),
        ("ledger", "--limit", HOSTILE[:30]),
        ("ledger-replay", "--run-id", HOSTILE),
        ("print-report", "--run-id", "\udcff"),
        ("runs", "show", "--commit", HOSTILE),
        ("runs", "prune", "--run-id", HOSTILE),
        ("runs", "prune", "--older-than", HOSTILE),
        ("runs", HOSTILE),
        ("-C", f"{HOSTILE}\n", "ledger"),
        ("-C", "\udcff", "ledger"),
        ("--config", f"{HOSTILE}\nx", "config", "show"),
        ("--config", "\udcff", "config", "show"),
        ("--runs-root", f"{HOSTILE}\nx", "config", "show"),
        ("--runs-root", "\udcff\udc9b", "config", "show"),
        ("schemas", "export", f"src/app.txt/{HOSTILE}"),
    ],
    ids=ascii,
)
def test_an_error_shows_what_was_typed_safely(factory: Factory, words: tuple[str, ...]) -> None:
    plain = factory(*words)
    said = factory(*words, "--json")

    assert _unsafe(plain.stdout, plain.stderr, said.stdout, said.stderr) == set()
    assert "a bug" not in plain.stderr
    assert said.stdout.isascii()
    assert said.answer["exit_code"] == said.exit_code == plain.exit_code


@pytest.mark.parametrize(
    "plan",
    [
        {"title": HOSTILE},
        {HOSTILE: 1},
        {"workers": [{"id": HOSTILE, "allow": ["a"], "command": ["true"]}]},
        {"workers": [{"id": "A", "allow": [HOSTILE + "\0"], "command": ["true"]}]},
        {"workers": [{"id": "A", "allow": ["a"], "branch": HOSTILE}]},
        {"workers": [{"id": "A", "allow": ["a"], "patch": f"{HOSTILE}\nx"}]},
        {"workers": [{"id": "A", "allow": ["a"], "task_file": HOSTILE, "command": ["true"]}]},
        {"workers": [{"id": "A", "allow": ["a"], "command": ["true"], "timeout": HOSTILE}]},
        {"workers": [{"id": "A", "allow": ["a"], "command": ["true"], HOSTILE: 1}]},
        {"checks": [{"name": HOSTILE, "command": []}]},
        {"defaults": {f"{HOSTILE}\n": 1}},
    ],
    ids=range(11),
)
def test_a_plan_that_is_refused_steers_no_screen(
    factory: Factory, repo: Repo, plan: dict[str, object]
) -> None:
    worker = {"id": "A", "allow": ["a"], "command": ["true"]}
    document = {"schema_version": 1, "title": "t", "workers": [worker], **plan}
    (repo.path / "p.json").write_text(json.dumps(document))

    plain = factory("oneshot", "--plan", "p.json", "--dry-run")
    said = factory("oneshot", "--plan", "p.json", "--dry-run", "--json")

    assert _unsafe(plain.stdout, plain.stderr, said.stdout, said.stderr) == set()
    assert "a bug" not in plain.stderr
    assert said.answer["exit_code"] == said.exit_code


def test_names_and_values_of_variables_are_shown_safely(factory: Factory) -> None:
    environment = {
        f"FACTORY_{HOSTILE.replace('=', '')}": "x",
        "FACTORY_RUNS__ROOT": f"{QUIET}\x1b[31m\n{FORGED}",
    }

    plain = factory("config", "show", env=environment)
    said = factory("config", "show", "--json", env=environment)

    assert "note: FACTORY_a\\x1b[2J" in plain.stderr
    assert _unsafe(plain.stdout, plain.stderr, said.stdout, said.stderr) == set()
    assert said.answer["exit_code"] == plain.exit_code == 0


def test_a_repository_of_a_hostile_folder_and_branch_is_worked_in_safely(tmp_path: Path) -> None:
    repo = Repo.make(tmp_path / f"repo\n{CLEAR}{BIDI}\udcff")
    repo.write("docs/a.txt", "a\n")
    repo.commit()
    repo.git("branch", f"{BIDI}{HIDDEN}")
    (tmp_path / "home").mkdir()
    work = Work(repo, Factory(repo.path, tmp_path / "home"), tmp_path / "in")
    work.folder.mkdir()
    work.patch("A_worker", write_file("docs/b.txt", "b\n"), allow=["docs/**"])
    plan = work.plan()

    base = ("--base-ref", f"{BIDI}{HIDDEN}", "--plan", plan)
    ended = [*_both(work, "oneshot", *base, "--run-id", "r1"), *_both(work, "runs", "show")]
    failed = _both(work, "print-report", "--run-id", "r2")

    assert [one.exit_code for one in (*ended, *failed)] == [0, 0, 0, 0, 40, 40]
    assert _unsafe(*(one.stdout + one.stderr for one in (*ended, *failed))) == set()
    assert _unsafe_artifacts(work, "r1") == {}


def test_a_value_that_is_no_text_is_refused_and_shown_safely(factory: Factory) -> None:
    environment = {"FACTORY_RUNS__ROOT": "\udcff\udc9b"}

    plain = factory("config", "show", env=environment)
    said = factory("config", "show", "--json", env=environment)

    assert (plain.exit_code, said.answer["exit_code"]) == (10, 10)
    assert _unsafe(plain.stderr, said.stderr) == set()


def test_the_screen_lets_nothing_through_but_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen = Screen(json=False, color=False, level="info")

    screen.say(f"one {HOSTILE}\ntwo".replace(FORGED, "more"))
    screen.show(f"{HOSTILE}\nthree".replace(FORGED, "more"))
    screen.progress(f"{HOSTILE}\nfour")
    screen.complain(f"{HOSTILE}\nfive", f"{HOSTILE}\nsix")

    out, err = capsys.readouterr()
    assert _unsafe(out, err) == set()
    assert (len(out.splitlines()), len(err.splitlines())) == (6, 3)
    assert shown(HOSTILE) in err


_AUTHOR = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@localhost",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@localhost",
}


@pytest.fixture
def hostile(work: Work) -> Work:
    """Return a repository with run r1, BLOCKED, whose every text is hostile."""
    _hostile_plan(work, allow=["src/**"])
    ended = work.factory("oneshot", "--plan", _plan(work), "--run-id", "r1")
    assert ended.exit_code == 3
    return work


def _hostile_plan(work: Work, *, allow: list[str]) -> None:
    (work.folder / "worker.py").write_text(WORKER)
    words = ["python3", str(work.folder / "worker.py"), json.dumps(HOSTILE)]
    paths = json.dumps([*PATHS, "docs/asked.txt", "src/hostile.txt"])
    work.add("A_worker", allow=allow, task=QUIET, command=[*words, paths])


def _plan(work: Work, *, check: str = "true") -> str:
    name = f"check {QUIET}"
    return work.plan(title=QUIET, checks=[{"name": name, "command": ["sh", "-c", check]}])


def _both(work: Work, *words: str) -> tuple[Ended, Ended]:
    """Return how a command ends for people, and the same again for machines."""
    plain = work.factory(*words, "--log-level", "debug", env=_AUTHOR)
    said = work.factory(*words, "--json", env=_AUTHOR)
    assert said.stdout.isascii()
    assert said.answer["exit_code"] == said.exit_code
    return plain, said


def _unsafe(*texts: str) -> set[str]:
    """Return the characters that could steer a screen, or hide on it, and lines of a stranger."""
    forged = {line for text in texts for line in text.splitlines() if line.startswith(FORGED)}
    return forged | {
        character
        for text in texts
        for character in text
        if character != "\n" and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    }


def _unsafe_artifacts(work: Work, run: str) -> dict[str, set[str]]:
    """Return each text of the integrator that holds unsafe characters, with these."""
    folder = work.runs_root / run / "Z_integrator"
    names = ("FINAL_REPORT.txt", "MERGE_PLAN.md", "STATUS.json", "OVERLAP.json")
    found = {name: _unsafe((folder / name).read_text("utf-8")) for name in names}
    return {name: unsafe for name, unsafe in found.items() if unsafe}
