"""What attacks are tried on: victims outside, and one run of the real command for each tier."""

import contextlib
import ctypes
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.builders import Repo
from tests.conftest import PROJECT, Ended, Factory
from tools.codex.factory.domain.confinement import Role, Tier
from tools.codex.factory.executors.place import place_in
from tools.codex.factory.host import Host
from tools.codex.factory.pipelines.confining import integrator_confinement
from tools.codex.factory.pipelines.record import recorded_run
from tools.codex.factory.pipelines.session import session
from tools.codex.factory.process.child import asked
from tools.codex.factory.sandbox.tiers import held

ATTACKER = PROJECT / "tests" / "confined" / "attacker.py"
ROLES: tuple[Role, ...] = ("worker", "check", "integrator")
SECRET = "a-secret-of-the-operator"
RUN = "attacked"
SEALED: dict[Role, str] = {
    "worker": "SUMMARY.md",
    "check": "SUGGESTIONS.md",
    "integrator": "HANDOFF_NOTE.json",
}
"""What of the sealed bundle each role is to write into."""
_SECONDS = 60.0
_FILES = (
    *("appended", "cut", "written", "deleted", "renamed", "mode", "times", "attribute"),
    *("owner", "linked", "hard", "proc", "remounted", "raced", "cache/module.pyc"),
)
_WORKER_DEEDS = (
    *("write", "remove", "mode", "times", "attribute", "owner", "through_link", "hard_link"),
    *("through_proc", "read_environment", "read_own_environment", "read_key", "open_files"),
    *("read_work_tree", "sibling", "linger", "multiply", "signals", "trace"),
    *("type_into_terminal", "write_on_terminal", "socket_in_tmp", "socket_in_run"),
    *("socket_elsewhere", "abstract_socket", "tcp", "udp", "multipath", "undo_mounts", "ring"),
    *("key", "setuid", "poison_cache", "race"),
)
_CHECK_DEEDS = (
    *("write", "remove", "mode", "times", "attribute", "owner", "through_proc"),
    *("read_environment", "read_key", "open_files", "read_work_tree", "sibling", "signals"),
    *("trace", "type_into_terminal", "write_on_terminal", "socket_in_tmp", "socket_in_run"),
    *("socket_elsewhere", "abstract_socket", "tcp", "udp", "multipath", "undo_mounts", "ring"),
    *("key", "poison_cache", "linger"),
)
_INTEGRATOR_DEEDS = (
    *("write", "remove", "mode", "times", "attribute", "owner", "through_proc"),
    *("read_environment", "read_key", "sibling", "signals", "trace", "abstract_socket", "tcp"),
    *("udp", "multipath", "undo_mounts", "ring", "key", "poison_cache"),
)


def variables_of(tier: Tier, folder: Path) -> dict[str, str]:
    """Return what of the environment makes the factory take this tier and no other."""
    if tier == "unconfined":
        return {"FACTORY_SANDBOX__MODE": "off"}
    path = os.environ.get("PATH", os.defpath)
    if tier == "landlock":
        path = _without("bwrap", path, folder / "programs")
    return {"FACTORY_SANDBOX__MODE": "auto", "PATH": path}


def _without(program: str, path: str, links: Path) -> str:
    """Return a PATH with all that `path` has, but for one program."""
    kept = []
    for number, folder in enumerate(path.split(os.pathsep)):
        if not (Path(folder) / program).exists():
            kept.append(folder)
            continue
        here = links / str(number)
        here.mkdir(parents=True)
        for one in Path(folder).iterdir():
            if one.name != program:
                (here / one.name).symlink_to(one)
        kept.append(str(here))
    return os.pathsep.join(kept)


@dataclass(slots=True)
class Listeners:
    """What waits for somebody to knock, and who did."""

    folders: dict[str, str]
    abstract: str
    open: dict[str, socket.socket]
    heard: set[tuple[str, str]] = field(default_factory=set)

    def listen(self) -> None:
        """Take in whoever knocked since."""
        for name, one in self.open.items():
            with suppress(BlockingIOError):
                while True:
                    self.heard.add((name, _said_to(one)))

    def port(self, name: str) -> int:
        """Return the number of a port."""
        return int(self.open[name].getsockname()[1])


def _said_to(one: socket.socket) -> str:
    if one.type == socket.SOCK_DGRAM:
        return one.recv(100).decode()
    talk, _ = one.accept()
    with talk:
        talk.settimeout(5)
        return talk.recv(100).decode()


