"""Secrets of the operator in whole runs: no value leaves the work of who is blocked for it."""

import json
import shlex
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.conftest import Ended
from tests.work import Work, blocking, codes, edit_line, move_file, rewrite, write_file

pytestmark = pytest.mark.slow

VALUE = "correct horse/battery+staple"
SHAPED = "glpat-" + "q7Rt2Zw9Lk4Vb8Nc3Xy6"
NAMED = {"SERVICE_PASSPHRASE": VALUE, "FACTORY_SECRETS__NAMES": '["SERVICE_PASSPHRASE"]'}
ACCEPTING = {"FACTORY_SECRETS__ACCEPT": '["tests/fixtures/**"]'}


def shell(*lines: str) -> list[str]:
    """Return a command that runs these lines."""
    return ["sh", "-ec", "\n".join(lines)]


def holders(root: Path, value: str) -> list[str]:
    """Return every file below a folder that holds a value, or has it in its name."""
    return sorted(
        str(path.relative_to(root))
        for path in root.rglob("*")
        if "objects.git" not in path.parts
        if value in path.name
        or (path.is_file() and not path.is_symlink() and value.encode() in path.read_bytes())
    )


def said(ended: Ended, value: str) -> bool:
    """Return whether a command said a value, plainly or as JSON."""
    return any(form in ended.stdout + ended.stderr for form in (value, json.dumps(value)[1:-1]))


def secret_findings(ended: Ended, code: str) -> list[tuple[str, str]]:
    """Return subject and message of the findings of a code."""
    return [(f["subject"], f["message"]) for f in ended.answer["findings"] if f["code"] == code]


def handed_in(work: Work, source: str, value: str, folder: Path) -> Ended:
    """Return how run r1 ended, to which A_worker brought a value by a source of this kind."""
    edit = write_file("src/new.txt", f"one\n{value}\n")
    if source == "patch":
        work.patch("A_worker", edit, allow=["src/**"])
    elif source == "branch":
        work.branch("A_worker", edit, allow=["src/**"])
    elif source == "bundle":
        work.bundle("A_worker", edit, "r1", allow=["src/**"])
    elif source == "external":
        work.add("A_worker", external=True, allow=["src/**"])
    else:
        # The plan may not hold the value: a program has it.
        line = f"printf 'one\\n%s\\n' {shlex.quote(value)} > src/new.txt\n"
        (folder / "does.sh").write_text(line, "utf-8")
        work.add("A_worker", command=["sh", str(folder / "does.sh")], allow=["src/**"])
    ended = work.oneshot("--run-id", "r1", env=NAMED)
    if source == "external":
        checkout = Path(next(folder.rglob("A_worker/1/checkout")))
        (checkout / "src/new.txt").write_text(f"one\n{value}\n", "utf-8")
        ended = work.factory("collect", "--run-id", "r1", "--json", env=NAMED)
    return ended


@pytest.mark.parametrize("source", ["command", "patch", "branch", "bundle", "external"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (VALUE, "line 2 holds the value of SERVICE_PASSPHRASE"),
        (SHAPED, "line 2 holds what looks like a GitLab token"),
    ],
)
def test_a_secret_in_the_work_of_every_source_blocks_and_is_shown_nowhere(
    work: Work, source: str, value: str, message: str, tmp_path: Path
) -> None:
    ended = handed_in(work, source, value, tmp_path)

    assert ended.exit_code == 3, ended.stderr
    assert secret_findings(ended, "secret.in_patch") == [("A_worker: src/new.txt", message)]
    assert holders(work.runs_root, value) == ["r1/A_worker/DIFF.patch"]
    assert holders(tmp_path / "home", value) == []
    later = [
        work.factory(*words, env={})
        for words in (
            ("bundle-validate", "--run-id", "r1", "--json"),
            ("integrate", "--run-id", "r1", "--json"),
            ("ledger-replay", "--run-id", "r1", "--rebuild"),
            ("ledger", "--run-id", "r1", "--raw-events"),
            ("print-report", "--run-id", "r1"),
            ("config", "show", "--json"),
        )
    ]
    assert [one.exit_code for one in later] == [3, 3, 0, 0, 0, 0]
    assert [one for one in (ended, *later) if said(one, value)] == []


def test_what_a_stranger_said_of_its_own_bundle_hides_no_secret(work: Work) -> None:
    folder = work.bundle(
        "A_worker", write_file("src/new.txt", SHAPED + "\n"), "r1", allow=["src/**"]
    )
    said_so = {"code": "secret.in_patch", "severity": "note", "message": "none", "hint": ""}
    record = {**said_so, "subject": "A_worker: src/new.txt"}
    rewrite(folder / "STATUS.json", lambda status: status.update(status="PASS", findings=[record]))

    ended = work.oneshot("--run-id", "r1")

    assert ("secret.in_patch", "A_worker: src/new.txt") in blocking(ended)


