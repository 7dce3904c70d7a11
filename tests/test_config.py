"""Settings: four layers, the last wins, and each knows where it came from."""

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from tools.codex.factory.config import CONFIG_FILE, Layer, Settings, keys, load, resolve, values
from tools.codex.factory.domain.settings import Config
from tools.codex.factory.errors import ConfigurationError
from tools.codex.factory.host import take_host

KEYS = [
    "capture.ignore", "checks.always_run", "checks.budget", "checks.environment", "checks.timeout",
    "integrate.on_blocked", "limits.bundle_bytes", "limits.file_bytes", "limits.patch_bytes",
    "overlap.allow_identical", "report.junit", "report.markdown", "report.sarif", "runs.root",
    "sandbox.check", "sandbox.check_network", "sandbox.checkout_bytes", "sandbox.file_bytes",
    "sandbox.hidden", "sandbox.integrator", "sandbox.least", "sandbox.memory_bytes",
    "sandbox.mode", "sandbox.network", "sandbox.on_attempt", "sandbox.on_change",
    "sandbox.processes", "sandbox.worker", "sandbox.writable",
    "scope.grant_requests", "secrets.accept", "secrets.names",
    "work.environment", "work.grace", "work.jobs", "work.keep", "work.log_bytes", "work.root",
    "work.setup_timeout", "work.timeout",
]  # fmt: skip


def written(top: Path, content: object) -> Path:
    path = top / CONFIG_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def loaded(
    top: Path,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
    explicit: Path | None = None,
) -> Settings:
    return load(work_tree=top, explicit=explicit, environment=environment or {}, flags=flags or {})


def refused(
    top: Path, environment: Mapping[str, str] | None = None, explicit: Path | None = None
) -> tuple[str, str]:
    with pytest.raises(ConfigurationError) as error:
        loaded(top, environment, explicit=explicit)
    assert error.value.exit_code == 10
    assert "\n" not in str(error.value)
    return str(error.value), error.value.hint


def test_without_any_layer_every_setting_is_its_default(tmp_path: Path) -> None:
    settings = loaded(tmp_path)

    assert sorted(keys()) == KEYS
    assert settings.config == Config()
    assert settings.provenance == dict.fromkeys(KEYS, "default")
    assert settings.notes == ()


def test_feature_flags_are_off_by_default() -> None:
    assert {key: value for key, value in values(Config()).items() if value is True} == {}


def test_each_layer_wins_over_the_one_before_and_is_named(tmp_path: Path) -> None:
    written(
        tmp_path,
        {
            "runs": {"root": "by-file"},
            "overlap": {"allow_identical": True},
            "scope": {"grant_requests": True},
        },
    )

    settings = loaded(
        tmp_path,
        {"FACTORY_RUNS__ROOT": "by-environment", "FACTORY_SCOPE__GRANT_REQUESTS": "false"},
        {"runs.root": "by-flag", "overlap.allow_identical": None},
    )

    assert settings.config.runs.root == "by-flag"
    assert settings.config.overlap.allow_identical is True
    assert settings.config.scope.grant_requests is False
    assert {k: v for k, v in settings.provenance.items() if v != "default"} == {
        "runs.root": "command line",
        "overlap.allow_identical": CONFIG_FILE,
        "scope.grant_requests": "environment FACTORY_SCOPE__GRANT_REQUESTS",
    }


def test_a_named_file_takes_the_place_of_the_one_in_the_repository(tmp_path: Path) -> None:
    written(tmp_path, {"runs": {"root": "in-repository"}})
    named = tmp_path / "other.json"
    named.write_text('{"limits": {"file_bytes": 7}}')

    settings = loaded(tmp_path, explicit=named)

    assert (settings.config.runs.root, settings.config.limits.file_bytes) == (Config().runs.root, 7)
    assert settings.provenance["limits.file_bytes"] == str(named)


