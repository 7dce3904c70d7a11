"""Writes a file and leaves many processes, each of which has one more child."""

import os
import sys
import time
from pathlib import Path

Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
Path(sys.argv[1]).write_text("done\n", "utf-8")
for _ in range(int(sys.argv[2])):
    if os.fork() == 0:
        os.fork()
        time.sleep(60)
        os._exit(0)
