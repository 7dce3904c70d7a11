"""The tests of a Python repository: which files they are, and what runs them."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

PYTHONS = ("python3", "python")
_TEST_FILE = re.compile(r"test[^/]*\.py|[^/]*_test\.py")
_DISCOVERED = re.compile(r"test[^/]*\.py")
_CONFIGURED = (
    ("pyproject.toml", re.compile(r"^\[tool\.pytest", re.MULTILINE)),
    ("setup.cfg", re.compile(r"^\[tool:pytest\]", re.MULTILINE)),
    ("tox.ini", re.compile(r"^\[pytest\]", re.MULTILINE)),
)
_NAMED = ("pyproject.toml", "setup.cfg", "requirements.txt", "requirements-dev.txt", "tox.ini")
_IMPORTS_UNITTEST = re.compile(r"^\s*(import|from) unittest\b", re.MULTILINE)
_IMPORTS_PYTEST = re.compile(r"^\s*(import|from) pytest\b", re.MULTILINE)


def is_test_file(path: str) -> bool:
    """Return whether a file is named as Python's tests are."""
    return _TEST_FILE.fullmatch(path.rpartition("/")[2]) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonTests:
    """The test files of a tree, whether pytest runs them, and what says so."""

    tree: frozenset[str]
    files: tuple[str, ...]
    by_pytest: bool
    reason: str


def python_tests(files: frozenset[str], texts: Mapping[str, str]) -> PythonTests:
    """Return the tests among `files`, as far as names and the content of a few files tell."""
    tests = tuple(sorted(path for path in files if is_test_file(path) and path.isprintable()))
    why = _why_pytest(files, tests, texts)
    return PythonTests(
        tree=files, files=tests, by_pytest=bool(why), reason=why or "unittest in the test files"
    )


def _why_pytest(files: frozenset[str], tests: tuple[str, ...], texts: Mapping[str, str]) -> str:
    if "pytest.ini" in files:
        return "pytest.ini"
    for name, section in _CONFIGURED:
        if section.search(texts.get(name, "")):
            return f"pytest in {name}"
    for name in _NAMED:
        if re.search(r"\bpytest\b", texts.get(name, "")):
            return f"pytest in {name}"
    if any(path.rpartition("/")[2] == "conftest.py" for path in files):
        return "conftest.py"
    read = [texts[path] for path in tests if path in texts]
    if any(_IMPORTS_PYTEST.search(text) for text in read):
        return "pytest in the test files"
    return "" if any(_IMPORTS_UNITTEST.search(text) for text in read) else "functions in test files"


def python_command(
    tests: PythonTests, programs: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the command that runs the tests, and the programs that it needs.

    `programs` maps each program that is there to its folder.
    """
    python = next((name for name in PYTHONS if name in programs), PYTHONS[0])
    if not tests.by_pytest:
        return (*_source_first(tests), python, *_discovery(tests)), (python,)
    # A pytest beside this Python is most likely its own; `-m` lets tests import from the top.
    if "pytest" in programs and programs["pytest"] != programs.get(python):
        return ("pytest", "-q"), ("pytest",)
    return (python, "-m", "pytest", "-q"), (python, "pytest")


def _source_first(tests: PythonTests) -> tuple[str, ...]:
    """Return what lets tests import packages that lie in src/ and are not installed."""
    packages = any(re.fullmatch(r"src/[^/]+/__init__\.py", path) for path in tests.tree)
    return ("env", "PYTHONPATH=src") if packages and "src/__init__.py" not in tests.tree else ()


def _discovery(tests: PythonTests) -> tuple[str, ...]:
    """Return how unittest finds most tests: it goes down from a folder through packages only."""
    found = [path for path in tests.files if _DISCOVERED.fullmatch(path.rpartition("/")[2])]
    reached = Counter(start for path in found for start in _starts(path, tests.tree))
    start = min(reached, key=lambda one: (-reached[one], len(one), one), default="")
    top = start
    while top and f"{top}/__init__.py" in tests.tree:
        top = top.rpartition("/")[0]
    where = ("-s", start) if start else ()
    return ("-m", "unittest", "discover", *where, *(("-t", top or ".") if top != start else ()))


def _starts(path: str, tree: Collection[str]) -> Iterator[str]:
    """Yield each folder from which unittest comes down to a file."""
    above = path.rpartition("/")[0]
    yield above
    while above and f"{above}/__init__.py" in tree:
        above = above.rpartition("/")[0]
        yield above
