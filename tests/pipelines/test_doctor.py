"""doctor and preflight: each trouble is made to happen, and is one row among all the others."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.builders import Repo
from tests.confined.tiers import KEPT
from tests.conftest import Ended, Factory
from tests.test_promises import fingerprint
from tests.work import Work, edit_line
from tools.codex.factory.domain.schema import schemas
from tools.codex.factory.pipelines.doctor import schema_rows
from tools.codex.factory.process.packages import PACKAGES

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
GROUPS = [
    "host",
    "repository",
    "configuration",
    "runs root",
    "work root",
    "schemas",
    "agent programs",
    "confinement",
]
Rows = list[dict[str, Any]]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Return an environment with a folder for throw-away files of the test's own."""
    (tmp_path / "tmp").mkdir()
    return {"TMPDIR": str(tmp_path / "tmp")}


def _rows(ended: Ended, group: str = "", verdict: str = "") -> Rows:
    rows: Rows = ended.answer["rows"]
    return [row for row in rows if group in ("", row["group"]) and verdict in ("", row["verdict"])]


def _unfit(ended: Ended) -> list[tuple[str, str, str]]:
    """Return group, message and remedy of each unfit row; there is an exit code for them."""
    found = [(r["group"], r["message"], r["remedy"]) for r in _rows(ended, verdict="unfit")]
    assert (ended.exit_code, ended.answer["status"]) == ((20, "FAIL") if found else (0, "OK"))
    return found


def _program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    return folder


def test_a_fresh_small_repository_is_fit(factory: Factory, env: dict[str, str]) -> None:
    ended = factory("doctor", "--json", env=env)

    jsonschema.validate(ended.answer, schemas()["answer_doctor.schema.json"])
    assert ended.exit_code == 0, _unfit(ended)
    assert list(dict.fromkeys(row["group"] for row in _rows(ended))) == GROUPS
    assert all(row["what"] for row in _rows(ended))
    assert (ended.answer["fixed"], ended.stderr) == ([], "")


def test_on_the_screen_each_group_is_a_table_and_the_last_line_is_the_sum(
    factory: Factory, env: dict[str, str]
) -> None:
    rows = _rows(factory("doctor", "--json", env=env))

    lines = factory("doctor", env=env).stdout.splitlines()

    count = [sum(row["verdict"] == one for row in rows) for one in ("ok", "note", "unfit")]
    assert [line.strip() for line in lines if line.isupper()] == [g.upper() for g in GROUPS]
    assert lines[-1] == "FIT  {} ok, {} note, {} unfit".format(*count)
    assert sum("-> " in line for line in lines) == sum(bool(row["remedy"]) for row in rows)


def test_doctor_and_preflight_write_nothing_without_fix(
    repo: Repo, factory: Factory, env: dict[str, str], tmp_path: Path
) -> None:
    repo.write("dirty", "x")
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'schema_version = 1\ntitle = "x"\n[[workers]]\nid = "A"\nallow = ["**"]\n'
        'command = ["true"]\n'
    )
    before = [fingerprint(repo.path), fingerprint(factory.home), fingerprint(tmp_path / "tmp")]

    codes = [
        factory("doctor", env=env).exit_code,
        factory("preflight", "--plan", str(plan), env=env).exit_code,
    ]

    after = [fingerprint(repo.path), fingerprint(factory.home), fingerprint(tmp_path / "tmp")]
    assert (codes, after) == ([0, 0], before)
    assert not (repo.path / "tools").exists()


# -- host ------------------------------------------------------------------------------------------


