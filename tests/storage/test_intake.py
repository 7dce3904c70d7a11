"""The one door: what is taken in, what is refused, and that a seal holds."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.codex.factory.domain.artifact import WORKER_ARTIFACTS
from tools.codex.factory.domain.bundle import RawBundle
from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.finding import Code, Finding, blocking
from tools.codex.factory.domain.identity import WorkerId, digest_of, run_id
from tools.codex.factory.errors import StorageError
from tools.codex.factory.storage.intake import (
    LOG_BYTES,
    MAX_DEPTH,
    MAX_FILES,
    TakenIn,
    take_in_folder,
)
from tools.codex.factory.storage.run_directory import RunDirectory
from tools.codex.factory.storage.runs_root import claim
from tools.codex.factory.storage.seal import is_sealed, seal, sealed

A = WorkerId("A_worker")
FILES = {name: f"content of {name}\n".encode() for name in WORKER_ARTIFACTS}
LOGGED = {**FILES, "LOGS/worker.log": b"it ran\n"}
PATCH_BYTES = 10_000


def taken(folder: Path) -> TakenIn:
    return take_in_folder(folder, A, patch_bytes=PATCH_BYTES, bundle_bytes=1 << 30)


def read(run: RunDirectory) -> RawBundle:
    return sealed(run, A, patch_bytes=PATCH_BYTES, bundle_bytes=1 << 30)


def broken(run: RunDirectory) -> list[str]:
    return [f.subject for f in read(run).findings if f.code is Code.SEAL_BROKEN]


def facts(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    assert all(finding.blocks and finding.hint for finding in findings)
    return sorted((finding.code.value, finding.subject) for finding in findings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a bundle that was made elsewhere."""
    made = tmp_path / "bundle"
    for name, content in LOGGED.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(content)
    return made


def test_what_was_sealed_is_read_back(run: RunDirectory) -> None:
    seal(run, A, LOGGED)

    bundle = read(run)

    log = (digest_of(b"it ran\n"), 7)
    assert bundle == RawBundle(
        worker=A, artifacts=FILES, logs={"LOGS/worker.log": log}, findings=()
    )
    assert is_sealed(run, A)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["LOGS/stray.bundle", "LOGS/withheld.patch", "attempts/1/DIFF.patch"]
)
def test_what_may_be_larger_than_a_log_is_read_back_as_it_was_sealed(
    run: RunDirectory, name: str
) -> None:
    files = dict(FILES)
    if name.startswith("attempts/"):
        run.write(f"{A}/{name}", bytes(LOG_BYTES + 1))
    else:
        files[name] = bytes(LOG_BYTES + 1)

    seal(run, A, files)
    most = LOG_BYTES + 1
    bundle = sealed(run, A, patch_bytes=most, bundle_bytes=most)
    less = sealed(run, A, patch_bytes=PATCH_BYTES, bundle_bytes=PATCH_BYTES)

    assert bundle.findings == ()
    assert [one.code for one in less.findings] == [Code.SEAL_BROKEN]


def test_what_one_that_died_left_of_a_bundle_is_not_sealed_with_the_next(
    run: RunDirectory,
) -> None:
    run.write_all({f"{A}/LOGS/setup-1.log": b"another attempt", f"{A}/attempts/1/DIFF.patch": b""})

    seal(run, A, LOGGED)

    assert broken(run) == []
    assert not run.has(f"{A}/LOGS/setup-1.log")
    assert run.has(f"{A}/attempts/1/DIFF.patch")


def test_the_same_files_make_the_same_seal_in_whatever_order_they_come(run: RunDirectory) -> None:
    seal(run, A, LOGGED)
    first = run.read("seals/A_worker.json")

    seal(run, A, dict(reversed(LOGGED.items())))

    assert run.read("seals/A_worker.json") == first


def test_a_bundle_without_a_seal_was_not_taken_in(run: RunDirectory) -> None:
    for name, content in FILES.items():
        run.write(f"A_worker/{name}", content)

    assert not is_sealed(run, A)
    assert broken(run) == ["A_worker: seals/A_worker.json"]


def test_findings_are_sealed_with_the_bundle(run: RunDirectory) -> None:
    said = (blocking(Code.TOO_LARGE, "A_worker: LOGS/x", "too large", "make it smaller"),)

    seal(run, A, FILES, said)

    assert read(run).findings == said


