"""Writes a file and leaves a process that forks on and on, each parent ending at once."""

import os
import sys
import time
from pathlib import Path

name = sys.argv[1]
Path(name).parent.mkdir(parents=True, exist_ok=True)
Path(name).write_text("done\n", "utf-8")
if os.fork() == 0:
    os.setsid()
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if os.fork():
            os._exit(0)
    os._exit(0)
