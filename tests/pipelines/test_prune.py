"""Pruning under pressure: dead prunes, names used again, damaged runs, unpublished work."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import Ended
from tests.work import Work, edit_line, rewrite, write_file
from tools.codex.factory.storage.lock import held

pytestmark = pytest.mark.slow
OLD = ("runs", "prune", "--older-than", "0h", "--json")


def known(work: Work) -> None:
    """Tell git who the operator is."""
    work.repo.git("config", "user.name", "Ann Operator")
    work.repo.git("config", "user.email", "ann@localhost")


def passed(work: Work, name: str = "r1") -> Path:
    """Return the folder of a run that passed."""
    if not work.workers:
        work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])
    assert work.oneshot("--run-id", name).exit_code == 0
    return work.runs_root / name


def rows(ended: Ended) -> dict[str, bool]:
    """Return what a prune removed."""
    return {row["run_id"]: row["removed"] for row in ended.answer["runs"]}


def statuses(work: Work) -> dict[str, str]:
    """Return the status of each run as replay has it."""
    ended = work.factory("ledger-replay", "--json")
    assert ended.exit_code == 0, ended.stdout
    return {row["run_id"]: row["status"] for row in ended.answer["runs"]}


def cut_off(work: Work, copy: Path, *, recorded: bool) -> Path:
    """Return what a prune of r1 leaves that died before, or after, its event was recorded."""
    run = passed(work)
    aside = work.runs_root / ".pruned-r1"
    shutil.copytree(run, copy, symlinks=True)
    if recorded:
        assert work.factory("runs", "prune", "--run-id", "r1").exit_code == 0
    else:
        shutil.rmtree(run)
    copy.rename(aside)
    return aside


@pytest.mark.parametrize("recorded", [False, True])
def test_a_name_used_again_after_a_prune_that_died_stays_recorded(
    work: Work, tmp_path: Path, recorded: bool
) -> None:
    aside = cut_off(work, tmp_path / "copy", recorded=recorded)
    passed(work)

    ended = work.factory("runs", "prune", "--json")

    assert (ended.exit_code, rows(ended)) == (0, {"r1": False})
    assert not aside.exists()
    assert statuses(work) == {"r1": "PASS"}


@pytest.mark.parametrize("recorded", [False, True])
def test_a_prune_that_died_is_ended_by_the_next(work: Work, tmp_path: Path, recorded: bool) -> None:
    aside = cut_off(work, tmp_path / "copy", recorded=recorded)

    ended = work.factory("runs", "prune", "--json")

    assert (ended.exit_code, rows(ended), aside.exists()) == (0, {}, False)
    assert statuses(work) == {"r1": "PRUNED"}


def test_a_published_salvage_that_was_integrated_again_keeps_what_is_not_published(
    work: Work,
) -> None:
    known(work)
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])
    work.patch("B_worker", write_file("docs/red.txt", "x"), allow=["docs/**"])
    check = {"name": "no-red", "command": ["sh", "-c", "test ! -e docs/red.txt"]}
    plan = work.plan(checks=[check])
    assert work.factory("oneshot", "--plan", plan, "--run-id", "r1").exit_code == 3
    assert work.factory("integrate", "--salvage").exit_code == 3
    assert work.factory("publish", "--accept-partial").exit_code == 0
    assert rows(work.factory(*OLD)) == {"r1": False}
    assert work.factory("integrate").exit_code == 3

    ended = work.factory(*OLD)

    assert rows(ended) == {"r1": False}
    assert (work.runs_root / "r1" / "B_worker" / "DIFF.patch").exists()


@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_a_published_run_without_its_status_hinders_no_other(work: Work, how: str) -> None:
    known(work)
    run = passed(work)
    passed(work, "r2")
    assert work.factory("publish", "--run-id", "r1").exit_code == 0
    place = run / "Z_integrator" / "STATUS.json"
    if how == "gone":
        place.unlink()
    else:
        place.write_text("{}")

    listed = work.factory("runs", "list", "--json")
    pruned = work.factory(*OLD)

    assert (listed.exit_code, pruned.exit_code) == (0, 0), (listed.stderr, pruned.stderr)
    assert rows(pruned)["r2"] is False


def test_a_run_that_cannot_be_read_is_rehearsed_as_it_is_pruned(work: Work) -> None:
    run = passed(work)
    rewrite(run / "RUN_MANIFEST.json", lambda said: said.update(schema_version=2))

    told = work.factory("runs", "prune", "--run-id", "r1", "--dry-run", "--json")
    done = work.factory("runs", "prune", "--run-id", "r1", "--json")

    assert told.exit_code == done.exit_code
    if done.exit_code == 0:
        assert told.answer["runs"] == done.answer["runs"]
        assert told.answer["runs"][0]["reason"] != "it holds no work"


def test_a_rehearsed_prune_removes_nothing_and_writes_nothing(work: Work) -> None:
    passed(work)
    passed(work, "r2").rename(work.runs_root / ".pruned-r2")
    before = sorted(str(path) for path in work.runs_root.rglob("*"))
    ledger = next(work.runs_root.glob("factory_ledger*.jsonl")).read_bytes()

    ended = work.factory("runs", "prune", "--run-id", "r1", "--dry-run", "--json")

    assert rows(ended) == {"r1": True}
    assert sorted(str(path) for path in work.runs_root.rglob("*")) == before
    assert next(work.runs_root.glob("factory_ledger*.jsonl")).read_bytes() == ledger


def test_a_run_that_another_factory_holds_stays(work: Work) -> None:
    run = passed(work)

    with held(run, holder={"pid": 1, "command": "another"}):
        named = work.factory("runs", "prune", "--run-id", "r1", "--json")

    assert named.exit_code == 40
    assert (run / "A_worker").is_dir()


def test_links_inside_a_run_lead_no_removal_outside(work: Work, tmp_path: Path) -> None:
    run = passed(work)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("x")
    (run / "link").symlink_to(outside)
    (run / "A_worker" / "file").symlink_to(outside / "file")

    ended = work.factory("runs", "prune", "--run-id", "r1", "--json")

    assert (ended.exit_code, rows(ended), run.exists()) == (0, {"r1": True}, False)
    assert (outside / "file").read_text() == "x"


def test_a_link_in_place_of_a_run_leads_no_removal_outside(work: Work, tmp_path: Path) -> None:
    run = passed(work)
    run.rename(tmp_path / "moved")
    run.symlink_to(tmp_path / "moved")

    work.factory("runs", "prune", "--run-id", "r1", "--json")

    assert (tmp_path / "moved" / "A_worker" / "DIFF.patch").exists()


def test_rehearsals_and_no_ops_go_and_their_names_can_be_used_again(work: Work) -> None:
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])
    assert work.oneshot("--run-id", "try", "--dry-run").exit_code == 0
    work.workers.clear()
    work.raw("A_worker", b"", allow=["src/**"])
    assert work.oneshot("--run-id", "none").exit_code == 0

    ended = work.factory(*OLD)
    again = work.oneshot("--run-id", "none")

    assert rows(ended) == {"try": True, "none": True}
    assert again.exit_code == 0
    assert statuses(work) == {"try": "PRUNED", "none": "PASS"}


def test_work_whose_published_branch_was_deleted_again_stays(work: Work) -> None:
    known(work)
    passed(work)
    assert work.factory("publish", "--branch", "topic").exit_code == 0
    work.repo.git("branch", "-D", "topic")

    ended = work.factory(*OLD)

    assert rows(ended) == {"r1": False}


def test_a_folder_that_no_prune_made_is_left_alone(work: Work) -> None:
    passed(work)
    for name in (".pruned-", ".pruned-not a run", ".pruned-..x"):
        (work.runs_root / name).mkdir()
        (work.runs_root / name / "mine").write_text("x")

    ended = work.factory("runs", "prune", "--json")

    assert ended.exit_code == 0, ended.stderr
    assert statuses(work) == {"r1": "PASS"}


def test_work_of_an_earlier_attempt_stays_though_the_last_changed_nothing_of_it(
    work: Work, tmp_path: Path
) -> None:
    count = tmp_path / "count"
    script = f"echo x >> {count}; n=$(wc -l < {count}); echo $n > src/new.txt; [ $n = 2 ]"
    work.add("A_worker", allow=["src/**"], command=["sh", "-c", script], retries=1)
    known(work)
    assert work.oneshot("--run-id", "r1").exit_code == 0
    assert work.factory("publish", "--branch", "topic").exit_code == 0

    ended = work.factory(*OLD)

    assert rows(ended) == {"r1": False}
    assert "work of A_worker is not published" in ended.answer["runs"][0]["reason"]


def test_commits_on_another_ref_of_a_worker_stay(work: Work) -> None:
    script = (
        "git checkout -q -b side && echo precious > src/new.txt && git add -A && "
        "git -c user.name=x -c user.email=y commit -qm w && git checkout -q -"
    )
    work.add("A_worker", allow=["src/**"], command=["sh", "-c", script])
    assert work.oneshot("--run-id", "r1").exit_code == 0

    ended = work.factory(*OLD)

    assert rows(ended) == {"r1": False}


def test_a_run_that_died_at_its_begin_takes_nothing_from_one_that_was_removed(work: Work) -> None:
    known(work)
    other = Work(work.repo, work.factory, work.folder / "other")
    other.folder.mkdir()
    other.patch("A_worker", edit_line("src/app.txt", 2, "NEW"), allow=["src/**"])
    passed(work)
    assert work.factory("publish", "--branch", "topic").exit_code == 0
    ledger = work.runs_root / "factory_ledger.jsonl"
    assert work.factory("runs", "prune", "--run-id", "r1").exit_code == 0

    refused = other.oneshot("--run-id", "r1")
    other.oneshot("--run-id", "r2")
    assert other.factory("runs", "prune", "--run-id", "r2").exit_code == 0
    removed = ledger.read_bytes()
    assert other.oneshot("--run-id", "r2").exit_code == 0
    # As a kill before RUN_START leaves it.
    ledger.write_bytes(removed)
    again = other.oneshot("--run-id", "r2")

    assert (refused.exit_code, refused.answer["error"]["hint"]) == (
        40,
        "choose another --run-id: commits lead back to that one",
    )
    assert (again.exit_code, statuses(other)["r2"]) == (0, "PASS")
    assert rows(other.factory(*OLD)) == {"r2": False}


@pytest.mark.parametrize("limit", [1, 2])
def test_a_list_that_is_cut_off_shows_whole_runs_only(work: Work, limit: int) -> None:
    known(work)
    for name in ("r1", "r2", "r3"):
        passed(work, name)
    assert work.factory("publish", "--run-id", "r1", "--branch", "topic").exit_code == 0

    listed = work.factory("runs", "--limit", str(limit), "--json").answer["runs"]
    ledger = work.factory("ledger", "--limit", str(limit), "--json").answer["runs"]

    wanted = [("r1", "PASS"), ("r2", "PASS"), ("r3", "PASS")][-limit:]
    assert [(row["run_id"], row["status"]) for row in listed] == wanted
    assert [(row["run_id"], row["status"]) for row in ledger] == wanted


def test_a_checkout_that_nobody_collects_stays_until_it_is_removed_by_hand(work: Work) -> None:
    work.patch("A_worker", edit_line("src/app.txt", 1, "new"), allow=["src/**"])
    work.add("P_person", external=True, allow=["docs/**"])
    launched = work.oneshot("--run-id", "r1")
    checkout = Path(launched.answer["waiting"]["P_person"])
    assert work.factory("amend", "--drop", "P_person", "--reason", "gone home").exit_code == 0
    assert work.factory("integrate").exit_code == 0

    named = ("runs", "prune", "--run-id", "r1", "--json")
    kept = work.factory(*named)
    shutil.rmtree(checkout)
    removed = work.factory(*named)

    assert (launched.exit_code, rows(kept), rows(removed)) == (4, {"r1": False}, {"r1": True})
    said = f"{checkout} holds work that was not captured whole: look, then remove it"
    assert kept.answer["runs"][0]["reason"] == said
    assert not checkout.parent.exists()


def test_a_removal_that_was_cut_off_is_ended_by_the_same_command_again(
    work: Work, tmp_path: Path
) -> None:
    aside = cut_off(work, tmp_path / "copy", recorded=True)

    tried = work.factory("runs", "prune", "--run-id", "r1", "--dry-run", "--json")
    there = aside.exists()
    ended = work.factory("runs", "prune", "--run-id", "r1", "--json")
    again = work.factory("runs", "prune", "--run-id", "r1", "--json")

    assert (tried.exit_code, rows(tried), there) == (0, {"r1": True}, True)
    assert (ended.exit_code, rows(ended), aside.exists()) == (0, {"r1": True}, False)
    assert (again.exit_code, statuses(work)) == (40, {"r1": "PRUNED"})


def test_a_run_whose_checkouts_were_kept_leaves_nothing_in_the_work_root(work: Work) -> None:
    work.add("A_worker", allow=["src/**"], command=["sh", "-c", "echo a > src/new.txt"])
    assert work.oneshot("--run-id", "r1", "--keep").exit_code == 0
    root = work.factory.home / ".cache" / "factory"
    before = len(list(root.glob("*/r1.*/A_worker/1/checkout")))

    ended = work.factory("runs", "prune", "--run-id", "r1", "--json")

    assert (ended.exit_code, before, list(root.iterdir())) == (0, 1, [])
