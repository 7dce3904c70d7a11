"""Killed at any change of a disk: the next command goes on, nothing is lost, nothing is left."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.conftest import Some
from tests.torture.scenes import (
    RUN,
    Caught,
    Reached,
    Stamps,
    Words,
    World,
    captured,
    counting,
    differing,
    patches,
    reached,
    sealed,
    strays,
    times_run,
    untouched,
    work_in,
    world,
)
from tests.work import edit_line, write_file

ONESHOT = ("oneshot", "--plan", "../incoming/plan.json", "--run-id", RUN)
LAUNCH = ("launch", *ONESHOT[1:])
VALIDATE = ("bundle-validate", "--run-id", RUN)
INTEGRATE = ("integrate", "--run-id", RUN)
COLLECT = ("collect", "--run-id", RUN)
AMEND = ("amend", "--run-id", RUN, "--allow", "A:notes/**", "--reason", "it is wanted")
PUBLISH = ("publish", "--run-id", RUN)
PRUNE = ("runs", "prune", "--run-id", RUN)
FIX = ("doctor", "--fix")
PROBE = "_"
"""Python tries a folder for throw-away files with a file of this beginning before it uses it."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A command that is killed, in which world, and what brings the run to its end afterwards."""

    name: str
    make: Callable[[World], None]
    words: Words
    finish: tuple[Words, ...] = ()
    again: tuple[int, ...] = (0,)
    """The exit codes with which the same command may answer once it was killed."""
    writes: tuple[str, ...] = ()
    """What it is there to change in the user's repository."""
    ends: str = "PASS"


def two_workers(world: World, *, allow: str = "src/**", path: str = "src/a.txt") -> None:
    """Write a plan: a command, a patch, and a check that wants both."""
    work = work_in(world)
    work.add("A", command=counting(world, "A", path), allow=[allow])
    work.patch("B", edit_line("docs/guide.txt", 2, "TWO"), allow=["docs/**"])
    work.plan(checks=[{"name": "both", "command": ["grep", "-q", "TWO", "docs/guide.txt"]}])


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


