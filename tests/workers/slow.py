"""Writes a file, then talks and takes its time."""

import sys
import time
from pathlib import Path

Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
Path(sys.argv[1]).write_text("done\n", "utf-8")
for _ in range(600):
    sys.stdout.write("still here\n")
    sys.stdout.flush()
    time.sleep(0.1)
