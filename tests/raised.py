"""What the code of the house raises and finds, read from its syntax: nothing is run."""

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path

HOUSE = Path(__file__).parents[1] / "tools" / "codex" / "factory"
PREFIX = "tools.codex.factory."
ROOT = "FactoryError"
REFUSALS = {"PlanRefused": 10, "AmendmentRefused": 2}
"""Raised where no error may be, and said again as an error with this exit code."""
_SAME = {"str", "quoted", "shown", "_shown", "sorted", "map", "repr", "min", "max"}
_WORDS = {
    "error": "REASON",
    "msg": "REASON",
    "said": "REASON",
    "strerror": "REASON",
    "reason": "REASON",
    "complaint": "WHAT GIT SAYS",
    "bug": "WHAT IT SAYS",
    "__name__": "KIND",
    "known": "NAMES",
    "root": "FOLDER",
    "above": "FOLDER",
    "cwd": "FOLDER",
    "argv": "PROGRAM",
    "form": "FORMAT",
    "first": "VALUE",
    "text": "VALUE",
    "shown": "FILE",
    "where": "KEY",
    "foreign": "NAME",
    "one": "PATTERN",
    "does": "ALLOWS OR DENIES",
    "oid": "OBJECT",
    "gone": "N",
    "there": "COMMIT",
    "rest": "WORD",
    "both": "WORKER",
    "missing": "WORKERS",
    "astray": "PATHS",
    "content_of": "VALUE",
    "input": "VALUE",
    "provenance": "LAYER",
    "keys": "SETTINGS",
    "st_size": "SIZE",
    "f_favail": "N",
    "free": "SIZE",
    "spare_bytes": "SIZE",
    "explicit": "FILE",
    "named": "PATH",
    "published": "BRANCHES",
    "wanted": "RUN",
    "hint": "(its own, below)",
    "warnings": "NOTES",
    "since": "TIME",
}
_WORDS_OF_ROOM = {
    ("config.py", "said"): "NAME",
    ("config.py", "name"): "LAYER",
    ("domain/plan_file.py", "name"): "FILE",
    ("executors/local.py", "name"): "WORKER",
    ("pipelines/record.py", "error"): "VALUE is not a run id, and why",
    ("repository/discovery.py", "named"): "FOLDER",
    ("repository/discovery.py", "said"): "GIT",
    ("repository/discovery.py", "wanted"): "VERSION",
    ("repository/discovery.py", "where"): "FOLDER",
    ("storage/ledger.py", "where"): "LEDGER LINE",
}


