"""System calls by name: their numbers, and how audit names the architecture."""

from dataclasses import dataclass, field

# include/uapi/linux/audit.h
_AUDIT_X86_64 = 0xC000003E
_AUDIT_AARCH64 = 0xC00000B7
# Since Linux 5.1 a new call has the same number everywhere.
_EVERYWHERE = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "clone3": 435, "openat2": 437, "pidfd_getfd": 438, "fchmodat2": 452,
    "setxattrat": 463, "removexattrat": 466, "file_setattr": 469,
}  # fmt: skip
_X86_64 = {
    "open": 2, "ioctl": 16, "socket": 41, "connect": 42, "clone": 56, "truncate": 76,
    "rename": 82, "mkdir": 83, "rmdir": 84, "creat": 85, "link": 86, "unlink": 87,
    "symlink": 88, "chmod": 90, "chown": 92, "lchown": 94, "utime": 132, "mknod": 133,
    "acct": 163, "mount": 165, "swapon": 167, "swapoff": 168, "reboot": 169,
    "init_module": 175, "delete_module": 176, "quotactl": 179,
    "setxattr": 188, "lsetxattr": 189, "removexattr": 197, "lremovexattr": 198,
    "utimes": 235, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250,
    "openat": 257, "mkdirat": 258, "mknodat": 259, "fchownat": 260, "futimesat": 261,
    "unlinkat": 263, "renameat": 264, "linkat": 265, "symlinkat": 266, "fchmodat": 268,
    "unshare": 272, "utimensat": 280, "perf_event_open": 298, "open_by_handle_at": 304,
    "prlimit64": 302, "setns": 308, "finit_module": 313, "renameat2": 316, "kexec_file_load": 320,
    "bpf": 321, "userfaultfd": 323,
}  # fmt: skip
_AARCH64 = {
    "setxattr": 5, "lsetxattr": 6, "removexattr": 14, "lremovexattr": 15, "ioctl": 29,
    "mknodat": 33, "mkdirat": 34, "unlinkat": 35, "symlinkat": 36, "linkat": 37,
    "renameat": 38, "mount": 40, "truncate": 45, "fchmodat": 53, "fchownat": 54,
    "openat": 56, "quotactl": 60, "utimensat": 88, "acct": 89, "unshare": 97,
    "kexec_load": 104, "init_module": 105, "delete_module": 106, "reboot": 142,
    "socket": 198, "connect": 203, "add_key": 217, "request_key": 218, "keyctl": 219,
    "clone": 220, "swapon": 224, "swapoff": 225, "perf_event_open": 241,
    "prlimit64": 261, "open_by_handle_at": 265, "setns": 268, "finit_module": 273, "renameat2": 276,
    "bpf": 280, "userfaultfd": 282, "kexec_file_load": 294,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Architecture:
    """One architecture: its audit code, and the number of each call that it has."""

    audit_code: int
    numbers: dict[str, int] = field(hash=False)


ARCHITECTURES = {
    "x86_64": Architecture(_AUDIT_X86_64, {**_EVERYWHERE, **_X86_64}),
    "aarch64": Architecture(_AUDIT_AARCH64, {**_EVERYWHERE, **_AARCH64}),
}
"""By the name that the kernel gives its machine. Any other has no filter."""
