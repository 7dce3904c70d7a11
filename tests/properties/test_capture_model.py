"""What is captured of a checkout is what the model says, whatever a worker did in it."""

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties.depth import ORDINARY
from tests.properties.worker_machine import a_worker

pytestmark = pytest.mark.slow
WORKERS = 10
DEEDS = 12


def test_what_a_worker_left_is_captured_as_the_model_says(tmp_path: Path) -> None:
    worker = a_worker(tmp_path)

    run_state_machine_as_test(
        worker, settings=settings(ORDINARY, max_examples=WORKERS, stateful_step_count=DEEDS)
    )
