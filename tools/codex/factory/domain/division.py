"""A tree divided among workers: who may write what, so that nobody meets another."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tools.codex.factory.domain.language import (
    extension,
    is_docs_folder,
    is_of_others,
    is_prose,
    language,
)
from tools.codex.factory.domain.path import repo_path
from tools.codex.factory.domain.pattern import pattern, patterns

MOST_WORKERS = 4
"""How many workers share the source; the documentation has one of its own."""

_SPECIAL = frozenset("*?[\\")
_NEW_FOLDERS = ("src", "work", "work-1", "work-2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one worker may write: `places` for people, `allow` as patterns."""

    places: tuple[str, ...]
    allow: tuple[str, ...]
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """The shares of all workers, and what is in none of them, with the reason."""

    shares: tuple[Share, ...]
    left_out: tuple[tuple[str, str], ...]


class _Folder:
    """One folder of the tree. `spelled` is its path as a pattern, None where none can name it."""

    def __init__(self, path: str, spelled: str | None) -> None:
        self.path = path
        self.spelled = spelled
        self.files: list[str] = []
        self.direct: list[str] = []
        self.folders: dict[str, _Folder] = {}
        self.names: set[str] = set()


def division(files: Collection[str], others: Collection[str]) -> Division:
    """Return how a tree is best divided; `others` are its links and submodules."""
    root = _tree(files, others)
    by_reason = {path: "a link or a submodule" for path in others if "/" not in path}
    docs, source, rest = [], [], []
    for name, folder in sorted(root.folders.items()):
        if folder.spelled is None:
            by_reason[name] = "no pattern can name it alone"
        elif is_of_others(name):
            by_reason[name] = "code of others"
        elif is_docs_folder(name) or all(is_prose(path) for path in folder.files):
            docs.append(folder)
        elif any(language(path) for path in folder.files):
            source.append(folder)
        else:
            rest.append(folder)
    code = _direct(root, lambda path: language(path) is not None)
    prose = _direct(root, is_prose)
    if not source and code is None:
        # Without code, what is there instead is the work.
        source, docs, rest = (docs, [], rest) if docs else (rest, [], [])
    by_reason |= {folder.path: "no source in it" for folder in rest}
    shares = _merged([*_units(source, alone=code is None), *([code] if code is not None else [])])
    written = [_whole(folder) for folder in docs] + ([prose] if prose is not None else [])
    shares += [_one(written)] if written else []
    return Division(
        shares=tuple(shares) or (_new_folder(files, others),),
        left_out=tuple(sorted(by_reason.items())),
    )


def _tree(files: Iterable[str], others: Iterable[str]) -> _Folder:
    below: dict[str, set[str]] = defaultdict(set)
    for path in (*files, *others):
        above = ""
        for part in path.split("/"):
            below[above].add(part)
            above = f"{above}/{part}" if above else part
    root = _Folder("", "")
    root.names = below[""]
    for path in sorted(path for path in files if _is_nameable(path)):
        _place(root, path, below)
    return root


def _place(root: _Folder, path: str, below: Mapping[str, set[str]]) -> None:
    at = root
    *folders, _ = path.split("/")
    for name in folders:
        at.files.append(path)
        if name not in at.folders:
            text = spelled(name, below[at.path]) if at.spelled is not None else None
            whole = None if text is None else f"{at.spelled}/{text}" if at.spelled else text
            at.folders[name] = _Folder(f"{at.path}/{name}" if at.path else name, whole)
        at = at.folders[name]
        at.names = below[at.path]
    at.files.append(path)
    at.direct.append(path)


def _is_nameable(path: str) -> bool:
    try:
        repo_path(path)
    except ValueError:
        return False
    return not path.startswith(".")


def spelled(name: str, siblings: Collection[str]) -> str | None:
    """Return `name` as a part of a pattern that means none of its siblings; None for none."""
    if name.isprintable() and _SPECIAL.isdisjoint(name) and name == name.strip():
        return name
    escaped = "".join(f"\\{letter}" if letter in _SPECIAL else letter for letter in name)
    loose = "".join(letter if _is_plain(letter) else "?" for letter in name)
    return next((text for text in (escaped, loose) if _means(text, name, siblings)), None)


def _means(text: str, name: str, siblings: Collection[str]) -> bool:
    """Return whether a plan can say `text`, and it is `name` and no sibling."""
    if not all(letter == "\\" or _is_plain(letter) or letter in _SPECIAL for letter in text):
        return False
    try:
        meant = patterns((pattern(f"/{text}/**"),))
    except ValueError:
        return False
    return meant.match(f"{name}/x") and not any(
        meant.match(f"{other}/x") for other in siblings if other != name
    )


