"""A worker that does all it can in its checkout, far longer than in the ordinary suite."""

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties.depth import SEARCHING, times
from tests.properties.test_capture_model import DEEDS, WORKERS
from tests.properties.worker_machine import a_worker


@pytest.mark.parametrize("deeds", [DEEDS, 3 * DEEDS])
def test_what_a_worker_left_is_captured_as_the_model_says(tmp_path: Path, deeds: int) -> None:
    worker = a_worker(tmp_path)

    run_state_machine_as_test(
        worker,
        settings=settings(SEARCHING, max_examples=times(WORKERS), stateful_step_count=deeds),
    )
