"""System calls that no confined command needs, and that lead out or to the kernel's weak spots."""

from tools.codex.factory.domain.confinement import Confinement
from tools.codex.factory.sandbox.calls import ARCHITECTURES
from tools.codex.factory.sandbox.filter import Condition, Rule, program, refused_with

_NOT_PERMITTED, _NO_SUCH_CALL, _NO_SUCH_FAMILY = 1, 38, 97
_UNIX, _INTERNET, _INTERNET_6, _NETLINK = 1, 2, 10, 16
# Typing into the terminal (TIOCSTI), and its console's clipboard (TIOCLINUX).
_TERMINAL = (0x5412, 0x541C)
_NEW_USER_NAMESPACE = 0x10000000
_NEVER = (
    # Keys of the user's session.
    "add_key", "request_key", "keyctl",
    # Calls that are made behind the back of every filter.
    "io_uring_setup", "io_uring_enter", "io_uring_register",
    # Files by number, past every path; or another process's, as those of the wrapper.
    "open_by_handle_at", "pidfd_getfd",
    # The kernel itself.
    "bpf", "perf_event_open", "userfaultfd", "kexec_load", "kexec_file_load", "init_module",
    "finit_module", "delete_module", "acct", "swapon", "swapoff", "reboot", "quotactl",
)  # fmt: skip


def refusals(
    confinement: Confinement, machine: str, *, has_own_network: bool, has_own_processes: bool
) -> tuple[bytes, ...]:
    """Return the seccomp programs of a confinement: none on a machine whose calls are not known.

    `has_own_network`: without network there still is one of its own, that leads nowhere.
    `has_own_processes`: it sees no others, so it may set limits on those that it sees.
    """
    architecture = ARCHITECTURES.get(machine)
    if architecture is None:
        return ()
    numbers = architecture.numbers
    refused = refused_with(_NOT_PERMITTED)
    rules = [Rule(numbers[name], refused) for name in _NEVER]
    rules.append(Rule(numbers["ioctl"], refused, Condition(1, _TERMINAL)))
    is_cut_off = not (confinement.network or has_own_network)
    families = (_UNIX,) if is_cut_off else (_UNIX, _INTERNET, _INTERNET_6, _NETLINK)
    other = Condition(0, families, is_any=False)
    rules.append(Rule(numbers["socket"], refused_with(_NO_SUCH_FAMILY), other))
    if not has_own_processes:
        # The kernel asks for the same user alone: a limit on time would kill who is outside.
        others = Condition(0, (0,), is_any=False)
        rules.append(Rule(numbers["prlimit64"], refused, others))
    if not confinement.nests:
        new_user = Condition(0, bits=_NEW_USER_NAMESPACE)
        rules += [Rule(numbers[name], refused, new_user) for name in ("unshare", "clone")]
        # Its flags lie in memory; libraries try `clone` where the kernel has no such call.
        rules.append(Rule(numbers["clone3"], refused_with(_NO_SUCH_CALL)))
        rules.append(Rule(numbers["setns"], refused))
    return (program(architecture.audit_code, rules, foreign=refused_with(_NO_SUCH_CALL)),)
