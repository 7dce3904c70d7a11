"""What the kernel grants a user's number alone, without any capability: settings, and limits."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.confined.tiers import KEPT, under
from tools.codex.factory.domain.confinement import Tier
from tools.codex.factory.process.child import Completed, asked

_OPENS = """
import os, sys
for folder, _, names in os.walk("/proc/sys"):
    for name in names:
        try:
            os.close(os.open(os.path.join(folder, name), os.O_WRONLY))
        except OSError:
            continue
        sys.exit(os.path.join(folder, name))
"""
_LIMITS = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
resource.prlimit(int(sys.argv[1]), resource.RLIMIT_CPU, (1, 1))
"""


def ran(tier: Tier, folder: Path, script: str, *words: str) -> Completed:
    """Return what came of a script of Python, confined by `tier`."""
    argv, rules = under(tier, sys.executable, "-I", "-S", "-c", script, *words, folder=folder,
                        readable=(sys.prefix, sys.base_prefix))  # fmt: skip
    return asked(argv, env={"PATH": os.defpath}, cwd=folder, seconds=60, rules=rules)


@pytest.mark.parametrize("tier", KEPT)
def test_no_setting_of_the_kernel_can_be_opened_to_be_written(tier: Tier, tmp_path: Path) -> None:
    done = ran(tier, tmp_path, _OPENS)

    assert (done.exit_code, done.stderr) == (0, b"")


@pytest.mark.parametrize("tier", KEPT)
def test_no_limit_can_be_set_on_a_process_outside(tier: Tier, tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as outside:
        before = resource.prlimit(outside.pid, resource.RLIMIT_CPU)

        done = ran(tier, tmp_path, _LIMITS, str(outside.pid))

        after = resource.prlimit(outside.pid, resource.RLIMIT_CPU)
        outside.kill()
    assert after == before
    assert done.exit_code == 1
    assert b", line 4" in done.stderr
