"""How the tests of a repository are run, as far as its files say."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from tools.codex.factory.domain.pattern import pattern, patterns
from tools.codex.factory.domain.python_tests import (
    PYTHONS,
    is_test_file,
    python_command,
    python_tests,
)

Argv = tuple[str, ...]

TOP_FILES = (
    ".gitignore", ".yarnrc.yml", "GNUmakefile", "Makefile", "composer.json", "makefile",
    "package.json", "pyproject.toml", "requirements-dev.txt", "requirements.txt", "setup.cfg",
    "tox.ini",
)  # fmt: skip
"""The files at the top whose content tells something."""
_MOST_TEST_FILES = 20
# Programs that look for what they start in the home folder, and checks have a home of their own.
_HOMEBOUND = ("/.cargo/bin", "/.asdf/shims", "/mise/shims", "/.volta/bin")
# These say of no program that it is there for the version in use.
_SHIMS = ("/.pyenv/shims", "/.rbenv/shims")
PROGRAMS = (
    *PYTHONS, "pytest", "node", "npm", "pnpm", "yarn", "bun", "go", "cargo", "java", "mvn",
    "gradle", "ruby", "bundle", "rake", "rspec", "php", "composer", "dotnet", "mix", "make",
)  # fmt: skip
"""The programs that a suggestion may need."""
_INTERPRETERS = (*PYTHONS, "ruby")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is known of a repository: its files, the content of few, the folder of each program."""

    files: frozenset[str]
    texts: Mapping[str, str]
    programs: Mapping[str, str]

    def has(self, *names: str) -> bool:
        """Return whether a file of one of these names lies at the top."""
        return any(name in self.files for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A check that fits, with its setup. `missing` says why it cannot run here, if it cannot.

    `maybe` is a setup that brings what the host may lack.
    """

    name: str
    found: str
    command: Argv
    setup: tuple[Argv, ...] = ()
    maybe: tuple[Argv, ...] = ()
    needs: tuple[str, ...] = ()
    ignored: str = ""
    missing: str = ""


def worth_reading(files: Collection[str]) -> tuple[str, ...]:
    """Return the files whose content is needed to suggest checks."""
    tests = sorted(path for path in files if is_test_file(path))
    return (*(name for name in TOP_FILES if name in files), *tests[:_MOST_TEST_FILES])


def suggestions(look: Look) -> tuple[Suggestion, ...]:
    """Return a check for each toolchain found; a Makefile counts where nothing else does."""
    found = [one for ask in _SPECIFIC if (one := ask(look)) is not None]
    if not found and (made := _make(look)) is not None:
        found = [made]
    return tuple(replace(one, missing=one.missing or _missing(one, look)) for one in found)


def _missing(one: Suggestion, look: Look) -> str:
    words = [*one.needs, one.command[0], *(argv[0] for argv in one.setup)]
    for program in words:
        folder = look.programs.get(program)
        if folder is None and "/" not in program and program != "env":
            return f"{program!r} is not on PATH"
        if folder is not None and folder.endswith(_HOMEBOUND):
            return (
                f"{program!r} is the one in {folder.rpartition('/')[0].rpartition('/')[2]}, which "
                "looks for its tools in the home folder, and a check has a home of its own"
            )
        if folder is not None and folder.endswith(_SHIMS) and program not in _INTERPRETERS:
            return f"{program!r} is a shim: no version of it may be in use"
    if one.ignored and not _ignores(look, one.ignored):
        return f"its setup leaves {one.ignored}, which .gitignore does not name"
    return ""


def _ignores(look: Look, folder: str) -> bool:
    lines = look.texts.get(".gitignore", "").splitlines()
    return patterns(tuple(line for line in lines if _is_pattern(line))).match(f"{folder}x")


def _is_pattern(line: str) -> bool:
    try:
        pattern(line)
    except ValueError:
        return False
    return True


def _python(look: Look) -> Suggestion | None:
    tests = python_tests(look.files, look.texts)
    if not tests.files:
        return None
    command, needs = python_command(tests, look.programs)
    python = next((name for name in PYTHONS if name in look.programs), PYTHONS[0])
    pip = (".venv/bin/python", "-m", "pip", "install")
    named = [name for name in ("requirements-dev.txt", "requirements.txt") if name in look.files]
    own = look.has("pyproject.toml", "setup.py")
    packages = ("-r", named[0]) if named else ("-e", ".") if own else ("pytest",)
    return Suggestion(
        name="python",
        found=tests.reason,
        command=command,
        maybe=((python, "-m", "venv", ".venv"), (*pip, *packages)) if tests.by_pytest else (),
        needs=needs,
    )


def _node(look: Look) -> Suggestion | None:
    package = _object(look, "package.json")
    script = _table(package, "scripts").get("test")
    if not isinstance(script, str) or "no test specified" in script:
        return None
    lock, program, install = next(
        (row for row in _node_locks(look) if row[0] in look.files),
        ("", "npm", ("install", "--no-package-lock")),
    )
    needed = any(package.get(key) for key in ("dependencies", "devDependencies", "workspaces"))
    return Suggestion(
        name="node",
        found="scripts.test in package.json" + (f", {lock}" if lock else ""),
        command=(program, "run", "test") if program == "bun" else (program, "test"),
        setup=((program, *install),) if needed else (),
        ignored="node_modules/" if needed else "",
        needs=() if program == "bun" else ("node",),
    )


def _node_locks(look: Look) -> tuple[tuple[str, str, Argv], ...]:
    berry = ".yarnrc.yml" in look.files
    return (
        ("pnpm-lock.yaml", "pnpm", ("install", "--frozen-lockfile")),
        ("yarn.lock", "yarn", ("install", "--immutable" if berry else "--frozen-lockfile")),
        ("bun.lock", "bun", ("install", "--frozen-lockfile")),
        ("bun.lockb", "bun", ("install", "--frozen-lockfile")),
        ("package-lock.json", "npm", ("ci",)),
        ("npm-shrinkwrap.json", "npm", ("ci",)),
    )


def _go(look: Look) -> Suggestion | None:
    if not look.has("go.mod"):
        return None
    return Suggestion(name="go", found="go.mod", command=("go", "test", "./..."))


def _rust(look: Look) -> Suggestion | None:
    if not look.has("Cargo.toml"):
        return None
    locked = ("--locked",) if look.has("Cargo.lock") else ()
    return Suggestion(name="rust", found="Cargo.toml", command=("cargo", "test", *locked))


def _java(look: Look) -> Suggestion | None:
    if look.has("pom.xml"):
        program = "./mvnw" if look.has("mvnw") else "mvn"
        command: Argv = (program, "--batch-mode", "test")
        return Suggestion(name="maven", found="pom.xml", command=command, needs=("java",))
    build = next((f for f in ("build.gradle", "build.gradle.kts") if look.has(f)), None)
    if build is None:
        return None
    command = ("./gradlew" if look.has("gradlew") else "gradle", "--no-daemon", "test")
    return Suggestion(name="gradle", found=build, command=command, needs=("java",))


def _ruby(look: Look) -> Suggestion | None:
    inner: Argv
    if look.has(".rspec") or any(path.startswith("spec/") for path in look.files):
        inner, found = ("rspec",), "spec/"
    elif look.has("Rakefile") and any(path.startswith("test/") for path in look.files):
        inner, found = ("rake", "test"), "Rakefile"
    else:
        return None
    if not any(path.endswith(".rb") for path in look.files):
        return None
    if not look.has("Gemfile"):
        return Suggestion(name="ruby", found=found, command=inner)
    bring = (("bundle", "install"),)
    return Suggestion(
        name="ruby", found=f"Gemfile, {found}", command=("bundle", "exec", *inner), maybe=bring
    )


def _php(look: Look) -> Suggestion | None:
    composer = _object(look, "composer.json")
    scripted = "test" in _table(composer, "scripts")
    if not scripted and not look.has("phpunit.xml", "phpunit.xml.dist"):
        return None
    needed = bool(composer)
    return Suggestion(
        name="php",
        found="scripts.test in composer.json" if scripted else "phpunit.xml",
        command=("composer", "test") if scripted else ("vendor/bin/phpunit",),
        setup=(("composer", "install", "--no-interaction"),) if needed else (),
        ignored="vendor/" if needed else "",
        needs=("php",),
    )


def _dotnet(look: Look) -> Suggestion | None:
    ends = (".sln", ".slnx", ".csproj", ".fsproj")
    found = sorted(path for path in look.files if path.endswith(ends) and "/" not in path)
    if not found:
        return None
    return Suggestion(name="dotnet", found=found[0], command=("dotnet", "test"))


def _elixir(look: Look) -> Suggestion | None:
    if not look.has("mix.exs"):
        return None
    bring: tuple[Argv, ...] = (("mix", "local.hex", "--force"), ("mix", "deps.get"))
    needed = look.has("mix.lock")
    return Suggestion(
        name="elixir",
        found="mix.exs",
        command=("mix", "test"),
        setup=bring if needed else (),
        ignored="deps/" if needed else "",
    )


def _make(look: Look) -> Suggestion | None:
    for name in ("GNUmakefile", "makefile", "Makefile"):
        if re.search(r"^test[ \t]*::?(?!=)", look.texts.get(name, ""), re.MULTILINE):
            return Suggestion(name="make", found=f"test: in {name}", command=("make", "test"))
    return None


_SPECIFIC: tuple[Callable[[Look], Suggestion | None], ...] = (
    _python, _node, _go, _rust, _java, _ruby, _php, _dotnet, _elixir,
)  # fmt: skip


def _object(look: Look, name: str) -> Mapping[str, object]:
    try:
        document = json.loads(look.texts.get(name, "{}"))
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _table(document: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = document.get(key)
    return found if isinstance(found, dict) else {}
