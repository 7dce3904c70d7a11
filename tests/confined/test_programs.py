"""Real programs work inside: whatever keeps a worker or a check, it can do its work."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.confined.scene import variables_of
from tests.confined.tiers import missing
from tests.conftest import Factory
from tests.work import Work
from tools.codex.factory.domain.confinement import Tier

pytestmark = pytest.mark.slow

_GIT = """
set -e
echo more >> src/app.txt
git add -A
git -c user.name=a -c user.email=a@localhost commit -q -m work
git status --porcelain
git log --oneline
git stash list
git gc -q
"""
_PYTEST = """
cat > src/test_it.py <<'END'
import tempfile
def test_folder(tmp_path):
    (tmp_path / "a").write_text("a")
def test_temporary():
    with tempfile.NamedTemporaryFile() as one:
        one.write(b"a")
    tempfile.mkstemp(dir="/tmp") if tempfile.gettempdir() == "/tmp" else None
END
PYTHON -m pytest -q -p no:cacheprovider src/test_it.py
rm src/test_it.py
"""
_NODE = """
cat > app.ignored.js <<'END'
const fs = require("fs"), http = require("http"), os = require("os"), path = require("path");
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "a-"));
fs.writeFileSync(path.join(folder, "a"), "a");
const server = http.createServer((_, answer) => answer.end("heard"));
server.listen(0, "127.0.0.1", () => http.get({port: server.address().port}, answer => {
  answer.on("data", said => console.log(String(said)));
  answer.on("end", () => server.close());
}));
server.on("error", error => { console.log(error.code); process.exit(3); });
END
node app.ignored.js
"""
_NODE_FILES = """
node -e 'const fs=require("fs");fs.writeFileSync("a.ignored","a");
require("child_process").execFileSync("sh",["-c","true"]);
new (require("worker_threads").Worker)("0",{eval:true})'
"""
_GCC = """
set -e
printf '#include <stdio.h>\\nint main(void){puts("ran");return 0;}\\n' > a.ignored.c
gcc -O1 -o a.ignored a.ignored.c
./a.ignored
"""
_VENV = """
set -e
PYTHON -m venv .venv
PYTHON - <<'END'
import zipfile
named = "small-1.dist-info"
meta = "Metadata-Version: 2.1\\nName: small\\nVersion: 1\\n"
tags = "Wheel-Version: 1.0\\nGenerator: a\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
with zipfile.ZipFile("small-1-py3-none-any.whl", "w") as wheel:
    wheel.writestr("small.py", "VALUE = 7\\n")
    wheel.writestr(f"{named}/METADATA", meta)
    wheel.writestr(f"{named}/WHEEL", tags)
    wheel.writestr(f"{named}/RECORD", "")
END
.venv/bin/python -m pip install -q --no-index --disable-pip-version-check small-1-py3-none-any.whl
rm small-1-py3-none-any.whl
.venv/bin/python -c 'import small; assert small.VALUE == 7 and ".venv" in small.__file__'
"""
_PROCESSES = """
PYTHON - <<'END'
import asyncio, multiprocessing, sqlite3
def double(number):
    return 2 * number
async def spoken():
    child = await asyncio.create_subprocess_exec("echo", "a", stdout=asyncio.subprocess.PIPE)
    return (await child.communicate())[0]
if __name__ == "__main__":
    multiprocessing.Lock()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(double, [1, 2]) == [2, 4]
    queue = multiprocessing.Queue()
    queue.put(1)
    assert queue.get() == 1
    base = sqlite3.connect("a.ignored.db")
    base.execute("pragma journal_mode=wal")
    base.execute("create table a (b)")
    base.commit()
    assert asyncio.run(spoken()) == b"a\\n"
END
"""
_TAR = """
set -e
tar cf a.ignored.tar src
mkdir -p b.ignored
tar xf a.ignored.tar -C b.ignored
cmp src/app.txt b.ignored/src/app.txt
gzip -k a.ignored.tar
"""
_TERMINAL = """
PYTHON -c 'import pty,sys; sys.exit(pty.spawn(["sh", "-c", "test -t 0 && tty"]))'
"""
_CACHES = """
set -e
test -d "$HOME"
mkdir -p "$HOME/.npm/_cacache" "$XDG_CACHE_HOME/pip" "$HOME/.config/tool"
echo a > "$HOME/.npm/_cacache/a"
PYTHON -c 'import pathlib; (pathlib.Path.home() / ".local").mkdir()'
mktemp
"""
_NESTED = """
set -e
bwrap --unshare-user --unshare-pid --ro-bind / / --dev /dev --bind "$PWD" "$PWD" --chdir "$PWD" \
  sh -c 'echo inner > src/inner.txt; ! echo no > /etc/factory-nested 2> /dev/null'
