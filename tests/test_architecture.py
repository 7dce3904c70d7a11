"""The house rules that a machine can keep."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "tools" / "codex" / "factory"
PREFIX = "tools.codex.factory"

FLOORS = [
    {"errors", "domain"},
    {"config", "host", "process"},
    {"render", "repository", "sandbox", "storage"},
    {"executors"},
    {"wiring", "stages"},
    {"pipelines"},
    {"cli"},
    {"__main__"},
]
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

KEEPER_OF = {
    "git": {"repository"},
    "subprocess": {"process"},
    "rich": {"render", "cli"},
    "argparse": {"cli"},
    "fcntl": {"storage"},
    "ctypes": {"process"},
}
READER_OF = {
    "environ": {"host"},
    "getenv": {"host"},
    "now": {"wiring"},
    "utcnow": set[str](),
    "today": set[str](),
}
PURE = {"domain", "render", "sandbox"}
NO_PLACE_IN_PURE = {
    *("os", "subprocess", "socket", "time", "random", "shutil", "tempfile", "uuid", "git"),
    "pathlib.Path",
}
BANNED_NAMES = {
    *("utils", "util", "common", "helpers", "misc", "manager", "handler", "base", "core"),
}
MOST_LINES = 300
"""House style asks a room over 300 lines for its second purpose."""

SOURCES = sorted(HOUSE.rglob("*.py"))
NAMES = [str(path.relative_to(HOUSE)) for path in SOURCES]


def room(path: Path) -> str:
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: write imports from the root"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_house_has_rooms() -> None:
    assert {room(path) for path in SOURCES} >= set(FLOOR_OF)


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_imports_only_run_down(path: Path) -> None:
    here = room(path)
    for name in imports(path):
        if not name.startswith(PREFIX + "."):
            continue
        there = name.removeprefix(PREFIX + ".").split(".")[0]
        if there not in FLOOR_OF or there == here:
            continue
        assert FLOOR_OF[there] < FLOOR_OF[here], f"{here} stands no higher than {there}"


def test_files_of_one_room_import_each_other_without_a_loop() -> None:
    module_of = {
        f"{PREFIX}.{path.relative_to(HOUSE).with_suffix('').as_posix().replace('/', '.')}": path
        for path in SOURCES
    }
    uses = {
        module: {name.rpartition(".")[0] for name in imports(path)} & module_of.keys() - {module}
        for module, path in module_of.items()
    }
    settled: set[str] = set()
    while free := {module for module, below in uses.items() if below <= settled} - settled:
        settled |= free

    assert settled == set(uses)


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_outside_libraries_have_keepers(path: Path) -> None:
    here, tops = room(path), {name.split(".")[0] for name in imports(path)}
    for library, keepers in KEEPER_OF.items():
        assert library not in tops or here in keepers, f"{library} lives in {sorted(keepers)}"
    if here in PURE:
        assert not (tops | imports(path)) & NO_PLACE_IN_PURE, f"{here} is pure"


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_environment_and_clock_have_one_reader(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr in READER_OF:
            assert room(path) in READER_OF[node.attr], f"{path.name}:{node.lineno}: .{node.attr}"


def test_storage_writes_content_in_one_room() -> None:
    """What is killed between any two of these calls is looked at in one place."""
    calls = {"write", "fsync", "fdatasync", "replace"}
    found = {
        path.stem
        for path in (HOUSE / "storage").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in calls
        if isinstance(node.value, ast.Name) and node.value.id == "os"
    }

    # `room` asks a disk by using it, and keeps nothing.
    assert found == {"durable", "room"}


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_rooms_are_named_for_what_they_hold(path: Path) -> None:
    assert not set(path.stem.split("_")) & BANNED_NAMES
    assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), "say what this room knows"


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_a_room_has_one_purpose_and_so_few_lines(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())

    assert lines <= MOST_LINES


def test_the_plan_of_the_house_names_every_room_and_no_other() -> None:
    page = (HOUSE.parents[2] / "docs" / "architecture.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    # A row names a folder once: `domain/plan` `plan_file` are both in domain.
    named = set()
    for row in rows:
        folder = ""
        for name in re.findall(r"`([\w/.]+)`", row):
            folder = name.rpartition("/")[0] if "/" in name else folder
            named.add(f"{folder}/{name.rpartition('/')[2]}".removesuffix(".py"))
    rooms = {
        f"{path.parent.name if path.parent != HOUSE else ''}/{path.stem}"
        for path in SOURCES
        if path.stem not in ("__init__", "__main__") and room(path) not in ("cli", "render")
    }

    assert named - {"cli/", "render/"} >= rooms
    assert {name for name in named if name.partition("/")[0] in FLOOR_OF} - rooms <= {
        "cli/",
        "render/",
        "domain/schema",
    }


def test_the_front_door_imports_nothing_heavy() -> None:
    seen = "import sys; import tools.codex.factory.cli.main; print(*sorted(sys.modules))"

    done = subprocess.run(
        [sys.executable, "-c", seen],
        capture_output=True,
        text=True,
        check=True,
        cwd=HOUSE.parents[2],
    )

    assert not {"pydantic", "git", "jsonschema", "rich", "pathspec"} & set(done.stdout.split())