@pytest.mark.parametrize(
    ("content", "said", "hint"),
    [
        ({"rums": {}}, f"unknown setting 'rums' ({CONFIG_FILE})", "did you mean 'runs'?"),
        ({"runs": {"rot": "x"}}, f"unknown setting 'runs.rot' ({CONFIG_FILE})",
         "did you mean 'runs.root'?"),
        ({"limits": {"file_bytes": 0}},
         f"limits.file_bytes = 0 ({CONFIG_FILE}): input should be greater than or equal to 1",
         "docs/configuration.md lists every setting with what it takes"),
        ({"limits": {"file_bytes": "7"}},
         f"limits.file_bytes = '7' ({CONFIG_FILE}): input should be a valid integer",
         "docs/configuration.md lists every setting with what it takes"),
        ({"overlap": {"allow_identical": 1}},
         f"overlap.allow_identical = 1 ({CONFIG_FILE}): input should be a valid boolean",
         "docs/configuration.md lists every setting with what it takes"),
        ([], f"configuration file {CONFIG_FILE!r} is no object", "the file is one JSON object"),
        (b"\xff", f"configuration file {CONFIG_FILE!r}: not UTF-8 at byte 0",
         "the file is one JSON object"),
        (b"[" * 100_000, f"configuration file {CONFIG_FILE!r}: nested too deep",
         "the file is one JSON object"),
        (b'{"runs": {}, "runs": {}}',
         f"configuration file {CONFIG_FILE!r}: key 'runs' stands twice",
         "the file is one JSON object"),
    ],
)  # fmt: skip
def test_a_wrong_file_names_key_value_and_layer(
    tmp_path: Path, content: object, said: str, hint: str
) -> None:
    written(tmp_path, content)

    assert refused(tmp_path) == (said, hint)


@pytest.mark.parametrize("content", ["x", None, [], 1, True])
def test_a_section_that_is_no_object_is_said_to_be_none(tmp_path: Path, content: object) -> None:
    written(tmp_path, {"runs": content})

    said, hint = refused(tmp_path)

    assert "unknown setting 'runs'" not in said
    assert hint != "did you mean 'runs'?"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("FACTORY_RUNS__ROOT", "", "runs.root = '' (environment FACTORY_RUNS__ROOT): "),
        ("FACTORY_LIMITS__FILE_BYTES", "many", "limits.file_bytes = 'many' (environment "),
        ("FACTORY_LIMITS__FILE_BYTES", "-1", "limits.file_bytes = "),
        ("FACTORY_LIMITS__FILE_BYTES", "1.5", "limits.file_bytes = '1.5' (environment "),
        ("FACTORY_LIMITS__FILE_BYTES", "\u0663", "limits.file_bytes = "),
        ("FACTORY_LIMITS__FILE_BYTES", "9" * 5000, "limits.file_bytes = "),
        ("FACTORY_OVERLAP__ALLOW_IDENTICAL", "maybe", "overlap.allow_identical = 'maybe' (env"),
        ("FACTORY_INTEGRATE__ON_BLOCKED", "STRICT", "integrate.on_blocked = 'STRICT' (env"),
        ("FACTORY_RUNS__ROT", "x", "unknown setting 'FACTORY_RUNS__ROT' (environment)"),
        ("FACTORY_RUNS__ROOT__MORE", "x", "unknown setting 'FACTORY_RUNS__ROOT__MORE' (env"),
        ("FACTORY_RUNS__", "x", "unknown setting 'FACTORY_RUNS__' (environment)"),
    ],
)
def test_a_wrong_variable_names_itself_and_its_value(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    assert refused(tmp_path, {name: text})[0].startswith(said)


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("TRUE", True), ("1", True), ("false", False), ("0", False), ("False", False)],
)
def test_a_flag_in_the_environment_is_read_as_one(tmp_path: Path, text: str, value: bool) -> None:
    settings = loaded(tmp_path, {"FACTORY_OVERLAP__ALLOW_IDENTICAL": text})

    assert settings.config.overlap.allow_identical is value


def test_a_number_in_the_environment_is_read_as_one(tmp_path: Path) -> None:
    settings = loaded(tmp_path, {"FACTORY_LIMITS__PATCH_BYTES": "0042"})

    assert settings.config.limits.patch_bytes == 42


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("FACTORY_SLOW_TESTS", ""),
        ("FACTORY_BOY__SEED", ""),
        ("FACTORY_", ""),
        ("FACTORY_RUNS_ROOT", "; did you mean 'FACTORY_RUNS__ROOT'?"),
    ],
)
def test_a_variable_of_another_program_is_a_note(tmp_path: Path, name: str, near: str) -> None:
    settings = loaded(tmp_path, {name: "x"})

    note = f"{name} is no setting of this factory and was passed over{near}"
    assert (settings.config, settings.notes) == (Config(), (note,))


def test_variables_without_the_prefix_are_no_business_of_ours(tmp_path: Path) -> None:
    assert loaded(tmp_path, {"RUNS__ROOT": "x", "factory_runs__root": "y"}).notes == ()


def test_a_named_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    said, _ = refused(tmp_path, explicit=tmp_path / "none.json")

    assert said == f"configuration file {str(tmp_path / 'none.json')!r} is not there"


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    assert "is no plain file" in refused(tmp_path, explicit=tmp_path)[0]


