"""What must hold after any fault: nothing lost, forged or left, and the run goes on."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.builders import Repo
from tests.torture.scenes import (
    RUN,
    Caught,
    Reached,
    Stamps,
    Words,
    World,
    blocking_codes,
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
)
from tests.work import edit_line

ONESHOT = ("oneshot", "--plan", "../incoming/plan.json", "--run-id", RUN)
LAUNCH = ("launch", *ONESHOT[1:])
VALIDATE = ("bundle-validate", "--run-id", RUN)
INTEGRATE = ("integrate", "--run-id", RUN)
COLLECT = ("collect", "--run-id", RUN)
AMEND = ("amend", "--run-id", RUN, "--allow", "A:notes/**", "--reason", "it is wanted")
PUBLISH = ("publish", "--run-id", RUN)
PRUNE = ("runs", "prune", "--run-id", RUN)
FIX = ("doctor", "--fix")
PROBE = re.compile("tmp/[a-z0-9_]{8}")
"""Python tries a folder for throw-away files with a file of such a name before it uses it."""


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


def complaints(
    here: World, known: Undisturbed, *, looking: bool = True, bearing: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Go on after a fault as the operator would; yield everything that is not as it has to be.

    `looking`: doctor is asked even where there is nothing that it has to name. `bearing`: findings
    with which the run may rightly end BLOCKED, because it was a worker that was hit.
    """
    scenario = known.scenario
    if here.settle():
        yield "something lived on"
    kept, caught, ran = sealed(here), captured(here), times_run(here, "A")
    yield from _right_after(here, known, looking=looking)
    again = here(*scenario.words)
    borne = bearing & blocking_codes(here)
    if again.code not in scenario.again and not (again.code == 3 and borne):
        yield f"the same command exits {again.code}: {again.err[-300:]}"
    for words in scenario.finish:
        ended = here(*words)
        if ended.code != 0:
            yield f"{words[0]} exits {ended.code}: {ended.err[-300:]}"
    yield from _at_the_end(here, known, is_borne=bool(borne))
    if scenario.ends == "PASS":
        yield from _kept(here, kept, caught, ran)
    yield from _left(here, known)


def _right_after(here: World, known: Undisturbed, *, looking: bool) -> Iterator[str]:
    """Yield what is wrong before anybody goes on."""
    changed = [
        name
        for name in differing(known.before, untouched(here))
        if not name.startswith(known.scenario.writes or ("tools",))
        and not (known.scenario.writes and name in (".git", "."))
    ]
    if changed:
        yield f"the repository was changed: {changed}"
    yield from _readable(here)
    found = strays(here) - known.strays
    left = {one for one in found if not _is_probe(one) and not _is_continued(one)}
    if left or looking:
        doctor = here("doctor", "--json")
        if doctor.code != 0:
            yield f"doctor exits {doctor.code}: {doctor.err[-200:]}"
            return
        said = [f"{row['what']} {row['message']}" for row in doctor.answer["rows"]]
        unnamed = sorted(one for one in left if not _is_named(one, said))
        if unnamed:
            yield f"doctor does not name {unnamed}"


def _is_probe(name: str) -> bool:
    # Where the traceback of a bug lies was told to the operator.
    is_told = name.startswith("tmp/factory-bug-")
    return is_told or PROBE.fullmatch(name) is not None or name.endswith("factory_ledger.lock")


def _is_continued(name: str) -> bool:
    """Return whether what lies there is written anew by the run that goes on, or is empty."""
    return "/.passes/" in name or re.fullmatch("home/.cache/factory/[0-9a-f]{12}", name) is not None


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


def _at_the_end(here: World, known: Undisturbed, *, is_borne: bool) -> Iterator[str]:
    """Yield what the end has that the undisturbed one has not."""
    found = reached(here)
    if found != known.reached and not is_borne:
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
