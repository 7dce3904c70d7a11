"""A confinement as a command line of bubblewrap: values in, values out."""

from dataclasses import replace

import pytest

from tools.codex.factory.domain.confinement import Confinement
from tools.codex.factory.process.rules import FileRules
from tools.codex.factory.sandbox.place import Place
from tools.codex.factory.sandbox.refusals import refusals
from tools.codex.factory.sandbox.tiers import held

PLACE = Place(machine="x86_64", is_root=False, folder="/work/checkout", temporary="/var/own")
PLAIN = Confinement(role="worker", tier="bubblewrap", program="/usr/bin/bwrap")
BEFORE = (
    *("/usr/bin/bwrap", "--unshare-user", "--unshare-all", "--cap-drop", "ALL"),
    *("--die-with-parent", "--new-session"),
)
ALL = ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")
AFTER = (
    *("--seccomp", "{seccomp}", "--json-status-fd", "{status}"),
    *("--chdir", "/work/checkout", "--", "true"),
)


def mounts(confinement: Confinement, place: Place = PLACE) -> list[tuple[str, ...]]:
    """Return the mounts after the first, each with its words."""
    words, _ = held(("true",), confinement, place)
    found: list[tuple[str, ...]] = []
    rest = list(words[words.index("--proc") + 2 : words.index("--json-status-fd")])
    while rest:
        count = {"--ro-bind": 3, "--bind": 3, "--perms": 4, "--seccomp": 2}.get(rest[0], 2)
        found.append(tuple(rest[:count]))
        rest = rest[count:]
    return found


def places(confinement: Confinement) -> list[str]:
    """Return where each mount is made, the outer first."""
    return [words[-1] for words in mounts(confinement) if words[0] != "--seccomp"]


NO_ABSTRACT = FileRules(handled=0, allowed=(), scopes=1)


def test_a_plain_confinement_is_this_command_line() -> None:
    words, rules = held(("true",), PLAIN, PLACE)

    private = (
        *("--bind", "/var/own", "/tmp", "--perms", "0755", "--tmpfs", "/run"),
        *("--bind", "/var/own", "/var/tmp", "--perms", "1777", "--tmpfs", "/dev/shm"),
    )
    assert words == (*BEFORE, "--share-net", *ALL, *private, *AFTER)
    assert (rules.status, rules.wraps) == ("{status}", "true")
    refused = refusals(PLAIN, "x86_64", has_own_network=True, has_own_processes=True)
    assert rules.fed == {"{seccomp}": refused[0]}
    assert (rules.files, rules.filters, rules.drops_capabilities) == (NO_ABSTRACT, (), False)


@pytest.mark.parametrize(
    ("changed", "has", "lacks"),
    [
        ({"network": False}, [], ["--share-net"]),
        ({"network": True}, ["--share-net"], []),
        ({"nests": False}, [], ["--disable-userns"]),
    ],
)
def test_one_thing_changed_changes_one_word(
    changed: dict[str, object], has: list[str], lacks: list[str]
) -> None:
    words, _ = held(("true",), replace(PLAIN, **changed), PLACE)  # type: ignore[arg-type]

    assert set(has) <= set(words)
    assert not set(lacks) & set(words)


def test_root_gives_up_its_number() -> None:
    words, _ = held(("true",), PLAIN, replace(PLACE, is_root=True))

    place = words.index("--uid")
    assert words[place : place + 4] == ("--uid", "1000", "--gid", "1000")


def test_root_is_kept_from_the_settings_of_the_kernel_and_others_from_none_of_their_own() -> None:
    cover = ("--ro-bind-try", "/proc/sys", "/proc/sys")

    words, _ = held(("true",), PLAIN, replace(PLACE, is_root=True))
    others, _ = held(("true",), PLAIN, PLACE)

    place = words.index("/proc/sys") - 1
    assert words[place : place + 3] == cover
    assert words.index("--proc") < place
    assert "/proc/sys" not in others


def test_where_calls_are_not_known_bubblewrap_itself_closes_namespaces() -> None:
    place = replace(PLACE, machine="riscv64")

    words, rules = held(("true",), replace(PLAIN, nests=False), place)

    assert "--disable-userns" in words
    assert "--seccomp" not in words
    assert rules.fed == {}


def test_the_inner_of_two_places_is_mounted_after_the_outer() -> None:
    nested = replace(
        PLAIN,
        hidden=("/home/u/runs",),
        readable=("/home/u/runs/r1/objects.git", "/usr/bin"),
        writable=("/home/u/runs/r1/objects.git/own", "/home/u"),
    )

    assert places(nested) == [
        *("/tmp", "/run", "/var/tmp", "/dev/shm", "/home/u"),
        *("/home/u/runs", "/home/u/runs/r1/objects.git", "/home/u/runs/r1/objects.git/own"),
        # Hidden once more: what looks empty is not to be written.
        "/home/u/runs",
    ]


def test_what_is_hidden_cannot_be_written_either() -> None:
    words, _ = held(("true",), replace(PLAIN, hidden=("/a", "/b/c")), PLACE)

    ends = [words[at + 1] for at, word in enumerate(words) if word == "--remount-ro"]
    assert ends == ["/a", "/b/c"]


def test_what_may_be_read_is_shown_again_only_where_something_covers_it() -> None:
    shown = replace(PLAIN, readable=("/usr/lib", "/tmp/tools", "/run/names", "/tmpx"))

    found = [words for words in mounts(shown) if words[0] == "--ro-bind"]

    assert found == [
        ("--ro-bind", "/tmp/tools", "/tmp/tools"),
        ("--ro-bind", "/run/names", "/run/names"),
    ]


def test_a_hidden_file_is_an_empty_one() -> None:
    found = mounts(replace(PLAIN, hidden_files=("/home/u/.netrc",)))

    assert ("--ro-bind", "/dev/null", "/home/u/.netrc") in found


@pytest.mark.parametrize("name", ["a b", "a\nb", "--bind", "{status}x", "-", "ü"])
def test_a_strange_name_stays_one_word(name: str) -> None:
    path = f"/work/{name}"

    words, _ = held(("--", name), replace(PLAIN, writable=(path,)), replace(PLACE, folder=path))

    place = words.index("--chdir")
    assert words[place:] == ("--chdir", path, "--", "--", name)
    assert ("--bind", path, path) in mounts(replace(PLAIN, writable=(path,)))


def test_without_a_folder_of_its_own_what_is_thrown_away_lies_in_memory() -> None:
    found = mounts(PLAIN, replace(PLACE, temporary=""))

    assert found[0] == ("--perms", "1777", "--tmpfs", "/tmp")
