"""Every property again: many times as many examples, and other ones each time.

What fails is printed with a line `@reproduce_failure(...)`: put above the test of tests/properties/
that it names, it makes that very example again.
"""

import pytest

from tests.builders import Repo
from tests.properties import test_scan as scan
from tests.properties.depth import deeper


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    return Repo.make(tmp_path_factory.mktemp("properties"))


test_what_git_writes_is_read_whole = deeper(
    scan.test_what_git_writes_is_read_whole_and_makes_what_git_has
)
test_a_patch_fits_only_its_base = deeper(
    scan.test_a_patch_is_taken_only_where_all_that_it_touches_is_as_it_was
)
test_what_loses_something_is_refused = deeper(
    scan.test_what_loses_something_is_refused_or_is_what_git_makes_of_it
)
