"""Writes a file, then exits with a code, or ends by a signal: `crasher.py FILE exit 7`."""

import os
import sys
from pathlib import Path

name, how, number = sys.argv[1:]
Path(name).parent.mkdir(parents=True, exist_ok=True)
Path(name).write_text("done\n", "utf-8")
if how == "exit":
    sys.exit(int(number))
os.kill(os.getpid(), int(number))
