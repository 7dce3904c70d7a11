"""What a process may take by itself: a quota as limits of the kernel on each process."""

import resource

from tools.codex.factory.domain.confinement import Quota


def rlimits(quota: Quota, *, is_root: bool, running: int = 0) -> tuple[tuple[int, int], ...]:
    """Return the limits on each process that a quota asks for: which, and how much.

    `running` are the processes and threads that the user has already: the kernel counts all of
    one user together. It does not hold root to their number.
    """
    found = [(resource.RLIMIT_CORE, 0)]
    if quota.file_bytes:
        found.append((resource.RLIMIT_FSIZE, quota.file_bytes))
    if quota.memory_bytes:
        # Not RLIMIT_AS: node, Go and Java reserve far more than they use. node 20 could not make
        # one WebAssembly.Memory within 8 GiB of it, nor a worker thread within 2 GiB; it did both
        # within 128 MiB of data.
        found.append((resource.RLIMIT_DATA, quota.memory_bytes))
    if quota.processes and not is_root:
        found.append((resource.RLIMIT_NPROC, quota.processes + running))
    return tuple(found)
