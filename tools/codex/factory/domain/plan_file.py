"""What the operator wrote becomes a plan, or a refusal that names the key."""

import tomllib
from collections.abc import Mapping

from pydantic import ValidationError

from tools.codex.factory.domain.artifact import Artifact
from tools.codex.factory.domain.document import canonical, strict_json
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.domain.plan import Check, Integration, PlanFile, WorkerEntry


class PlanRefused(ValueError):
    """The plan is wrong: `str()` names the key and the reason, `hint` the remedy."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def parsed(content: bytes, name: str) -> PlanFile:
    """Return the plan in `content`, TOML or (where `name` ends in .json) JSON.

    Raises PlanRefused naming the key, the reason and the nearest known key.
    """
    document = _document(content, name)
    defaults = document.pop("defaults", {})
    if not isinstance(defaults, dict):
        raise PlanRefused(f"{name}: defaults must be a table", hint="write [defaults]")
    _check_defaults(defaults, name)
    workers = document.get("workers")
    if isinstance(workers, list):
        document["workers"] = [
            {**defaults, **worker} if isinstance(worker, dict) else worker for worker in workers
        ]
    try:
        return PlanFile.model_validate_json(canonical(document))
    except ValidationError as error:
        raise _refusal(error, document, name) from error
    except (TypeError, ValueError) as error:
        raise PlanRefused(
            f"{name}: a value that no key takes: {error}", hint="docs/plan.md lists every key"
        ) from error


def _document(content: bytes, name: str) -> dict[str, object]:
    try:
        if name.endswith(".json"):
            document = strict_json(content)
        else:
            document = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        # tomllib lets numbers of any length and tables of any depth fail as they may.
        kind = "JSON" if name.endswith(".json") else "TOML"
        raise PlanRefused(f"{name}: {error}", hint=f"a plan is one {kind} file") from error
    if not isinstance(document, dict):
        raise PlanRefused(f"{name}: not an object", hint="a plan is a table of keys")
    return dict(document)


def _check_defaults(defaults: Mapping[str, object], name: str) -> None:
    known = set(WorkerEntry.model_fields) - {"id"}
    for key in defaults:
        if key not in known:
            raise PlanRefused(
                f"{name}: unknown key 'defaults.{key}'", hint=did_you_mean(key, known)
            )


def _refusal(error: ValidationError, document: Mapping[str, object], name: str) -> PlanRefused:
    found = error.errors(include_url=False)
    # A misspelt key is missing too; the misspelling is what the operator can see.
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    where = _where(first["loc"], document)
    if first["type"] == "extra_forbidden":
        known = _known_keys(first["loc"])
        return PlanRefused(
            f"{name}: unknown key {where!r}", hint=did_you_mean(str(first["loc"][-1]), known)
        )
    if first["type"] == "missing":
        return PlanRefused(f"{name}: {where!r} is missing", hint="add it")
    said = first["msg"].removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    return PlanRefused(
        f"{name}: {where}: {said}" if where else f"{name}: {said}",
        hint="docs/plan.md lists every key with an example",
    )


def _where(location: tuple[int | str, ...], document: Mapping[str, object]) -> str:
    """Return the key as the operator knows it: `workers.A_worker.allow`."""
    parts: list[str] = []
    at: object = document
    for part in location:
        if isinstance(part, int) and isinstance(at, list) and part < len(at):
            at = at[part]
            label = at.get("id", at.get("name")) if isinstance(at, dict) else None
            parts.append(label if isinstance(label, str) else str(part))
        else:
            at = at.get(part) if isinstance(at, dict) and isinstance(part, str) else None
            parts.append(str(part))
    return ".".join(parts)


def _known_keys(location: tuple[int | str, ...]) -> set[str]:
    rooms: dict[str, type[Artifact]] = {
        "workers": WorkerEntry,
        "checks": Check,
        "integration": Integration,
    }
    room = rooms.get(str(location[0]))
    if room is None or len(location) == 1:
        return set(PlanFile.model_fields) | {"defaults"}
    return set(room.model_fields)