def test_binary_files_links_and_names_are_looked_into(work: Work) -> None:
    def edit(repo: Repo) -> None:
        repo.write("src/image.bin", b"\0\1" + VALUE.encode() + b"\xff")
        repo.link("src/link", VALUE)

    work.patch("A_worker", edit, allow=["src/**"])

    ended = work.oneshot(env=NAMED)

    assert secret_findings(ended, "secret.in_patch") == [
        ("A_worker: src/image.bin", "it holds the value of SERVICE_PASSPHRASE"),
        ("A_worker: src/link", "line 1 holds the value of SERVICE_PASSPHRASE"),
    ]


@pytest.mark.parametrize("source", ["command", "patch", "bundle"])
def test_a_patch_that_names_a_path_by_a_secret_is_kept_and_not_shown(
    work: Work, source: str, tmp_path: Path
) -> None:
    if source == "patch":
        work.patch("A_worker", write_file(f"src/{SHAPED}.txt", "x\n"), allow=["src/**"])
    elif source == "bundle":
        folder = work.bundle("A_worker", write_file("src/PLAIN.txt", "x\n"), "r1", allow=["src/**"])
        for path in (path for path in folder.rglob("*") if path.is_file()):
            path.write_text(path.read_text("utf-8").replace("PLAIN", SHAPED), "utf-8")
    else:
        (tmp_path / "does.sh").write_text(f"echo x > src/{SHAPED}.txt\n", "utf-8")
        work.add("A_worker", command=["sh", str(tmp_path / "does.sh")], allow=["src/**"])

    ended = work.oneshot("--run-id", "r1")

    subject = "A_worker: src/[factory: a GitLab token redacted].txt"
    assert ended.exit_code == 3
    assert ("secret.in_patch", subject) in blocking(ended)
    kept = [] if source == "bundle" else ["r1/A_worker/LOGS/withheld.patch"]
    assert holders(work.runs_root, SHAPED) == kept
    assert not said(ended, SHAPED)


def test_what_the_base_holds_already_stays_and_goes_and_moves(work: Work) -> None:
    work.repo.write("src/old.txt", f"a\n{SHAPED}\nb\n")
    work.repo.write("src/gone.txt", f"a\n{VALUE}\nb\n")
    work.repo.write("src/here.txt", f"a\n{SHAPED[::-1]}\n{VALUE}\n")
    work.repo.commit()

    def edit(repo: Repo) -> None:
        repo.write("src/old.txt", f"changed\nbefore\n{SHAPED}\nb\n")
        repo.write("src/gone.txt", "a\nb\n")
        move_file("src/here.txt", "src/there.txt")(repo)

    work.patch("A_worker", edit, allow=["src/**"])

    ended = work.oneshot(env=NAMED)

    assert ended.exit_code == 0, blocking(ended)


def test_a_secret_that_another_file_of_the_base_holds_is_brought_anew(work: Work) -> None:
    work.repo.write("src/old.txt", SHAPED + "\n")
    work.repo.commit()
    work.patch("A_worker", write_file("src/copy.txt", SHAPED + "\n"), allow=["src/**"])

    ended = work.oneshot()

    assert blocking(ended) == [("secret.in_patch", "A_worker: src/copy.txt")]


def test_made_up_values_may_stand_where_the_settings_say_and_named_ones_never(work: Work) -> None:
    work.patch("A_worker", write_file("tests/fixtures/a.txt", SHAPED + "\n"), allow=["tests/**"])
    work.patch("B_worker", write_file("tests/fixtures/b.txt", VALUE + "\n"), allow=["tests/**"])

    ended = work.oneshot("--run-id", "r1", env={**NAMED, **ACCEPTING})
    again = work.factory("integrate", "--run-id", "r1", "--json")

    wanted = [("secret.in_patch", "B_worker: tests/fixtures/b.txt")]
    assert (blocking(ended), blocking(again)) == (wanted, wanted)


