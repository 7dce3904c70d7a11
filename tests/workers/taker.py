"""Writes a file, then takes a lot: `taker.py OUT forks|bombs|data|shared|file|files|stays AMOUNT`.

All of it has an end: a limit that does not hold costs the host no more than AMOUNT.
"""

import mmap
import os
import sys
import time
from pathlib import Path

out, kind, amount = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
out.parent.mkdir(parents=True, exist_ok=True)
out.write_text("done\n", "utf-8")
MIB = 1 << 20
if kind in ("forks", "bombs"):
    count = 0
    try:
        for _ in range(amount):
            if os.fork() == 0:
                # What holds no pipe of ours keeps nobody waiting.
                os.setsid()
                time.sleep(60)
                os._exit(0)
            count += 1
    except OSError as error:
        sys.stdout.write(f"{count} {error.strerror}\n")
    else:
        sys.stdout.write(f"{count}\n")
    sys.stdout.flush()
    time.sleep(60 if kind == "bombs" else 0)
elif kind == "data":
    held = bytearray(amount * MIB)
elif kind == "shared":
    area = mmap.mmap(-1, amount * MIB)
    for place in range(0, amount * MIB, mmap.PAGESIZE):
        area[place] = 1
elif kind == "file":
    with out.with_name("large").open("wb") as file:
        for _ in range(amount):
            file.write(bytes(MIB))
else:
    for number in range(amount * 16):
        out.with_name(f"{number}.bin").write_bytes(bytes([number % 256]) * (1 << 16))
    time.sleep(60 if kind == "stays" else 0)
