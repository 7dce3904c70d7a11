"""Every command where no run is, an unknown one, one of another version, no place to write."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.conftest import Ended, Factory
from tests.work import Work, edit_line, rewrite
from tools.codex.factory.cli.main import COMMANDS
from tools.codex.factory.domain.schema import schemas

pytestmark = pytest.mark.slow

ABOUT_A_RUN: dict[str, tuple[str, ...]] = {
    "amend": ("--drop", "A", "--reason", "x"),
    "bundle-validate": (),
    "collect": (),
    "integrate": (),
    "open-report": (),
    "open-run": (),
    "print-report": (),
    "publish": ("--branch", "new"),
    "runs": ("show",),
    "watch": (),
}
"""Commands that take a run that is there, with what else they need."""
READERS: dict[str, tuple[str, ...]] = {
    "completion": ("bash",),
    "config": ("show",),
    "ledger": (),
    "ledger-replay": (),
    "open-report": (),
    "open-run": (),
    "print-report": (),
    "runs": ("list",),
    "schemas": (),
    "watch": (),
}
"""Commands that write nothing into the runs root, and end with 0 where all is well."""
WRITERS: dict[str, tuple[str, ...]] = {
    "amend": ("--allow", "A:docs/**", "--reason", "x"),
    "bundle-validate": (),
    "integrate": (),
    "launch": ("--plan", "{plan}"),
    "oneshot": ("--plan", "{plan}"),
    "preflight": ("--plan", "{plan}"),
    "doctor": (),
    "publish": ("--branch", "new"),
}
SCHEMA_OF = {
    "amend": "answer_amend",
    "completion": "answer_completion",
    "config": "answer_config",
    "doctor": "answer_doctor",
    "init": "answer_init",
    "ledger": "answer_ledger",
    "ledger-replay": "answer_ledger_replay",
    "open-report": "answer_open",
    "open-run": "answer_open",
    "plan": "answer_plan",
    "preflight": "answer_doctor",
    "print-report": "answer_print_report",
    "publish": "answer_publish",
    "runs list": "answer_runs",
    "runs show": "answer_runs_show",
    "runs prune": "answer_prune",
    "schemas": "answer_schemas",
    **dict.fromkeys(("bundle-validate", "collect", "integrate", "launch", "oneshot"), "answer_run"),
}


@pytest.fixture
def passed(work: Work) -> Work:
    """Return a repository with one run that is a PASS."""
    work.repo.git("config", "user.name", "Operator")
    work.repo.git("config", "user.email", "operator@example.org")
    work.patch("A", edit_line("src/app.txt", 2, "A"), allow=["src/**"])
    ended = work.oneshot("--run-id", "the-run")
    assert ended.exit_code == 0, ended.stderr
    return work


def test_every_command_is_on_one_of_these_lists() -> None:
    listed = {*ABOUT_A_RUN, *READERS, *WRITERS, "init", "plan"}

    assert listed == set(COMMANDS)
    assert {name.partition(" ")[0] for name in SCHEMA_OF} == set(COMMANDS) - {"watch"}


@pytest.mark.parametrize("name", sorted(ABOUT_A_RUN))
def test_where_there_is_no_run_the_command_says_so(factory: Factory, name: str) -> None:
    ended = factory(name, *ABOUT_A_RUN[name], "--json")

    assert (ended.exit_code, refusal(ended)["hint"]) == (
        40,
        "`factory oneshot --plan FILE` makes one",
    )
    assert "there is no run in " in refusal(ended)["message"]


@pytest.mark.parametrize("name", sorted(ABOUT_A_RUN))
def test_an_unknown_run_names_the_nearest(passed: Work, name: str) -> None:
    before = tree(passed.runs_root)

    ended = passed.factory(name, *ABOUT_A_RUN[name], "--run-id", "the-rnu", "--json")

    assert (ended.exit_code, refusal(ended)["hint"]) == (40, "did you mean 'the-run'?")
    assert tree(passed.runs_root) == before


@pytest.mark.parametrize("name", sorted(set(ABOUT_A_RUN) - {"open-run", "watch"}))
@pytest.mark.parametrize("key", ["schema_version", "from_the_future"])
def test_a_run_of_another_version_is_refused_and_stays(passed: Work, name: str, key: str) -> None:
    manifest = passed.runs_root / "the-run" / "RUN_MANIFEST.json"
    rewrite(manifest, lambda document: document.update({key: 2}))
    before = tree(passed.runs_root)

    ended = passed.factory(name, *ABOUT_A_RUN[name], "--json")

    assert ended.exit_code == 1
    assert "RUN_MANIFEST.json of 'the-run' is unreadable: " in refusal(ended)["message"]
    assert tree(passed.runs_root) == before


@pytest.mark.parametrize("name", sorted(READERS))
def test_a_reader_needs_no_place_to_write(passed: Work, name: str) -> None:
    with read_only(passed.runs_root) as enter:
        done = enter(passed.factory, name, *READERS[name])

    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_writer_says_that_the_runs_root_is_read_only(passed: Work, name: str) -> None:
    words = [word.format(plan=passed.plan()) for word in WRITERS[name]]
    before = tree(passed.runs_root)

    with read_only(passed.runs_root) as enter:
        done = enter(passed.factory, name, *words)

    assert done.exit_code == 20, (done.stdout, done.stderr)
    said = done.stdout + done.stderr
    assert "read-only" in said.lower() or "permission denied" in said.lower()
    assert tree(passed.runs_root) == before


@pytest.mark.parametrize("command", sorted(SCHEMA_OF))
def test_an_answer_fits_the_schema_of_its_command(passed: Work, command: str) -> None:
    words = command.split()
    more = {**READERS, **ABOUT_A_RUN, **WRITERS, "runs": ()}.get(words[0], ())
    more = {"amend": ("--deny", "A:docs/**", "--reason", "x"), "init": ("--print",)}.get(
        command, more
    )
    plan = passed.plan()
    if command in ("plan", "launch", "oneshot", "preflight"):
        more = ("--plan", plan)
    if command == "collect":
        passed.workers.clear()
        passed.add("P", external=True, allow=["docs/**"])
        passed.factory("launch", "--plan", passed.plan("outside.json"))

    ended = passed.factory(*words, *more, "--json")

    jsonschema.validate(ended.answer, schemas()[f"{SCHEMA_OF[command]}.schema.json"])
    assert (ended.answer["command"], ended.answer["exit_code"]) == (command, ended.exit_code)
    assert ended.exit_code == 0, ended.stderr


def refusal(ended: Ended) -> dict[str, Any]:
    """Return the error in an answer that is one document of the schema of all."""
    document = ended.answer if not ended.stdout.startswith('{"') else json.loads(ended.stdout)
    jsonschema.validate(document, schemas()["answer.schema.json"])
    error: dict[str, Any] = document["error"]
    return error


def tree(root: Path) -> dict[str, bytes]:
    """Return every file below `root`; who holds a run for an instant writes into its lock."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


class _Enter:
    """Runs the command where a folder cannot be written."""

    def __init__(self, before: tuple[str, ...]) -> None:
        self._before = before

    def __call__(self, factory: Factory, *words: str) -> Ended:
        done = subprocess.run(
            [*self._before, *factory.argv(*words)],
            cwd=factory.folder,
            env=factory.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


@contextmanager
def read_only(folder: Path) -> Iterator[_Enter]:
    """Yield what runs a command while nobody, root included, can write below `folder`."""
    if os.geteuid() != 0:
        folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
        modes = {path: path.stat().st_mode for path in folders}
        for path in reversed(folders):
            path.chmod(0o555)
        try:
            yield _Enter(())
        finally:
            for path in folders:
                path.chmod(modes[path])
        return
    script = 'mount --bind -o ro "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    before = ("unshare", "--mount", "sh", "-c", script, str(folder))
    if shutil.which("unshare") is None or subprocess.run([*before, "true"], check=False).returncode:
        pytest.skip("root writes whatever the modes say, and no mount can be made read-only here")
    yield _Enter(before)