@pytest.mark.parametrize("name", LOGGED)
@pytest.mark.parametrize("at", [0, 7, -1])
def test_one_changed_byte_of_any_file_breaks_the_seal_and_names_it(
    run: RunDirectory, name: str, at: int
) -> None:
    seal(run, A, LOGGED)
    path = run.folder / "A_worker" / name
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= 1
    path.write_bytes(content)

    assert broken(run) == [f"A_worker: A_worker/{name}"]
    assert name not in read(run).artifacts


@pytest.mark.parametrize("name", LOGGED)
@pytest.mark.parametrize("change", ["gone", "grown", "cut", "emptied", "link", "hard link", "pipe",
                                    "folder", "huge"])  # fmt: skip
def test_a_file_that_is_not_what_was_sealed_breaks_the_seal_and_is_named(
    run: RunDirectory, tmp_path: Path, name: str, change: str
) -> None:
    seal(run, A, LOGGED)
    _spoil(run.folder / "A_worker" / name, change, tmp_path / "copy")

    assert broken(run) == [f"A_worker: A_worker/{name}"]


@pytest.mark.parametrize(
    "name", ["extra", "LOGS/extra", "LOGS/deep/extra", ".hidden", "\udcff", "a\nb", "LOGS/.x.new"]
)
def test_a_file_that_was_not_there_when_sealed_is_named(run: RunDirectory, name: str) -> None:
    seal(run, A, LOGGED)
    (run.folder / "A_worker" / name).parent.mkdir(exist_ok=True)
    (run.folder / "A_worker" / name).touch()

    assert broken(run) == [f"A_worker: A_worker/{name}"]


@pytest.mark.parametrize("link", ["extra", "LOGS/extra"])
def test_a_linked_folder_that_was_not_there_when_sealed_is_named(
    run: RunDirectory, outside: Path, link: str
) -> None:
    seal(run, A, LOGGED)
    (run.folder / "A_worker" / link).symlink_to(outside)

    assert broken(run) == [f"A_worker: A_worker/{link}"]


@pytest.mark.parametrize("name", ["A_worker", "A_worker/LOGS"])
def test_a_bundle_reached_through_a_link_is_not_read(
    run: RunDirectory, tmp_path: Path, name: str
) -> None:
    seal(run, A, LOGGED)
    (run.folder / name).rename(tmp_path / "moved")
    (run.folder / name).symlink_to(tmp_path / "moved")

    bundle = read(run)

    below = [n for n in LOGGED if f"A_worker/{n}".startswith(name + "/")]
    assert not bundle.artifacts.keys() & set(below)
    assert {f"A_worker: A_worker/{n}" for n in below} <= set(broken(run))


def test_any_changed_byte_of_a_seal_is_noticed_and_never_a_crash(run: RunDirectory) -> None:
    said = (blocking(Code.TOO_LARGE, "A_worker: LOGS/x", "too large", "make it smaller"),)
    seal(run, A, {"SUMMARY.md": b"x", "LOGS/INDEX.json": b"y"}, said)
    path = run.folder / "seals" / "A_worker.json"
    content = path.read_bytes()
    before = read(run)

    unnoticed = [at for at in range(len(content)) if _read_with(run, path, content, at) == before]

    assert unnoticed == []


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        ({"run_id": "r2"}, "seals/A_worker.json"),
        ({"worker_id": "B_worker"}, "seals/A_worker.json"),
        ({"schema_version": 2}, "seals/A_worker.json"),
        ({"more": 1}, "seals/A_worker.json"),
        ({"artifacts": {"../../outside/treasure": "0" * 64}}, "A_worker/../../outside/treasure"),
        ({"artifacts": {"/etc/passwd": "0" * 64}}, "A_worker//etc/passwd"),
        ({"artifacts": {"a\0b": "0" * 64}}, "A_worker/a\0b"),
        ({"artifacts": {"": "0" * 64}}, "A_worker/"),
        ({"artifacts": {"x" * 5000: "0" * 64}}, "A_worker/" + "x" * 5000),
        ({"artifacts": {"SUMMARY.md": "no digest"}}, "seals/A_worker.json"),
    ],
)
def test_a_forged_seal_opens_nothing(
    run: RunDirectory, change: dict[str, object], subject: str
) -> None:
    seal(run, A, FILES)
    path = run.folder / "seals" / "A_worker.json"
    path.write_bytes(canonical({**json.loads(path.read_bytes()), **change}))

    assert f"A_worker: {subject}" in broken(run)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"{}" * 2])