def test_what_only_looks_like_a_secret_is_accepted_by_an_amendment_with_its_reason(
    work: Work,
) -> None:
    work.patch("A_worker", write_file("src/a.txt", SHAPED + "\n"), allow=["src/**"])
    ended = work.oneshot("--run-id", "r1")
    (finding,) = [f for f in ended.answer["findings"] if f["code"] == "secret.in_patch"]

    line = ("amend", "--accept-secret", "A_worker:src/a.txt", "--reason", "made up")
    amended = work.factory(*line, "--json")
    again = work.factory("integrate", "--json")

    assert f"`factory {' '.join(line[:3])} --reason WHY`" in finding["hint"]
    assert amended.answer["changes"] == [
        "A_worker: what looks like a secret in src/a.txt may stand"
    ]
    assert again.exit_code == 0, blocking(again)
    report = work.factory("print-report").stdout
    assert "A_worker: what looks like a secret in src/a.txt may stand" in report
    assert "made up" in report
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_what_was_accepted_is_the_content_that_was_looked_at_and_no_other(
    work: Work, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(SHAPED + "\n", "utf-8")
    work.add("A_worker", command=["cp", str(tokens), "src/a.txt"], allow=["src/**"])
    again = ("launch", "--run-id", "r1", "--only", "A_worker")
    accept = ("amend", "--accept-secret", "A_worker:src/a.txt", "--reason", "made up")
    assert work.oneshot("--run-id", "r1").exit_code == 3
    assert work.factory(*accept).exit_code == 0

    def judged() -> list[tuple[str, str]]:
        assert work.factory(*again).exit_code == 0
        found = blocking(work.factory("integrate", "--json"))
        assert work.factory("ledger-replay", "--rebuild").exit_code == 0
        return found

    same = judged()
    tokens.write_text(SHAPED[:-4] + "Rt5w\n", "utf-8")
    other = judged()
    assert work.factory(*accept).exit_code == 0
    accepted = work.factory("integrate", "--json")
    refused = work.factory(*accept, "--json")

    assert (same, other) == ([], [("secret.in_patch", "A_worker: src/a.txt")])
    assert accepted.exit_code == 0, blocking(accepted)
    assert refused.answer["error"]["message"] == "A_worker accepts 'src/a.txt' already"


def test_what_is_accepted_is_a_path_that_the_worker_leaves_a_file_at(work: Work) -> None:
    work.patch("A_worker", write_file("src/a.txt", SHAPED + "\n"), allow=["src/**"])
    work.oneshot("--run-id", "r1")

    line = ("amend", "--accept-secret", "A_worker:src/b.txt", "--reason", "made up")
    ended = work.factory(*line, "--json")

    assert (ended.exit_code, ended.answer["error"]["hint"]) == (2, "did you mean 'src/a.txt'?")


def test_what_was_accepted_goes_onto_another_commit_with_the_work(work: Work) -> None:
    work.repo.git("config", "user.name", "Ann Operator")
    work.repo.git("config", "user.email", "ann@localhost")
    work.patch("A_worker", write_file("src/a.txt", SHAPED + "\n"), allow=["src/**"])
    work.oneshot("--run-id", "r1")
    line = ("amend", "--accept-secret", "A_worker:src/a.txt", "--reason", "made up")
    assert work.factory(*line).exit_code == 0
    assert work.factory("integrate", "--run-id", "r1").exit_code == 0
    work.repo.write("docs/later.txt", "later\n")
    work.repo.git("add", "-A")
    work.repo.git("commit", "-qm", "later")

    ended = work.factory("publish", "--run-id", "r1", "--onto", "HEAD", "--json")

    assert ended.exit_code == 0, ended
    assert work.repo.git("show", "factory/r1:src/a.txt").decode() == SHAPED + "\n"
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_a_named_value_is_not_accepted_by_an_amendment_but_its_path_can_be_left_out(
    work: Work,
) -> None:
    def edit(repo: Repo) -> None:
        repo.write("src/a.txt", VALUE + "\n")
        repo.write("src/b.txt", "b\n")

    work.patch("A_worker", edit, allow=["src/**"])
    work.oneshot("--run-id", "r1", env=NAMED)

    work.factory("amend", "--accept-secret", "A_worker:src/a.txt", "--reason", "x")
    still = work.factory("integrate", "--json")
    work.factory("amend", "--drop-path", "A_worker:src/a.txt", "--reason", "x")
    passed = work.factory("integrate", "--json")

    assert blocking(still) == [("secret.in_patch", "A_worker: src/a.txt")]
    assert passed.exit_code == 0, blocking(passed)


@pytest.mark.parametrize("value", ["run_id", "worker_id", "exited", "no_change"])
def test_a_value_that_is_a_word_of_the_factory_breaks_no_document_of_it(
    work: Work, value: str
) -> None:
    named = {"ODD_PASSPHRASE": value, "FACTORY_SECRETS__NAMES": '["ODD_PASSPHRASE"]'}
    work.add("A_worker", command=["sh", "-c", "echo new > src/a.txt"], allow=["src/**"])

    ended = work.oneshot("--run-id", "r1", env=named)

    assert ended.exit_code == 0, blocking(ended)


def test_a_branch_is_not_named_by_a_value(work: Work) -> None:
    named = {"ODD_PASSPHRASE": "horse-battery", "FACTORY_SECRETS__NAMES": '["ODD_PASSPHRASE"]'}
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])
    work.oneshot("--run-id", "r1", env=named)

    line = ("publish", "--run-id", "r1", "--branch", "fix/horse-battery", "--json")
    ended = work.factory(*line, env=named)

    assert ended.exit_code == 10, ended
    assert not said(ended, "horse-battery")
    assert holders(work.runs_root, "horse-battery") == []


