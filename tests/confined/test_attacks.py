"""Every attack, by every role that may try it, under every tier: the answer is what is said."""

import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.confined.attacks import ATTACKS, Attack, cases
from tests.confined.scene import RUN, SEALED, SECRET, Scene, attack, ruin, scene
from tests.confined.tiers import missing
from tests.conftest import PROJECT
from tools.codex.factory.domain.confinement import Role, Tier
from tools.codex.factory.process.landlock import landlock_version
from tools.codex.factory.storage.regular import read_regular

pytestmark = pytest.mark.slow

Scenes = Callable[[Tier, bool], Scene]
Effect = Callable[[Scene, Role], bool]
_SCOPES_SINCE = 6
_HOST_MAY_REFUSE = ("owner", "attribute", "type_into_terminal", "ring", "key", "multipath")
"""What some hosts let nobody do, confined or not."""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    """Return what makes a scene of each tier, attacked once."""
    made: dict[tuple[Tier, bool], Scene] = {}
    with ExitStack() as stack:

        def of(tier: Tier, is_ruin: bool) -> Scene:
            if (tier, is_ruin) not in made:
                # Not in /tmp, which a command may have for itself; nor above this program, which
                # could not be found any more with something hidden beside it.
                cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
                cache.mkdir(exist_ok=True)
                place = tempfile.TemporaryDirectory(prefix="factory-attacks-", dir=cache)
                outside = Path(stack.enter_context(place))
                folder = tmp_path_factory.mktemp(tier)
                about = stack.enter_context(scene(tier, folder, outside))
                # Also where the attack itself fails: all others would only try it again.
                made[tier, is_ruin] = about
                ruin(about) if is_ruin else attack(about)
            return made[tier, is_ruin]

        yield of


def _named(case: tuple[Attack, Role, Tier]) -> str:
    return f"{case[2]}-{case[0].number:02}-{case[0].deeds[0]}-{case[1]}"


@pytest.mark.parametrize("case", list(cases()), ids=_named)
def test_an_attack_comes_to_what_is_said(case: tuple[Attack, Role, Tier], scenes: Scenes) -> None:
    one, role, tier = case
    if why := missing(tier):
        pytest.skip(why)
    if "abstract_socket" in one.deeds and landlock_version() < _SCOPES_SINCE:
        pytest.skip("the kernel has no scopes for abstract sockets")
    about = scenes(tier, tier == "unconfined" and "ruin" in one.deeds)

    answer = one.answer(tier)
    came_off = {
        deed: EFFECTS[deed](about, role) for deed in one.deeds if _was_tried(about, deed, role)
    }

    assert came_off, "nothing was tried"
    if tier == "unconfined" and answer == "open":
        refused = [deed for deed, did in came_off.items() if not did and deed in _HOST_MAY_REFUSE]
        if refused:
            pytest.skip(f"this host lets nobody do it: {', '.join(refused)}")
    assert set(came_off.values()) == {answer in ("found", "open")}, came_off
    if answer == "found":
        assert FOUND[one.finding](about), one.finding


def test_a_run_is_attacked_under_the_tier_that_is_meant(scenes: Scenes, tier: Tier) -> None:
    about = scenes(tier, False)

    events = about.factory("ledger", "--raw-events", "--json").stdout
    weaker = set(re.findall(r'"tier": *"([a-z]+)"', events))

    assert weaker == ({"landlock"} if tier == "landlock" else set())


@pytest.fixture(params=["bubblewrap", "landlock", "unconfined"])
def tier(request: pytest.FixtureRequest) -> Tier:
    """Return each tier that is to be had here."""
    found: Tier = request.param
    if why := missing(found):
        pytest.skip(why)
    return found


def test_whoever_was_stopped_has_done_the_work_all_the_same(scenes: Scenes, tier: Tier) -> None:
    about = scenes(tier, False)

    diff = (about.run / "C_attacker" / "DIFF.patch").read_bytes()

    assert b"+attacked" in diff
    assert {"A_sealed", "B_sibling", "C_attacker"} - _blocked(about) == (
        {"B_sibling", "C_attacker"}
        if tier == "unconfined"
        else {"A_sealed", "B_sibling", "C_attacker"}
    )


def test_every_attack_is_tried_here_or_names_a_test_that_is_there() -> None:
    named = [test.split("::") for one in ATTACKS for test in one.tests]

    assert {one.number for one in ATTACKS} == set(range(1, 42))
    assert [one for one in ATTACKS if not one.deeds and not one.tests] == []
    assert [
        f"{file}::{name}"
        for file, name in named
        if not re.search(rf"^ *def {name}\(", (PROJECT / file).read_text("utf-8"), re.MULTILINE)
    ] == []


def _was_tried(about: Scene, deed: str, role: Role) -> bool:
    return any(
        deed in about.said[who]
        for who in about.said
        if (who == role) or (role == "worker" and who not in ("check", "integrator"))
    )


def _blocked(about: Scene) -> set[str]:
    return {
        finding["subject"].partition(":")[0]
        for finding in about.ended.answer["findings"]
        if finding["severity"] == "blocks"
    }


def _file(*names: str) -> Effect:
    return lambda about, role: bool(about.changed(role, *names))


def _loot(deed: str, wanted: str) -> Effect:
    """Return whether what was to be read was read: nobody can say it otherwise."""
    return lambda about, role: wanted in about.said[role][deed].get("loot", "")


def _heard(name: str) -> Effect:
    return lambda about, role: (name, role) in about.listeners.heard


