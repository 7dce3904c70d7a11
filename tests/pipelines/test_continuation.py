"""What a run is after it was left, damaged, repeated or ended by an error."""

import json
import shutil

import jsonschema
import pytest

from tests.work import Work, blocking, edit_line, rewrite
from tools.codex.factory.domain.schema import schemas

pytestmark = pytest.mark.slow


def one_worker(work: Work) -> None:
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])


@pytest.mark.parametrize(
    ("how", "exit_code", "signal", "code"),
    [
        ("exited", 1, None, "worker.exit_code"),
        ("exited", 0, 9, "worker.ended_badly"),
        ("signalled", None, 9, "worker.signalled"),
        ("timed_out", None, None, "worker.timed_out"),
        ("unreadable", None, None, "worker.ended_badly"),
        ("not_started", None, None, "worker.ended_badly"),
        ("adopted", None, 9, "worker.ended_badly"),
    ],
)
def test_a_worker_that_ended_badly_blocks_whatever_its_status_says(
    work: Work, how: str, exit_code: int | None, signal: int | None, code: str
) -> None:
    ended = {"how": how, "exit_code": exit_code, "signal": signal}
    folder = work.bundle("A", edit_line("src/app.txt", 1, "A"), "bad", allow=["src/**"])
    rewrite(folder / "STATUS.json", lambda document: document.update(ended=ended))

    said = work.oneshot("--run-id", "bad")

    assert blocking(said) == [(code, "A: STATUS.json")]


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("STATUS.json", {"base_commit": "0" * 40}, "bundle.identity"),
        ("FILES_CHANGED.json", {"noop_reason": "none"}, "bundle.diff_disagrees"),
    ],
)
def test_claims_about_the_base_and_about_doing_nothing_are_checked(
    work: Work, name: str, change: dict[str, object], code: str
) -> None:
    folder = work.bundle("A", edit_line("src/app.txt", 1, "A"), "claim", allow=["src/**"])
    rewrite(folder / name, lambda document: document.update(change))

    said = work.oneshot("--run-id", "claim")

    assert blocking(said) == [(code, f"A: {name}")]


def test_one_lost_run_does_not_stop_the_replay_of_the_others(work: Work) -> None:
    one_worker(work)
    work.oneshot("--run-id", "lost")
    work.oneshot("--run-id", "kept")
    shutil.rmtree(work.runs_root / "lost")
    shutil.copytree(work.runs_root / "kept", work.runs_root / "kept copy")

    ended = work.factory("ledger-replay", "--json")

    found = {run["run_id"]: run["disagreements"] for run in ended.answer["runs"]}
    assert ended.exit_code == 1
    assert found == {"lost": [{"name": "lost", "reason": "its folder is gone"}], "kept": []}


def test_launch_of_a_finished_run_leaves_its_verdict(work: Work) -> None:
    one_worker(work)
    work.oneshot("--run-id", "done")

    work.factory("launch", "--plan", work.plan(), "--run-id", "done")

    runs = work.factory("ledger", "--json").answer["runs"]
    assert [(run["run_id"], run["status"]) for run in runs] == [("done", "PASS")]
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0


def test_what_a_killed_process_did_not_record_is_recorded_by_the_next(work: Work) -> None:
    one_worker(work)
    work.factory("launch", "--plan", work.plan(), "--run-id", "cut")
    (work.runs_root / "factory_ledger.jsonl").unlink()

    ended = work.oneshot("--run-id", "cut")

    events = work.factory("ledger", "--raw-events", "--json").answer["events"]
    kinds = [event["event_type"] for event in events]
    assert ended.exit_code == 0
    assert kinds[:2] == ["RUN_START", "BUNDLE_SEALED"]
    assert work.factory("ledger-replay", "--rebuild").exit_code == 0


@pytest.mark.parametrize("command", ["integrate", "bundle-validate"])
def test_a_run_that_was_not_launched_to_its_end_is_refused_by_name(
    work: Work, command: str
) -> None:
    one_worker(work)
    work.factory("launch", "--plan", work.plan(), "--run-id", "half")
    shutil.rmtree(work.runs_root / "half" / "A")
    (work.runs_root / "half" / "seals" / "A.json").unlink()
    (work.runs_root / "factory_ledger.jsonl").unlink()

    ended = work.factory(command, "--run-id", "half", "--json")

    assert ended.exit_code == 40
    assert ended.answer["error"]["message"] == (
        "run 'half' was not launched to its end: no bundle of A"
    )