def test_an_error_outside_of_a_run_says_no_value(work: Work) -> None:
    named = {"ODD_PASSPHRASE": "horse-battery", "FACTORY_SECRETS__NAMES": '["ODD_PASSPHRASE"]'}

    ended = work.factory("print-report", "--run-id", "horse-battery", "--json", env=named)

    assert ended.exit_code != 0
    assert "[factory: ODD_PASSPHRASE redacted]" in ended.answer["error"]["message"]
    assert not said(ended, "horse-battery")


def said_everywhere(work: Work, folder: Path) -> str:
    """Return a plan whose setup, worker and check say both values wherever they can."""
    note = {"summary": f"used {VALUE}", "risks": [VALUE], "declared_paths": ["src/ok.txt"]}
    text = json.dumps(note).replace("/", "\\u002f")
    (folder / "does.sh").write_text(
        f"echo {shlex.quote(VALUE)}; echo {SHAPED} >&2; echo ok > src/ok.txt\n"
        f"echo {shlex.quote(VALUE)} > $FACTORY_OUTBOX/SUMMARY.md\n"
        f"echo {SHAPED} > $FACTORY_OUTBOX/SUGGESTIONS.md\n"
        f"printf '%s' {shlex.quote(text.replace(chr(92), chr(92) * 2))} "
        "| sed 's/\\\\\\\\/\\\\/g' > $FACTORY_OUTBOX/HANDOFF_NOTE.json\n",
        "utf-8",
    )
    (folder / "check.sh").write_text(f"echo {shlex.quote(VALUE)}; exit 1\n", "utf-8")
    (folder / "setup.sh").write_text(f"echo {shlex.quote(VALUE)}\n", "utf-8")
    work.add(
        "A_worker",
        command=["sh", str(folder / "does.sh")],
        setup=[["sh", str(folder / "setup.sh")]],
        allow=["src/**"],
    )
    return work.plan(checks=[{"name": "red", "command": ["sh", str(folder / "check.sh")]}])


def test_logs_texts_and_checks_are_redacted_in_the_copy_that_is_kept(
    work: Work, tmp_path: Path
) -> None:
    words = ("oneshot", "--plan", said_everywhere(work, tmp_path), "--run-id", "r1", "--json")
    forms = {"FACTORY_REPORT__JUNIT": "1", "FACTORY_REPORT__MARKDOWN": "1"}

    ended = work.factory(*words, env={**NAMED, **forms})

    run = work.runs_root / "r1"
    mark = "[factory: SERVICE_PASSPHRASE redacted]"
    assert ended.exit_code == 3
    for root in (work.runs_root, tmp_path / "home"):
        assert (holders(root, VALUE), holders(root, SHAPED)) == ([], [])
    assert (run / "A_worker/LOGS/worker.stdout.log").read_text() == mark + "\n"
    assert (run / "A_worker/SUMMARY.md").read_text() == mark + "\n"
    handoff = json.loads((run / "A_worker/HANDOFF_NOTE.json").read_text())
    assert (handoff["summary"], handoff["risks"]) == (f"used {mark}", [mark])
    index = json.loads((run / "A_worker/LOGS/INDEX.json").read_text())
    assert {log["path"]: log["redacted"] for log in index["logs"]} == {
        "LOGS/setup-1.stdout.log": 1,
        "LOGS/worker.stderr.log": 1,
        "LOGS/worker.stdout.log": 1,
    }
    one = "1 secret redacted in the copy that the run keeps"
    assert secret_findings(ended, "secret.redacted") == [
        ("A_worker: HANDOFF_NOTE.json", "2 secrets redacted in the copy that the run keeps"),
        *(
            (f"A_worker: {name}", one)
            for name in (
                "LOGS/setup-1.stdout.log", "LOGS/worker.stderr.log", "LOGS/worker.stdout.log",
                "SUGGESTIONS.md", "SUMMARY.md",
            )
        ),
        ("Z_integrator: LOGS/check-1.run-2.stdout.log", one),
        ("Z_integrator: LOGS/check-1.stdout.log", one),
    ]  # fmt: skip
    assert mark in (run / "Z_integrator/CHECKS.junit.xml").read_text()
    replayed = work.factory("ledger-replay", "--rebuild", env=NAMED)
    assert replayed.exit_code == 0, replayed.stdout
    assert not said(ended, VALUE)


