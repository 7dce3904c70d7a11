"""A quota becomes limits of the kernel on each process, as far as the kernel keeps them."""

import resource

import pytest

from tools.codex.factory.domain.confinement import Quota
from tools.codex.factory.sandbox.limits import rlimits

CORE = (resource.RLIMIT_CORE, 0)


@pytest.mark.parametrize("is_root", [True, False])
def test_without_a_quota_only_cores_are_limited(is_root: bool) -> None:
    assert rlimits(Quota(), is_root=is_root, running=70) == (CORE,)


def test_each_part_of_a_quota_is_one_limit() -> None:
    quota = Quota(memory_bytes=1 << 30, file_bytes=1 << 20, checkout_bytes=5, processes=40)

    assert rlimits(quota, is_root=False, running=2) == (
        CORE,
        (resource.RLIMIT_FSIZE, 1 << 20),
        (resource.RLIMIT_DATA, 1 << 30),
        (resource.RLIMIT_NPROC, 42),
    )


def test_the_number_of_processes_is_no_limit_to_root() -> None:
    assert rlimits(Quota(processes=40), is_root=True) == (CORE,)
