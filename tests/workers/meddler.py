"""Writes a file, then does something to its checkout or outbox that nobody should."""

import os
import shutil
import sys
from pathlib import Path

name, what, *words = sys.argv[1:]
here, outbox = Path.cwd(), Path(os.environ["FACTORY_OUTBOX"])
Path(name).parent.mkdir(parents=True, exist_ok=True)
Path(name).write_text("done\n", "utf-8")
if what == "git-removed":
    shutil.rmtree(".git")
elif what == "git-linked":
    shutil.rmtree(".git")
    os.symlink(words[0], ".git")
elif what == "refs-linked":
    shutil.rmtree(".git/refs")
    os.symlink(words[0], ".git/refs")
elif what == "read-only":
    for folder, _, files in os.walk(".", topdown=False):
        for one in files:
            path = Path(folder, one)
            path.chmod(path.stat().st_mode & 0o555)
        Path(folder).chmod(0o500)
elif what == "checkout-removed":
    shutil.rmtree(here)
elif what == "checkout-linked":
    shutil.rmtree(here)
    os.symlink(words[0], here)
elif what == "attempt-removed":
    shutil.rmtree(here.parent)
elif what == "nested":
    nested = Path(name).parent / "nested"
    shutil.copytree(".git", nested / ".git")
    (nested / "file").write_text("x", "utf-8")
elif what == "outbox-filled":
    for number in range(1500):
        (outbox / f"{number}.txt").write_text("x", "utf-8")
    with (outbox / "HANDOFF_NOTE.json").open("wb") as file:
        file.truncate(1 << 30)
    os.symlink(words[0], outbox / "SUMMARY.md")
    os.mkfifo(outbox / "SUGGESTIONS.md")
elif what == "outbox-linked":
    outbox.rmdir()
    os.symlink(words[0], outbox)
elif what == "temporary-named":
    (here.parent / "temporary").write_text(words[0], "utf-8")
elif what == "summary-odd":
    (outbox / "SUMMARY.md").write_bytes(b"\xff\0\x1b[31m")
    (outbox / "HANDOFF_NOTE.json").write_text("[" * 100_000, "utf-8")
elif what == "supervisor-told":
    with Path(f"/proc/{os.getppid()}/fd/1").open("w", encoding="ascii") as file:
        file.write("no news\n")
