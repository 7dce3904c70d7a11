"""Writes a file and ends its supervisor, the first times that it runs: `killer.py FILE 9 COUNT`."""

import os
import sys
import time
from pathlib import Path

name, number, count = sys.argv[1:]
Path(name).parent.mkdir(parents=True, exist_ok=True)
Path(name).write_text("done\n", "utf-8")
with Path(count).open("a", encoding="ascii") as file:
    file.write("x")
if len(Path(count).read_text("ascii")) < 7:
    os.kill(os.getppid(), int(number))
    time.sleep(60)
