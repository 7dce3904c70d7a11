"""Runs and what they hold, as tables and lines."""

import io
from typing import Any

import pytest
from rich.console import Console

from tests.statuses import (
    BASE,
    BEGAN,
    COMMIT,
    HOSTILE,
    SHA,
    TREE,
    a_check_row,
    a_held_run,
    a_salvage,
    a_status,
    a_worker_row,
    blocked,
)
from tools.codex.factory.domain.desk_answer import (
    Evidence,
    HeldRun,
    PruneAnswer,
    PrunedRow,
    RunShowAnswer,
)
from tools.codex.factory.render.plain import Plain
from tools.codex.factory.render.runs import held_table, prune_lines, show_lines
from tools.codex.factory.render.text import shown


def table(*runs: HeldRun) -> list[str]:
    """Return the lines of a table of runs, on a narrow screen."""
    said = io.StringIO()
    console = Console(file=said, width=20, markup=False, highlight=False, emoji=False)
    console.print(Plain(held_table(runs)), crop=False, end="")
    return said.getvalue().splitlines()


def shows(**more: Any) -> list[str]:
    """Return what is shown of a run that passed, unless told otherwise."""
    said: dict[str, Any] = {
        "command": "runs",
        "status": "OK",
        "exit_code": 0,
        "run_id": "run-1",
        "run": a_held_run(),
        "state": a_status(),
        "seals": {"A_worker": SHA},
        "amendments": (),
        "report": "/runs/run-1/Z_integrator/FINAL_REPORT.txt",
        "commit": None,
        "evidence": (),
    }
    return list(show_lines(RunShowAnswer.model_validate({**said, **more})))


def pruned(dry_run: bool, *rows: PrunedRow) -> list[str]:
    """Return what is said of runs that were looked at."""
    answer = PruneAnswer(command="runs", status="OK", exit_code=0, dry_run=dry_run, runs=rows)
    return list(prune_lines(answer))


def test_runs_are_a_table_with_what_each_holds() -> None:
    found = table(
        a_held_run(),
        a_held_run(run_id="r2", status="PENDING", ended=None, uncaptured=("A", "B"), bytes=0),
        a_held_run(run_id="r3", status="BLOCKED", ended=3, unpublished=("A", "B")),
        a_held_run(run_id="r4", rehearsal=True, unpublished=("A",)),
        a_held_run(run_id="r5", published={"b": "1", "a": "2"}, unpublished=("C",)),
        a_held_run(run_id="r6", title=HOSTILE + "[red]x", published={HOSTILE: "1"}),
    )

    hostile = shown(HOSTILE)
    gap = " " * (len(f"published as {hostile}") - len("HOLDS"))
    assert found[0] == f"RUN    STATUS   EXIT  STARTED              ON DISK  HOLDS{gap}  TITLE"
    assert [" ".join(line.split()) for line in found[1:]] == [
        "run-1 PASS 0 2026-11-21T03:45:00 2.0 KiB no work A title",
        "r2 PENDING - 2026-11-21T03:45:00 0 B not captured: A; not captured: B A title",
        "r3 BLOCKED 3 2026-11-21T03:45:00 2.0 KiB unpublished work of A, B A title",
        "r4 PASS 0 2026-11-21T03:45:00 2.0 KiB a rehearsal A title",
        "r5 PASS 0 2026-11-21T03:45:00 2.0 KiB unpublished work of C; published as a; "
        "published as b A title",
        f"r6 PASS 0 2026-11-21T03:45:00 2.0 KiB published as {hostile} {hostile}[red]x",
    ]


def test_no_runs_are_a_heading() -> None:
    assert table() == ["RUN  STATUS  EXIT  STARTED  ON DISK  HOLDS  TITLE"]