@dataclass(frozen=True, slots=True, order=True)
class Raised:
    """One way in which the factory cannot go on; what only a run knows is in capitals."""

    exit_code: int
    room: str
    kind: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class _Room:
    """One file of the house: its tree, its constants, and where imported names come from."""

    name: str
    tree: ast.Module
    constants: dict[str, ast.expr] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an expression stands: its room, the function around it, values of its parameters."""

    room: _Room
    function: ast.FunctionDef | None
    given: dict[str, list[str]] = field(default_factory=dict)


def raised() -> list[Raised]:
    """Return every error that the house makes, each once, sorted."""
    codes, found = _exit_codes(), set()
    for room in _rooms().values():
        for place, call in _calls(room, codes):
            kind = _called(call)
            for message, hint in _said(place, call, kind):
                if message:
                    found.add(Raised(codes[kind], room.name, kind, message, hint))
    return sorted(found)


def said_in(tree: ast.Module) -> list[tuple[str, str]]:
    """Return message and hint of each error that a tree makes."""
    names = _exit_codes()
    found = [_said(place, call, _called(call)) for place, call in _calls(_Room("", tree), names)]
    return [pair for pairs in found for pair in pairs]


def objections() -> list[tuple[str, str]]:
    """Return why a run is not published, each with what to do, in the order of the code."""
    room = _rooms()["domain/publication.py"]
    function = next(
        node
        for node in room.tree.body
        if isinstance(node, ast.FunctionDef) and node.name == "objections"
    )
    place = _Place(room, function)
    pairs = [
        node.value.elts
        for node in ast.walk(function)
        if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple)
    ]
    pairs.sort(key=lambda pair: pair[0].lineno)
    return [(_texts(one, place)[0], _texts(other, place)[0]) for one, other in pairs]


def severities() -> dict[str, set[str]]:
    """Return with which severities each member of Code is made; keys are names of members."""
    found: dict[str, set[str]] = {}
    for room in _rooms().values():
        makers = _makers(room)
        for call in (node for node in ast.walk(room.tree) if isinstance(node, ast.Call)):
            name = _called(call)
            for code in _codes_in(call, room):
                found.setdefault(code, set()).update(makers.get(name, set()) or _own(call, room))
    return found


@cache
def _rooms() -> dict[str, _Room]:
    rooms = {}
    for path in sorted(HOUSE.rglob("*.py")):
        name = path.relative_to(HOUSE).as_posix()
        room = _Room(name, ast.parse(path.read_text("utf-8")))
        for line in room.tree.body:
            if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
                room.constants[line.targets[0].id] = line.value
        for node in ast.walk(room.tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PREFIX):
                origin = str(node.module).removeprefix(PREFIX).replace(".", "/") + ".py"
                room.origins.update({alias.name: origin for alias in node.names})
        rooms[name] = room
    return rooms


@cache
def _classes() -> tuple[tuple[_Room, ast.ClassDef], ...]:
    return tuple(
        (room, node)
        for room in _rooms().values()
        for node in ast.walk(room.tree)
        if isinstance(node, ast.ClassDef)
    )


def _exit_codes() -> dict[str, int]:
    """Return the exit code of each error class, and of each refusal that becomes one."""
    found = {ROOT: 1}
    for _ in range(4):
        for _, node in _classes():
            above = [b.id for b in node.bases if isinstance(b, ast.Name) and b.id in found]
            if above:
                own = [
                    line.value.value
                    for line in node.body
                    if isinstance(line, ast.Assign)
                    and ast.unparse(line.targets[0]) == "exit_code"
                    and isinstance(line.value, ast.Constant)
                ]
                found[node.name] = int(str(own[0])) if own else found[above[0]]
    return found | REFUSALS


def _calls(room: _Room, names: Collection[str]) -> Iterator[tuple[_Place, ast.Call]]:
    """Yield each call of one of `names`, with the innermost function around it."""
    seen: set[int] = set()
    functions = [node for node in ast.walk(room.tree) if isinstance(node, ast.FunctionDef)]
    for function in sorted(functions, key=lambda one: -one.lineno):
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and _called(node) in names and id(node) not in seen:
                seen.add(id(node))
                yield _Place(room, function), node


def _said(place: _Place, call: ast.Call, kind: str) -> list[tuple[str, str]]:
    """Return message and hint of an error that is made here."""
    own = _own_words(kind)
    if own is not None:
        (room, init, call_of_super) = own
        names = [one.arg for one in init.args.args[1:]]
        given = {n: _texts(a, place) for n, a in zip(names, call.args, strict=True)}
        place, call = _Place(room, init, given), call_of_super
    if not call.args:
        return []
    if _is_passed_on(call.args[0]):
        return []
    messages = _texts(call.args[0], place)
    hints = next((_texts(one.value, place) for one in call.keywords if one.arg == "hint"), [""])
    if len(messages) == len(hints):
        return list(zip(messages, hints, strict=True))
    return list(product(messages, hints))


def _is_passed_on(message: ast.expr) -> bool:
    """Return whether a refusal is said again, in its own words, or argparse's are."""
    return ast.unparse(message) in ("str(refused)", "message")


def _own_words(kind: str) -> tuple[_Room, ast.FunctionDef, ast.Call] | None:
    """Return how a class makes its message of what it is given, where it does."""
    for room, node in _classes():
        if node.name != kind or kind == ROOT:
            continue
        for init in node.body:
            if isinstance(init, ast.FunctionDef) and init.name == "__init__":
                for call in ast.walk(init):
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__":
                        said = call.keywords or isinstance(call.args[0], ast.JoinedStr)
                        return (room, init, call) if said else None
    return None


def _texts(expression: ast.expr, place: _Place) -> list[str]:
    """Return what an expression can say, with placeholders for what only a run knows."""
    match expression:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=values):
            return ["".join(p) for p in product(*(_texts(one, place) for one in values))]
        case ast.FormattedValue(value=value, conversion=conversion):
            return [f"'{t}'" if conversion == ord("r") else t for t in _inner(value, place)]
        case ast.BinOp(op=ast.Add()):
            pairs = product(_texts(expression.left, place), _texts(expression.right, place))
            return [one + other for one, other in pairs]
        case ast.IfExp(body=body, orelse=orelse):
            return [*_texts(body, place), *_texts(orelse, place)]
        case _:
            return _inner(expression, place)


def _inner(value: ast.expr, place: _Place) -> list[str]:
    match value:
        case ast.IfExp(body=body, orelse=ast.Constant(value="")):
            return ["[" + text + "]" for text in _texts(body, place)]
        case ast.IfExp() | ast.JoinedStr() | ast.Constant(value=str()):
            return _texts(value, place)
        case ast.Name(id=name):
            return _named(name, place)
        case ast.Call(func=ast.Name(id="did_you_mean")):
            return ["did you mean 'NEAREST'? (where none is near: known: NAMES)"]
        case ast.Attribute(attr="hint"):
            return ["(the hint of that reason)"]
    return [_placeholder(value, place.room)]


