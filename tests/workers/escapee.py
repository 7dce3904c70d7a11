"""Writes a file and leaves a daemon behind: two forks, a session of its own, deaf to TERM.

`escapee.py FILE stay` stays itself; `leave` ends well; `bare` stays, and the daemon has forgotten
its environment and carries MARKER on its command line only: `escapee.py FILE bare MARKER`.
"""

import os
import signal
import sys
import time
from pathlib import Path

name, how, *marker = sys.argv[1:]
if name != "daemon":
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    ready, told = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for handle in (0, 1, 2):
            os.dup2(nowhere, handle)
        os.write(told, b"x")
        if how == "bare":
            words = [sys.executable, "-I", "-S", __file__, "daemon", "-", *marker]
            os.execve(sys.executable, words, {})
        time.sleep(60)
        os._exit(0)
    os.read(ready, 1)
    Path(name).write_text("done\n", "utf-8")
if how != "leave":
    time.sleep(60)
