"""How numbers, sizes and lists are said."""

import pytest

from tools.codex.factory.domain.wording import counted, few, sized


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1 << 20, "1.0 MiB"),
        (5 << 30, "5.0 GiB"),
        (1 << 40, "1.0 TiB"),
        (3000 << 40, "3000.0 TiB"),
    ],
)
def test_a_size_is_said_in_the_unit_that_people_read_it_in(count: int, said: str) -> None:
    assert sized(count) == said


@pytest.mark.parametrize(
    ("count", "said"), [((1 << 20) - 1, "1.0 MiB"), ((1 << 30) - 1, "1.0 GiB")]
)
def test_a_size_just_under_a_unit_is_said_in_that_unit(count: int, said: str) -> None:
    assert sized(count) == said


def test_a_number_of_things_is_said_with_its_noun() -> None:
    assert [counted(number, "file") for number in (0, 1, 2, 1234)] == [
        "0 files",
        "1 file",
        "2 files",
        "1,234 files",
    ]


def test_of_many_names_the_first_are_said_and_the_others_counted() -> None:
    names = [f"n{number}" for number in range(7)]

    assert few(names[:5]) == "n0, n1, n2, n3, n4"
    assert few(names) == "n0, n1, n2, n3, n4 and 2 more"
    assert few(names, 1) == "n0 and 6 more"
    assert few(()) == ""