def test_a_named_value_cut_in_two_by_a_flood_goes_from_both_sides(
    work: Work, tmp_path: Path
) -> None:
    value = "0123456789" + "abcdefghijkl"
    head, tail = "x" * (1024 - 9), "y" * 245
    (tmp_path / "does.sh").write_text(
        f"printf '%s' {head}{value}; printf '%9000s' ''; printf '%s' {value}{tail}\n", "utf-8"
    )
    work.add("A_worker", command=["sh", str(tmp_path / "does.sh")], allow=["src/**"])
    env = {"MY_TOKEN": value, "FACTORY_SECRETS__NAMES": '["MY_TOKEN"]'}

    ended = work.oneshot("--run-id", "r1", env={**env, "FACTORY_WORK__LOG_BYTES": "1024"})

    log = (work.runs_root / "r1/A_worker/LOGS/worker.stdout.log").read_text()
    mark = "[factory: MY_TOKEN redacted]"
    assert ended.exit_code == 0
    assert log.partition("\n")[0] == "x" * (1024 - 9) + mark
    assert log.rpartition("\n")[2] == mark + tail
    assert not any(part in log for part in (value[:9], value[-9:]))


def test_a_variable_that_a_worker_gets_is_secret_by_its_name(work: Work, tmp_path: Path) -> None:
    (tmp_path / "does.sh").write_text("echo $DEPLOY_TOKEN > src/new.txt\n", "utf-8")
    work.add("A_worker", command=["sh", str(tmp_path / "does.sh")], allow=["src/**"])
    env = {"DEPLOY_TOKEN": VALUE, "FACTORY_WORK__ENVIRONMENT": '["PATH", "DEPLOY_TOKEN"]'}

    ended = work.oneshot(env=env)

    assert secret_findings(ended, "secret.in_patch") == [
        ("A_worker: src/new.txt", "line 1 holds the value of DEPLOY_TOKEN")
    ]


def test_a_value_too_short_to_find_is_refused_by_its_name_before_anything_is_written(
    work: Work,
) -> None:
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])
    env = {"PIN": "q7q7q", "FACTORY_SECRETS__NAMES": '["PIN"]'}

    ended = work.oneshot(env=env)

    assert ended.exit_code == 10
    assert ended.answer["error"] == {
        "message": "the value of 'PIN' is shorter than 6 characters, and cannot be told from "
        "other text",
        "hint": "give it a longer value, or take it out of secrets.names",
    }
    assert not said(ended, "q7q7q")
    assert not work.runs_root.exists()


def test_a_listed_variable_that_is_not_set_is_a_note(work: Work) -> None:
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])

    ended = work.oneshot(env={"FACTORY_SECRETS__NAMES": '["NOT_THERE"]'})

    assert ended.exit_code == 0
    assert ended.answer["notes"] == [
        "NOT_THERE of secrets.names is not set, so no value of it is looked for"
    ]


def test_a_plan_or_a_reason_that_holds_a_named_value_is_refused(work: Work) -> None:
    work.add("A_worker", command=["echo", VALUE], allow=["src/**"])
    refused = work.oneshot(env=NAMED)
    work.workers.clear()
    work.patch("B_worker", edit_line("src/app.txt", 1, "new"), allow=["docs/**"])
    work.oneshot("--run-id", "r1", env=NAMED)

    line = ("amend", "--run-id", "r1", "--allow", "B_worker:src/**", "--reason", f"it is {VALUE}")
    reason = work.factory.real(*line, "--json", env=NAMED)

    assert (refused.exit_code, reason.exit_code) == (10, 10)
    assert not said(refused, VALUE)
    assert not said(reason, VALUE)
    assert holders(work.runs_root, VALUE) == []


def test_a_run_without_secrets_says_nothing_of_them(work: Work) -> None:
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])

    ended = work.oneshot(env=NAMED)

    assert ended.exit_code == 0
    assert {code for code in codes(ended) if code.startswith("secret.")} == set()
