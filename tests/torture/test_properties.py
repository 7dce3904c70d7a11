"""Every property again: many times as many examples, and other ones each time.

What fails is printed with a line `@reproduce_failure(...)`: put above the test of tests/properties/
that it names, it makes that very example again.
"""

from collections.abc import Iterator

import pytest

from tests.builders import Repo
from tests.properties import (
    test_document,
    test_fold,
    test_meeting,
    test_merge_order,
    test_scan,
    test_union,
)
from tests.properties.depth import deeper
from tests.properties.test_merge_order import Ground, a_ground


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    return Repo.make(tmp_path_factory.mktemp("properties"))


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    yield from a_ground(tmp_path_factory.mktemp("order"))


test_what_git_writes_is_read_whole = deeper(
    test_scan.test_what_git_writes_is_read_whole_and_makes_what_git_has
)
test_a_patch_fits_only_its_base = deeper(
    test_scan.test_a_patch_is_taken_only_where_all_that_it_touches_is_as_it_was
)
test_what_loses_something_is_refused = deeper(
    test_scan.test_what_loses_something_is_refused_or_is_what_git_makes_of_it
)
test_two_writers_are_united_as_git_merges = deeper(
    test_union.test_two_writers_are_united_where_git_merges_and_as_git_merges
)
test_three_writers_are_united_as_some_order_of_git = deeper(
    test_union.test_three_writers_are_united_as_some_order_of_git_and_refused_where_some_order_is
)
test_identical_edits_conflict_unless_they_may_be_made = deeper(
    test_union.test_identical_edits_conflict_unless_they_may_be_made_and_change_nothing_else
)
test_the_order_of_bundles_means_nothing = deeper(
    test_merge_order.test_bundles_in_any_order_come_to_the_same_bytes
)
test_a_lock_allows_what_git_would_ignore = deeper(
    test_meeting.test_a_lock_allows_what_git_would_ignore_by_its_patterns
)
test_bundles_meet_where_their_paths_do = deeper(
    test_meeting.test_bundles_meet_where_any_two_of_their_paths_do
)
test_a_document_is_written_as_it_was_read = deeper(
    test_document.test_a_document_that_was_read_is_written_as_it_was
)
test_equal_documents_have_equal_bytes = deeper(
    test_document.test_equal_documents_and_no_others_have_equal_bytes
)
test_an_artifact_comes_back = deeper(
    test_document.test_an_artifact_that_was_read_is_the_one_that_was_written
)
test_what_is_read_another_reads = deeper(
    test_document.test_what_is_read_is_what_another_reader_reads
)
test_a_run_is_the_sum_of_its_events = deeper(test_fold.test_a_run_is_the_sum_of_its_own_events)
test_a_run_passes_only_by_its_end = deeper(
    test_fold.test_a_run_passes_only_by_an_end_that_says_so_and_by_nothing_after_it
)
test_what_was_followed_goes_on = deeper(test_fold.test_what_was_followed_goes_on_where_it_was_left)
test_nobody_is_told_of_a_pass_unsaid = deeper(
    test_fold.test_nobody_is_told_of_a_pass_that_no_end_said
)
