"""The built-in rehearsal worker, a program of its own: one small file, or a declared no-op."""

import json
import sys
from pathlib import Path


def main(words: list[str]) -> int:
    """Be told who works, where its outbox is, and maybe a path; write that file, and say so."""
    worker, outbox, *paths = words[0], Path(words[1]), *words[2:]
    said: dict[str, object] = {"summary": f"rehearsal of {worker}"}
    if paths:
        path = Path(paths[0])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{worker} was here: a rehearsal, to be thrown away.\n", "utf-8")
    else:
        said["no_change"] = "a rehearsal, and the scope holds no folder to write in"
    (outbox / "HANDOFF_NOTE.json").write_text(json.dumps(said), "utf-8")
    (outbox / "SUMMARY.md").write_text(f"# {worker}\n\nA rehearsal.\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
