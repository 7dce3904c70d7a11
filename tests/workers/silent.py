"""Writes a file, says one word, and then nothing any more."""

import sys
import time
from pathlib import Path

Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
Path(sys.argv[1]).write_text("done\n", "utf-8")
sys.stdout.write("begun\n")
sys.stdout.flush()
time.sleep(60)
