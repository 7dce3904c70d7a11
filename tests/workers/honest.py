"""Writes each file that it is told to, and ends well."""

import sys
from pathlib import Path

for name in sys.argv[1:]:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("done\n", "utf-8")
