"""The seal that fixes the bytes of a bundle, and the bundle read back only as it was sealed."""

from collections.abc import Callable, Mapping

from pydantic import ValidationError

from tools.codex.factory.domain.artifact import (
    WORKER_ARTIFACTS,
    Seal,
    finding_of,
    record,
)
from tools.codex.factory.domain.bundle import RawBundle
from tools.codex.factory.domain.document import (
    NotStrictJson,
    canonical,
    parse_canonical,
)
from tools.codex.factory.domain.finding import Code, Finding, blocking
from tools.codex.factory.domain.identity import Digest, WorkerId, digest_of
from tools.codex.factory.errors import OutsideRunDirectory, StorageError
from tools.codex.factory.storage.intake import JSON_BYTES, limit_of
from tools.codex.factory.storage.run_directory import RunDirectory, seal_name, worker_artifact

ATTEMPTS = "attempts"


def seal(
    run: RunDirectory,
    worker: WorkerId,
    files: Mapping[str, bytes],
    findings: tuple[Finding, ...] = (),
) -> None:
    """Write a bundle and then the seal that fixes its bytes, those of earlier attempts too."""
    for name in run.files_below(str(worker)):
        # What has no seal was left by one that died: another attempt may have had other logs.
        where = worker_artifact(worker, name)
        if name not in files and not name.startswith(f"{ATTEMPTS}/") and run.has(where):
            run.remove(where)
    run.write_all({worker_artifact(worker, name): files[name] for name in files})
    digests = {name: digest_of(content) for name, content in files.items()}
    for name in run.files_below(f"{worker}/{ATTEMPTS}"):
        earlier = f"{ATTEMPTS}/{name}"
        digests[earlier] = digest_of(run.read(worker_artifact(worker, earlier)))
    marker = canonical(
        Seal(
            schema_version=1,
            run_id=run.run,
            worker_id=worker,
            artifacts=dict(sorted(digests.items())),
            findings=tuple(record(finding) for finding in findings),
        )
    )
    run.write(seal_name(worker), marker)


def is_sealed(run: RunDirectory, worker: WorkerId) -> bool:
    """Return whether the bundle of `worker` was taken in whole."""
    return run.has(seal_name(worker))


def is_exchanged(run: RunDirectory, worker: WorkerId, recorded: str) -> bool:
    """Return whether the bundle of `worker` has a seal of its own, and another than `recorded`."""
    try:
        content = run.read(seal_name(worker), limit=JSON_BYTES)
        if digest_of(content) == recorded:
            return False
        marker = parse_canonical(Seal, content)
    except (FileNotFoundError, ValidationError, NotStrictJson, StorageError):
        return False
    return (marker.run_id, marker.worker_id) == (run.run, worker)


def sealed(
    run: RunDirectory, worker: WorkerId, *, patch_bytes: int, bundle_bytes: int
) -> RawBundle:
    """Return the sealed bytes of `worker`; a finding for each that is not what was sealed."""
    findings: list[Finding] = []
    try:
        marker = parse_canonical(Seal, run.read(seal_name(worker), limit=JSON_BYTES))
    except (FileNotFoundError, ValidationError, NotStrictJson, StorageError) as error:
        reason = "missing" if isinstance(error, FileNotFoundError) else str(error)
        return RawBundle(
            worker=worker,
            artifacts={},
            logs={},
            findings=(_broken(worker, seal_name(worker), f"the seal is unreadable: {reason}"),),
        )
    findings += [finding_of(said) for said in marker.findings]
    if (marker.run_id, marker.worker_id) != (run.run, worker):
        findings.append(_broken(worker, seal_name(worker), "the seal of another bundle"))
    artifacts: dict[str, bytes] = {}
    logs: dict[str, tuple[Digest, int]] = {}
    try:
        with run.reader(str(worker)) as read:
            for name, digest in marker.artifacts.items():
                limit = limit_of(name, patch_bytes, bundle_bytes)
                content = _sealed_file(read, worker, name, digest, limit, findings)
                if content is not None and name in WORKER_ARTIFACTS:
                    artifacts[name] = content
                elif content is not None and not name.startswith(f"{ATTEMPTS}/"):
                    logs[name] = (digest_of(content), len(content))
    except (FileNotFoundError, OutsideRunDirectory) as error:
        findings += [_broken(worker, f"{worker}/{name}", str(error)) for name in marker.artifacts]
    for name in run.files_below(str(worker)):
        if name not in marker.artifacts:
            findings.append(_broken(worker, f"{worker}/{name}", "it was not there when sealed"))
    return RawBundle(worker=worker, artifacts=artifacts, logs=logs, findings=tuple(findings))


def _sealed_file(
    read: Callable[[str, int], bytes],
    worker: WorkerId,
    name: str,
    digest: str,
    limit: int,
    findings: list[Finding],
) -> bytes | None:
    where = worker_artifact(worker, name)
    try:
        content = read(name, limit)
    except FileNotFoundError:
        findings.append(_broken(worker, where, "it was sealed, and is gone"))
        return None
    except (StorageError, OutsideRunDirectory) as error:
        findings.append(_broken(worker, where, str(error)))
        return None
    if digest_of(content) != digest:
        findings.append(_broken(worker, where, "its bytes are not the ones that were sealed"))
        return None
    return content


def _broken(worker: WorkerId, name: str, message: str) -> Finding:
    return blocking(
        Code.SEAL_BROKEN,
        f"{worker}: {name}",
        message,
        "put the sealed bytes back, or start a new run; sealed files are never edited",
    )