@contextmanager
def listening(folders: dict[str, Path]) -> Iterator[Listeners]:
    """Yield sockets in these folders, an abstract one, and ports of this host."""
    token = f"factory-{secrets.token_hex(8)}"
    made = {}
    here = Path.cwd()
    for name, folder in folders.items():
        made[name] = socket.socket(socket.AF_UNIX)
        # A name of a socket is short; a folder may be deep.
        os.chdir(folder)
        made[name].bind("s")
        os.chdir(here)
    made["abstract"] = socket.socket(socket.AF_UNIX)
    made["abstract"].bind("\0" + token)
    made["udp"] = socket.socket(type=socket.SOCK_DGRAM)
    made["tcp"] = socket.socket()
    # Who speaks multipath TCP is heard by who speaks TCP alone.
    made["multipath"] = socket.socket()
    for name in ("udp", "tcp", "multipath"):
        made[name].bind(("127.0.0.1", 0))
    with ExitStack() as stack:
        for one in made.values():
            stack.enter_context(one)
            if one.type == socket.SOCK_STREAM:
                one.listen()
            one.setblocking(False)
        yield Listeners({name: str(path) for name, path in folders.items()}, token, made)


@dataclass(slots=True)
class Scene:
    """One tier: where the victims are, what the attackers said, how the run ended."""

    tier: Tier
    folder: Path
    outside: Path
    """Where no tier has a folder of its own in place of the host's."""
    repo: Repo
    factory: Factory
    listeners: Listeners
    sleepers: dict[str, "subprocess.Popen[bytes]"]
    terminal: tuple[int, int]
    mark: str
    variables: dict[str, str]
    ended: Ended = field(default_factory=lambda: Ended(0, "", ""))
    said: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    before: dict[str, tuple[object, ...]] = field(default_factory=dict)
    typed: set[tuple[str, str]] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    left: list[str] = field(default_factory=list)

    @property
    def runs(self) -> Path:
        """Return the runs root."""
        return self.repo.path / "tools" / "codex" / "runs"

    @property
    def run(self) -> Path:
        """Return the run's folder."""
        return self.runs / RUN

    @property
    def near(self) -> Path:
        """Return the folder of victims in the operator's work tree."""
        return self.repo.path / "victims"

    def victim(self, role: Role, name: str, *, is_near: bool = False) -> Path:
        """Return a file that stands for what a role must not touch."""
        return (self.near if is_near else self.outside) / role / name

    def changed(self, role: Role, *names: str) -> list[str]:
        """Return which victims of a role are not as they were."""
        found = []
        for folder in (self.outside, self.near):
            for name in names:
                path = folder / role / name
                if self.before.get(str(path), ()) != look(path):
                    found.append(str(path))
        return found

    def checkout(self, worker: str) -> Path:
        """Return the checkout that a worker left."""
        found = [*self.folder.glob(f"work/*/*/{worker}*/**/checkout")]
        assert found, worker
        return found[0]

    def codes(self, worker: str) -> set[str]:
        """Return the codes of what was found of a worker."""
        return {
            finding["code"]
            for finding in self.ended.answer["findings"]
            if finding["subject"].startswith(f"{worker}:")
        }


