"""How far properties are searched here."""

import pytest
from hypothesis import settings

from tests.properties.depth import DEEP

WHOLE = 40
PLACES_A_ROUND = 12


def pytest_configure(config: pytest.Config) -> None:
    """Say how many times as many examples as ordinarily are tried: fewer within a bound."""
    bound: int | None = config.getoption("--bound")
    rounds = WHOLE if bound is None else max(1, min(WHOLE, bound // PLACES_A_ROUND))
    settings.register_profile(DEEP, max_examples=rounds)
