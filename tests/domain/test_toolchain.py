"""How the tests of a repository are run, told from its files."""

import json

import pytest

from tools.codex.factory.domain.toolchain import (
    PROGRAMS,
    Look,
    Suggestion,
    suggestions,
    worth_reading,
)

EVERYTHING = dict.fromkeys(PROGRAMS, "/usr/bin")
NODE = json.dumps({"scripts": {"test": "x"}, "devDependencies": {"y": "1"}})
IGNORE = {".gitignore": "# what tools leave\nnode_modules\nvendor/\n/deps/\n**/\n"}
UNIT, FUNCTIONS = "import unittest\n", "def test_x(): pass\n"


def found(
    files: list[str], texts: dict[str, str], programs: dict[str, str] | None = None
) -> tuple[Suggestion, ...]:
    look = Look(
        files=frozenset([*files, *texts]),
        texts=texts,
        programs=EVERYTHING if programs is None else programs,
    )
    return suggestions(look)


@pytest.mark.parametrize(
    ("files", "texts", "command", "setup"),
    [
        ([], {"test_a.py": UNIT}, "python3 -m unittest discover", []),
        ([], {"t/test_a.py": UNIT}, "python3 -m unittest discover -s t", []),
        (["t/__init__.py"], {"t/test_a.py": UNIT}, "python3 -m unittest discover", []),
        (
            ["x/t/__init__.py"],
            {"x/t/test_a.py": UNIT},
            "python3 -m unittest discover -s x",
            [],
        ),
        (
            ["src/p/__init__.py"],
            {"src/p/test_a.py": UNIT},
            "env PYTHONPATH=src python3 -m unittest discover -s src",
            [],
        ),
        ([], {"t/test_a.py": FUNCTIONS}, "python3 -m pytest -q", []),
        ([], {"a_test.py": UNIT, "tox.ini": "[pytest]\n"}, "python3 -m pytest -q", []),
        (["conftest.py"], {"t/test_a.py": UNIT}, "python3 -m pytest -q", []),
        ([], {**IGNORE, "package.json": NODE}, "npm test", ["npm install --no-package-lock"]),
        (["package-lock.json"], {**IGNORE, "package.json": NODE}, "npm test", ["npm ci"]),
        (
            ["yarn.lock"],
            {**IGNORE, "package.json": NODE},
            "yarn test",
            ["yarn install --frozen-lockfile"],
        ),
        (
            ["yarn.lock"],
            {**IGNORE, "package.json": NODE, ".yarnrc.yml": ""},
            "yarn test",
            ["yarn install --immutable"],
        ),
        (
            ["pnpm-lock.yaml"],
            {**IGNORE, "package.json": NODE},
            "pnpm test",
            ["pnpm install --frozen-lockfile"],
        ),
        (
            ["bun.lock"],
            {**IGNORE, "package.json": NODE},
            "bun run test",
            ["bun install --frozen-lockfile"],
        ),
        (["go.mod"], {"Makefile": "test:\n"}, "go test ./...", []),
        (["Cargo.toml"], {}, "cargo test", []),
        (["pom.xml"], {}, "mvn --batch-mode test", []),
        (["build.gradle.kts", "gradlew"], {}, "./gradlew --no-daemon test", []),
        (["build.gradle"], {}, "gradle --no-daemon test", []),
        (["Gemfile", "spec/a_spec.rb"], {}, "bundle exec rspec", []),
        (["Rakefile", "test/a.rb"], {}, "rake test", []),
        (
            ["phpunit.xml.dist"],
            {**IGNORE, "composer.json": '{"require": {}}'},
            "vendor/bin/phpunit",
            ["composer install --no-interaction"],
        ),
        (["x.sln"], {}, "dotnet test", []),
        (
            ["mix.exs", "mix.lock"],
            {**IGNORE},
            "mix test",
            ["mix local.hex --force", "mix deps.get"],
        ),
        ([], {"makefile": "test :: all\n"}, "make test", []),
    ],
)
def test_each_toolchain_is_told_from_its_files(
    files: list[str], texts: dict[str, str], command: str, setup: list[str]
) -> None:
    [one] = found(files, texts)

    assert (" ".join(one.command), [" ".join(argv) for argv in one.setup]) == (command, setup)
    assert one.missing == ""


@pytest.mark.parametrize(
    ("files", "texts"),
    [
        ([], {"package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\""}}'}),
        ([], {"package.json": "[" * 100_000}),
        ([], {"package.json": '{"scripts": []}'}),
        ([], {"composer.json": "[]"}),
        ([], {"Makefile": "test = 1\ntest:= 2\ncontest:\n"}),
        (["Gemfile", "spec/openapi.json"], {}),
        (["lib/go.mod", "setup.py"], {"pyproject.toml": "pytest"}),
    ],
)
def test_where_there_are_no_tests_none_are_made_up(files: list[str], texts: dict[str, str]) -> None:
    assert found(files, texts) == ()


@pytest.mark.parametrize(
    ("programs", "command", "missing"),
    [
        ({"python3": "/a", "pytest": "/a"}, "python3 -m pytest -q", ""),
        ({"python": "/a", "pytest": "/a"}, "python -m pytest -q", ""),
        ({"python3": "/a", "pytest": "/b"}, "pytest -q", ""),
        ({"python3": "/a"}, "python3 -m pytest -q", "'pytest' is not on PATH"),
        ({}, "python3 -m pytest -q", "'python3' is not on PATH"),
        (
            dict.fromkeys(("python3", "pytest"), "/home/x/.pyenv/shims"),
            "python3 -m pytest -q",
            "'pytest' is a shim: no version of it may be in use",
        ),
    ],
)
def test_pytest_is_started_by_the_python_that_it_lies_beside(
    programs: dict[str, str], command: str, missing: str
) -> None:
    [one] = found(["pytest.ini", "test_x.py"], {}, programs)

    assert (" ".join(one.command), one.missing) == (command, missing)


def test_few_and_only_named_files_are_read() -> None:
    tests = [f"t/test_{n:03}.py" for n in range(50)]

    read = worth_reading([*tests, "package.json", "sub/package.json", "secret.env", "app.py"])

    assert read == ("package.json", *tests[:20])