def _named(name: str, place: _Place) -> list[str]:
    if name in place.given:
        return place.given[name]
    function = place.function
    values = [
        node.value
        for node in ast.walk(function or ast.Module([], []))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]
    if len(values) == 1 and _is_words(values[0]):
        return _texts(values[0], place)
    for room in (place.room, _rooms().get(place.room.origins.get(name, ""))):
        if room is not None and name in room.constants and not values:
            return _texts(room.constants[name], _Place(room, None))
    return [_placeholder(ast.Name(name), place.room)]


def _is_words(value: ast.expr) -> bool:
    """Return whether a variable holds words of ours, not what was found."""
    if isinstance(value, ast.IfExp):
        return _is_words(value.body) and _is_words(value.orelse)
    if isinstance(value, ast.Call):
        return _called(value) == "did_you_mean"
    return isinstance(value, ast.JoinedStr | ast.Constant)


def _placeholder(value: ast.expr, room: _Room) -> str:
    """Return what stands for a value: its name, in capitals."""
    match value:
        case ast.Call(func=ast.Attribute(attr="join"), args=[joined]):
            return _placeholder(joined, room)
        case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in _SAME:
            return _placeholder(first, room)
        case ast.Call(func=ast.Attribute(value=owner, attr="lower" | "partition")):
            return _placeholder(owner, room)
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(key))]):
            return _word(key, room)
        case ast.Call(func=ast.Attribute(value=owner, attr="get")):
            return _placeholder(owner, room)
        case ast.Call(func=ast.Name(id="WorkerId"), args=[ast.Constant(value=str(text))]):
            return text
        case ast.Call(func=ast.Name(id=name)):
            return _word(name, room)
        case ast.GeneratorExp() | ast.ListComp():
            return _placeholder(value.generators[0].iter, room)
        case ast.Subscript(value=owner, slice=ast.Constant(value=str(key))):
            return _word(key, room) if key in _WORDS or key.isalpha() else _placeholder(owner, room)
        case ast.Subscript(value=owner):
            return _placeholder(owner, room)
        case ast.BinOp(op=ast.Div()):
            return "PATH"
        case ast.BinOp(left=left):
            return _placeholder(left, room)
        case ast.BoolOp(values=[first, *_]):
            return _placeholder(first, room)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return _word(name, room)
        case ast.Constant(value=text):
            return str(text)
        case ast.Tuple():
            return "NAMES"
    return "VALUE"


def _word(name: str, room: _Room) -> str:
    plain = name.strip("_").lower()
    known = _WORDS_OF_ROOM.get((room.name, plain)) or _WORDS.get(name) or _WORDS.get(plain)
    return known or plain.upper().replace("_", " ")


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _codes_in(call: ast.Call, room: _Room) -> list[str]:
    """Return the members of Code that a call is given, by name or out of a table of the room."""
    found = []
    for value in [*call.args, *(one.value for one in call.keywords)]:
        match value:
            case ast.Attribute(value=ast.Name(id="Code"), attr=name):
                found.append(name)
            case ast.Subscript(value=ast.Name(id=table)) if table in room.constants:
                found += [
                    node.attr
                    for node in ast.walk(room.constants[table])
                    if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Code"
                ]
    return found


def _makers(room: _Room) -> dict[str, set[str]]:
    """Return with which severities each function that takes a code makes a finding of it."""
    makers = {"blocking": {"blocks"}, "note": {"note"}, "found_at": {"blocks"}}
    functions = [
        node
        for node in ast.walk(room.tree)
        if isinstance(node, ast.FunctionDef) and any(a.arg == "code" for a in node.args.args)
    ]
    for function in functions:
        if function.name in makers:
            continue
        if function.name == "__init__":
            makers |= {c.name: _carried(room, makers) for _, c in _classes() if function in c.body}
            continue
        made = set()
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            if any(ast.unparse(a) == "code" for a in [*call.args, *_values(call)]):
                made |= makers.get(_called(call), set()) or _own(call, room, function)
        makers[function.name] = made
    return makers


def _carried(room: _Room, makers: dict[str, set[str]]) -> set[str]:
    """Return the severities of findings that are made of an exception's code."""
    return {
        severity
        for call in ast.walk(room.tree)
        if isinstance(call, ast.Call)
        and any(isinstance(one, ast.Attribute) and one.attr == "code" for one in call.args)
        for severity in makers.get(_called(call), set())
    }


def _own(call: ast.Call, room: _Room, function: ast.FunctionDef | None = None) -> set[str]:
    """Return the severities that a call names itself."""
    found = set()
    for one in call.keywords:
        if one.arg == "blocks" and isinstance(one.value, ast.Constant):
            found.add("blocks" if one.value.value else "note")
    if any(one.arg == "severity" for one in call.keywords):
        for node in ast.walk(function or call):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Severity":
                found.add(node.attr.lower())
    return found


def _values(call: ast.Call) -> list[ast.expr]:
    return [one.value for one in call.keywords]
