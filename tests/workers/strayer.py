"""Tries to write in every way that it knows, held to one folder; says what became of each try."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tools.codex.factory.process.audit import WriteRefused, keep_within


def tries(folder: Path) -> dict[str, Callable[[], object]]:
    """Return every try, by name; each is about files that lie in `folder`."""
    file, other, below = folder / "file", folder / "other", folder / "below"
    above = os.open(folder, os.O_RDONLY)
    return {
        "open w": lambda: file.open("w").close(),
        "open a": lambda: file.open("ab").close(),
        "open r+": lambda: file.open("r+").close(),
        "open x": lambda: (folder / "new").open("x").close(),
        "os.open": lambda: os.close(os.open(bytes(folder / "made"), os.O_CREAT | os.O_WRONLY)),
        "chmod": lambda: file.chmod(0o600),
        "chown": lambda: os.chown(file, os.getuid(), os.getgid()),
        "utime": lambda: os.utime(file, (1, 1)),
        "truncate": lambda: os.truncate(file, 1),
        "setxattr": lambda: os.setxattr(file, "user.a", b"b"),
        "link": lambda: os.link(file, folder / "hard"),
        "symlink": lambda: os.symlink("file", folder / "soft"),
        "rename": lambda: os.rename(file, other),
        "replace": lambda: os.replace(other, file),
        "mkdir": below.mkdir,
        "rmdir": below.rmdir,
        "makedirs": lambda: os.makedirs(folder / "a" / "b"),
        "copytree": lambda: shutil.copytree(folder / "a", folder / "c"),
        "move": lambda: shutil.move(folder / "c", folder / "d"),
        "rmtree": lambda: shutil.rmtree(folder / "d"),
        "mkstemp": lambda: tempfile.mkstemp(dir=folder),
        "mkdtemp": lambda: tempfile.mkdtemp(dir=folder),
        "mkdir at": lambda: os.mkdir("at", dir_fd=above),
        "rename at": lambda: os.rename("at", "to", src_dir_fd=above, dst_dir_fd=above),
        "remove": file.unlink,
    }


def main() -> None:
    """Try everything in `argv[2]`, held to `argv[1]`, and answer as JSON."""
    kept, folder = Path(sys.argv[1]), Path(sys.argv[2])
    heard: list[WriteRefused] = []
    keep_within(str(kept), heard.append)
    said: dict[str, str] = {}
    for name, act in tries(folder).items():
        try:
            act()
            said[name] = "done"
        except WriteRefused as refused:
            said[name] = f"refused {refused.filename}"
        except OSError as error:
            said[name] = str(error.strerror)
    Path(os.devnull).write_text("nothing")
    sys.stdout.write(json.dumps({"said": said, "heard": len(heard)}))


if __name__ == "__main__":
    main()
