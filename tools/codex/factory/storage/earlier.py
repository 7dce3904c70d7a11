"""Sealed bundles that give way to a new attempt: kept as they were sealed, and never lost."""

from collections.abc import Mapping

from pydantic import ValidationError

from tools.codex.factory.domain.artifact import Seal, WorkerStatus
from tools.codex.factory.domain.document import NotStrictJson, canonical, parse, parse_canonical
from tools.codex.factory.domain.finding import Code
from tools.codex.factory.domain.identity import Digest, WorkerId, digest_of
from tools.codex.factory.domain.reopening import Reopening, SetAside
from tools.codex.factory.errors import RunUnavailable, StorageError
from tools.codex.factory.storage.run_directory import RunDirectory, seal_name, worker_artifact
from tools.codex.factory.storage.seal import ATTEMPTS, is_sealed, sealed

REOPENED = "REOPENED.json"
SEALED = "SEAL.json"
"""The seal that an earlier attempt had while its bundle was that of the worker."""
_MARKER = "STATUS.json"
_PUT_BACK = "put the sealed bytes back, or start a new run; sealed files are never edited"


def reopening(run: RunDirectory) -> Reopening | None:
    """Return what was asked of the run and is not closed yet; raise StorageError for no sense."""
    try:
        return parse_canonical(Reopening, run.read(REOPENED))
    except FileNotFoundError:
        return None
    except (NotStrictJson, ValidationError) as error:
        raise StorageError(
            f"{REOPENED} of {run.run!r} is unreadable: {error}",
            hint="put the bytes back, or start a new run",
        ) from error


def reopen(run: RunDirectory, asked: Reopening) -> None:
    """Say that new attempts are wanted; from here on they are made."""
    run.write(REOPENED, canonical(asked))


def close(run: RunDirectory) -> None:
    """Forget what was asked where each new attempt is sealed."""
    if run.has(REOPENED) and not reopened(run):
        run.remove(REOPENED)


def reopened(run: RunDirectory) -> dict[WorkerId, SetAside]:
    """Return the workers whose new attempt is wanted and not sealed yet."""
    asked = reopening(run)
    if asked is None:
        return {}
    found = {WorkerId(worker): one for worker, one in asked.workers.items()}
    return {
        worker: one
        for worker, one in found.items()
        if not is_sealed(run, worker) or is_untouched(run, worker, one)
    }


def is_untouched(run: RunDirectory, worker: WorkerId, one: SetAside) -> bool:
    """Return whether the bundle that is to give way is still the sealed one."""
    return is_sealed(run, worker) and digest_of(run.read(seal_name(worker))) == one.seal


def to_set_aside(run: RunDirectory, worker: WorkerId, recorded: str | None) -> SetAside:
    """Return the sealed bundle of a worker as what is to give way.

    Raises RunUnavailable where it is not what was sealed, or where the ledger `recorded` another
    seal: changed bytes are not kept as if they had been sealed.
    """
    seal = digest_of(run.read(seal_name(worker)))
    if recorded not in (None, seal):
        raise RunUnavailable(
            f"the ledger recorded another seal of {worker} than {seal_name(worker)}", hint=_PUT_BACK
        )
    raw = sealed(run, worker, patch_bytes=1 << 40, bundle_bytes=1 << 40)
    broken = next((one for one in raw.findings if one.code is Code.SEAL_BROKEN), None)
    if broken is not None:
        raise RunUnavailable(f"{broken.subject}: {broken.message}", hint=_PUT_BACK)
    return SetAside(attempt=parse(WorkerStatus, raw.artifacts[_MARKER]).attempts, seal=seal)


def set_aside(run: RunDirectory, worker: WorkerId, one: SetAside) -> Mapping[str, Digest] | None:
    """Move a sealed bundle to where earlier attempts lie; return the digests of what marks it.

    The seal goes first, and with it what makes the files a bundle; STATUS.json goes last, and says
    that all is there. Returns None where that was so already.
    """
    folder = earlier_name(worker, one.attempt)
    if run.has(f"{folder}/{_MARKER}") and not is_untouched(run, worker, one):
        return None
    if is_untouched(run, worker, one):
        run.move(seal_name(worker), f"{folder}/{SEALED}")
    names = [name for name in run.files_below(str(worker)) if not name.startswith(f"{ATTEMPTS}/")]
    for name in sorted(names, key=lambda name: (name == _MARKER, name)):
        run.move(worker_artifact(worker, name), f"{folder}/{name}")
    marks = (SEALED, _MARKER)
    return {name: digest_of(run.read(f"{folder}/{name}")) for name in marks}


def earlier_name(worker: WorkerId, attempt: int) -> str:
    """Return where an earlier attempt of a worker lies."""
    return worker_artifact(worker, f"{ATTEMPTS}/{attempt}")


def earlier_seals(run: RunDirectory, worker: WorkerId) -> dict[int, bytes]:
    """Return the seal of each bundle that gave way to a new attempt, by the attempt's number."""
    numbers = [
        name.partition("/")[0]
        for name in run.files_below(f"{worker}/{ATTEMPTS}")
        if name.partition("/")[2] == SEALED
    ]
    return {
        int(number): run.read(f"{worker}/{ATTEMPTS}/{number}/{SEALED}")
        for number in sorted(numbers)
        if number.isascii() and number.isdigit()
    }


def unlike_their_seals(run: RunDirectory, worker: WorkerId) -> list[str]:
    """Return each file of an earlier bundle that the worker's seal has with another digest."""
    try:
        now = parse_canonical(Seal, run.read(seal_name(worker))).artifacts
    except (FileNotFoundError, StorageError, NotStrictJson, ValidationError):
        return []
    found = set()
    for number, content in earlier_seals(run, worker).items():
        folder = f"{ATTEMPTS}/{number}"
        try:
            before = parse(Seal, content).artifacts
        except (NotStrictJson, ValidationError):
            found.add(f"{folder}/{SEALED}")
            continue
        named = {n if n.startswith(f"{ATTEMPTS}/") else f"{folder}/{n}": n for n in before}
        found |= {where for where, name in named.items() if now.get(where) != before[name]}
    return [worker_artifact(worker, name) for name in sorted(found)]
