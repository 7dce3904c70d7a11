"""`launch --only`: a new attempt of a worker in a run that exists, and the old one kept."""

import json
import shutil
from pathlib import Path

import pytest

from tests.reopened import SETTINGS, Again, again, counting, files_below, runs_of
from tests.work import Work, edit_line
from tools.codex.factory.storage.lock import held

pytestmark = pytest.mark.slow


@pytest.fixture
def made(work: Work) -> Again:
    """Return a run that passed, of two commands."""
    return again(work)


def events(work: Work) -> list[dict[str, object]]:
    """Return every event of the ledger."""
    found = work.factory("ledger", "--raw-events", "--limit", "999", "--json").answer["events"]
    return list(found)


def kinds(work: Work) -> list[str]:
    """Return the kind of every event, with who it is about."""
    return [f"{event['event_type']} {event['actor']}" for event in events(work)]


def status(work: Work) -> str:
    """Return what `runs list` says of the one run."""
    (row,) = work.factory("runs", "list", "--json").answer["runs"]
    return str(row["status"])


def test_a_new_attempt_keeps_the_sealed_bundle_and_takes_its_place(made: Again) -> None:
    before, seal_of_a = made.bundle, (made.run / "seals/A_worker.json").stat()

    ended = made.work.factory("launch", "--only", "B_worker", "--reason", "it was odd", "--json")

    run = json.loads((made.run / "B_worker/STATUS.json").read_text())
    assert (ended.exit_code, ended.answer["status"], ended.answer["run_id"]) == (0, "PENDING", "r1")
    assert made.earlier == {"1": before}
    assert made.bundle != before
    assert run["attempts"] == 2
    assert (made.run / "seals/A_worker.json").stat() == seal_of_a
    assert not (made.run / "REOPENED.json").exists()
    assert made.command("integrate") == 0
    assert made.tree() == "2"
    assert made.work.factory("ledger-replay", "--rebuild").stdout.endswith("rebuilt\n")


def test_the_answer_names_the_newest_run_and_what_comes_next(made: Again) -> None:
    ended = made.work.factory("launch", "--only", "B_worker", "--reason", "it was odd")

    assert ended.stdout == "then: factory integrate --run-id r1\nPENDING  r1\n"
    assert ended.stderr.splitlines()[0] == "note: the newest run is r1"
    assert "B_worker: a new attempt is wanted (it was odd)" in ended.stderr.splitlines()


def test_the_ledger_says_who_gave_way_why_and_what_is_kept(made: Again) -> None:
    count, seal = len(events(made.work)), made.bundle["SEAL.json"]

    made.command("launch", "--only", "B_worker", "--reason", "it was odd")

    said = events(made.work)[count:]
    assert [f"{event['event_type']} {event['actor']}" for event in said] == [
        "RUN_CONTINUED factory",
        "RUN_REOPENED operator",
        "ATTEMPT_KEPT B_worker",
        "CHECKOUT_MADE B_worker",
        "WORKER_STARTED B_worker",
        "WORKER_ENDED B_worker",
        "BUNDLE_SEALED B_worker",
        "LAUNCH_END factory",
    ]
    assert said[1]["details"] == {"of": "B_worker", "reason": "it was odd"}
    assert (made.run / "B_worker/attempts/1/SEAL.json").read_bytes() == seal


def test_until_it_is_integrated_nothing_takes_the_old_verdict_for_the_new_bundle(
    made: Again,
) -> None:
    work = made.work
    assert work.factory("runs", "show", "--json").answer["state"]["status"] == "PASS"

    made.command("launch", "--only", "B_worker")

    watched = work.factory("watch")
    printed = work.factory("print-report")
    published = work.factory("publish", "--branch", "out")
    replayed = work.factory("ledger-replay", "--rebuild")
    note = "note: a new attempt of B_worker was wanted after this report: `factory integrate "
    assert status(work) == "PENDING"
    assert work.factory("runs", "show", "--json").answer["state"] is None
    assert (watched.exit_code, "r1  WAITING" in watched.stdout) == (4, True)
    assert printed.stderr.startswith(note)
    assert published.exit_code == 3
    assert "a new attempt of B_worker was wanted since it was integrated" in published.stderr
    assert (replayed.exit_code, replayed.stdout.split()[4]) == (0, "verified")


