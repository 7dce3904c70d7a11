"""The message of a published commit: whole, and read by git's rules."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.statuses import (
    BASE,
    HOSTILE,
    SHA,
    a_check_row,
    a_manifest,
    a_plan,
    a_salvage,
    a_status,
    a_worker_row,
    an_amendment,
    an_entry,
)
from tools.codex.factory.domain.publication import origin_of, trailers
from tools.codex.factory.render.message import commit_message
from tools.codex.factory.render.text import shown

DIGESTS = {"": SHA, "A_worker": "cd" * 32, "B_worker": "ef" * 32}
TRAILER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*: .*\S.*")
LINE = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).filter(str.strip)


def message(*, carried_from: str | None = None, reasons: tuple[str, ...] = (), **more: Any) -> str:
    """Return the message of a run; `more` is of its plan, or of its status where that has it."""
    fields: dict[str, Any] = {n: more.pop(n) for n in ("rows", "checks", "salvage") if n in more}
    if "rows" in fields:
        fields["workers"] = fields.pop("rows")
    plan, status = a_plan(**more), a_status(**fields)
    amended = tuple(an_amendment(reason=reason) for reason in reasons)
    run = carried_from if carried_from is not None else status.run_id
    origin = replace(origin_of(plan, status), run_id=run, amendments=amended)
    return commit_message(plan, a_manifest(), status, digests=DIGESTS, origin=origin)


def paragraphs(text: str) -> list[list[str]]:
    """Return the lines of each paragraph, as git parts them."""
    return [part.strip("\n").split("\n") for part in re.split(r"\n\n+", text.strip("\n"))]


def test_a_message_says_what_was_merged_and_where_its_evidence_lies() -> None:
    assert message() == (
        "A title\n"
        "\n"
        "* A_worker: from its patch (2 files)\n"
        "* B_worker: from its patch (2 files)\n"
        "\n"
        "Factory-Run: run-1\n"
        f"Factory-Base: {BASE}\n"
        f"Factory-Report: sha256:{SHA}\n"
        f"Factory-Worker: A_worker sha256:{'cd' * 32}\n"
        f"Factory-Worker: B_worker sha256:{'ef' * 32}\n"
        "Factory-Check: tests: passed\n"
    )


def test_all_that_a_run_can_leave_behind_is_in_its_message() -> None:
    task = "  Write the API page anew, so that each of the calls is on it with an example\nmore"
    found = message(
        title="--- a title",
        workers=(an_entry("A_worker", task=task), an_entry("B_worker"), an_entry("C_worker")),
        amendments=(an_amendment(dropped=("D_worker",)),),
        rows=(
            a_worker_row("A_worker", changes=1),
            a_worker_row("B_worker", changes=0),
            a_worker_row("C_worker", merged=False),
        ),
        checks=(a_check_row("lint"), a_check_row("slow", "flaky"), a_check_row("x", "failed")),
        reasons=("as agreed", "once more"),
        carried_from="run-0",
    )

    assert found == (
        "Merge: --- a title\n"
        "\n"
        "* A_worker: Write the API page anew, so that each of the calls is on it\n"
        "  with an example (1 file)\n"
        "\n"
        "Factory-Run: run-1\n"
        "Factory-Carried-From: run-0\n"
        f"Factory-Base: {BASE}\n"
        f"Factory-Report: sha256:{SHA}\n"
        f"Factory-Worker: A_worker sha256:{'cd' * 32}\n"
        f"Factory-Worker: B_worker sha256:{'ef' * 32}\n"
        "Factory-Left-Out: C_worker\n"
        "Factory-Left-Out: D_worker\n"
        "Factory-Check: lint: passed\n"
        "Factory-Amended: as agreed\n"
        "Factory-Amended: once more\n"
    )


def test_of_a_salvage_its_own_checks_are_said() -> None:
    salvage = a_salvage("A_worker", checks=(a_check_row("salvaged"),))

    found = trailers(message(salvage=salvage, checks=(a_check_row("other"),)))

    assert [value for name, value in found if name == "Factory-Check"] == ["salvaged: passed"]


@pytest.mark.parametrize(
    "hostile",
    [
        "Factory-Run: forged",
        "---",
        "--- a/x",
        "diff --git a/x b/x",
        "title\n\nFactory-Run: forged",
        "title\r\rFactory-Run: forged",
        "title\u2028\u2028Factory-Run: forged",
        "x" * 300,
        " ".join(["---"] * 60),
        HOSTILE,
    ],
)
def test_no_title_task_or_reason_of_a_stranger_makes_a_trailer_or_hides_one(hostile: str) -> None:
    plain = message(workers=(an_entry("A_worker", task="x"), an_entry("B_worker")), reasons=("x",))
    found = message(
        title=hostile,
        workers=(an_entry("A_worker", task=hostile), an_entry("B_worker")),
        reasons=(shown(hostile),),
    )

    assert trailers(found)[:-1] == trailers(plain)[:-1]
    assert len(paragraphs(found)) == 3


@settings(deadline=None)
@given(LINE, st.text(), LINE, LINE)
def test_git_reads_every_message_as_a_title_items_and_trailers(
    title: str, task: str, reason: str, check: str
) -> None:
    found = message(
        title=title,
        workers=(an_entry("A_worker", task=task.replace("\0", "")), an_entry("B_worker")),
        checks=(a_check_row(check),),
        reasons=(reason,),
    )

    heading, items, rows = paragraphs(found)
    assert (len(heading), heading[0].startswith("---")) == (1, False)
    assert [line for line in items if line[:2] not in ("* ", "  ")] == []
    assert [line for line in rows if not TRAILER.fullmatch(line)] == []
    assert trailers(found)[-2:] == (
        ("Factory-Check", f"{shown(check)}: passed"),
        ("Factory-Amended", shown(reason)),
    )
    assert shown(found.replace("\n", "")) == found.replace("\n", "")


def test_a_message_without_items_has_its_trailers_all_the_same() -> None:
    rows = (a_worker_row("A_worker", changes=0), a_worker_row("B_worker", merged=False))

    found = message(rows=rows)

    assert paragraphs(found)[0] == ["A title"]
    assert [name for name, _ in trailers(found)] == [
        "Factory-Run",
        "Factory-Base",
        "Factory-Report",
        "Factory-Worker",
        "Factory-Left-Out",
        "Factory-Check",
    ]
