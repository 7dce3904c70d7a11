"""Writes a file; its first thread ends, another lives on: the kernel shows it as a zombie."""

import ctypes
import sys
import threading
import time
from pathlib import Path

SYS_EXIT = {"x86_64": 60, "aarch64": 93}
Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
Path(sys.argv[1]).write_text("done\n", "utf-8")
threading.Thread(target=time.sleep, args=(60,)).start()
ctypes.CDLL(None).syscall(SYS_EXIT[sys.argv[2]], 0)