def test_an_error_names_the_run_that_it_ended_and_a_later_success_keeps_no_log_of_it(
    work: Work,
) -> None:
    one_worker(work)
    work.factory("launch", "--plan", work.plan(), "--run-id", "fall")
    objects = work.repo.path / ".git" / "objects"
    objects.rename(objects.with_name("away"))
    (objects / "info").mkdir(parents=True)

    failed = work.factory("integrate", "--run-id", "fall", "--json")
    shutil.rmtree(objects)
    objects.with_name("away").rename(objects)
    again = work.factory("integrate", "--run-id", "fall", "--json")

    jsonschema.validate(failed.answer, schemas()["answer_run.schema.json"])
    assert (failed.exit_code, failed.answer["run_id"], failed.answer["status"]) == (
        30,
        "fall",
        "FAIL",
    )
    assert again.exit_code == 0
    assert [p.name for p in (work.runs_root / "fall/Z_integrator/LOGS").iterdir()] == ["INDEX.json"]


def test_a_bundle_validate_that_fails_leaves_the_report_that_is_there(work: Work) -> None:
    one_worker(work)
    done = work.oneshot("--run-id", "kept")
    before = (work.run(done) / "Z_integrator/STATUS.json").read_bytes()
    objects = work.repo.path / ".git" / "objects"
    objects.rename(objects.with_name("away"))
    (objects / "info").mkdir(parents=True)

    failed = work.factory("bundle-validate", "--run-id", "kept")

    assert failed.exit_code == 30
    assert (work.run(done) / "Z_integrator/STATUS.json").read_bytes() == before


def test_who_meets_only_those_who_are_left_out_is_merged(work: Work) -> None:
    shared = {"shared": ["src/app.txt"]}
    work.patch("A", edit_line("src/app.txt", 2, "A"), **shared)
    work.patch("B", edit_line("src/app.txt", 9, "B"), allow=["src/**"])
    work.patch("C", edit_line("src/app.txt", 16, "C"), **shared)

    ended = work.oneshot(env={"FACTORY_INTEGRATE__ON_BLOCKED": "exclude"})

    merged = [row["worker_id"] for row in ended.answer["workers"] if row["merged"]]
    assert (ended.exit_code, merged) == (3, ["A", "C"])


def test_the_same_change_of_mode_by_two_is_an_identical_edit(work: Work) -> None:
    for worker in ("A", "B"):
        work.patch(
            worker, lambda repo: (repo.path / "src/app.txt").chmod(0o755), shared=["src/app.txt"]
        )

    strict = work.oneshot()
    allowed = work.oneshot(env={"FACTORY_OVERLAP__ALLOW_IDENTICAL": "true"})

    assert blocking(strict) == [("overlap.same_path", "A, B: src/app.txt")]
    assert allowed.exit_code == 0


@pytest.mark.parametrize("name", ["seals", "Seals", "record"])
def test_a_worker_cannot_take_the_name_of_a_folder_of_the_run(work: Work, name: str) -> None:
    work.raw(name, b"", allow=["src/**"])

    assert work.oneshot().exit_code == 10


def test_a_hard_link_in_the_store_is_not_written_through(work: Work) -> None:
    one_worker(work)
    work.factory("launch", "--plan", work.plan(), "--run-id", "hard")
    precious = work.folder / "precious"
    precious.write_text("precious")
    alternates = work.runs_root / "hard/objects.git/objects/info/alternates"
    alternates.unlink()
    alternates.hardlink_to(precious)

    work.factory("integrate", "--run-id", "hard")

    assert precious.read_text() == "precious"


def test_the_status_names_who_was_merged(work: Work) -> None:
    one_worker(work)

    ended = work.oneshot()

    status = json.loads((work.run(ended) / "Z_integrator/STATUS.json").read_text())
    assert [row["merged"] for row in status["workers"]] == [True]