def test_a_seal_that_is_none_is_named(run: RunDirectory, content: bytes) -> None:
    seal(run, A, FILES)
    (run.folder / "seals" / "A_worker.json").write_bytes(content)

    assert broken(run) == ["A_worker: seals/A_worker.json"]


def test_the_seal_of_another_worker_is_not_taken_for_ones_own(run: RunDirectory) -> None:
    seal(run, WorkerId("B_worker"), FILES)
    seal(run, A, FILES)
    other = run.read("seals/B_worker.json")
    (run.folder / "seals" / "A_worker.json").write_bytes(other)

    assert broken(run) == ["A_worker: seals/A_worker.json"]


def test_the_bundle_of_another_run_is_not_taken_for_ones_own(run: RunDirectory) -> None:
    root = run.folder.parent
    claim(root, run_id("r2"))
    other = RunDirectory(root, run_id("r2"))
    seal(other, A, FILES)
    other.folder.rename(root / "kept")
    run.folder.rename(other.folder)
    (root / "kept").rename(run.folder)

    assert broken(run) == ["A_worker: seals/A_worker.json"]


def test_a_whole_folder_is_taken_in(folder: Path) -> None:
    assert taken(folder) == TakenIn(LOGGED, ())


def test_what_is_taken_in_seals_and_reads_back(run: RunDirectory, folder: Path) -> None:
    bundle = taken(folder)

    seal(run, A, bundle.files, bundle.findings)

    assert read(run).artifacts == FILES


@pytest.mark.parametrize("kind", ["link", "dangling", "folder link", "hard link", "pipe", "socket",
                                  "device"])  # fmt: skip
@pytest.mark.parametrize("name", ["DIFF.patch", "LOGS/worker.log", "LOGS"])
def test_what_is_no_plain_file_is_not_taken_in_and_named(
    folder: Path, outside: Path, tmp_path: Path, name: str, kind: str
) -> None:
    (folder / name).rename(tmp_path / "away")
    _put(folder / name, kind, outside)

    bundle = taken(folder)

    assert facts(bundle.findings) == [("bundle.not_a_file", f"A_worker: {name}")]
    assert set(bundle.files) == {n for n in LOGGED if n != name and not n.startswith(name + "/")}


def test_folders_are_taken_in_down_to_the_limit(folder: Path) -> None:
    deepest = folder.joinpath(*["d"] * MAX_DEPTH)
    deepest.mkdir(parents=True)
    (deepest / "log").write_bytes(b"deep")

    assert taken(folder).files["d/" * MAX_DEPTH + "log"] == b"deep"
    assert taken(folder).findings == ()


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 200])
def test_folders_below_the_limit_refuse_the_bundle(folder: Path, depth: int) -> None:
    folder.joinpath(*["d"] * depth).mkdir(parents=True)

    bundle = taken(folder)

    assert bundle.files == {}
    assert [finding.code for finding in bundle.findings] == [Code.TOO_LARGE]


def test_a_folder_in_itself_through_a_link_ends(folder: Path) -> None:
    (folder / "again").symlink_to(folder)

    assert facts(taken(folder).findings) == [("bundle.not_a_file", "A_worker: again")]


@pytest.mark.parametrize("count", [MAX_FILES - len(LOGGED) + 1, 5000])
def test_too_many_files_refuse_the_bundle(folder: Path, count: int) -> None:
    for number in range(count):
        (folder / "LOGS" / str(number)).touch()

    bundle = taken(folder)

    assert bundle.files == {}
    assert [finding.code for finding in bundle.findings] == [Code.TOO_LARGE]


def test_as_many_files_as_allowed_are_taken_in(folder: Path) -> None:
    for number in range(MAX_FILES - len(LOGGED)):
        (folder / "LOGS" / str(number)).touch()

    bundle = taken(folder)

    assert (len(bundle.files), bundle.findings) == (MAX_FILES, ())


@pytest.mark.parametrize("name", ["DIFF.patch", "STATUS.json", "SUMMARY.md", "LOGS/worker.log"])
def test_a_huge_file_is_not_read_and_named(folder: Path, name: str) -> None:
    with (folder / name).open("wb") as file:
        file.truncate(1 << 40)

    bundle = taken(folder)

    assert facts(bundle.findings) == [("bundle.too_large", f"A_worker: {name}")]
    assert set(bundle.files) == LOGGED.keys() - {name}


