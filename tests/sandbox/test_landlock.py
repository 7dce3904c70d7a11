"""A confinement as a Landlock ruleset and a filter: values in, values out."""

from dataclasses import replace

from tools.codex.factory.domain.confinement import Confinement
from tools.codex.factory.process.rules import FREE, Rules
from tools.codex.factory.sandbox.place import Place
from tools.codex.factory.sandbox.refusals import refusals
from tools.codex.factory.sandbox.tiers import held

PLACE = Place(machine="x86_64", is_root=True, folder="/work/checkout", temporary="/var/own")
PLAIN = Confinement(role="worker", tier="landlock")
# LANDLOCK_ACCESS_FS_*
READS = 1 << 0 | 1 << 2 | 1 << 3
CHANGES = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 12 | 1 << 13
CHANGES |= 1 << 14 | 1 << 15
DEVICES = 1 << 6 | 1 << 11


def rules_of(confinement: Confinement, place: Place = PLACE) -> Rules:
    words, rules = held(("a", "--", "b"), confinement, place)
    assert words == ("a", "--", "b")
    return rules


def test_what_changes_something_is_handled_and_granted_in_its_own_folders_alone() -> None:
    rules = rules_of(replace(PLAIN, writable=("/work/checkout", "/work/a b\n")))

    assert rules.files is not None
    assert rules.files.handled == CHANGES | DEVICES
    assert rules.files.allowed[:4] == tuple(
        (path, CHANGES | READS)
        for path in ("/work/checkout", "/work/a b\n", "/var/own", "/dev/shm")
    )
    others = rules.files.allowed[4:]
    assert all(path.startswith("/dev/") for path, _ in others)
    # On devices nothing can be made or removed.
    assert all(not rights & ~(1 << 1 | 1 << 2 | 1 << 14 | 1 << 15) for _, rights in others)


def test_nowhere_can_a_device_be_made() -> None:
    rules = rules_of(replace(PLAIN, writable=("/work",)))

    assert rules.files is not None
    assert not any(rights & DEVICES for _, rights in rules.files.allowed)


def test_what_may_be_read_is_granted_so_and_no_more() -> None:
    rules = rules_of(replace(PLAIN, readable=("/work/store",), hidden=("/work", "/home/u/.ssh")))

    assert rules.files is not None
    assert ("/work/store", READS) in rules.files.allowed
    assert rules.files.hidden == ("/work", "/home/u/.ssh")


def test_hidden_files_are_hidden_as_folders_are() -> None:
    rules = rules_of(replace(PLAIN, hidden=("/a",), hidden_files=("/b/.netrc",)))

    assert rules.files is not None
    assert rules.files.hidden == ("/a", "/b/.netrc")


def test_the_network_is_refused_by_both_means() -> None:
    on, off = (rules_of(replace(PLAIN, network=network)) for network in (True, False))

    assert on.files is not None and off.files is not None
    assert (on.files.network, off.files.network) == (0, 3)
    without = replace(PLAIN, network=False)
    refused = refusals(without, "x86_64", has_own_network=False, has_own_processes=False)
    assert off.filters == refused != on.filters


def test_capabilities_are_dropped_and_signals_and_sockets_kept_within() -> None:
    rules = rules_of(PLAIN)

    assert rules.drops_capabilities
    assert rules.files is not None
    assert rules.files.scopes == 3


def test_unconfined_is_no_rule_at_all() -> None:
    assert rules_of(replace(PLAIN, tier="unconfined", observes=False)) == FREE


def test_a_machine_whose_calls_are_not_known_has_no_filter() -> None:
    assert rules_of(PLAIN, replace(PLACE, machine="riscv64")).filters == ()
