"""Where a control group of our own can be made, read from what the kernel says of this process."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_CGROUPS = "/proc/self/cgroup"
_MOUNTS = "/proc/self/mountinfo"
_UNITS = (".scope", ".service", ".slice", ".socket", ".mount", ".swap")
_OCTAL = re.compile(r"\\([0-7]{3})")
_NOT_HANDED_ON = (
    "its control group hands on no {controller}: it is no delegated group with a leaf of its own"
)


@dataclass(frozen=True, slots=True)
class Mount:
    """A hierarchy that is mounted: `top` is the group that its folder shows."""

    version: int
    controllers: frozenset[str]
    top: str
    folder: str


@dataclass(frozen=True, slots=True)
class Parent:
    """The folder in which a group that bounds something can be made, or `why_not`."""

    version: int
    folder: str
    why_not: str = ""


def mounts() -> list[Mount]:
    """Return every hierarchy of control groups that is mounted; none where there is no /proc."""
    return mounts_in(_read(_MOUNTS))


def parent_for(controller: str) -> Parent:
    """Return where a group can be made that `controller` bounds."""
    return parent_in(controller, _read(_CGROUPS), mounts())


def mounts_in(said: str) -> list[Mount]:
    """Return the hierarchies that the kernel's list of mounts names."""
    found = []
    for line in said.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3 or kind[0] not in ("cgroup", "cgroup2"):
            continue
        version = 2 if kind[0] == "cgroup2" else 1
        names = frozenset(kind[2].split(",")) if version == 1 else frozenset[str]()
        found.append(Mount(version, names, _plain(fields[3]), _plain(fields[4])))
    return found


def parent_in(controller: str, said: str, mounted: list[Mount]) -> Parent:
    """Return where a group can be made, by the groups that this process is `said` to be in."""
    own = {
        name: path
        for line in said.splitlines()
        for _, names, path in [line.split(":", 2)]
        for name in names.split(",")
    }
    for mount in mounted:
        if mount.version == 1 and controller in mount.controllers and controller in own:
            folder = _shown(mount, own[controller])
            if folder is not None:
                return Parent(1, folder)
    for mount in mounted:
        if mount.version == 2 and "" in own:
            return _unified(controller, mount, own[""])
    return Parent(0, "", "no control group is to be had: no hierarchy is mounted")


def _unified(controller: str, mount: Mount, own: str) -> Parent:
    """Return the group of version 2 in which one can be made.

    Nothing is switched on for it, ever: `+pids` is taken by a group that holds processes, and
    makes it one in which no other group of processes can be entered any more. What systemd
    manages is left to it: only a group made inside a unit says that the unit is delegated.
    """
    folder = _shown(mount, own)
    if folder is None:
        return Parent(2, "", "its control group is not among those that are mounted")
    above = os.path.dirname(folder)
    if own != mount.top and not own.endswith(_UNITS) and _hands_on(above, controller):
        return Parent(2, above)
    if _hands_on(folder, controller) and _read(f"{folder}/cgroup.type").strip() in ("", "domain"):
        return Parent(2, folder)
    return Parent(2, folder, _NOT_HANDED_ON.format(controller=f"`{controller}`"))


def _hands_on(folder: str, controller: str) -> bool:
    return controller in _read(f"{folder}/cgroup.subtree_control").split()


def folders_named(begin: str) -> Iterator[tuple[int, str]]:
    """Yield version and folder of every group whose name begins so, wherever it was made."""
    for mount in mounts():
        for folder in groups_in(mount.folder):
            if os.path.basename(folder).startswith(begin):
                yield mount.version, folder


def groups_in(folder: str) -> list[str]:
    """Return the folder of a group and of each below it, however deep, the outer ones first."""
    found = [folder]
    for one in found:
        with suppress(OSError), os.scandir(one) as entries:
            found += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    return found


def _shown(mount: Mount, path: str) -> str | None:
    """Return the folder that shows the group `path`; None where it lies outside of the mount."""
    if "/.." in path or not f"{path}/".startswith(f"{mount.top.rstrip('/')}/"):
        return None
    below = path[len(mount.top.rstrip("/")) :].strip("/")
    return os.path.join(mount.folder, below) if below else mount.folder


def _plain(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def _read(path: str) -> str:
    with suppress(OSError):
        return os.fsdecode(Path(path).read_bytes())
    return ""