def look(path: Path) -> tuple[object, ...]:
    """Return all of a file that somebody could change."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return ()
    attributes = []
    with suppress(OSError):
        attributes = sorted(os.listxattr(path, follow_symlinks=False))
    content = path.read_bytes() if path.is_file() else b""
    who = (found.st_uid, found.st_gid)
    return (found.st_mode, who, found.st_size, found.st_mtime_ns, content, tuple(attributes))


@contextmanager
def scene(tier: Tier, folder: Path, outside: Path) -> Iterator[Scene]:
    """Yield a scene in which all victims stand, and nobody was attacked yet."""
    with ExitStack() as stack:
        for role in ROLES:
            _make_victims(outside / role)
        repo = _repository(folder / "repo")
        for role in ROLES:
            _make_victims(repo.path / "victims" / role)
        home = outside / "home"
        (home / ".ssh").mkdir(parents=True)
        (home / ".ssh" / "id_x").write_text(SECRET, "utf-8")
        (home / ".cache" / "pip").mkdir(parents=True)
        (folder / "sockets").mkdir()
        (outside / "sockets").mkdir()
        named = {"tmp": folder / "sockets", "elsewhere": outside / "sockets"}
        if os.access("/run", os.W_OK):
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="factory-", dir="/run"))
            named["run"] = Path(place)
        listeners = stack.enter_context(listening(named))
        master, slave = os.openpty()
        for handle in (master, slave):
            stack.callback(os.close, handle)
            os.set_blocking(handle, False)
        tty.setraw(slave)
        sleepers = {}
        for role in ROLES:
            for fate in ("signalled", "traced"):
                sleeper = subprocess.Popen(
                    ["sleep", "600"], env={"ATTACK_SECRET": SECRET}, start_new_session=True
                )
                stack.callback(_end, sleeper)
                sleepers[f"{role} {fate}"] = sleeper
        made = Scene(
            tier=tier,
            folder=folder,
            outside=outside,
            repo=repo,
            factory=Factory(repo.path, home),
            listeners=listeners,
            sleepers=sleepers,
            terminal=(master, slave),
            mark=f"attack-{secrets.token_hex(8)}",
            variables=variables_of(tier, folder),
        )
        made.before = {
            str(path): look(path) for top in (outside, made.near, home) for path in top.rglob("*")
        }
        try:
            yield made
        finally:
            _end_marked(made.mark)
            _forget_keys(made.mark)


def attack(about: Scene) -> None:
    """Let a worker, a check and what stands in the integrator's place attack in one run."""
    # Where nothing keeps it, there would be no run left to be looked at.
    ruining = ("ruin",) if about.tier != "unconfined" else ()
    deeds = {"C_attacker": (*_WORKER_DEEDS, *ruining), "check": (*_CHECK_DEEDS, *ruining)}
    files = {name: _aims(about, name, list(deeds[name])) for name in deeds}
    work: dict[str, dict[str, Any]] = {
        "A_sealed": {"allow": ["src/a.txt"], "patch": "a.patch"},
        "B_sibling": {"allow": ["src/b.txt"], "command": ["sh", "-c", "echo b > src/b.txt"]},
        "C_attacker": {"allow": ["src/c.*"], "command": _argv(files["C_attacker"])},
        "D_git": {"allow": ["/*.py", "/git", "/sh", "/python3", "/.gitattributes", "src/d.txt"]},
        "E_nested": {"allow": ["src/e.txt"]},
        "F_link": {"allow": ["src/f.txt"]},
    }
    more = {
        "D_git": ["own_git", "borrowed", "planted"],
        "E_nested": ["nested", "odd_outbox"],
        "F_link": ["link_as_text"],
    }
    for worker, names in more.items():
        aims = _aims(about, worker, names, work=[f"src/{worker[0].lower()}.txt"], stand="")
        work[worker]["command"] = _argv(aims)
    (about.folder / "a.patch").write_bytes(_patch_of(about.repo))
    checks = [{"name": "attack", "command": _argv(files["check"])}]
    _run(about, work, checks)
    _look_after(about)
    _attack_as_integrator(about)


def ruin(about: Scene) -> None:
    """Let a worker take the ledger away and forge a verdict."""
    aims = _aims(about, "C_attacker", ["ruin"], work=["src/c.txt"])
    _run(about, {"C_attacker": {"allow": ["src/**"], "command": _argv(aims)}}, [])


def _run(about: Scene, work: dict[str, dict[str, Any]], checks: list[dict[str, Any]]) -> None:
    plan = {
        "schema_version": 1,
        "title": "attacks",
        "workers": [{"id": worker, **entry} for worker, entry in work.items()],
        "checks": checks,
    }
    (about.folder / "plan.json").write_text(json.dumps(plan), "utf-8")
    more = {
        "FACTORY_INTEGRATE__ON_BLOCKED": "exclude",
        "FACTORY_WORK__JOBS": "1",
        "FACTORY_WORK__KEEP": "true",
        "FACTORY_WORK__ROOT": str(about.folder / "work"),
        "FACTORY_WORK__GRACE": "1s",
        "ATTACK_SECRET": SECRET,
        "ATTACK_GIVEN": "1",
        **about.variables,
    }
    words = ("oneshot", "--plan", str(about.folder / "plan.json"), "--run-id", RUN, "--json")
    about.ended = about.factory.real(*words, env=more)
    for worker in work:
        log = about.run / worker / "LOGS" / "worker.stdout.log"
        about.said[worker] = _said(log)
    about.said["check"] = _said(about.run / "Z_integrator" / "LOGS" / "check-1.stdout.log")
    about.said["worker"] = about.said.get("C_attacker", {})


def _look_after(about: Scene) -> None:
    """Keep what is there only for a while: knocks, typed letters, keys, processes left."""
    about.listeners.listen()
    master, slave = about.terminal
    for how, handle in (("typed", slave), ("written", master)):
        with suppress(BlockingIOError):
            about.typed.add((how, os.read(handle, 1000).decode("ascii")))
    about.keys = {role for role in ROLES if _has_key(f"{about.mark}-{role}")}
    about.left = _marked(about.mark)


