"""Writes a file, says `MIB` on stdout and on stderr, then how much memory its parent has used."""

import os
import sys
from pathlib import Path

name, most = sys.argv[1:]
Path(name).parent.mkdir(parents=True, exist_ok=True)
block = b"flood\n" * (1 << 14)
for handle in (1, 2):
    for _ in range(int(most) * (1 << 20) // len(block)):
        left = memoryview(block)
        while left:
            left = left[os.write(handle, left) :]
    os.write(handle, b"the end\n")
status = Path(f"/proc/{os.getppid()}/status").read_text("ascii").split()
Path(name).write_text(status[status.index("VmHWM:") + 1], "ascii")
