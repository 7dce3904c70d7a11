"""How a report says who was confined how, and what they tried."""

from typing import Any

from tests.statuses import HOSTILE
from tools.codex.factory.domain.artifact import ConfinementRecord, TrespassRecord
from tools.codex.factory.domain.confinement_row import confinement_row
from tools.codex.factory.domain.evidence import ConfinementRow
from tools.codex.factory.domain.path import quoted
from tools.codex.factory.render.confinement import confinement_of_this_run


def a_row(who: str = "A_worker", **more: Any) -> ConfinementRow:
    """Return the row of one kept by bubblewrap who tried nothing."""
    said: dict[str, Any] = {
        "tier": "bubblewrap",
        "demand": "auto",
        "weaker": "",
        "observed": True,
        "unobserved": "",
        "trespasses": (),
        "beyond": 0,
        "caches": 0,
    }
    return confinement_row(who, ConfinementRecord.model_validate({**said, **more}))


def an_attempt(path: str, count: int = 1, **more: Any) -> TrespassRecord:
    """Return a write outside by `sh`."""
    said = {"operation": "write", "path": quoted(path), "program": "sh", "count": count}
    return TrespassRecord.model_validate({**said, **more})


def test_each_one_has_a_line_and_what_it_tried_below() -> None:
    rows = [
        a_row("A_worker", trespasses=(an_attempt("/opt/x", 1200), an_attempt("/opt/y"))),
        a_row("checks", trespasses=(an_attempt("/opt/z"),)),
        a_row("Z_integrator", demand="required"),
    ]

    assert confinement_of_this_run(rows) == [
        "  confinement    A_worker: bubblewrap (auto)",
        "                   1,201 attempts to write outside were stopped:",
        "                     write /opt/x (sh, 1,200 times)",
        "                     write /opt/y (sh)",
        "                 checks: bubblewrap (auto)",
        "                   1 attempt to write outside was stopped:",
        "                     write /opt/z (sh)",
        "                 Z_integrator: bubblewrap (required)",
    ]


def test_a_weaker_tier_says_why_and_what_it_does_not_stop() -> None:
    row = a_row(
        tier="landlock",
        weaker="bwrap is not on PATH",
        trespasses=(an_attempt("/opt/x"), an_attempt("/opt/y", operation="chmod")),
        beyond=3,
    )

    assert confinement_of_this_run([row]) == [
        "  confinement    A_worker: landlock (auto), weaker than bubblewrap: bwrap is not on PATH",
        "                   4 attempts to write outside were stopped:",
        "                     write /opt/x (sh)",
        "                     and 3 more",
        "                   1 attempt to write outside was seen, which nothing stops:",
        "                     chmod /opt/y (sh)",
    ]


def test_what_cannot_be_observed_says_why() -> None:
    row = a_row(tier="unconfined", demand="off", weaker="sandbox.mode is off",
                observed=False, unobserved="nothing is confined")  # fmt: skip

    assert confinement_of_this_run([row]) == [
        "  confinement    A_worker: unconfined (off), weaker than bubblewrap: sandbox.mode is off",
        "                   attempts cannot be observed: nothing is confined",
    ]


def test_of_many_paths_the_first_are_shown_and_the_rest_is_counted() -> None:
    many = tuple(an_attempt(f"/opt/{n}", 2) for n in range(25))

    lines = confinement_of_this_run([a_row(trespasses=many, beyond=7)])

    assert lines[1].strip() == "57 attempts to write outside were stopped:"
    assert [line.strip() for line in lines[2:]] == [
        *(f"write /opt/{n} (sh, 2 times)" for n in range(20)),
        "and 17 more",
    ]


def test_a_strangers_text_steers_nothing() -> None:
    row = a_row(
        weaker=HOSTILE,
        trespasses=(an_attempt(f"/{HOSTILE}", program=quoted(HOSTILE)),),
        observed=True,
    )

    lines = confinement_of_this_run([row])

    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


def test_a_long_path_is_cut() -> None:
    (_, _, line) = confinement_of_this_run([a_row(trespasses=(an_attempt("/" + "x" * 4000),))])

    assert len(line) < 300


def test_nobody_to_speak_of_is_said() -> None:
    assert confinement_of_this_run([]) == ["  confinement    nothing was run that says how"]
