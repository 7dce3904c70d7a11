"""What this host offers to confine workers with: asked by using each thing once."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tools.codex.factory.domain.fitness import Row, noted, ok
from tools.codex.factory.errors import FactoryError
from tools.codex.factory.process.child import asked
from tools.codex.factory.process.kernel import (
    kernel_setting,
    landlock_is_switched_off,
    landlock_version,
    seccomp_mode,
)

_BUBBLEWRAP = ("bwrap", "--unshare-user", "--ro-bind", "/", "/", "true")
_NAMESPACE = ("unshare", "--user", "true")
_SECONDS = 10.0
# Each of these keeps a user who is not root out of user namespaces, by being what it is here.
_CLOSING = (
    (
        "kernel.apparmor_restrict_unprivileged_userns",
        1,
        "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile that "
        "grants `userns,` to bwrap",
    ),
    ("kernel.unprivileged_userns_clone", 0, "sudo sysctl kernel.unprivileged_userns_clone=1"),
    ("user.max_user_namespaces", 0, "sudo sysctl user.max_user_namespaces=15000"),
)
_ELSE = "in a container, its runtime decides: it must allow unshare and mount in user namespaces"


def confinement_rows(variables: Mapping[str, str]) -> tuple[Row, ...]:
    """Return a row for each means of confinement; none of them is needed by this version."""
    environment = {"PATH": variables["PATH"]} if "PATH" in variables else {}
    return (
        noted(
            "confinement",
            "this version",
            "it runs workers, checks and the integrator unconfined, whatever the host offers",
            "run it as a user, or in a container, that may lose what it can write",
        ),
        _program_row("bubblewrap", _BUBBLEWRAP, environment, "install the package bubblewrap"),
        _program_row("user namespaces", _NAMESPACE, environment, "install the package util-linux"),
        _landlock_row(),
        _seccomp_row(),
    )


def _program_row(
    what: str, argv: tuple[str, ...], environment: Mapping[str, str], install: str
) -> Row:
    if shutil.which(argv[0], path=environment.get("PATH")) is None:
        return noted("confinement", what, f"program {argv[0]!r} is not on PATH", install)
    try:
        done = asked(argv, env={**environment, "LC_ALL": "C"}, cwd=Path("/"), seconds=_SECONDS)
    except FactoryError as error:
        return noted("confinement", what, str(error), error.hint)
    if done.exit_code == 0:
        return ok("confinement", what, f"`{' '.join(argv)}` ran")
    return noted("confinement", what, done.complaint, _remedy())


def _remedy() -> str:
    return next((hint for name, value, hint in _CLOSING if kernel_setting(name) == value), _ELSE)


def _landlock_row() -> Row:
    version = landlock_version()
    if version:
        return ok("confinement", "Landlock", f"interface {version}")
    if sys.platform != "linux":
        return noted("confinement", "Landlock", "only Linux has it")
    if landlock_is_switched_off():
        hint = "add landlock to lsm= on the kernel's command line"
        return noted("confinement", "Landlock", "the kernel was started without it", hint)
    hint = "Linux 5.13 and newer have it (CONFIG_SECURITY_LANDLOCK); a container may forbid it"
    return noted("confinement", "Landlock", "the kernel does not offer it", hint)


def _seccomp_row() -> Row:
    mode = seccomp_mode()
    if mode is None:
        return noted("confinement", "seccomp", "the kernel does not offer it")
    within = "; this process runs under a filter already" if mode else ""
    return ok("confinement", "seccomp", f"the kernel offers it{within}")
