"""Starts one command in a tier and waits: it is killed meanwhile, to see what lives on."""

import subprocess
import sys
import time
from pathlib import Path
from typing import cast

from tests.confined.tiers import under
from tools.codex.factory.domain.confinement import Tier
from tools.codex.factory.process.spawn import Pipes, Spawned

tier, folder = cast(Tier, sys.argv[1]), Path(sys.argv[2])
argv, rules = under(tier, "sh", "-c", "echo $$ > begun; exec sleep 60", folder=folder)
pipes = Pipes(subprocess.DEVNULL, subprocess.DEVNULL, subprocess.DEVNULL)
with Spawned(
    argv,
    rules=rules,
    env={"PATH": "/usr/bin:/bin", "MARKER": str(folder)},
    cwd=folder,
    pipes=pipes,
    tied=True,
):
    time.sleep(60)
