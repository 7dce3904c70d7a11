"""Real programs work inside: whatever keeps a worker or a check, it can do its work."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import Repo
from tests.conftest import Factory
from tests.confined.scene import missing, variables_of
from tests.work import Work
from tools.codex.factory.domain.confinement import TIERS, Tier

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
require("child_process").execFileSync("sh",["-c","true"]);new (require("worker_threads").Worker)("0",{eval:true})'
"""
_GCC = """
set -e
printf '#include <stdio.h>\\nint main(void){puts("ran");return 0;}\\n' > a.ignored.c
gcc -O1 -o a.ignored a.ignored.c
./a.ignored
"""
_VENV = """
set -e
PYTHON -m venv --system-site-packages .venv
mkdir -p pkg.ignored/small
echo 'VALUE = 7' > pkg.ignored/small/__init__.py
cat > pkg.ignored/setup.py <<'END'
from setuptools import setup
setup(name="small", version="1", packages=["small"])
END
.venv/bin/python -m pip install -q --no-index --no-build-isolation --disable-pip-version-check ./pkg.ignored
.venv/bin/python -c 'import small; assert small.VALUE == 7; assert ".venv" in small.__file__'
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
_PYTHON = ("pytest", "venv", "processes", "terminal", "caches")
_NO_LOOPBACK = {("landlock", "node")}
"""Without network Landlock leaves a check no sockets but those with a path, not even its own."""


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
        for name in _there():
            # What a worker has to show for it is a file of its own.
            done = f"({_script(name)}\n) && mkdir -p src && echo done > src/{name}.txt"
            work.add(name, allow=["src/**"], shared=["src/app.txt"], command=["sh", "-c", done])
            checks.append(
                {"name": name, "command": ["sh", "-c", _script(name)], "required": False}
            )
        if tier != "unconfined" and shutil.which("bwrap") and shutil.which("unshare"):
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
        folder = self.run / name / "LOGS"
        stem = "worker"
        if role == "check":
            folder, stem = self.run / "Z_integrator" / "LOGS", f"check-{1 + _there().index(name)}"
        logs = [folder / f"{stem}.{stream}.log" for stream in ("stdout", "stderr")]
        return "".join(log.read_text("utf-8", "replace") for log in logs if log.exists())

    def passed(self, role: str, name: str) -> bool:
        """Return whether a program did its work."""
        if role == "check":
            found = {one["name"]: one for one in self.ended.answer["checks"]}
            return bool(found[name]["status"] == "passed")
        return f"+++ b/src/{name}.txt".encode() in (self.run / name / "DIFF.patch").read_bytes()


def _script(name: str) -> str:
    return _SCRIPTS[name].replace("PYTHON", sys.executable)


def _there() -> list[str]:
    return [name for name in _SCRIPTS if _absence(name) == ""]


def _absence(name: str) -> str:
    program = _NEEDS.get(name, "sh")
    if shutil.which(program) is None:
        return f"{program} is not on PATH"
    if name == "venv" and importlib.util.find_spec("setuptools") is None:
        return "there is no setuptools to build with"
    return ""


@pytest.fixture(scope="module", params=TIERS)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """Return what the programs came to under each tier."""
    if why := missing(request.param):
        pytest.skip(why)
    yield Ran(request.param, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("role", ["worker", "check"])
@pytest.mark.parametrize("name", _SCRIPTS)
def test_a_program_works_inside(ran: Ran, role: str, name: str) -> None:
    if why := _absence(name):
        pytest.skip(why)

    is_cut_off = role == "check" and (ran.tier, name) in _NO_LOOPBACK

    assert ran.passed(role, name) is not is_cut_off, ran.said(role, name)


def test_an_agent_confines_what_it_starts_itself_and_a_check_cannot(ran: Ran) -> None:
    if ran.tier == "unconfined" or not (shutil.which("bwrap") and shutil.which("unshare")):
        pytest.skip("nothing to nest in, or nothing to nest with")

    # The mounts of a bubblewrap are refused to whom Landlock holds.
    is_nested = b"+inner" in (ran.run / "nested" / "DIFF.patch").read_bytes()

    assert is_nested is (ran.tier == "bubblewrap")
    assert ran.passed("check", "nested")
    assert not os.path.exists("/etc/factory-nested")