def _typed(how: str) -> Effect:
    return lambda about, _: any(how in text for which, text in about.typed if which == how)


def _ended(fate: str) -> Effect:
    return lambda about, role: about.sleepers[f"{role} {fate}"].poll() is not None


def _ran(about: Scene, _: Role) -> bool:
    return (about.folder / "ran").exists()


def _took_the_secret(about: Scene, _: Role) -> bool:
    return any(SECRET.encode() in read_regular(path, limit=1 << 26) for path in _sealed(about))


def _sealed(about: Scene) -> Iterator[Path]:
    """Yield all that was taken in of the worker that left the link."""
    return (path for path in (about.run / "F_link").rglob("*") if path.is_file())


def _touched_others(about: Scene, role: Role) -> bool:
    sealed = about.run / "A_sealed" / SEALED[role]
    checkout = about.checkout("B_sibling")
    return any(
        (
            sealed.read_bytes().endswith(b"attacked\n"),
            (checkout / "src" / "b.txt").read_bytes() != b"b\n" and role != "integrator",
            (checkout / "planted.txt").exists(),
            (about.runs / f"{role}-was-here").exists(),
        )
    )


def _wrote_on(about: Scene, _: Role) -> bool:
    """Return whether the checkout holds more than what was captured of it."""
    captured = (about.run / "C_attacker" / "DIFF.patch").read_bytes()
    left = (about.checkout("C_attacker") / "src" / "c.txt").read_bytes().rstrip(b"\n").splitlines()
    return bool(about.left) or any(b"+" + line not in captured for line in left)


def _is_left(about: Scene, _: Role) -> bool:
    return bool(about.left)


def _has_setuid(about: Scene, _: Role) -> bool:
    """Return whether a setuid program is in the run, or where others than its owner reach it."""
    left = about.checkout("C_attacker") / "src" / "c.sh"
    assert left.stat().st_mode & stat.S_ISUID
    in_run = any(path.lstat().st_mode & stat.S_ISUID for path in about.run.rglob("*"))
    closed = any(not above.stat().st_mode & 0o077 for above in left.parents)
    return in_run or not closed


def _is_ruined(about: Scene, _: Role) -> bool:
    ledger = about.runs / "factory_ledger.jsonl"
    text = ledger.read_text("utf-8") if ledger.exists() else ""
    return "RUN_START" not in text or "attacked\n" in (about.run / "PLAN.json").read_text("utf-8")


def _is_blocked_by(code: str, worker: str) -> Callable[[Scene], bool]:
    return lambda about: code in about.codes(worker) and worker in _blocked(about)


def _is_told_by_replay(about: Scene) -> bool:
    return about.factory("ledger-replay", "--run-id", RUN).exit_code != 0


def _did_not_pass(about: Scene) -> bool:
    return about.ended.exit_code not in (0, 3) and "PASS" not in about.ended.stdout


FOUND: Mapping[str, Callable[[Scene], bool]] = {
    "worker.outbox": lambda about: (
        all(_is_blocked_by("worker.outbox", worker)(about) for worker in ("E_nested", "F_link"))
        and not _took_the_secret(about, "worker")
    ),
    "capture.nested_repository": lambda about: (
        _is_blocked_by("capture.nested_repository", "E_nested")(about) and not _ran(about, "worker")
    ),
    "bundle.seal_broken": _is_blocked_by("bundle.seal_broken", "A_sealed"),
    "factory ledger-replay": _is_told_by_replay,
    "exit 1": _did_not_pass,
}
EFFECTS: Mapping[str, Effect] = {
    "write": _file("appended", "cut", "written", "created"),
    "remove": _file("deleted", "renamed", "brought", "folder"),
    **{name: _file(name) for name in ("mode", "times", "attribute", "owner")},
    "through_link": _file("linked"),
    "hard_link": _file("hard"),
    "through_proc": _file("proc"),
    "undo_mounts": _file("remounted"),
    "race": _file("raced"),
    "poison_cache": lambda about, role: (
        bool(about.changed(role, "cache/module.pyc"))
        or (about.factory.home / ".cache" / "pip" / "poison").exists()
    ),
    "read_environment": _loot("read_environment", SECRET[::-1]),
    "read_own_environment": _loot("read_own_environment", "ATTACK_"),
    "read_key": _loot("read_key", SECRET[::-1]),
    "read_work_tree": lambda about, role: "loot" in about.said[role]["read_work_tree"],
    "open_files": lambda about, role: "loot" in about.said[role]["open_files"],
    "ring": _loot("ring", "[io_uring]"),
    "sibling": _touched_others,
    "linger": lambda about, role: (
        _is_left(about, role) or (role == "worker" and _wrote_on(about, role))
    ),
    "multiply": _is_left,
    "signals": _ended("signalled"),
    "trace": _ended("traced"),
    "type_into_terminal": _typed("typed"),
    "write_on_terminal": _typed("written"),
    "socket_in_tmp": _heard("tmp"),
    "socket_in_run": _heard("run"),
    "socket_elsewhere": _heard("elsewhere"),
    "abstract_socket": _heard("abstract"),
    **{name: _heard(name) for name in ("tcp", "udp", "multipath")},
    "key": lambda about, role: role in about.keys,
    "setuid": _has_setuid,
    "own_git": _ran,
    "borrowed": _ran,
    "planted": _ran,
    "nested": lambda about, _: (about.checkout("E_nested") / "sub" / ".git").exists(),
    "link_as_text": lambda about, _: True,
    "odd_outbox": lambda about, _: True,
    "ruin": _is_ruined,
}
