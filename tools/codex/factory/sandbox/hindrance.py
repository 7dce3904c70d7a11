"""What keeps a tier from being had: of bubblewrap read off what it says; and what helps."""

from collections.abc import Collection
from dataclasses import dataclass

BUBBLEWRAP = "bwrap"
CLOSING = {
    "kernel.apparmor_restrict_unprivileged_userns": 1,
    "kernel.unprivileged_userns_clone": 0,
    "user.max_user_namespaces": 0,
}
"""Settings of the kernel that close user namespaces by being what they are here: the first for
programs without a profile, the second for users who are not root, the third for all."""


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why it does not start, and what to do."""

    why: str
    remedy: str


_PROFILE = "/etc/apparmor.d/bwrap-userns-restrict"
_APPARMOR = Hindrance(
    "AppArmor keeps programs without a profile out of user namespaces",
    "where no file in /etc/apparmor.d names bwrap yet: sudo apt install apparmor-profiles && "
    "sudo install -m 0644 /usr/share/apparmor/extra-profiles/bwrap-userns-restrict "
    f"{_PROFILE} && sudo apparmor_parser -r {_PROFILE}; Ubuntu 25.04 and newer have that file: "
    "there the last command loads it",
)
_OF_SETTING = {
    "kernel.apparmor_restrict_unprivileged_userns": _APPARMOR,
    "kernel.unprivileged_userns_clone": Hindrance(
        "only root may make user namespaces here",
        "echo kernel.unprivileged_userns_clone=1 | sudo tee /etc/sysctl.d/60-userns.conf && "
        "sudo sysctl --system",
    ),
    "user.max_user_namespaces": Hindrance(
        "nobody may make user namespaces here",
        "echo user.max_user_namespaces=15000 | sudo tee /etc/sysctl.d/60-userns.conf && "
        "sudo sysctl --system",
    ),
}
CONTAINER = Hindrance(
    "what factory runs in keeps it from making namespaces",
    "in a container: docker run --security-opt seccomp=unconfined --security-opt "
    "apparmor=unconfined --security-opt systempaths=unconfined (or a seccomp profile that lets "
    "unshare, clone, mount, umount2 and pivot_root through); podman run --security-opt "
    "seccomp=unconfined --security-opt unmask=ALL; Kubernetes: hostUsers: false, procMount: "
    "Unmasked, seccompProfile type: Unconfined",
)
_NO_PROC = Hindrance(
    "the /proc of this container has parts masked, so the kernel lets nobody mount a whole one",
    "docker run --security-opt systempaths=unconfined; podman run --security-opt unmask=ALL; "
    "Kubernetes: procMount: Unmasked with hostUsers: false",
)
_TOO_OLD = Hindrance(
    "it is too old: version 0.5.0 is the first that has all it is asked for",
    "install a newer package bubblewrap",
)
ABSENT = Hindrance(f"program {BUBBLEWRAP!r} is not on PATH", "install the package bubblewrap")
NO_LANDLOCK = Hindrance(
    "the kernel does not offer it",
    "Linux 5.13 and newer have it (CONFIG_SECURITY_LANDLOCK); a container may forbid it",
)
LANDLOCK_OFF = Hindrance(
    "the kernel was started without it",
    "add landlock to lsm= on the kernel's command line, and start it anew",
)
ELSEWHERE = Hindrance(
    "only Linux has it", "run factory in a virtual machine or a container with Linux"
)
# What bubblewrap says where the kernel refuses it a namespace, or a right in one.
_NAMESPACES = (
    "setting up uid map: ",
    "setting up gid map: ",
    "No permissions to creat",
    "Creating new namespace failed",
    "Failed RTM_NEWADDR",
    "Failed to make / slave",
    "Unexpected capabilities",
)


def hindrance(said: str, closed: Collection[str]) -> Hindrance | None:
    """Return what `said` comes from, where `closed` of CLOSING are; None: nobody knows."""
    if "Can't mount proc" in said:
        return _NO_PROC
    if "Unknown option" in said:
        return _TOO_OLD
    if not any(one in said for one in _NAMESPACES):
        return None
    return next((_OF_SETTING[name] for name in CLOSING if name in closed), CONTAINER)
