"""Turns a file into another and back, as fast as it can, until it is killed."""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

ONE, OTHER = b"a" * 200_000 + b"\n", b"b" * 200_000 + b"\n"


def cleared(path: str) -> None:
    """Take away whatever stands there."""
    with suppress(FileNotFoundError):
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        else:
            os.unlink(path)


def turn(how: str, path: str, aside: str) -> None:
    """Turn it once, there and back."""
    if how == "replaced":
        for content in (OTHER, ONE):
            with Path(aside).open("wb") as file:
                file.write(content)
            os.replace(aside, path)
    elif how == "rewritten":
        for content in (OTHER, ONE):
            with Path(path).open("r+b") as file:
                file.write(content)
    elif how == "grown":
        with Path(path).open("ab") as file:
            for _ in range(20):
                file.write(b"more")
                file.flush()
        os.truncate(path, len(ONE))
    elif how == "cut":
        os.truncate(path, len(ONE) // 2)
        with Path(path).open("r+b") as file:
            file.write(ONE)
    elif how == "swap":
        os.rename(path, path + ".away")
        os.symlink(aside, path)
        # As long as it takes to be read through it.
        time.sleep(0.0003)
        os.unlink(path)
        os.rename(path + ".away", path)
        time.sleep(0.0001)
    else:
        cleared(path)
        {"link": lambda: os.symlink("/etc/passwd", path), "pipe": lambda: os.mkfifo(path),
         "folder": lambda: os.mkdir(path)}[how]()  # fmt: skip
        cleared(path)
        with Path(aside).open("wb") as file:
            file.write(ONE)
        os.replace(aside, path)


HOW, PATH, ASIDE = sys.argv[1:4]
os.write(1, b"ready\n")
while True:
    turn(HOW, PATH, ASIDE)
