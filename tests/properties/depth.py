"""How long a property is searched: shortly and always alike here, far and ever anew in torture."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Test = Callable[..., None]

DEEP = "deep"
"""The profile that tests/torture/ registers: how many times as many examples it tries."""
_QUIET = tuple(HealthCheck)
ORDINARY = settings(
    derandomize=True, deadline=None, database=None, print_blob=True, suppress_health_check=_QUIET
)
SEARCHING = settings(ORDINARY, derandomize=False)


@dataclass(frozen=True, slots=True)
class _Property:
    body: Test
    drawn: dict[str, st.SearchStrategy[Any]]
    examples: int


_PROPERTY_OF: dict[Test, _Property] = {}


def holds(examples: int, **drawn: st.SearchStrategy[Any]) -> Callable[[Test], Test]:
    """Return what makes a function a property: it holds for so many examples of what is drawn."""

    def made(body: Test) -> Test:
        test = settings(ORDINARY, max_examples=examples)(given(**drawn)(body))
        _PROPERTY_OF[test] = _Property(body, drawn, examples)
        return test

    return made


def deeper(test: Test) -> Test:
    """Return the same property, searched as far as the profile of tests/torture/ says.

    Each time by another seed; what fails is printed with the line that reproduces it.
    """
    known = _PROPERTY_OF[test]
    examples = times(known.examples)
    return settings(SEARCHING, max_examples=examples)(given(**known.drawn)(known.body))


def times(examples: int) -> int:
    """Return how many examples torture tries of what ordinarily has so many."""
    return examples * settings.get_profile(DEEP).max_examples