@pytest.mark.slow
def test_many_large_files_are_refused_as_a_whole(folder: Path) -> None:
    for number in range(5):
        with (folder / "LOGS" / f"{number}.log").open("wb") as file:
            file.truncate(256 << 20)

    bundle = taken(folder)

    assert sum(len(content) for content in bundle.files.values()) <= 1 << 30
    assert Code.TOO_LARGE in {finding.code for finding in bundle.findings}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"\xff", '"\\377"'), (b".git", ".git"), (b".GIT", ".GIT"), (b"git~1", "git~1"),
        (b"a\\b", '"a\\\\b"'), (b"LOGS/\xff", '"LOGS/\\377"'),
        (b"\xed\xa0\x80", '"\\355\\240\\200"'),
    ],
)  # fmt: skip
def test_a_name_that_is_no_path_is_refused_and_shown_quoted(
    folder: Path, name: bytes, shown: str
) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).touch()

    bundle = taken(folder)

    assert facts(bundle.findings) == [("bundle.not_a_file", f"A_worker: {shown}")]
    assert bundle.files == LOGGED


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "a\nb",
        '"',
        "caf\u00e9",
        "cafe\u0301",
        "-",
        "\u202e",
        "x" * 200,
        "a\tb",
        "%s",
    ],
)
def test_an_odd_name_is_taken_in_sealed_and_read_back(
    run: RunDirectory, folder: Path, name: str
) -> None:
    (folder / "LOGS" / name).write_bytes(b"odd")
    bundle = taken(folder)

    seal(run, A, bundle.files, bundle.findings)

    back = read(run)
    assert back.findings == ()
    assert back.logs[f"LOGS/{name}"] == (digest_of(b"odd"), 3)


def test_a_name_as_long_as_the_disk_allows_is_sealed_or_refused_but_no_failure(
    run: RunDirectory, folder: Path
) -> None:
    (folder / "LOGS" / ("x" * 255)).write_bytes(b"long")
    bundle = taken(folder)

    seal(run, A, bundle.files, bundle.findings)

    assert [finding.code for finding in read(run).findings if finding.code is not Code.NOT_A_FILE
            and finding.code is not Code.TOO_LARGE] == []  # fmt: skip


def test_a_file_named_like_the_factorys_own_half_written_one_is_sealed_or_refused(
    run: RunDirectory, folder: Path
) -> None:
    (folder / ".DIFF.patch.new").write_bytes(b"mine")
    bundle = taken(folder)

    seal(run, A, bundle.files, bundle.findings)

    assert broken(run) == []


def test_a_folder_that_cannot_be_read_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        taken(tmp_path / "none")


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    assert taken(tmp_path) == TakenIn({}, ())


def _spoil(path: Path, change: str, copy: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    copy.write_bytes(content)
    acts: dict[str, Callable[[], object]] = {
        "gone": lambda: None,
        "grown": lambda: path.write_bytes(content + b"\n"),
        "cut": lambda: path.write_bytes(content[:-1]),
        "emptied": lambda: path.write_bytes(b""),
        "link": lambda: path.symlink_to(copy),
        "hard link": lambda: os.link(copy, path),
        "pipe": lambda: os.mkfifo(path),
        "folder": lambda: path.mkdir(),
        "huge": lambda: _sparse(path),
    }
    acts[change]()


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def _put(path: Path, kind: str, outside: Path) -> None:
    if kind == "device" and os.geteuid() != 0:
        pytest.skip("only root makes devices")
    acts: dict[str, Callable[[], object]] = {
        "link": lambda: path.symlink_to(outside / "treasure"),
        "dangling": lambda: path.symlink_to("nowhere"),
        "folder link": lambda: path.symlink_to(outside),
        "hard link": lambda: os.link(outside / "treasure", path),
        "pipe": lambda: os.mkfifo(path),
        "socket": lambda: os.mknod(path, stat.S_IFSOCK | 0o600),
        "device": lambda: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5)),
    }
    acts[kind]()


def _read_with(run: RunDirectory, path: Path, content: bytes, at: int) -> RawBundle:
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    return read(run)