def _attack_as_integrator(about: Scene) -> None:
    """Run the attacker under the rules that the integrator of this run has, in its place."""
    own = {**about.factory.environment(), **about.variables}
    host = Host({**own, "FACTORY_WORK__ROOT": str(about.folder / "work")}, {})
    ground = session(host, folder=about.repo.path, config_file=None, flags={})
    run = recorded_run(ground, RUN)
    confinement = integrator_confinement(ground, run.directory, run.manifest.workers)
    assert confinement.tier == about.tier, confinement.weaker
    aims = _aims(about, "integrator", list(_INTEGRATOR_DEEDS), work=[], stand="tried")
    shutil.copy(aims, run.directory.folder / "aims.json")
    argv = (sys.executable, "-I", str(ATTACKER), str(run.directory.folder / "aims.json"))
    words, rules = held(argv, confinement, place_in(os.path.realpath(run.directory.folder)))
    environment = {"PATH": own["PATH"]}
    cwd = run.directory.folder
    done = asked(words, env=environment, cwd=cwd, seconds=_SECONDS, rules=rules)
    about.said["integrator"] = _parsed(done.stdout.decode("utf-8", "replace"))
    assert about.said["integrator"], done.stderr
    _look_after(about)


def _argv(file: Path) -> list[str]:
    return [sys.executable, "-I", str(ATTACKER), str(file)]


def _aims(
    about: Scene,
    who: str,
    deeds: list[str],
    *,
    work: list[str] | None = None,
    stand: str = "ignored",
) -> Path:
    """Write down what an attacker is to try on what, and return the file."""
    role = who if who in ROLES else "worker"
    if "run" not in about.listeners.folders:
        deeds = [deed for deed in deeds if deed != "socket_in_run"]
    aims = {
        "tier": about.tier,
        "role": role,
        "deeds": deeds,
        "work": ["src/c.txt"] if work is None else work,
        "stand": stand,
        "outside": str(about.outside / role),
        "near": str(about.near / role),
        "home": str(about.factory.home),
        "key_file": str(about.factory.home / ".ssh" / "id_x"),
        "runs": str(about.runs),
        "run": str(about.run),
        "other": "B_sibling",
        "sealed": "A_sealed",
        "sealed_file": SEALED[role],
        "signalled": about.sleepers[f"{role} signalled"].pid,
        "traced": about.sleepers[f"{role} traced"].pid,
        "terminal": os.ttyname(about.terminal[1]),
        "sockets": about.listeners.folders,
        "abstract": about.listeners.abstract,
        "tcp": about.listeners.port("tcp"),
        "udp": about.listeners.port("udp"),
        "multipath": about.listeners.port("multipath"),
        "key": f"{about.mark}-{role}",
        "mark": about.mark,
        "ran": str(about.folder / "ran"),
    }
    path = about.folder / f"{who}.json"
    path.write_text(json.dumps(aims), "utf-8")
    return path


def _make_victims(folder: Path) -> None:
    for name in _FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SECRET, "utf-8")
        path.chmod(0o644)
    (folder / "folder").mkdir()


def _repository(path: Path) -> Repo:
    repo = Repo.make(path)
    for name in "abcdef":
        repo.write(f"src/{name}.txt", "base\n")
    repo.write(".gitignore", "ignored/\nvictims/\n")
    repo.commit()
    return repo


def _patch_of(repo: Repo) -> bytes:
    repo.write("src/a.txt", "sealed\n")
    patch = repo.diff()
    repo.git("reset", "-q", "--hard")
    return patch


def _said(log: Path) -> dict[str, dict[str, str]]:
    return _parsed(log.read_text("utf-8", "replace")) if log.exists() else {}


def _parsed(text: str) -> dict[str, dict[str, str]]:
    lines = [line[5:] for line in text.splitlines() if line.startswith("SAID ")]
    return json.loads(lines[-1]) if lines else {}


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def _marked(mark: str) -> list[str]:
    """Return the processes that carry a mark on their command line."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with suppress(OSError):
                if mark.encode() in (process / "cmdline").read_bytes().split(b"\0"):
                    found.append(process.name)
    return found


def _end_marked(mark: str) -> None:
    for pid in _marked(mark):
        with suppress(ProcessLookupError):
            os.kill(int(pid), 9)


_KEYCTL, _SEARCH, _UNLINK, _USER_KEYRING = 250, 10, 9, -4


def _key(name: str) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    words = (_SEARCH, _USER_KEYRING, b"user", name.encode(), 0)
    number = _KEYCTL if os.uname().machine == "x86_64" else 219
    return int(library.syscall(number, *words))


def _has_key(name: str) -> bool:
    return _key(name) > 0


def _forget_keys(mark: str) -> None:
    number = _KEYCTL if os.uname().machine == "x86_64" else 219
    for role in ROLES:
        if (found := _key(f"{mark}-{role}")) > 0:
            with contextlib.suppress(OSError):
                ctypes.CDLL(None).syscall(number, _UNLINK, found, _USER_KEYRING)
