"""The tier that a host proves: programs named bwrap that lie, or fail as the real one does."""

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tools.codex.factory.domain.confinement import Confinement, Tier
from tools.codex.factory.process.landlock import landlock_version
from tools.codex.factory.stages.canary import complaint_of
from tools.codex.factory.stages.tier import Shortfall, proven

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines")
REAL = shutil.which("bwrap") or ""
WANTED = Confinement(role="check", tier="unconfined", network=False, nests=False)
_SKIP = 'while [ "$1" != -- ]; do shift; done; shift\n'


def can(tier: Tier) -> bool:
    """Return whether this host keeps commands by `tier`."""
    if tier == "landlock":
        return bool(landlock_version())
    found = replace(WANTED, tier="bubblewrap", program=REAL)
    return bool(REAL) and not complaint_of(found, outside=None, needed=None)


KEPT = [
    pytest.param(tier, marks=pytest.mark.skipif(not can(tier), reason=f"this host has no {tier}"))
    for tier in ("bubblewrap", "landlock")
]


def lying(folder: Path, script: str) -> dict[str, str]:
    """Return an environment in which bwrap is this script."""
    folder.mkdir()
    program = folder / "bwrap"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def shortfall(tmp_path: Path, script: str, wanted: Confinement = WANTED) -> Shortfall:
    """Return what is said of bubblewrap where it is this script."""
    outside = tmp_path / "runs"
    outside.mkdir()
    store = tmp_path / "store"
    store.mkdir()
    (store / "pack").write_text("objects\n")

    found, short = proven(
        replace(wanted, readable=(str(store),)),
        demand="auto",
        least="bubblewrap",
        variables=lying(tmp_path / "bin", script),
        outside=outside,
        needed=store,
    )

    assert found.tier != "bubblewrap"
    assert found.weaker.startswith(f"bubblewrap: {short[0].why}")
    assert list(outside.iterdir()) == []
    return short[0]


def confined(tier: Tier, **changed: object) -> Confinement:
    """Return a confinement by `tier`, changed."""
    program = REAL if tier == "bubblewrap" else ""
    return replace(WANTED, tier=tier, program=program, **changed)  # type: ignore[arg-type]


@LINUX
@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 0", "it ended well, and never began what it was given"),
        ("exit 3", "exit code 3"),
        (f'{_SKIP}exec "$@"', "a write outside went through"),
        (f'{_SKIP}exec "$@" > /dev/null 2>&1', "a write outside went through"),
        ("kill -9 $$", "exit code -9"),
    ],
)
def test_a_bubblewrap_that_does_not_confine_is_found_out(
    tmp_path: Path, script: str, why: str
) -> None:
    assert shortfall(tmp_path, script) == Shortfall("bubblewrap", why, "")


@LINUX
@pytest.mark.skipif(not can("bubblewrap"), reason="this host has no bubblewrap")
@pytest.mark.parametrize(
    ("left_out", "why"),
    [
        ("--unshare-all", "the network is to be cut off, and is not"),
        ("--seccomp", "no filter on system calls is there"),
        ("--tmpfs", "is to be hidden, and can be read"),
    ],
)
def test_a_bubblewrap_that_leaves_one_thing_out_is_found_out(
    tmp_path: Path, left_out: str, why: str
) -> None:
    hidden = tmp_path / "keys"
    hidden.mkdir()
    (hidden / "key").write_text("secret\n")
    more = {"--seccomp": 1, "--tmpfs": 1}.get(left_out, 0)
    own = f"""
    for word in "$@"; do
        shift
        if [ "${{skip:-0}}" -gt 0 ]; then skip=$((skip - 1)); continue; fi
        case "$word" in
            {left_out}) skip={more}; continue;;
            --remount-ro) [ {left_out} != --tmpfs ] || {{ skip=1; continue; }};;
            --perms) [ {left_out} != --tmpfs ] || {{ skip=1; continue; }};;
            --disable-userns) continue;;
        esac
        set -- "$@" "$word"
    done
    exec {REAL} --unshare-pid "$@"
    """

    found = shortfall(tmp_path, own, replace(WANTED, hidden=(str(hidden),)))

    assert why in found.why