def test_a_run_is_shown_with_all_that_it_came_to() -> None:
    checks = (a_check_row("tests"), a_check_row("gone", "not_run"))
    status = a_status(
        workers=(a_worker_row("A_worker"), a_worker_row("B_worker", merged=False)), checks=checks
    )

    found = shows(
        state=status,
        run=a_held_run(published={"b": COMMIT, "a": TREE}),
        amendments=("2: as agreed",),
        commit=COMMIT,
        evidence=(
            Evidence(name="A_worker", said=f"sha256:{SHA}", is_here=True),
            Evidence(name="Factory-Report", said=HOSTILE, is_here=False),
        ),
    )

    assert found == [
        f"commit     {COMMIT}",
        "run        run-1",
        "title      A title",
        f"status     PASS, exit 0, begun {BEGAN}",
        f"base       {BASE}",
        f"tree       {TREE}",
        f"worker     A_worker: PASS, 2 changed, merged, {SHA}",
        "worker     B_worker: PASS, 2 changed, left out, no seal",
        "check      tests: passed",
        "check      gone: not run",
        "amended    2: as agreed",
        f"published  a at {TREE}",
        f"published  b at {COMMIT}",
        "holds      2.0 KiB; published as a; published as b",
        "report     /runs/run-1/Z_integrator/FINAL_REPORT.txt",
        "evidence",
        f"  same      A_worker sha256:{SHA}",
        f"  NOT HERE  Factory-Report {shown(HOSTILE)}",
    ]


def test_a_run_that_goes_on_is_shown_as_far_as_it_came() -> None:
    run = a_held_run(status="PENDING", ended=None, uncaptured=("A_worker",))

    assert shows(run=run, state=None, report=None) == [
        "run        run-1",
        "title      A title",
        f"status     PENDING, begun {BEGAN}",
        "holds      2.0 KiB; not captured: A_worker",
    ]


def test_a_run_that_merged_nothing_has_no_tree() -> None:
    assert shows(state=blocked(workers=()))[3:5] == [f"base       {BASE}", "tree       none"]


def test_of_a_salvage_its_own_checks_are_shown() -> None:
    salvage = a_salvage("A_worker", checks=(a_check_row("salvaged", "flaky"),))

    found = shows(state=a_status(salvage=salvage))

    assert [line for line in found if line.startswith("check")] == ["check      salvaged: flaky"]


def test_a_run_whose_folder_is_gone_still_has_its_evidence() -> None:
    evidence = (Evidence(name="Factory-Run", said="run-1", is_here=False),)

    found = shows(run=None, state=None, report=None, commit=COMMIT, evidence=evidence)

    assert found == [
        f"commit     {COMMIT}",
        "run        run-1",
        "folder     not here: it was removed, or the run was made elsewhere",
        "evidence",
        "  NOT HERE  Factory-Run run-1",
    ]


def test_text_of_strangers_is_shown_in_every_line() -> None:
    held = a_held_run(title=HOSTILE, published={HOSTILE: COMMIT}, status="PASS")
    found = shows(
        run=held,
        run_id=HOSTILE,
        state=a_status(checks=(a_check_row(HOSTILE),)),
        amendments=(HOSTILE,),
        report=HOSTILE,
    )

    assert [line for line in found if line != shown(line)] == []
    assert len([line for line in found if shown(HOSTILE) in line]) == 7


@pytest.mark.parametrize(("dry_run", "word"), [(False, "removed   "), (True, "would go  ")])
def test_what_a_prune_did_is_a_line_for_each_run_and_a_sum(dry_run: bool, word: str) -> None:
    found = pruned(
        dry_run,
        PrunedRow(run_id="r1", removed=True, reason="published", bytes=1024),
        PrunedRow(run_id="r2", removed=False, reason=HOSTILE, bytes=1 << 30),
        PrunedRow(run_id="r3", removed=True, reason="a rehearsal", bytes=512),
    )

    assert found == [
        f"{word}r1: published",
        f"stays     r2: {shown(HOSTILE)}",
        f"{word}r3: a rehearsal",
        "2 of 3 runs, 1.5 KiB",
    ]
    assert pruned(dry_run) == ["0 of 0 runs, 0 B"]