def test_without_git_every_other_row_is_there(
    factory: Factory, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()

    ended = factory.real("doctor", "--json", env={**env, "PATH": str(tmp_path / "empty")})

    assert _unfit(ended) == [
        ("host", "program 'git' is not on PATH", "install git"),
        ("repository", "not asked: git cannot be called", "install git"),
    ]
    assert list(dict.fromkeys(row["group"] for row in _rows(ended))) == GROUPS


def test_a_git_that_is_too_old_is_unfit_and_the_repository_is_asked_all_the_same(
    factory: Factory, env: dict[str, str], tmp_path: Path
) -> None:
    real = shutil.which("git")
    script = f'case " $* " in *" version "*) echo git version 2.20.1;; *) exec {real} "$@";; esac'
    old = _program(tmp_path / "old", "git", script)

    ended = factory("doctor", "--json", env={**env, "PATH": f"{old}:{os.environ['PATH']}"})

    wanted = ("host", "git version 2.20.1 is too old", "install git 2.38 or newer")
    assert _unfit(ended) == [wanted]
    assert len(_rows(ended, "repository", "ok")) == 4


def test_the_packages_that_are_asked_for_are_those_that_the_project_needs() -> None:
    said = (PROJECT / "pyproject.toml").read_text("utf-8")
    block = said.partition("dependencies = [")[2].partition("]")[0]

    needed = [line.strip().strip('",').partition(">")[0] for line in block.splitlines()]

    assert sorted(PACKAGES) == sorted(name for name in needed if name)


@pytest.mark.parametrize("words", [("doctor",), ("preflight", "--plan", "p.toml")])
def test_a_package_that_cannot_be_imported_is_named_before_anything_needs_it(
    factory: Factory, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "broken" / "pathspec").mkdir(parents=True)
    (tmp_path / "broken" / "pathspec" / "__init__.py").write_text("raise ImportError('half')\n")

    ended = factory.real(*words, env={"PYTHONPATH": f"{tmp_path}/broken:{PROJECT}"})

    assert (ended.exit_code, ended.stdout) == (20, "")
    assert ended.stderr.startswith("factory: package pathspec cannot be imported: half\n  -> ")
    assert ended.stderr.endswith("-m pip install --force-reinstall pathspec\n")


# -- repository ------------------------------------------------------------------------------------


def test_no_repository_is_a_row(factory: Factory, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()

    ended = factory("doctor", "--json", cwd=tmp_path / "plain", env=env)

    said = f"'{tmp_path}/plain' is not in a git repository"
    assert _unfit(ended) == [("repository", said, "go into one, or name one with -C")]
    assert list(dict.fromkeys(row["group"] for row in _rows(ended))) == GROUPS


def test_a_repository_without_a_commit_is_a_row(
    factory: Factory, env: dict[str, str], tmp_path: Path
) -> None:
    empty = Repo.make(tmp_path / "empty")

    ended = factory("doctor", "--json", cwd=empty.path, env=env)

    said = "the repository has no commit yet"
    assert _unfit(ended) == [("repository", said, "make a first commit")]


def test_a_repository_of_sha256_is_unfit(
    factory: Factory, env: dict[str, str], tmp_path: Path
) -> None:
    other = Repo(tmp_path / "other")
    other.path.mkdir()
    other.git("init", "-q", "--object-format=sha256")

    ended = factory("doctor", "--json", cwd=other.path, env=env)

    said = "the repository keeps its objects by sha256"
    assert _unfit(ended) == [
        ("repository", said, "work in a clone that keeps them by SHA-1: factory knows no other")
    ]


def test_a_partial_clone_that_lacks_blobs_is_unfit(
    repo: Repo, factory: Factory, env: dict[str, str], tmp_path: Path
) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    where = f"file://{repo.path}"
    repo.git("clone", "-q", "--no-checkout", "--filter=blob:none", where, str(tmp_path / "clone"))

    ended = factory("doctor", "--json", cwd=tmp_path / "clone", env=env)

    ((group, said, remedy),) = _unfit(ended)
    assert (group, said.partition(",")[0]) == ("repository", "this is a partial clone")
    assert "fetch --refetch" in remedy


def test_what_is_out_of_the_ordinary_and_fine_is_said(
    repo: Repo, factory: Factory, env: dict[str, str], tmp_path: Path
) -> None:
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(repo.path), "sub")
    repo.commit("with a submodule")
    repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    (tmp_path / "linked" / "new").write_text("x")
    repo.git("config", "core.ignorecase", "true")

    ended = factory("doctor", "--json", cwd=tmp_path / "linked", env=env)

    head = repo.git("rev-parse", "HEAD").decode().strip()
    assert ended.exit_code == 0
    assert [(row["what"], row["message"]) for row in _rows(ended, "repository")] == [
        (f"{tmp_path}/linked", "work tree of a repository with several"),
        (
            "letter case of names",
            "the file system keeps it, and core.ignorecase says that it does not",
        ),
        ("base HEAD", f"{head} (detached), all its objects are here"),
        ("submodules", "1 in the base; they stay as they are, and changing one is BLOCKED"),
        ("work tree", "1 changed or untracked paths are in no run"),
    ]


# -- configuration ---------------------------------------------------------------------------------


def test_a_wrong_setting_is_a_row_and_the_rest_is_asked_with_the_defaults(
    factory: Factory, env: dict[str, str]
) -> None:
    ended = factory("doctor", "--json", env={**env, "FACTORY_WORK__JOBS": "7000"})

    ((group, said, _),) = _unfit(ended)
    assert (group, said.partition(":")[0]) == (
        "configuration",
        "work.jobs = 7000 (environment FACTORY_WORK__JOBS)",
    )
    assert list(dict.fromkeys(row["group"] for row in _rows(ended))) == GROUPS


def test_each_setting_that_is_not_the_default_is_said_with_its_layer(
    repo: Repo, factory: Factory, env: dict[str, str], tmp_path: Path
) -> None:
    path = "tools/codex/factory/factory.config.json"
    repo.write(path, json.dumps({"work": {"jobs": 2}, "overlap": {"allow_identical": True}}))
    layers = {**env, "FACTORY_WORK__GRACE": "1s", "FACTORY_TEA": "hot"}

    ended = factory("doctor", "--json", "--runs-root", str(tmp_path / "runs"), env=layers)

    assert [(row["what"], row["message"]) for row in _rows(ended, "configuration")] == [
        ("layers", f"defaults, {path}, environment, command line"),
        ("overlap.allow_identical", f"true ({path})"),
        ("runs.root", f"'{tmp_path}/runs' (command line)"),
        ("sandbox.mode", "'off' (environment FACTORY_SANDBOX__MODE)"),
        ("work.grace", "'1s' (environment FACTORY_WORK__GRACE)"),
        ("work.jobs", f"2 ({path})"),
        ("FACTORY_TEA", "FACTORY_TEA is no setting of this factory and was passed over"),
    ]


# -- runs root and work root -----------------------------------------------------------------------


def test_a_file_in_the_place_of_the_runs_root_is_unfit(
    factory: Factory, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")

    for root in ("file", "file/below"):
        ended = factory("doctor", "--json", env={**env, "FACTORY_RUNS__ROOT": str(tmp_path / root)})
        ((group, said, remedy),) = _unfit(ended)
        assert (group, said) == ("runs root", f"'{tmp_path}/file' cannot be written")
        assert remedy.endswith("set runs.root (FACTORY_RUNS__ROOT)")


def test_a_runs_root_that_holds_the_users_files_is_unfit(
    repo: Repo, factory: Factory, env: dict[str, str]
) -> None:
    ended = factory("doctor", "--json", env={**env, "FACTORY_RUNS__ROOT": "docs"})

    ((group, said, _),) = _unfit(ended)
    assert (group, said) == ("runs root", "it holds 'guide.txt', which is no run")


def test_a_work_root_in_a_repository_is_unfit(
    repo: Repo, factory: Factory, env: dict[str, str]
) -> None:
    ended = factory("doctor", "--json", env={**env, "FACTORY_WORK__ROOT": str(repo.path / "w")})

    ((group, said, _),) = _unfit(ended)
    assert group == "work root"
    assert said == f"work.root = '{repo.path}/w' lies in the repository '{repo.path}'"


def test_a_work_root_and_a_tmpdir_that_cannot_be_written_are_unfit(
    factory: Factory, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")

    blocked = factory(
        "doctor", "--json", env={**env, "FACTORY_WORK__ROOT": str(tmp_path / "file" / "w")}
    )
    homeless = factory("doctor", "--json", env={**env, "HOME": ""})

    assert [said for _, said, _ in _unfit(blocked)] == [
        f"'{tmp_path}/file' cannot be written: it is no folder"
    ]
    assert [said for _, said, _ in _unfit(homeless)] == [
        "there is no home folder to keep checkouts in"
    ]


def test_a_tmpdir_that_is_not_there_is_unfit_and_nothing_else(
    factory: Factory, env: dict[str, str], tmp_path: Path
) -> None:
    ended = factory("doctor", "--json", env={"TMPDIR": str(tmp_path / "none")})

    assert [said for _, said, _ in _unfit(ended)] == [
        "cannot be written: No such file or directory"
    ]


@pytest.fixture
def ran(work: Work) -> Work:
    """Return a repository with one run that ended."""
    work.patch("A", edit_line("src/app.txt", 1, "A"), allow=["src/**"])
    assert work.oneshot("--run-id", "r1").exit_code == 0
    return work


def test_the_ledger_is_verified_whole(ran: Work, env: dict[str, str]) -> None:
    ended = ran.factory("doctor", "--json", env=env)

    lines = (ran.runs_root / "factory_ledger.jsonl").read_bytes().count(b"\n")
    said = {row["what"]: row["message"] for row in _rows(ended, "runs root")}
    assert ended.exit_code == 0
    assert said["ledger"] == f"{lines} events of 1 runs, the chain verified"
    assert len(said) == 3


def test_a_damaged_ledger_line_is_unfit_and_named(ran: Work, env: dict[str, str]) -> None:
    path = ran.runs_root / "factory_ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[2], *lines[2:]]))

    ended = ran.factory("doctor", "--json", env=env)
    fixing = ran.factory("doctor", "--fix", "--json", env=env)

    said = "ledger line 2: seq is 2, not 1"
    assert [one[:2] for one in _unfit(ended)] == [("runs root", said)]
    assert [one[:2] for one in _unfit(fixing)] == [("runs root", said)]


def test_a_link_in_the_place_of_the_ledger_is_unfit(
    ran: Work, env: dict[str, str], tmp_path: Path
) -> None:
    path = ran.runs_root / "factory_ledger.jsonl"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")

    ended = ran.factory("doctor", "--json", env=env)

    assert _unfit(ended) == [("runs root", "it is no plain file", "put the ledger back there")]


def test_runs_on_disk_and_runs_of_the_ledger_are_held_against_each_other(
    ran: Work, env: dict[str, str]
) -> None:
    ran.oneshot("--run-id", "r2")
    shutil.copytree(ran.runs_root / "r1", ran.runs_root / "r3")
    shutil.rmtree(ran.runs_root / "r2")
    (ran.runs_root / "mine").mkdir()
    (ran.runs_root / "mine" / "notes").write_text("x")

    ended = ran.factory("doctor", "--json", env=env)

    said = {row["what"]: row["message"] for row in _rows(ended, "runs root", "note")}
    assert ended.exit_code == 0
    assert said == {
        "runs that the ledger does not know": "1: r3",
        "runs that the ledger knows, and that are gone": "1: r2",
        "folders that are no run": "1: mine",
    }


# -- schemas, programs -----------------------------------------------------------------------------


def test_a_schema_beside_the_program_that_was_edited_is_unfit(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    shutil.copytree(PROJECT / "schemas", tmp_path / "schemas")
    before = [row.verdict for row in schema_rows(tmp_path)]
    (tmp_path / "schemas" / "plan.schema.json").write_text("{}")
    (tmp_path / "schemas" / "seal.schema.json").unlink()

    row = schema_rows(tmp_path)[-1]

    assert before == ["ok", "ok"]
    assert (row.verdict, row.message) == (
        "unfit",
        "plan.schema.json, seal.schema.json: not what this program says",
    )
    assert row.remedy == f"factory schemas export {tmp_path}/schemas"


def test_what_lies_beside_an_installed_program_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()

    assert [row.what for row in schema_rows(tmp_path)] == ["made"]


def test_agent_programs_are_asked_for_their_version(
    factory: Factory, env: dict[str, str], tmp_path: Path
) -> None:
    tools = _program(tmp_path / "bin", "claude", "echo '9.9 (a program)'; echo more")
    _program(tools, "codex", "echo 'not logged in' >&2; exit 7")
    _program(tools, "gemini", "printf 'red \\033[31m'")

    path = f"{tools}:{Path(shutil.which('git') or '').parent}"
    ended = factory("doctor", "--json", env={**env, "PATH": path})
    screen = factory("doctor", env={**env, "PATH": path}).stdout

    assert [(r["what"], r["verdict"], r["message"]) for r in _rows(ended, "agent programs")] == [
        ("this version", "note", "it runs no `agent` source; call an agent by `command`"),
        ("claude", "ok", f"{tools}/claude: 9.9 (a program)"),
        ("codex", "note", f"{tools}/codex: not logged in"),
        ("gemini", "ok", f"{tools}/gemini: red \x1b[31m"),
        ("opencode", "note", "not found"),
    ]
    assert "red \\x1b[31m" in screen


def test_a_bubblewrap_that_may_not_run_is_a_note_with_its_own_words(
    factory: Factory, env: dict[str, str], tmp_path: Path
) -> None:
    said = "bwrap: setting up uid map: Permission denied"
    tools = _program(tmp_path / "bin", "bwrap", f"echo '{said}' >&2; exit 1")

    ended = factory("doctor", "--json", env={**env, "PATH": f"{tools}:{os.environ['PATH']}"})

    (row,) = [row for row in _rows(ended, "confinement") if row["what"] == "bubblewrap"]
    assert (ended.exit_code, row["verdict"]) == (0, "note")
    assert row["message"].startswith(f"{said}: ")
    assert row["remedy"]


MEANS = ["bubblewrap", "user namespaces", "Landlock", "seccomp", "observation"]
LIMITS = [
    f"limit on {what}"
    for what in ("processes", "memory", "a file", "the checkout", "logs", "the outbox")
]
ROLES = ["workers", "checks", "the integrator"]


def _confinement(ended: Ended) -> dict[str, dict[str, Any]]:
    return {row["what"]: row for row in _rows(ended, "confinement")}


def test_what_is_switched_off_is_said_for_each_role(factory: Factory, env: dict[str, str]) -> None:
    ended = factory("doctor", "--json", env=env)

    rows = _confinement(ended)
    assert list(rows) == [*ROLES, "left open by unconfined", *MEANS, *LIMITS]
    assert {rows[role]["verdict"] for role in ROLES} == {"note"}
    assert {rows[role]["message"].partition(":")[0] for role in ROLES} == {"off"}
    assert rows["the integrator"]["remedy"] == (
        "set sandbox.mode or sandbox.integrator to auto, or required"
    )


@pytest.mark.parametrize("tier", KEPT)
def test_each_role_has_its_tier_as_a_canary_proves_it(
    factory: Factory, env: dict[str, str], tmp_path: Path, tier: str
) -> None:
    tools = "" if tier == "bubblewrap" else _without(tmp_path / "bin")
    more = {"FACTORY_SANDBOX__MODE": "auto", **({"PATH": tools} if tools else {})}

    ended = factory("doctor", "--json", env={**env, **more})

    rows = _confinement(ended)
    said = "with seccomp: a write outside was refused, network"
    found = [rows[role]["message"].partition(f" {said} ")[2] for role in ROLES]
    weaker = "" if not tools else "; no stronger: bubblewrap: program 'bwrap' is not on PATH"
    assert found == [f"on{weaker}", f"off{weaker}", f"off{weaker}"]
    assert {rows[role]["verdict"] for role in ROLES} == {"note" if tools else "ok"}
    assert ended.exit_code == 0
    assert f"left open by {tier}" in rows
    assert list(Path(env["TMPDIR"]).iterdir()) == []


def test_what_is_required_and_cannot_be_had_is_unfit(
    factory: Factory, work: Work, env: dict[str, str], tmp_path: Path
) -> None:
    path = _without(tmp_path / "bin")
    asked = {**env, "PATH": path, "FACTORY_SANDBOX__MODE": "required"}
    work.add("A", allow=["src/**"], command=["sh", "-c", "true"])

    doctor = factory("doctor", "--json", env=asked)
    preflight = factory("preflight", "--plan", work.plan(), "--json", env=asked)

    for ended in (doctor, preflight):
        unfit = [row["what"] for row in _rows(ended, verdict="unfit")]
        assert (ended.exit_code, unfit) == (20, ROLES)
        remedies = {row["remedy"] for row in _rows(ended, verdict="unfit")}
        assert len(remedies) == 1
        assert remedies.pop().endswith("or ask for less (sandbox.least, sandbox.mode)")


@pytest.mark.parametrize("tier", KEPT)
def test_without_a_repository_it_is_tried_all_the_same(
    factory: Factory, env: dict[str, str], tmp_path: Path, tier: str
) -> None:
    (tmp_path / "nowhere").mkdir()
    more = {} if tier == "bubblewrap" else {"PATH": _without(tmp_path / "bin")}
    asked = {**env, **more, "FACTORY_SANDBOX__MODE": "auto"}

    ended = factory("doctor", "--json", cwd=tmp_path / "nowhere", env=asked)

    rows = _confinement(ended)
    assert "a write outside was refused" in rows["workers"]["message"]
    assert rows["tried on"]["message"].startswith("tried without a repository")
    assert list((tmp_path / "nowhere").iterdir()) == []


def _without(folder: Path) -> str:
    """Return a PATH that has what a run needs, and no bwrap."""
    folder.mkdir()
    for name in ("git", "sh", "true"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return str(folder)


# -- preflight -------------------------------------------------------------------------------------


def test_preflight_asks_what_one_plan_needs(work: Work, env: dict[str, str]) -> None:
    work.add("A", allow=["src/**"], command=["sh", "-c", "true"], setup=[["./configure"]])
    work.add("B", allow=["docs/**"], command=["no-such-program"])
    checks = [
        {"name": "must", "command": ["neither-this"]},
        {"name": "may", "command": ["nor-this"], "required": False},
    ]

    ended = work.factory("preflight", "--plan", work.plan(checks=checks), "--json", env=env)

    jsonschema.validate(ended.answer, schemas()["answer_doctor.schema.json"])
    assert list(dict.fromkeys(row["group"] for row in _rows(ended))) == [
        *GROUPS[:5],
        "confinement",
        "plan",
    ]
    assert {row["what"]: row["verdict"] for row in _rows(ended, "plan")} == {
        str(work.folder / "plan.json"): "ok",
        "checkouts": "ok",
        "A: ./configure": "ok",
        "A: sh": "ok",
        "B: no-such-program": "unfit",
        "check may: nor-this": "note",
        "check must: neither-this": "unfit",
    }
    assert (ended.exit_code, ended.answer["command"]) == (20, "preflight")


def test_a_check_does_not_see_programs_of_the_work_tree_and_a_worker_does(
    work: Work, env: dict[str, str]
) -> None:
    folder = _program(work.repo.path / "bin", "mine", "exit 0")
    work.add("A", allow=["src/**"], command=["mine"])
    plan = work.plan(checks=[{"name": "c", "command": ["mine"]}])

    ended = work.factory(
        "preflight",
        "--plan",
        plan,
        "--json",
        env={**env, "PATH": f"{folder}:{os.environ['PATH']}"},
    )

    said = {row["what"]: row["verdict"] for row in _rows(ended, "plan")}
    assert (said["A: mine"], said["check c: mine"]) == ("ok", "unfit")


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"workers": []}, "workers"),
        ({"workers": [{"id": "A", "command": ["true"], "sorce": 1}]}, "sorce"),
        ({"workers": [{"id": "A", "patch": "none.patch"}]}, "none.patch"),
        (None, "is not there"),
    ],
)
def test_a_wrong_plan_exits_10(
    work: Work, env: dict[str, str], plan: dict[str, object] | None, message: str
) -> None:
    path = work.folder / "wrong.json"
    if plan is not None:
        path.write_text(json.dumps({"schema_version": 1, "title": "x", **plan}))

    ended = work.factory("preflight", "--plan", str(path), env=env)

    assert (ended.exit_code, ended.stdout) == (10, "")
    assert message in ended.stderr


def test_a_plan_on_unfit_ground_is_not_asked(
    work: Work, env: dict[str, str], tmp_path: Path
) -> None:
    work.add("A", allow=["src/**"], command=["true"])

    ended = work.factory(
        "preflight", "--plan", work.plan(), "--json", env={**env, "FACTORY_WORK__JOBS": "none"}
    )
    nowhere = work.factory(
        "preflight", "--plan", work.plan(), "--base-ref", "none", "--json", env=env
    )

    (row,) = _rows(ended, "plan")
    assert (ended.exit_code, row["message"]) == (20, "not asked: what it stands on is not fit")
    assert "base ref 'none' is not a commit in this repository" in [
        said for _, said, _ in _unfit(nowhere)
    ]