@LINUX
@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("setting up uid map: Permission denied", "seccomp=unconfined"),
        (
            "No permissions to create new namespace, likely because the kernel does not allow "
            "non-privileged user namespaces.",
            "seccomp=unconfined",
        ),
        ("Creating new namespace failed: Operation not permitted", "hostUsers: false"),
        ("loopback: Failed RTM_NEWADDR: Operation not permitted", "apparmor=unconfined"),
        ("Can't mount proc on /newroot/proc: Operation not permitted", "systempaths=unconfined"),
        ("Unknown option --perms", "a newer package bubblewrap"),
    ],
)
def test_what_bubblewrap_says_is_quoted_with_what_it_comes_from_and_a_remedy(
    tmp_path: Path, said: str, remedy: str
) -> None:
    found = shortfall(tmp_path, f'echo "bwrap: {said}" >&2; exit 1')

    assert f"(bwrap: {said})" in found.why
    assert remedy in found.remedy


@LINUX
def test_what_it_never_said_before_is_quoted_as_it_is(tmp_path: Path) -> None:
    found = shortfall(tmp_path, "echo 'bwrap: the moon is full' >&2; exit 1")

    assert found == Shortfall("bubblewrap", "bwrap: the moon is full", "")


@LINUX
def test_without_bubblewrap_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()

    found, short = proven(
        WANTED,
        demand="auto",
        least="bubblewrap",
        variables={"PATH": str(tmp_path / "none")},
        outside=None,
        needed=None,
    )

    assert found.weaker.startswith("bubblewrap: program 'bwrap' is not on PATH")
    assert short[0].remedy == "install the package bubblewrap"


@LINUX
def test_a_bwrap_in_a_relative_folder_of_path_is_nobodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lying(tmp_path / "bin", "exit 0")
    monkeypatch.chdir(tmp_path)

    _, short = proven(
        WANTED,
        demand="auto",
        least="bubblewrap",
        variables={"PATH": "bin"},
        outside=None,
        needed=None,
    )

    assert short[0].why == "program 'bwrap' is not on PATH"


@pytest.mark.parametrize(
    ("demand", "least", "is_refused"),
    [
        ("required", "bubblewrap", True),
        ("required", "unconfined", False),
        ("auto", "bubblewrap", False),
    ],
)
def test_only_what_is_required_is_refused(
    tmp_path: Path, demand: str, least: str, is_refused: bool
) -> None:
    found, _ = proven(
        WANTED,
        demand=demand,  # type: ignore[arg-type]
        least=least,  # type: ignore[arg-type]
        variables={"PATH": str(tmp_path)},
        outside=None,
        needed=None,
    )

    assert found.is_refused is is_refused


def test_off_asks_nothing(tmp_path: Path) -> None:
    variables = lying(tmp_path / "bin", f"touch {tmp_path}/asked")

    found, short = proven(
        WANTED, demand="off", least="bubblewrap", variables=variables, outside=None, needed=None
    )

    assert (found.tier, found.weaker, found.is_refused, short) == ("unconfined", "", False, ())
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("tier", KEPT)
def test_what_is_kept_has_nothing_to_complain_of(tmp_path: Path, tier: Tier) -> None:
    hidden, store = tmp_path / "keys", tmp_path / "store"
    for folder in (hidden, store):
        folder.mkdir()
        (folder / "file").write_text("text\n")
    kept = confined(tier, hidden=(str(hidden),), readable=(str(store),))

    assert complaint_of(kept, outside=tmp_path, needed=store) == ""
    assert sorted(one.name for one in tmp_path.iterdir()) == ["keys", "store"]


@pytest.mark.parametrize("tier", KEPT)
def test_a_store_that_is_hidden_too_cannot_be_read(tmp_path: Path, tier: Tier) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (store / "file").write_text("text\n")
    kept = confined(tier, hidden=(str(tmp_path),))

    assert complaint_of(kept, outside=None, needed=store) == f"the store {store} cannot be read"


@pytest.mark.parametrize("tier", KEPT)
def test_what_may_be_written_after_all_is_no_outside(tmp_path: Path, tier: Tier) -> None:
    kept = confined(tier, writable=(str(tmp_path),))

    assert complaint_of(kept, outside=tmp_path, needed=None) == "a write outside went through"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tier", KEPT)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to lose")
def test_a_store_that_only_root_can_read_is_named_with_what_helps(
    tmp_path: Path, tier: Tier
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (store / "file").write_text("text\n")
    os.chown(store, 1234, 1234)
    store.chmod(0o700)
    variables = {"PATH": os.path.dirname(REAL) if tier == "bubblewrap" else str(tmp_path)}

    found, short = proven(
        replace(WANTED, readable=(str(store),)),
        demand="auto",
        least="bubblewrap",
        variables=variables,
        outside=None,
        needed=store,
    )

    said = f"the store {store} cannot be read: a confined command has none of root's rights"
    assert found.tier == "unconfined"
    assert next(one for one in short if one.tier == tier) == Shortfall(
        tier, said, "run factory as the owner of that folder, or let all read it"
    )
