"""A small command tried under a confinement: what it is to keep is tried, and must be kept."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tools.codex.factory.domain.confinement import Confinement, is_within
from tools.codex.factory.errors import FactoryError
from tools.codex.factory.executors.place import place_in
from tools.codex.factory.process.child import Completed, asked
from tools.codex.factory.process.kernel import seccomp_filters
from tools.codex.factory.sandbox.calls import ARCHITECTURES
from tools.codex.factory.sandbox.tiers import held

_SECONDS = 20.0
_SHELL = "/bin/sh"
_SAYS = "canary: "
_PROVEN = "proven"
_LARGEST = 1 << 16
_NETWORK = "/proc/self/ns/net"
# Nothing but what the shell itself does, which costs next to nothing: a redirection that cannot be
# had is a command that failed. `no` ends it with a sentence, which is the answer.
_SCRIPT = """
no() { echo "canary: $1" >&2; exit 1; }
own=$1 seen=$2 outside=$3 store=$4 content=$5 network=$6 filtered=$7
shift 7
true > "$own/inside" || no "its own folder cannot be written"
for one in ${store:+"$store"/*}; do
    [ -e "$one" ] || no "the store $store cannot be read"
    break
done
[ -z "$content" ] || { true < "$content"; } 2> /dev/null || no "$content cannot be read"
{ true < "$seen/there"; } 2> /dev/null || no "what it is to see cannot be read"
{ echo a >> "$seen/there"; } 2> /dev/null && no "a write into what is only shown went through"
{ echo a > "$seen/new"; } 2> /dev/null && no "a new file in what is only shown was made"
# Whether that changed anything, only who looks from outside can tell: it may be a copy of its own.
[ -z "$outside" ] || { echo a > "$outside"; } 2> /dev/null
{ true >> /proc/sys/kernel/core_pattern; } 2> /dev/null \
    && no "settings of the kernel can be written"
for one in "$@"; do
    line=
    { IFS= read -r line < "$one"; } 2> /dev/null
    [ -z "$line" ] || no "$one is to be hidden, and can be read"
done
if [ -n "$network" ]; then
    inside=$(readlink /proc/self/ns/net) || no "it cannot be seen whether the network is cut off"
    [ "$inside" != "$network" ] || no "the network is to be cut off, and is not"
fi
if [ -n "$filtered" ]; then
    more=$((filtered + 1))
    while read -r name value rest; do
        case $name in Seccomp:) mode=$value;; Seccomp_filters:) more=$value;; esac
    done < /proc/self/status
    [ "$mode" = 2 ] && [ "$more" -gt "$filtered" ] || no "no filter on system calls is there"
fi
echo proven > "$own/inside"
"""


def complaint_of(confinement: Confinement, *, outside: Path | None, needed: Path | None) -> str:
    """Return why a confinement is not kept here as it says; "" where it is.

    A shell runs under the very same rules, with folders of its own to write, to see and to be
    kept from. It must not write into `outside`, which is ours, must read `needed`, must see
    nothing of a file in each hidden folder, and must be cut off where the network is off.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="factory-canary-") as folder:
            return _tried(confinement, Path(os.path.realpath(folder)), outside, needed)
    except FactoryError as error:
        return str(error)
    except OSError as error:
        named = f" ({error.filename})" if error.filename else ""
        return f"the canary cannot be tried: {error.strerror}{named}"


def _tried(
    confinement: Confinement, folder: Path, outside: Path | None, needed: Path | None
) -> str:
    own, seen, hidden = (folder / name for name in ("own", "seen", "hidden"))
    for one in (own, seen, hidden):
        one.mkdir()
    there = seen / "there"
    there.write_text("there\n")
    (hidden / "secret").write_text("secret\n")
    # Outside its name is one that nobody has: that of our own folder.
    marks = [seen / "new", *([outside / folder.name] if outside is not None else [])]
    words = (
        *(str(own), str(seen), str(marks[1]) if outside is not None else ""),
        *_needed(needed),
        os.readlink(_NETWORK) if _has_own_network(confinement) else "",
        str(seccomp_filters()) if os.uname().machine in ARCHITECTURES else "",
        *(str(hidden / "secret"), *_secrets(confinement)),
    )
    done = _run(confinement, folder, words)
    written = [mark for mark in marks if os.path.lexists(mark)]
    for mark in written:
        mark.unlink()
    if written or there.read_text() != "there\n":
        return "a write outside went through"
    return _said(done, own / "inside")


def _run(confinement: Confinement, folder: Path, words: tuple[str, ...]) -> Completed:
    tried = replace(
        confinement,
        writable=(*confinement.writable, str(folder / "own")),
        readable=(*confinement.readable, str(folder / "seen")),
        hidden=(*confinement.hidden, str(folder / "hidden")),
        observes=False,
    )
    place = place_in(str(folder / "own"))
    argv, rules = held((_SHELL, "-c", _SCRIPT, "sh", *words), tried, place)
    environment = {"PATH": os.defpath, "LC_ALL": "C"}
    return asked(argv, env=environment, cwd=folder, seconds=_SECONDS, rules=rules)


def _said(done: Completed, proof: Path) -> str:
    """Return what a canary that wrote nothing outside said, or what started it."""
    with suppress(FileNotFoundError):
        if done.exit_code == 0 and proof.read_text() == f"{_PROVEN}\n":
            return ""
    said = done.complaint
    if said.startswith(_SAYS):
        return said.removeprefix(_SAYS)
    if done.exit_code == 0:
        return "it ended well, and never began what it was given"
    return said


def _has_own_network(confinement: Confinement) -> bool:
    return confinement.tier == "bubblewrap" and not confinement.network


def _needed(store: Path | None) -> tuple[str, str]:
    """Return a folder that must be listed, and a file in it that must be read."""
    if store is None:
        return "", ""
    return str(store), next(_files(str(store), depth=1), "")


def _secrets(confinement: Confinement) -> Iterator[str]:
    """Yield every hidden file, and one in each hidden folder: one with text in it."""
    shown = (*confinement.readable, *confinement.writable)
    for folder in confinement.hidden:
        among = (one for one in _files(folder, depth=1) if not is_within(one, shown))
        yield from (one for one in [next(among, "")] if one)
    yield from confinement.hidden_files


def _files(folder: str, *, depth: int) -> Iterator[str]:
    """Yield the small plain files in `folder`, and in its folders so many levels below."""
    below = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.path)
                    continue
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode) and 0 < found.st_size <= _LARGEST:
                    yield entry.path
    except OSError:
        # Who cannot list it has nothing to lose there.
        return
    for one in below if depth else ():
        yield from _files(one, depth=depth - 1)
