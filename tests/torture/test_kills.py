"""Killed or refused at any change of a disk: the next command goes on, and nothing is lost."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Some
from tests.torture.oracle import (
    AMEND,
    COLLECT,
    FIX,
    INTEGRATE,
    LAUNCH,
    ONESHOT,
    PRUNE,
    PUBLISH,
    VALIDATE,
    Scenario,
    Undisturbed,
    complaints,
    two_workers,
    undisturbed,
)
from tests.torture.scenes import RUN, Words, World, is_bug, work_in, world
from tests.work import edit_line, write_file


def _after(*before: Words, make: Callable[[World], None] = two_workers) -> Callable[[World], None]:
    """Return what makes a world in which these commands were run."""

    def made(world: World) -> None:
        make(world)
        for words in before:
            ended = world(*words)
            assert ended.code in (0, 3, 4), (words, ended.err)

    return made


def _blocked(world: World) -> None:
    two_workers(world, allow="other/**", path="notes.txt")
    work = work_in(world)
    (world.repo / "notes").mkdir()
    (world.repo / "notes").rmdir()
    work.add("A", command=["sh", "-c", "mkdir notes; echo a > notes/a.txt"], allow=["src/**"])
    work.patch("B", edit_line("docs/guide.txt", 2, "TWO"), allow=["docs/**"])
    work.plan()


def _waiting(world: World) -> None:
    work = work_in(world)
    work.add("A", external=True, allow=["src/**"])
    work.patch("B", write_file("docs/b.txt", "b\n"), allow=["docs/**"])
    work.plan()
    assert world(*ONESHOT).code == 4
    (checkout,) = (world.top / "home").glob(f".cache/factory/*/{RUN}.*/A/1/checkout")
    (checkout / "src" / "by_hand.txt").write_text("by hand\n")


def _left_behind(world: World) -> None:
    two_workers(world)
    assert world(*ONESHOT, "--keep").code == 0
    (world.top / "tmp" / "factory-gone" / "t").mkdir(parents=True)
    (world.top / "tmp" / "factory-gone" / ".owner").write_text("/nowhere/at/all")
    (world.runs / "r0").mkdir()
    (world.runs / "r0" / "PLAN.json").touch()
    with (world.runs / "factory_ledger.jsonl").open("ab") as file:
        file.write(b'{"schema_version":1,"seq"')
    world.age()


ERRORS = ("EIO", "EDQUOT", "ENOSPC+", "EROFS+")
ENDINGS = {0, 1, 2, 3, 20, 30}
"""How a command may end whose disk fails: with a clear error, or without its need for it."""
GROUPS = {
    "a whole run": (
        Scenario("oneshot", two_workers, ONESHOT),
    ),
    "a stage, or the desk": (
        Scenario("launch", two_workers, LAUNCH, (INTEGRATE,)),
        Scenario("bundle-validate", _after(LAUNCH), VALIDATE, (INTEGRATE,)),
        Scenario("integrate", _after(LAUNCH), INTEGRATE),
        Scenario("integrate again", _after(ONESHOT), INTEGRATE),
        Scenario("amend", _after(ONESHOT, make=_blocked), AMEND, (INTEGRATE,), again=(0, 2)),
        Scenario("collect", _waiting, COLLECT),
        Scenario("publish", _after(ONESHOT), PUBLISH, again=(0, 3), writes=(".git/",)),
        Scenario("prune", _after(ONESHOT), PRUNE, again=(0, 40), ends="gone"),
        Scenario("prune what is kept", _left_behind, PRUNE, again=(0, 40), ends="gone"),
        Scenario("doctor", _left_behind, FIX),
        Scenario(
            "init", _after(), ("init", "--with-config"), writes=("factory.",), ends="none"
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command is killed, and how."""

    found: Undisturbed
    at: int
    how: str

    def __str__(self) -> str:
        return f"{self.found.scenario.name}: {self.how} {self.at} {self.found.points[self.at - 1]}"


def places(found: Undisturbed) -> Iterator[Place]:
    """Yield every place where the command can be met, and how.

    Before each change it is killed alone, with its whole tree, and refused; of the errors each
    change meets one, in turns. A write is cut short as well.
    """
    for at, point in enumerate(found.points, start=1):
        torn = ("torn",) if point.startswith("write ") else ()
        for how in ("before", *torn, "tree", ERRORS[at % len(ERRORS)]):
            yield Place(found, at, how)
    yield Place(found, len(found.points), "after")


@pytest.mark.parametrize("group", GROUPS)
def test_at_whatever_change_it_is_met_the_next_command_goes_on_and_nothing_is_lost_or_left(
    tmp_path: Path, some: Some, group: str, record_property: Callable[[str, object], None]
) -> None:
    found: list[tuple[World, Place]] = []
    wrong: list[str] = []
    with ExitStack() as stack:
        for number, scenario in enumerate(GROUPS[group]):
            here = stack.enter_context(world(tmp_path / str(number)))
            scenario.make(here)
            here.keep()
            known = undisturbed(here, scenario)
            record_property(scenario.name, len(known.points))
            found += [(here, one) for one in places(known)]
        chosen = some(found)
        for here, place in chosen:
            wrong += [f"{place}: {said}" for said in _complaints(here, place)]
    record_property("met", len(chosen))

    assert not wrong, "\n".join(wrong)


def _complaints(here: World, place: Place) -> Iterator[str]:
    """Break at `place`, go on, and yield everything that is not as it has to be."""
    here.restore()
    met = here(*place.found.scenario.words, at=place.at, how=place.how)
    wanted = ENDINGS if place.how[0].isupper() else {-9}
    if met.code not in wanted or is_bug(met.err):
        yield f"it exits {met.code}: {met.err[-400:]}"
    yield from complaints(here, place.found, looking=place.at % 3 == 0)
