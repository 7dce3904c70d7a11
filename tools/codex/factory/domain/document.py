"""How a JSON document becomes bytes and comes back: one way, understood alike by every reader."""

import json
import math
from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from tools.codex.factory.domain.wording import brief

_MOST_PLACE = 120


class NotStrictJson(ValueError):
    """The text is not one JSON document that every reader understands alike."""


Model = TypeVar("Model", bound=BaseModel)


def canonical(document: BaseModel | dict[str, object]) -> bytes:
    """Return the bytes of a document: sorted keys, two spaces, ASCII, a final newline."""
    content = document.model_dump(mode="json") if isinstance(document, BaseModel) else document
    text = json.dumps(content, sort_keys=True, indent=2, ensure_ascii=True, allow_nan=False)
    return (text + "\n").encode("ascii")


def parse(model: type[Model], content: bytes) -> Model:
    """Return `content` as a `model`; raise NotStrictJson or ValidationError.

    Keys given twice and NaN are refused: readers disagree on what they mean.
    """
    strict_json(content)
    return model.model_validate_json(content)


def parse_canonical(model: type[Model], content: bytes) -> Model:
    """Return `content` as `parse` does; raise NotStrictJson where its bytes are not canonical."""
    document = parse(model, content)
    if canonical(document) != content:
        raise NotStrictJson("its bytes are not the ones that the factory writes")
    return document


def strict_json(content: bytes) -> object:
    """Return the JSON document in `content`; raise NotStrictJson saying why it is none."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotStrictJson(f"not UTF-8 at byte {error.start}") from error
    try:
        return json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
    except NotStrictJson:
        raise
    except RecursionError as error:
        raise NotStrictJson("nested too deep") from error
    except ValueError as error:
        raise NotStrictJson(str(error)) from error


def what_is_wrong(error: ValidationError) -> str:
    """Return the first thing that a validation found, as `where: what`."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = place_of(first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {first['msg'].removeprefix('Value error, ')}{more}"


def place_of(parts: Iterable[str | int]) -> str:
    """Return where in a document something stands; a stranger's keys may be anything."""
    where = ".".join(str(part) for part in parts) or "document"
    said = where.encode("utf-8", "backslashreplace").decode("utf-8")
    return said if len(said) <= _MOST_PLACE else said[:_MOST_PLACE] + "..."


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        times = Counter(name for name, _ in pairs)
        twice = min(name for name, count in times.items() if count > 1)
        raise NotStrictJson(f"key {brief(twice)} stands twice")
    return found


def _no_constant(name: str) -> object:
    raise NotStrictJson(f"{name} is not JSON")


def _finite(digits: str) -> float:
    """Return a number, but for one that is infinite to those who keep it as a float."""
    number = float(digits)
    if math.isinf(number):
        raise NotStrictJson(f"{brief(digits)} is larger than a number may be")
    return number