"""
_NO_NESTING = "! unshare --user true && ! bwrap --unshare-user --ro-bind / / true"
_NEEDS = {"git": "git", "node": "node", "node_files": "node", "gcc": "gcc", "tar": "tar"}
_SCRIPTS = {
    "git": _GIT, "pytest": _PYTEST, "node": _NODE, "node_files": _NODE_FILES, "gcc": _GCC,
    "venv": _VENV, "processes": _PROCESSES, "tar": _TAR, "terminal": _TERMINAL, "caches": _CACHES,
}  # fmt: skip


class Ran:
    """The programs of one tier, each by a worker and by a check, in one run."""

    def __init__(self, tier: Tier, folder: Path) -> None:
        """Run them."""
        self.tier = tier
        repo = Repo.make(folder / "repo")
        repo.write("src/app.txt", "one\n")
        repo.write(".gitignore", "*.ignored*\n.venv/\n__pycache__/\n.pytest_cache/\n")
        repo.commit()
        (folder / "home").mkdir()
        work = Work(repo, Factory(repo.path, folder / "home"), folder)
        checks = []
        self.programs = [("worker", name) for name in _there()]
        for name in _there():
            # What a worker has to show for it is a file of its own.
            done = f"({_script(name)}\n) && mkdir -p src && echo done > src/{name}.txt"
            work.add(name, allow=["src/**"], shared=["src/app.txt"], command=["sh", "-c", done])
            if name != "venv":
                # That is what a setup makes.
                command = ["sh", "-c", _script(name)]
                checks.append({"name": name, "command": command, "required": False})
                self.programs.append(("check", name))
        if _nests():
            work.add("nested", allow=["src/**"], command=["sh", "-c", _NESTED])
            checks.append(
                {"name": "nested", "command": ["sh", "-c", _NO_NESTING], "required": False}
            )
        more = {
            **variables_of(tier, folder),
            "FACTORY_WORK__ROOT": str(folder / "work"),
            "FACTORY_INTEGRATE__ON_BLOCKED": "exclude",
        }
        self.ended = work.factory(
            *("oneshot", "--plan", work.plan(checks=checks), "--json"), env=more
        )
        self.run = work.run(self.ended)

    def said(self, role: str, name: str) -> str:
        """Return all that a program said."""
        folder = self.run / (name if role == "worker" else "Z_integrator") / "LOGS"
        logs = sorted(folder.glob("*.log"))
        return "".join(f"{log.name}:\n{log.read_text('utf-8', 'replace')}" for log in logs)

    def passed(self, role: str, name: str) -> bool:
        """Return whether a program did its work."""
        if role == "check":
            status = json.loads((self.run / "Z_integrator" / "STATUS.json").read_bytes())
            found = {one["name"]: str(one["result"]) for one in status["checks"]}
            return found[name] == "passed"
        return f"+++ b/src/{name}.txt".encode() in (self.run / name / "DIFF.patch").read_bytes()


def _script(name: str) -> str:
    return _SCRIPTS[name].replace("PYTHON", sys.executable)


def _there() -> list[str]:
    return [name for name in _SCRIPTS if _absence(name) == ""]


def _absence(name: str) -> str:
    program = _NEEDS.get(name, "sh")
    if shutil.which(program) is None:
        return f"{program} is not on PATH"
    return ""


def _nests() -> bool:
    return all(shutil.which(program) for program in ("bwrap", "unshare"))


@pytest.mark.parametrize("tier", ["bubblewrap", "landlock"])
def test_programs_work_inside(tier: Tier, tmp_path: Path) -> None:
    if why := missing(tier):
        pytest.skip(why)

    ran = Ran(tier, tmp_path)

    # Without network Landlock leaves a check no socket but those with a path, not even its own.
    failed = {one for one in ran.programs if not ran.passed(*one)}
    assert failed == ({("check", "node")} if tier == "landlock" else set()), "".join(
        ran.said(*one) for one in failed
    )
    if _nests():
        # The mounts of a bubblewrap are refused to whom Landlock holds, and a check may not nest.
        diff = (ran.run / "nested" / "DIFF.patch").read_bytes()
        assert (b"+inner" in diff) is (tier == "bubblewrap")
        assert ran.passed("check", "nested")
        assert not os.path.exists("/etc/factory-nested")


def test_there_is_a_program_for_every_script() -> None:
    lacking = {name: why for name in _SCRIPTS if (why := _absence(name))}

    if lacking:
        pytest.skip(f"not tried: {lacking}")