GROUPS = {
    "a whole run": (
        Scenario("oneshot", two_workers, ONESHOT),
    ),
    "stages": (
        Scenario("launch", two_workers, LAUNCH, (INTEGRATE,)),
        Scenario("bundle-validate", _after(LAUNCH), VALIDATE, (INTEGRATE,)),
        Scenario("integrate", _after(LAUNCH), INTEGRATE),
        Scenario("integrate again", _after(ONESHOT), INTEGRATE),
        Scenario("amend", _after(ONESHOT, make=_blocked), AMEND, (INTEGRATE,), again=(0, 2)),
        Scenario("collect", _waiting, COLLECT),
    ),
    "the desk": (
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
class Undisturbed:
    """How a scenario begins, and how it ends where nobody is killed."""

    scenario: Scenario
    points: tuple[str, ...]
    before: Stamps
    after: Stamps
    reached: Reached | None
    strays: set[str]
    """What lies outside the run's folders before, at the end, and when the run was removed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command is killed, and how."""

    found: Undisturbed
    at: int
    how: str

    def __str__(self) -> str:
        return f"{self.found.scenario.name}: {self.how} {self.at} {self.found.points[self.at - 1]}"


def undisturbed(world: World, scenario: Scenario) -> Undisturbed:
    """Return what a scenario comes to where nobody is killed."""
    before, at_first = untouched(world), strays(world)
    ended = world(*scenario.words)
    assert ended.code == 0, ended.err
    for words in scenario.finish:
        assert world(*words).code == 0
    seen = tuple(point.replace(str(world.top), "") for point in ended.seen)
    after, came_to, left = untouched(world), reached(world), at_first | strays(world)
    if scenario.ends == "PASS":
        assert world(*PRUNE).code == 0
    return Undisturbed(scenario, seen, before, after, came_to, left | strays(world))


def places(found: Undisturbed, how: str) -> Iterator[Place]:
    """Yield every place where the command can be killed: before each change, in each write."""
    for at, point in enumerate(found.points, start=1):
        yield Place(found, at, how)
        if point.startswith("write "):
            yield Place(found, at, "torn")
    yield Place(found, len(found.points), "after")


@pytest.mark.parametrize("how", ["before", "tree"])
@pytest.mark.parametrize("group", GROUPS)
def test_whenever_it_is_killed_the_next_command_goes_on_and_nothing_is_lost_or_left(
    tmp_path: Path, some: Some, group: str, how: str, record_property: Callable[[str, object], None]
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
            found += [(here, one) for one in places(known, how)]
        chosen = some(found)
        for here, place in chosen:
            wrong += [f"{place}: {said}" for said in _complaints(here, place)]
    record_property("killed", len(chosen))

    assert wrong == []


def _complaints(here: World, place: Place) -> Iterator[str]:
    """Kill at `place`, go on, and yield everything that is not as it has to be."""
    known, scenario = place.found, place.found.scenario
    here.restore()
    killed = here(*scenario.words, at=place.at, how=place.how)
    if killed.code != -9:
        yield f"it was not killed, and exits {killed.code}: {killed.err[-200:]}"
        return
    if here.settle():
        yield "something lived on"
    kept, caught = sealed(here), captured(here)
    ran = times_run(here, "A")
    yield from _right_after(here, place)
    again = here(*scenario.words)
    if again.code not in scenario.again:
        yield f"the same command exits {again.code}: {again.err[-300:]}"
    for words in scenario.finish:
        ended = here(*words)
        if ended.code != 0:
            yield f"{words[0]} exits {ended.code}: {ended.err[-300:]}"
    yield from _at_the_end(here, known)
    if scenario.ends == "PASS":
        yield from _kept(here, kept, caught, ran)
    yield from _left(here, known)


def _right_after(here: World, place: Place) -> Iterator[str]:
    """Yield what is wrong before anybody goes on."""
    known = place.found
    changed = [
        name
        for name in differing(known.before, untouched(here))
        if not name.startswith(known.scenario.writes or ("tools",))
        and not (known.scenario.writes and name in (".git", "."))
    ]
    if changed:
        yield f"the repository was changed: {changed}"
    yield from _readable(here)
    left = {one for one in strays(here) - known.strays if not _is_probe(one)}
    if left or place.at % 3 == 0:
        doctor = here("doctor", "--json")
        if doctor.code != 0:
            yield f"doctor exits {doctor.code}: {doctor.err[-200:]}"
            return
        said = [f"{row['what']} {row['message']}" for row in doctor.answer["rows"]]
        unnamed = sorted(one for one in left if not _is_named(one, said))
        if unnamed:
            yield f"doctor does not name {unnamed}"


def _is_probe(name: str) -> bool:
    return name.startswith(f"tmp/{PROBE}") or name.endswith("factory_ledger.lock")


def _is_named(name: str, said: Sequence[str]) -> bool:
    """Return whether a row names what lies there, or a folder that it lies in."""
    parts = Path(name).parts
    special = {"factory_ledger.jsonl": "ledger", "factory_ledger.torn": "ledger"}
    words = [special.get(part, part.removeprefix(".pruned-")) for part in parts[1:]]
    common = ("tools", "codex", "runs", ".cache", "factory", "repo", "home", "tmp")
    return any(word in row for word in words if word not in common for row in said)


def _readable(here: World) -> Iterator[str]:
    """Yield what is wrong with the ledger."""
    ledger = here("ledger", "--json")
    if ledger.code != 0:
        yield f"ledger exits {ledger.code}: {ledger.err[-200:]}"
    replay = here("ledger-replay", "--json")
    if replay.code != 0:
        said = [one for run in replay.answer.get("runs", []) for one in run["disagreements"]]
        if replay.code != 1 or not said:
            yield f"ledger-replay exits {replay.code}: {replay.err[-200:]}"


def _at_the_end(here: World, known: Undisturbed) -> Iterator[str]:
    """Yield what the end has that the undisturbed one has not."""
    found = reached(here)
    if found != known.reached:
        yield f"another end: {_difference(found, known.reached)}"
    if known.scenario.ends == "PASS":
        rebuilt = here("ledger-replay", "--rebuild", "--run-id", RUN, "--json")
        if rebuilt.code != 0:
            yield f"--rebuild exits {rebuilt.code}: {rebuilt.out[-400:]} {rebuilt.err[-200:]}"
    changed = differing(_names(known.after), _names(untouched(here)))
    if known.scenario.name == "publish":
        changed = _published(here, known)
    if changed:
        yield f"the repository ends otherwise: {changed}"


def _difference(found: Reached | None, wanted: Reached | None) -> str:
    if found is None or wanted is None:
        return "no report" if found is None else "a report"
    if found.above != wanted.above:
        return f"{found.above!r} for {wanted.above!r}"
    return f"{replace(found, above='')} for {replace(wanted, above='')}"[:500]


def _names(stamps: Stamps) -> Stamps:
    """Return stamps without times: files that were restored have others."""
    return {name: (mode, 0, content) for name, (mode, _, content) in stamps.items()}


def _published(here: World, known: Undisturbed) -> list[str]:
    """Return what is wrong with the branch: it must hold the whole proven tree, and only be one."""
    repo = Repo(here.repo)
    refs = repo.git("for-each-ref", "--format=%(refname)").decode().split()
    wrong = [] if refs == [f"refs/heads/factory/{RUN}", "refs/heads/main"] else refs
    assert known.reached is not None
    if not wrong and repo.tree(f"factory/{RUN}") != known.reached.tree:
        wrong.append("another tree")
    if repo.run("fsck", "--strict", "--no-dangling").returncode != 0:
        wrong.append("git fsck complains")
    return wrong


def _kept(here: World, kept: dict[str, bytes], caught: list[Caught], ran: int) -> Iterator[str]:
    """Yield what was captured before the kill, and is not there any more or was made again."""
    now = sealed(here)
    lost = sorted(name for name, content in kept.items() if now.get(name) != content)
    if lost:
        yield f"sealed, and other bytes now: {lost}"
    for one in caught:
        if one.patch not in patches(here, one.worker):
            yield f"captured of {one.worker} ({one.how}), and lost"
    is_done = "seals/A.json" in kept or any(one.how == "exited" for one in caught)
    if is_done and times_run(here, "A") != ran:
        yield "a worker that had ended, and was captured, was run again"


def _left(here: World, known: Undisturbed) -> Iterator[str]:
    """Yield what is left at the end that an undisturbed run does not leave, and nobody removes."""
    left = strays(here) - known.strays
    inside = {
        str(one.relative_to(here.top)) for one in here.top.glob(f"home/.cache/factory/*/{RUN}.*")
    }
    if left or inside:
        here.age()
        fixed = here("doctor", "--fix")
        if fixed.code != 0:
            yield f"doctor --fix exits {fixed.code}: {fixed.err[-200:]}"
        if known.scenario.ends == "PASS":
            pruned = here(*PRUNE)
            if pruned.code != 0:
                yield f"runs prune exits {pruned.code}: {pruned.err[-200:]}"
        rest = sorted(
            one for one in strays(here, ()) - known.strays
            if not _is_probe(one) and not one.endswith(("factory_ledger.torn", ".gitignore"))
        )  # fmt: skip
        if rest and known.scenario.ends != "none":
            yield f"left for ever: {rest}"