def test_a_pipe_is_no_configuration_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(ConfigurationError):
        _within(1, tmp_path)


def test_an_unknown_key_of_any_layer_is_named_with_its_layer() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown setting 'runs.rot' \(somewhere\)"):
        resolve([Layer("somewhere", {"runs.rot": 1}, {})])


def test_the_fingerprint_changes_with_any_setting(tmp_path: Path) -> None:
    changed = [
        loaded(tmp_path, flags={key: value}).config.digest()
        for key, value in {
            "integrate.on_blocked": "exclude",
            "limits.file_bytes": 1,
            "limits.bundle_bytes": 1,
            "limits.patch_bytes": 1,
            "overlap.allow_identical": True,
            "runs.root": "x",
            "scope.grant_requests": True,
            "work.root": "x",
            "work.jobs": 1,
            "work.keep": True,
            "work.timeout": "1s",
            "work.setup_timeout": "1s",
            "work.grace": "1s",
            "work.log_bytes": 1024,
            "work.environment": ["PATH"],
            "checks.timeout": "1s",
            "checks.budget": "1s",
            "checks.always_run": True,
            "checks.environment": ["PATH"],
            "capture.ignore": [],
            "report.junit": True,
            "report.markdown": True,
            "report.sarif": True,
            "sandbox.mode": "off",
            "sandbox.worker": "off",
            "sandbox.check": "off",
            "sandbox.integrator": "off",
            "sandbox.least": "landlock",
            "sandbox.network": "off",
            "sandbox.check_network": "on",
            "sandbox.writable": ["/x"],
            "sandbox.hidden": ["/x"],
            "sandbox.on_attempt": "block",
            "sandbox.on_change": "note",
            "sandbox.memory_bytes": 1,
            "sandbox.file_bytes": 1,
            "sandbox.checkout_bytes": 1,
            "sandbox.processes": 1,
            "secrets.accept": ["x"],
            "secrets.names": ["x"],
        }.items()
    ]

    assert len({*changed, Config().digest()}) == len(KEYS) + 1
    assert loaded(tmp_path).config.digest() == Config().digest()


def test_the_policy_holds_every_setting_that_can_change_a_verdict(tmp_path: Path) -> None:
    policy = loaded(
        tmp_path,
        flags={
            "integrate.on_blocked": "exclude",
            "limits.file_bytes": 1,
            "limits.patch_bytes": 2,
            "limits.bundle_bytes": 3,
            "overlap.allow_identical": True,
            "scope.grant_requests": True,
            "capture.ignore": ["*.o"],
            "secrets.accept": ["tests/fixtures/**"],
        },
    ).config.policy()

    assert policy.model_dump() == {
        "on_blocked": "exclude",
        "file_bytes": 1,
        "patch_bytes": 2,
        "bundle_bytes": 3,
        "allow_identical": True,
        "grant_requests": True,
        "capture_ignore": ("*.o",),
        "secrets_accept": ("tests/fixtures/**",),
    }


def test_a_list_is_json_in_a_variable(tmp_path: Path) -> None:
    settings = loaded(tmp_path, {"FACTORY_CAPTURE__IGNORE": '["*.o", "build/"]'})

    assert settings.config.capture.ignore == ("*.o", "build/")


@pytest.mark.parametrize("text", ["*.o", '{"a": 1}', "[1]", "[", ""])
def test_a_variable_that_is_no_list_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"capture\.ignore"):
        loaded(tmp_path, {"FACTORY_CAPTURE__IGNORE": text})


def test_git_variables_are_taken_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/evil")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/mine")
    monkeypatch.setenv("GITHUB_TOKEN", "kept")

    host = take_host()

    assert host.git_variables == {"GIT_DIR": "/evil", "GIT_CONFIG_GLOBAL": "/mine"}
    assert [name for name in (*os.environ, *host.variables) if name.startswith("GIT_")] == []
    assert host.variables["GITHUB_TOKEN"] == "kept"
    assert take_host().git_variables == {}


def _within(seconds: int, top: Path) -> None:
    """Load the pipe `top`/pipe; a reader that waits is let go by a writer, and fails the test."""
    freed: list[bool] = []

    def free() -> None:
        freed.append(True)
        os.close(os.open(top / "pipe", os.O_WRONLY))

    timer = threading.Timer(seconds, free)
    timer.start()
    try:
        loaded(top, explicit=top / "pipe")
    finally:
        timer.cancel()
        assert not freed, "it waited for a writer"