def test_a_worker_that_failed_leads_to_pass_and_its_retries_count_anew(work: Work) -> None:
    count = work.folder / "count"
    fails = counting(count, "src/b.txt", then="test $n -gt 3")
    work.add("B_worker", command=fails, allow=["src/**"], retries=1)
    made = Again(work, count)
    assert made.oneshot() == 3

    code = made.command("launch", "--only", "B_worker")

    numbers = sorted(made.earlier)
    assert (code, runs_of(count), numbers) == (0, 4, ["1", "2", "3"])
    assert [sorted(made.earlier[n]).count("SEAL.json") for n in numbers] == [0, 1, 0]
    assert made.command("integrate") == 0
    assert made.command("ledger-replay", "--rebuild") == 0


def test_its_finding_names_the_command(work: Work) -> None:
    work.add("B_worker", command=["false"], allow=["src/**"])

    (finding,) = [f for f in work.oneshot().answer["findings"] if f["severity"] == "blocks"]

    assert "`factory launch --only B_worker` makes a new attempt" in finding["hint"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--only", "B_workr"), "the plan has no worker 'B_workr'\n  -> did you mean 'B_worker'?"),
        (("--only", "P"), "P is a patch made elsewhere and fixed by its digest"),
        (("--only", ","), "--only ',' names no worker"),
        (("--only", "B_worker", "--plan", "x"), "launch --only does not take --plan"),
        (("--only", "B_worker", "--base-ref", "HEAD"), "launch --only does not take --base-ref"),
        (("--only", "B_worker", "--dry-run"), "launch --only does not take --dry-run"),
        (("--only", "B_worker", "--workers", "A"), "launch --only does not take --workers"),
        (("--only", "B_worker", "--reason", "a\nb"), "the reason is wrong"),
        (("--reason", "x"), "--reason belongs to --only"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    work: Work, words: tuple[str, ...], said: str
) -> None:
    work.patch("P", edit_line("docs/guide.txt", 1, "p"), allow=["docs/**"])
    work.add("B_worker", command=counting(work.folder / "count", "src/b"), allow=["src/**"])
    work.oneshot("--run-id", "r1", env=SETTINGS)
    before = files_below(work.runs_root)

    ended = work.factory("launch", *words)

    after = {**files_below(work.runs_root), "r1/.lock": before["r1/.lock"]}
    assert (ended.exit_code, said in ended.stderr) == (2, True), ended.stderr
    assert after == before


def test_a_worker_that_was_left_out_a_run_that_is_held_and_one_that_is_not_are_refused(
    made: Again,
) -> None:
    holder: dict[str, object] = {"pid": 4711, "command": "factory integrate", "since": "noon"}
    with held(made.run, holder=holder):
        busy = made.command("launch", "--only", "A_worker")
    none = made.work.factory("launch", "--only", "A_worker", "--run-id", "r2").exit_code
    made.command("amend", "--drop", "B_worker", "--reason", "x")

    dropped = made.work.factory("launch", "--only", "B_worker")

    assert (busy, none, dropped.exit_code) == (40, 40, 2)
    assert "B_worker is left out since revision 2 of the plan" in dropped.stderr
    assert runs_of(made.count) == 1


def test_a_published_run_stays_what_it_is(made: Again) -> None:
    made.work.repo.git("config", "user.name", "Ann")
    made.work.repo.git("config", "user.email", "ann@localhost")
    assert made.command("publish", "--branch", "out") == 0

    ended = made.work.factory("launch", "--only", "B_worker")

    assert (ended.exit_code, runs_of(made.count)) == (40, 1)
    assert "run 'r1' was published as out" in ended.stderr


@pytest.mark.parametrize("name", ["B_worker/DIFF.patch", "seals/B_worker.json"])
def test_bytes_that_are_not_the_sealed_ones_are_not_kept_as_if_they_were(
    made: Again, name: str
) -> None:
    path = made.run / name
    path.write_bytes(path.read_bytes() + b" ")

    ended = made.work.factory("launch", "--only", "B_worker")

    assert (ended.exit_code, made.earlier, runs_of(made.count)) == (40, {}, 1), ended.stderr


@pytest.mark.parametrize("name", ["DIFF.patch", "SEAL.json"])
def test_an_old_bundle_that_is_changed_and_sealed_anew_is_found(made: Again, name: str) -> None:
    made.command("launch", "--only", "B_worker")
    path = made.run / "B_worker/attempts/1" / name
    path.write_bytes(b"{}")
    forged = made.run / "seals/B_worker.json"
    (made.run / "B_worker/STATUS.json").touch()
    content = json.loads(forged.read_text())
    from tools.codex.factory.domain.document import canonical
    from tools.codex.factory.domain.identity import digest_of

    content["artifacts"][f"attempts/1/{name}"] = digest_of(b"{}")
    forged.write_bytes(canonical(content))

    (row,) = made.work.factory("ledger-replay", "--json").answer["runs"]

    assert f"B_worker/attempts/1/{name}" in [one["name"] for one in row["disagreements"]]


def test_an_amended_run_is_tried_again_under_the_plan_in_force(made: Again) -> None:
    made.command("amend", "--allow", "B_worker:docs/**", "--reason", "x")

    made.command("launch", "--only", "B_worker")

    lock = json.loads((made.run / "B_worker/SCOPE_LOCK.json").read_text())
    assert lock["allow"] == ["src/**", "docs/**"]
    assert made.command("integrate") == 0
    assert made.command("ledger-replay", "--rebuild") == 0


def test_a_worker_outside_gets_a_fresh_checkout_and_is_waited_for(work: Work) -> None:
    work.add("E_worker", external=True, allow=["src/**"])
    first = work.oneshot("--run-id", "r1", env=SETTINGS)
    Path(first.answer["waiting"]["E_worker"], "src/one").write_text("one\n")
    assert work.factory("collect", env=SETTINGS).exit_code == 0
    before = files_below(work.runs_root / "r1/E_worker")

    again_said = work.factory("launch", "--only", "E_worker", "--json", env=SETTINGS)
    checkout = Path(again_said.answer["waiting"]["E_worker"])
    waits = work.factory("integrate")
    fresh = not (checkout / "src/one").exists()
    (checkout / "src/two").write_text("two\n")
    done = work.factory("collect", env=SETTINGS)

    earlier = files_below(work.runs_root / "r1/E_worker/attempts/1")
    assert (again_said.exit_code, waits.exit_code, done.exit_code) == (4, 40, 0)
    assert "run 'r1' waits for E_worker" in waits.stderr
    assert fresh
    assert {name: earlier[name] for name in before} == before
    assert "+two" in (work.runs_root / "r1/Z_integrator/DIFF.patch").read_text()
    assert "+one" not in (work.runs_root / "r1/Z_integrator/DIFF.patch").read_text()
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_who_waits_for_a_person_goes_on_waiting(work: Work) -> None:
    work.add("E_worker", external=True, allow=["src/**"])
    work.add("B_worker", command=counting(work.folder / "count", "docs/b"), allow=["docs/**"])
    first = work.oneshot("--run-id", "r1", env=SETTINGS)

    ended = work.factory("launch", "--only", "B_worker", "--json", env=SETTINGS)

    assert (ended.exit_code, ended.answer["status"]) == (4, "WAITING")
    assert ended.answer["waiting"] == first.answer["waiting"]
    assert runs_of(work.folder / "count") == 2


def test_a_rehearsed_worker_is_rehearsed_again(work: Work) -> None:
    work.add("B_worker", command=["false"], allow=["src/**"])
    first = work.oneshot("--dry-run", "--run-id", "r1")

    ended = work.factory("launch", "--only", "B_worker", "--json")

    assert (first.exit_code, ended.exit_code, ended.answer["rehearsal"]) == (0, 0, True)
    assert work.factory("integrate").exit_code == 0
    assert (work.runs_root / "r1/B_worker/attempts/1/SEAL.json").exists()


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_task_in_a_file_is_the_one_that_was_sealed(work: Work, *, is_gone: bool) -> None:
    (work.folder / "task.md").write_text("do it\n")
    command = ["cp", "{prompt_file}", "src/said"]
    work.add("B_worker", command=command, task_file="task.md", allow=["src/**"])
    work.oneshot("--run-id", "r1", env=SETTINGS)
    (work.folder / "task.md").write_text("another\n")
    if is_gone:
        (work.runs_root / "r1/TASK.B_worker.txt").unlink()

    ended = work.factory("launch", "--only", "B_worker")

    patch = (work.runs_root / "r1/B_worker/DIFF.patch").read_text()
    assert ended.exit_code == (10 if is_gone else 0), ended.stderr
    assert "+do it" in patch
    assert (work.runs_root / "r1/B_worker/attempts").exists() is not is_gone


def test_who_has_no_bundle_yet_is_just_run_and_nobody_else(work: Work) -> None:
    counts = {name: work.folder / name for name in ("A", "B", "C")}
    for name, count in counts.items():
        work.add(name, command=counting(count, f"src/{name}"), allow=[f"src/{name}"])
    work.factory("launch", "--plan", work.plan(), "--run-id", "r1", env=SETTINGS)
    run = work.runs_root / "r1"
    for name in ("B", "C"):
        # As an interruption leaves it.
        shutil.rmtree(run / name)
        (run / f"seals/{name}.json").unlink()
    ledger = run.parent / "factory_ledger.jsonl"
    ledger.unlink()

    ended = work.factory("launch", "--only", "B", env=SETTINGS)

    refused = work.factory("integrate")
    watched = work.factory("watch")
    assert [runs_of(count) for count in counts.values()] == [1, 2, 1]
    assert ended.stdout == (
        "no bundle yet: C\nthen: factory oneshot --run-id r1 with the same plan\nPENDING  r1\n"
    )
    assert (refused.exit_code, "r1  INTERRUPTED" in watched.stdout) == (40, True)
    assert not (run / "B/attempts").exists()
    assert work.factory("launch", "--only", "C", env=SETTINGS).exit_code == 0
    assert work.factory("integrate").exit_code == 0


MOMENTS = [
    "rename REOPENED.json",
    "append RUN_REOPENED",
    "rename SEAL.json",
    "rename DIFF.patch",
    "append ATTEMPT_KEPT",
    "append WORKER_STARTED",
    "append WORKER_ENDED",
    "rename B_worker.json",
    "append BUNDLE_SEALED",
    "append LAUNCH_END",
]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("goes_on", ["launch", "oneshot"])
def test_a_new_attempt_that_is_killed_is_made_and_counts_alone(
    made: Again, moment: str, goes_on: str
) -> None:
    before = made.bundle

    said = made.killed(moment)
    consistent = made.command("ledger-replay")
    judged = made.command("integrate")
    stale = made.tree()
    code = made.oneshot() if goes_on == "oneshot" else made.command("launch", "--only", "B_worker")

    is_done = moment in MOMENTS[-3:]
    tries = runs_of(made.count)
    # It was integrated: who asks after that asks for another. Who was killed while it worked
    # begins again, unless it was done before its supervisor heard of that.
    expected = {3} if is_done and goes_on == "launch" else {2}
    assert said[-1] == moment
    assert (consistent, judged) == (0, 0 if is_done else 40)
    assert (code, tries in (expected | {3} if "STARTED" in moment else expected)) == (0, True)
    assert made.command("integrate") == 0
    assert made.earlier["1"] == before
    assert (stale, made.tree()) == ("2" if is_done else "1", str(tries))
    assert made.command("ledger-replay", "--rebuild") == 0
    assert not (made.run / "REOPENED.json").exists()


def test_the_same_command_after_a_kill_makes_no_third_attempt(made: Again) -> None:
    made.killed("rename B_worker.json")

    ended = made.work.factory("launch", "--only", "B_worker")

    assert (ended.exit_code, runs_of(made.count)) == (0, 2)
    assert "B_worker made it before" in ended.stderr


def test_an_old_bundle_put_back_with_its_seal_is_not_judged(made: Again, tmp_path: Path) -> None:
    shutil.copytree(made.run / "B_worker", tmp_path / "B_worker")
    shutil.copy(made.run / "seals/B_worker.json", tmp_path)
    made.command("launch", "--only", "B_worker")
    shutil.rmtree(made.run / "B_worker")
    shutil.copytree(tmp_path / "B_worker", made.run / "B_worker")
    shutil.copy(tmp_path / "B_worker.json", made.run / "seals/B_worker.json")

    codes = [made.command(name) for name in ("bundle-validate", "integrate")]

    assert codes == [40, 40]
    assert status(made.work) == "PENDING"
