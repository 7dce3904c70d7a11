"""Rows and what they add up to."""

import itertools

from tools.codex.factory.domain.fitness import (
    UNFIT,
    doctor_answer,
    exit_code_of,
    noted,
    ok,
    unfit,
)
from tools.codex.factory.errors import UnfitHost

ROWS = (ok("host", "a"), noted("host", "b", "said", "do"), unfit("host", "c", "said", "do"))


def test_only_an_unfit_row_makes_the_whole_unfit() -> None:
    for chosen in itertools.product(ROWS, repeat=2):
        answer = doctor_answer("doctor", chosen, (), ())
        is_unfit = ROWS[2] in chosen
        assert exit_code_of(chosen) == answer.exit_code == (20 if is_unfit else 0)
        assert answer.status == ("FAIL" if is_unfit else "OK")
    assert exit_code_of(()) == 0


def test_its_exit_code_is_that_of_an_unfit_host() -> None:
    assert UnfitHost.exit_code == UNFIT


def test_bytes_that_are_no_text_are_shown_as_escapes() -> None:
    assert noted("host", "a\udcff", "b\udcfe", "c\udcfd").model_dump(mode="json") == {
        "group": "host",
        "what": "a\\udcff",
        "verdict": "note",
        "message": "b\\udcfe",
        "remedy": "c\\udcfd",
    }
