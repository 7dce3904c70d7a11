"""A new attempt that is killed after each durable moment: nothing lost, nothing mixed."""

import pytest

from tests.conftest import Some
from tests.reopened import again
from tests.work import Work

pytestmark = pytest.mark.slow


def test_a_new_attempt_that_is_killed_at_any_moment_is_made_and_the_old_bundle_kept(
    work: Work, some: Some
) -> None:
    made = again(work)
    moments = made.killed("never comes") or len(
        (work.folder / "moments").read_text("utf-8").splitlines()
    )
    assert isinstance(moments, int)
    assert made.command("integrate") == 0
    next_commands = (("launch", "--only", "B_worker"), ("oneshot",), ("integrate",))

    for number in some(range(1, moments + 1)):
        before, old = made.bundle, made.tree()
        said = made.killed(str(number))
        where = (number, said[-1:])
        assert made.command("ledger-replay") == 0, where
        words = next_commands[number % 3]
        code = made.oneshot() if words == ("oneshot",) else made.command(*words)
        if words == ("integrate",):
            assert code in (0, 40), where
            assert code == 40 or made.tree() == old or before in made.earlier.values(), where
        else:
            assert code == 0, where
        if (made.run / "REOPENED.json").exists() or before not in made.earlier.values():
            assert made.command("launch", "--only", "B_worker") == 0, where

        assert made.command("integrate") == 0, where
        assert before in made.earlier.values(), where
        assert made.command("ledger-replay", "--rebuild") == 0, where
        assert not (made.run / "REOPENED.json").exists(), where