def _is_plain(letter: str) -> bool:
    return letter.isprintable() and letter not in _SPECIAL


def anchored(text: str) -> str:
    """Return a pattern that begins at the top, whatever its first letter means to git."""
    return text if (text[0].isalnum() or text[0] == "_") and "/" in text else f"/{text}"


def _whole(folder: _Folder) -> Share:
    return Share(
        places=(f"{folder.path}/",),
        allow=(anchored(f"{folder.spelled}/**"),),
        files=len(folder.files),
    )


def _units(source: Sequence[_Folder], *, alone: bool) -> list[Share]:
    """Return a share for each folder; where there is one folder alone, for each below it."""
    parts = _parts(source[0]) if alone and len(source) == 1 else []
    return parts or [_whole(folder) for folder in source]


def _parts(folder: _Folder) -> list[Share]:
    """Return shares of what is below a folder; none where it does not fall into parts."""
    kept = [
        one
        for name, one in sorted(folder.folders.items())
        if one.spelled is not None and not is_of_others(name) and not name.startswith(".")
    ]
    if len(kept) == 1 and not folder.direct:
        return _parts(kept[0])
    if len(kept) < 2:
        return []
    direct = _direct(folder, lambda _: True)
    return [_whole(one) for one in kept] + ([direct] if direct is not None else [])


def _direct(folder: _Folder, wanted: Callable[[str], bool]) -> Share | None:
    """Return a share of the files that lie in the folder itself, named by their extensions."""
    # A hidden file is for tools, some of them sensitive: no name of one gets into a scope.
    found = [
        path
        for path in folder.direct
        if wanted(path) and not path.rpartition("/")[2].startswith(".")
    ]
    if folder.spelled is None or not found:
        return None
    prefix = f"{folder.spelled}/" if folder.spelled else ""
    safe = _safe_extensions(found, folder)
    texts = [
        f"*.{extension(path)}"
        if extension(path) in safe
        else spelled(path.rpartition("/")[2], folder.names)
        for path in found
    ]
    allow = dict.fromkeys(anchored(prefix + text) for text in texts if text is not None)
    return Share(places=_names(found, folder), allow=tuple(allow), files=len(found))


def _safe_extensions(found: Sequence[str], folder: _Folder) -> frozenset[str]:
    """Return the extensions that name these files of a folder and nothing else in it."""
    meant = {path.rpartition("/")[2] for path in found}
    ends = {extension(path) for path in found}
    others = [name for name in folder.names - meant if not name.startswith(".")]
    return frozenset(
        end
        for end in ends
        if end.isalnum() and end.isascii() and not any(o.endswith(f".{end}") for o in others)
    )


def _names(found: Sequence[str], folder: _Folder) -> tuple[str, ...]:
    ends = Counter(extension(path) for path in found)
    kinds = ", ".join(f"*.{end}" for end in sorted(ends) if end)
    return (f"files of {folder.path}/ itself",) if folder.path else (f"{kinds or 'files'} at top",)


def _merged(units: Sequence[Share]) -> list[Share]:
    """Return at most MOST_WORKERS shares, about equally many files in each."""
    heaps: list[list[Share]] = [[] for _ in range(min(MOST_WORKERS, len(units)))]
    sizes = [0] * len(heaps)
    for unit in sorted(units, key=lambda one: (-one.files, one.places)):
        lightest = sizes.index(min(sizes))
        heaps[lightest].append(unit)
        sizes[lightest] += unit.files
    return sorted((_one(heap) for heap in heaps), key=lambda share: share.places)


def _one(units: Sequence[Share]) -> Share:
    ordered = sorted(units, key=lambda unit: unit.places)
    return Share(
        places=tuple(place for unit in ordered for place in unit.places),
        allow=tuple(text for unit in ordered for text in unit.allow),
        files=sum(unit.files for unit in ordered),
    )


def _new_folder(files: Collection[str], others: Collection[str]) -> Share:
    """Return a share where nothing is there yet."""
    taken = {path.partition("/")[0].casefold() for path in (*files, *others)}
    name = next((name for name in _NEW_FOLDERS if name not in taken), "factory-work")
    return Share(places=(f"{name}/ (new)",), allow=(f"{name}/**",), files=0)
