"""Writes files, and once fills a disk: `filler.py OUT COUNT BYTES DISK KIND LEFT MARK`.

COUNT files of BYTES bytes are written below OUT. Where MARK is not there, DISK is filled first, up
to LEFT bytes or files (KIND).
"""

import os
import random
import sys
from pathlib import Path

out, disk, kind, mark = Path(sys.argv[1]), Path(sys.argv[4]), sys.argv[5], Path(sys.argv[7])
count, size, left = int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[6])
with mark.with_name(mark.name + ".runs").open("a") as file:
    file.write("x")
if kind != "none" and not mark.exists():
    mark.touch()
    filler = disk / "filler"
    filler.mkdir(exist_ok=True)
    if kind == "bytes":
        state = os.statvfs(disk)
        handle = os.open(filler / f"bytes-{os.getpid()}", os.O_CREAT | os.O_WRONLY)
        if state.f_bavail * state.f_frsize > left:
            os.posix_fallocate(handle, 0, state.f_bavail * state.f_frsize - left)
        os.close(handle)
    else:
        number = 0
        while os.statvfs(disk).f_favail > left:
            (filler / str(number)).touch()
            number += 1
out.mkdir(parents=True, exist_ok=True)
for number in range(count):
    content = random.Random(f"{out.name} {number}").randbytes(size)
    (out / f"{number}.bin").write_bytes(content)
